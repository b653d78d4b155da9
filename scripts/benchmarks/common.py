"""Shared by all measurements: the table of results, a project, a database, and alternating timings."""

import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent.parent
LAB = Path(os.environ["DRIZZLE_PILOT_LAB"])
KIT = LAB / "0.31.11" / "node_modules"
PILOT = os.environ["PILOT"]
SCRATCH = Path(sys.argv[1])
ROUNDS = int(sys.argv[2])
URL = os.environ["DRIZZLE_PILOT_LAB_URL"]

table = []


def row(what, value, spread, goal, met):
    line = (what, value, spread, goal, "" if met is None else "met" if met else "MISSED")
    table.append(line)
    print("  %s: %s (%s)" % line[:3], flush=True)


def quartiles(values):
    low, middle, high = statistics.quantiles(values, n=4)
    return middle, low, high


def sql(*statements):
    subprocess.run([REPO / "scripts/sql", *statements], check=True, stdout=subprocess.DEVNULL, env=environment())


def environment():
    return {**os.environ, "DATABASE_URL": URL.rsplit("/", 1)[0] + "/bench"}


def project(fixture):
    folder = SCRATCH / "app"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(REPO / "fixtures/projects" / fixture, folder)
    shutil.copy(REPO / "fixtures/projects/drizzle.config.ts", folder)
    (folder / "node_modules").symlink_to(KIT)
    return folder


def reset(before):
    subprocess.run(
        [REPO / "scripts/sql", "DROP DATABASE IF EXISTS bench WITH (FORCE)", "CREATE DATABASE bench"],
        check=True,
        env={**os.environ, "DATABASE_URL": URL},
    )
    sql(before)


def timed(command, folder, code=0):
    start = time.perf_counter()
    ran = subprocess.run(command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    took = time.perf_counter() - start
    if ran.returncode != code:
        sys.exit("bench: %s ended with %s\n%s%s" % (command, ran.returncode, ran.stdout, ran.stderr))
    return took


def compare(what, ways, rounds, goals, prepare=lambda way: None):
    """Times the first of several ways against the others, round by round; a goal is the ratio to reach, or None."""
    times = {way: [] for way in ways}
    for round_ in range(rounds + 1):
        for way in random.sample(list(ways), len(ways)):
            prepare(way)
            took = ways[way]()
            if round_ > 0:  # The first round warms the caches.
                times[way].append(took)
    ours, *others = ways
    for way in others:
        middle, low, high = quartiles([a / b for a, b in zip(times[ours], times[way])])
        absolute = "%.0f ms / %.0f ms" % tuple(1000 * statistics.median(times[w]) for w in (ours, way))
        goal = goals.get(way)
        met = None if goal is None else middle <= goal
        row(f"{what}: {ours} / {way}", f"{middle:.3f}", f"{low:.3f}–{high:.3f}, {absolute}", f"≤ {goal}" if goal else "–", met)


def peak_of(command, folder, codes=(0,)):
    """The peak memory of one process in MiB, from the kernel's own count."""
    pid = os.fork()
    if pid == 0:
        os.chdir(folder)
        quiet = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(quiet, descriptor)
        os.execve(command[0], command, environment())
    _, status, usage = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status) not in codes:
        sys.exit("bench: %s ended with %s" % (command, os.waitstatus_to_exitcode(status)))
    return usage.ru_maxrss / 1024
