"""The gate on statements: how fast they are read, and what a plan and a transaction cost."""

import os
import subprocess

from common import PILOT, REPO, ROUNDS, compare, project, quartiles, reset, row, timed
from push import typist

CLASSIFY = os.environ["CLASSIFY"]


def three_hundred(folder):
    """A schema that takes 300 statements: 150 new tables, and a column for each of 150 old ones."""
    names = [f"old_{n:03}" for n in range(150)]
    (folder / "before.sql").write_text(";".join(f"CREATE TABLE {name} (id integer PRIMARY KEY)" for name in names))
    old = "\n".join(f"export const {name} = pgTable('{name}', {{ id: integer('id').primaryKey(), nick: text('nick') }});" for name in names)
    new = "\n".join(f"export const new_{n:03} = pgTable('new_{n:03}', {{ id: integer('id').primaryKey() }});" for n in range(150))
    (folder / "schema.ts").write_text(f"import {{ integer, pgTable, text }} from 'drizzle-orm/pg-core';\n\n{old}\n{new}\n")
    policy = "version = 1\n[renames]\notherwise = \"create\"\n"
    (folder / "drizzle-pilot.toml").write_text(policy)


def plans():
    folder = project("no_changes")
    three_hundred(folder)
    before = (folder / "before.sql").read_text()
    reset(before)
    # The first choice creates the table; for the last question it is "No, abort".
    ways = {
        "drizzle-pilot plan": lambda: timed([PILOT, "plan"], folder, code=2),
        "drizzle-kit told no at once": lambda: typist(folder, lambda _: b"\r", ["--strict", "--verbose"]),
    }
    compare("300 statements", ways, max(5, ROUNDS // 2), {"drizzle-kit told no at once": 1.03})
    ways = {
        "push --apply transaction": lambda: timed([PILOT, "push", "--apply", "transaction"], folder),
        "drizzle-kit's own apply": lambda: timed([PILOT, "push"], folder),
    }
    compare("300 statements", ways, max(5, ROUNDS // 2), {"drizzle-kit's own apply": 1.0}, lambda _: reset(before))


def classification():
    """Splitting and judging the statements of every recorded block, repeatedly."""
    rates = [float(subprocess.run([CLASSIFY], cwd=REPO, check=True, capture_output=True, text=True).stdout) for _ in range(7)]
    middle, low, high = quartiles(rates)
    row("statements split and classified", f"{middle:,.0f} /s", f"{low:,.0f}–{high:,.0f}", "≥ 50,000 /s", middle >= 50_000)


def measure():
    classification()
    plans()
