"""`plan` with repeated statements compared with drizzle-kit alone, and `sync`'s proof, made anew and cached."""

import json
import os
import shutil

from common import PILOT, ROUNDS, SCRATCH, compare, project, quartiles, reset, row, sql, timed
from push import typist

N_TABLES, N_REPEATED = 300, 100
# What is kept from one proof to the next, is kept for this run.
os.environ["XDG_CACHE_HOME"] = str(SCRATCH / "cache")


def decline(drawn):
    """Takes the first choice, "No, abort", as soon as it appears."""
    return b"\r" if b"Yes, I want to" in drawn else None


def schema():
    """Tables of which drizzle-kit 0.31 repeats a hundred constraints."""
    tables = []
    for n in range(N_TABLES):
        distinct = f"u: unique('t{n}_u').on(t.b).nullsNotDistinct()" if n < N_REPEATED else ""
        tables.append(
            f"export const t{n} = pgTable('t{n}', {{ id: serial('id').primaryKey(), a: text('a').notNull(), b: integer('b'),"
            f" c: timestamp('c').defaultNow(), d: varchar('d', {{ length: 80 }}) }}, (t) => ({{ {distinct} }}));")
    imports = "import { integer, pgTable, serial, text, timestamp, unique, varchar } from 'drizzle-orm/pg-core';"
    return "\n".join([imports, *tables])


def repeated():
    folder = project("no_changes")
    (folder / "schema.ts").write_text(schema())
    reset("SELECT")
    timed([PILOT, "push"], folder)
    ways = {
        "drizzle-pilot plan": lambda: timed([PILOT, "plan"], folder),
        "node bin.cjs": lambda: typist(folder, decline, ["--strict", "--verbose"]),
    }
    compare(f"{N_TABLES} tables, {N_REPEATED} repeated statements", ways, max(5, ROUNDS // 2), {"node bin.cjs": 1.1})


def proof():
    """A folder of 300 migrations, and a database that they made."""
    folder = project("no_changes")
    shutil.rmtree(folder / "drizzle", ignore_errors=True)
    (folder / "drizzle" / "meta").mkdir(parents=True)
    entries = []
    for n in range(N_TABLES):
        tag = f"{n:04}_m"
        (folder / "drizzle" / f"{tag}.sql").write_text(f'CREATE TABLE "t{n}" ("id" serial PRIMARY KEY, "a" text NOT NULL, "b" integer);')
        entries.append({"idx": n, "version": "7", "when": 1_700_000_000_000 + n, "tag": tag, "breakpoints": True})
    journal = {"version": "7", "dialect": "postgresql", "entries": entries}
    (folder / "drizzle" / "meta" / "_journal.json").write_text(json.dumps(journal))
    reset("SELECT")
    timed([PILOT, "migrate"], folder)
    sql('DELETE FROM "drizzle"."__drizzle_migrations"')
    command = [PILOT, "sync", "--dry-run"]
    ways = {
        "on a server of its own": "cache = false",
        "on the database's server": 'start = "never"\ncache = false',
        "cached": "cache = true",
    }
    for way, keys in ways.items():
        (folder / "drizzle-pilot.toml").write_text(f"version = 1\n[scratch]\n{keys}\n")
        timed(command, folder, code=2)
        times = [1000 * timed(command, folder, code=2) for _ in range(max(5, ROUNDS))]
        middle, low, high = quartiles(times)
        row(f"{N_TABLES} migrations: sync --dry-run, {way}", f"{middle:.0f} ms", f"{low:.0f}–{high:.0f}", "–", None)


def measure():
    repeated()
    proof()
