"""The launcher of the npm package compared with the program itself: the extra cost of `npx drizzle-pilot` and of an npm script."""

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
    # Nearly all of it is the start-up time of node itself.
    ways = {
        "the npm starter": lambda: timed([*starter, "--version"], folder),
        "an empty script in node": lambda: timed(["node", "-e", ""], folder),
        "the program": lambda: timed([PILOT, "--version"], folder),
    }
    compare("--version", ways, ROUNDS * 3, {"an empty script in node": 1.25})
