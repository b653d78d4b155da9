"""The measurements of scripts/bench. Each comparison alternates within one run, so that changes of the machine's load affect all sides."""

import os
import sys
import time

import checks
import drift
import gate
import push
import reset
import starter
from common import ROUNDS, table

PARTS = {"push": push, "gate": gate, "reset": reset, "checks": checks, "starter": starter, "compare": drift}


def main():
    start = time.monotonic()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {ROUNDS} rounds", flush=True)
    for part in sys.argv[3:] or PARTS:
        PARTS[part].measure()

    print()
    titles = ("measure", "median", "quartiles and more", "goal", "")
    widths = [max(len(line[n]) for line in [titles, *table]) for n in range(5)]
    for line in [titles, tuple("-" * width for width in widths), *table]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    missed = sum(line[4] == "MISSED" for line in table)
    print(f"\n{missed} of {sum(line[4] != '' for line in table)} goals missed; {time.monotonic() - start:.0f} s")


main()
