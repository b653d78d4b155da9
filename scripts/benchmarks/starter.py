"""The starter of the npm package beside the program itself: what `npx drizzle-pilot` and an npm script cost more."""

import os

from common import PILOT, REPO, ROUNDS, compare, project, reset, timed


def measure():
    os.environ["DRIZZLE_PILOT_BINARY"] = PILOT
    starter = ["node", str(REPO / "scripts/npm/drizzle-pilot.js")]
    folder = project("no_changes")
    before = (folder / "before.sql").read_text()
    ways = {
        "the npm starter": lambda: timed([*starter, "push"], folder),
        "the program": lambda: timed([PILOT, "push"], folder),
    }
    compare("push without changes", ways, ROUNDS, {"the program": 1.15}, lambda _: reset(before))
    # What node itself takes to start is all of it, or nearly.
    ways = {
        "the npm starter": lambda: timed([*starter, "--version"], folder),
        "an empty script in node": lambda: timed(["node", "-e", ""], folder),
        "the program": lambda: timed([PILOT, "--version"], folder),
    }
    compare("--version", ways, ROUNDS * 3, {"an empty script in node": 1.25})
