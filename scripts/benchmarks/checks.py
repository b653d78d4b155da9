"""`check` and `status` on large folders, compared with squawk using the same rules."""

import json
import random
import shutil
import subprocess

from common import LAB, PILOT, ROUNDS, SCRATCH, URL, compare, environment, peak_of, quartiles, row, timed

SQUAWK = LAB / "squawk" / "bin" / "squawk"
# Typical migrations of drizzle-kit, good and bad.
PIECES = [
    'CREATE TABLE "t{n}" ("id" serial PRIMARY KEY NOT NULL, "name" text NOT NULL, "at" timestamp DEFAULT now());',
    'ALTER TABLE "t{m}" ADD COLUMN "c{n}" text;',
    'ALTER TABLE "t{m}" ALTER COLUMN "name" SET DATA TYPE varchar(80);',
    'CREATE INDEX "i{n}" ON "t{m}" USING btree ("name");',
    'ALTER TABLE "t{m}" ADD CONSTRAINT "f{n}" FOREIGN KEY ("id") REFERENCES "public"."t0"("id") ON DELETE no action;',
    'ALTER TABLE "t{m}" ALTER COLUMN "at" SET NOT NULL;',
    'ALTER TABLE "t{m}" DROP COLUMN "at";',
    "CREATE TYPE \"public\".\"e{n}\" AS ENUM('a', 'b');",
    'CREATE POLICY "p{n}" ON "t{m}" AS PERMISSIVE FOR SELECT TO public USING (true);',
    'DROP TABLE "t{m}" CASCADE;',
]


def folder(n_files):
    """A migrations folder with a journal, without snapshots."""
    where = SCRATCH / f"migrations_{n_files}"
    shutil.rmtree(where, ignore_errors=True)
    (where / "drizzle" / "meta").mkdir(parents=True)
    rng = random.Random(n_files)
    entries = []
    for n in range(n_files):
        tag = f"{n:04}_m"
        picked = [PIECES[0]] if n == 0 else rng.choices(PIECES, k=8)
        statements = [piece.format(n=f"{n}_{k}", m=rng.randrange(max(1, n))) for k, piece in enumerate(picked)]
        (where / "drizzle" / f"{tag}.sql").write_text("--> statement-breakpoint\n".join(statements))
        entries.append({"idx": n, "version": "7", "when": 1_700_000_000_000 + n, "tag": tag, "breakpoints": True})
    journal = {"version": "7", "dialect": "postgresql", "entries": entries}
    (where / "drizzle" / "meta" / "_journal.json").write_text(json.dumps(journal, indent=2))
    return where


def against_squawk():
    where = folder(1_000)
    files = sorted(str(file) for file in (where / "drizzle").glob("*.sql"))
    ours = [PILOT, "check", "--migrations", "drizzle", "--format", "json"]
    theirs = [str(SQUAWK), "--assume-in-transaction", "--reporter", "Json", *files]
    ways = {
        "drizzle-pilot check": lambda: timed(ours, where, code=2),
        "squawk": lambda: timed(theirs, where, code=1),
    }
    compare("1,000 files, lint and journal", ways, max(5, ROUNDS // 2), {"squawk": 1.0})
    row("1,000 files: peak memory of check", f"{peak_of(ours, where, (2,)):.1f} MiB", f"squawk {peak_of(theirs, where, (1,)):.1f} MiB", "–", None)


def staged():
    where = folder(300)
    git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.com"]
    subprocess.run([*git, "init", "-q"], cwd=where, check=True)
    subprocess.run([*git, "add", "."], cwd=where, check=True)
    subprocess.run([*git, "commit", "-qm", "all"], cwd=where, check=True)
    last = where / "drizzle" / "0299_m.sql"
    last.write_text(last.read_text() + '--> statement-breakpoint\nALTER TABLE "t1" ADD COLUMN "last" text;')
    subprocess.run([*git, "add", "."], cwd=where, check=True)
    command = [PILOT, "check", "--migrations", "drizzle", "--staged"]
    codes = subprocess.run(command, cwd=where, capture_output=True, env=environment()).returncode
    times = [1000 * timed(command, where, code=codes) for _ in range(max(5, ROUNDS))]
    middle, low, high = quartiles(times)
    row("300 files: check --staged", f"{middle:.0f} ms", f"{low:.0f}–{high:.0f}", "≤ 300 ms", middle <= 300)


def status():
    where = folder(300)
    command = [PILOT, "status", "--migrations", "drizzle", "--url", URL]
    times = [1000 * timed(command, where, code=2) for _ in range(max(5, ROUNDS))]
    middle, low, high = quartiles(times)
    row("300 migrations: status", f"{middle:.0f} ms", f"{low:.0f}–{high:.0f}", "–", None)
    row("300 migrations: peak memory of status", f"{peak_of(command, where, (2,)):.1f} MiB", "", "–", None)


def measure():
    against_squawk()
    staged()
    status()
