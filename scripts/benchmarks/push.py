"""`push` compared with drizzle-kit alone, npx and a pexpect script: wall time, latency, memory, and CPU time while waiting."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

from common import PILOT, ROUNDS, compare, environment, project, quartiles, reset, row, timed

# A script that somebody might write with pexpect in an afternoon.
PEXPECT = r"""
import sys
import pexpect

child = pexpect.spawn("npx", ["drizzle-kit", "push"], encoding="utf-8", timeout=120, dimensions=(50, 200))
patterns = [r"Do you still want to push changes\?", r"created or renamed", r"Changes applied", r"No changes detected", pexpect.EOF]
while True:
    found = child.expect(patterns)
    if found == 0:
        child.expect("Yes, I want to")
        child.send("\x1b[B")
        child.send("\r")
    elif found == 1:
        child.send("\r")
    else:
        break
child.expect(pexpect.EOF)
child.close()
sys.exit(0 if found in (2, 3) else 1)
"""



HIDE_CURSOR, DOWN = b"\x1b[?25l", b"\x1b[B"


def typist(folder, answer, flags=()):
    """drizzle-kit alone, typed by somebody who knows every answer: `answer` gets what was drawn and returns the keys."""
    start = time.perf_counter()
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvpe("node", ["node", "node_modules/drizzle-kit/bin.cjs", "push", *flags], environment())
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 400, 240, 0, 0))
    seen = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
        opened = seen.find(HIDE_CURSOR)
        keys = answer(seen[opened:]) if opened >= 0 else None
        if keys:
            seen = b""
            os.write(master, keys)
    _, status = os.waitpid(pid, 0)
    took = time.perf_counter() - start
    if status != 0:
        sys.exit("bench: the typist failed")
    return took


def approve(drawn):
    """Takes the second choice, "Yes", as soon as it appears."""
    return DOWN + b"\r" if b"Yes, I want to" in drawn else None


def wall(fixture):
    """Wall time compared with the alternatives."""
    folder = project(fixture)
    (folder / "push.py").write_text(PEXPECT)
    before = (folder / "before.sql").read_text()
    ways = {
        "drizzle-pilot push": lambda: timed([PILOT, "push"], folder),
        "node bin.cjs": lambda: typist(folder, approve),
        "npx": lambda: timed(["npx", "drizzle-kit", "push", "--force"], folder),
        "pexpect": lambda: timed([sys.executable, "push.py"], folder),
    }
    if fixture != "no_changes":
        ways["node bin.cjs --force, which asks nothing"] = lambda: timed(
            ["node", "node_modules/drizzle-kit/bin.cjs", "push", "--force"], folder)
    compare(fixture, ways, ROUNDS, {"node bin.cjs": 1.03, "npx": 0.65, "pexpect": 0.70}, lambda _: reset(before))


@contextlib.contextmanager
def locked():
    """Keeps a table locked, so that drizzle-kit hangs before its question."""
    script = """
        const { Client } = require(process.env.DRIZZLE_PILOT_LAB + '/0.31.11/node_modules/pg');
        const client = new Client({ connectionString: process.env.DATABASE_URL });
        client.connect().then(() => client.query('BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE'))
            .then(() => console.log('locked'));
        process.stdin.resume().on('end', () => process.exit());"""
    holder = subprocess.Popen(["node", "-e", script], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "locked\n"
    try:
        yield
    finally:
        holder.stdin.close()
        holder.wait()


def ours(pid):
    """The processes of drizzle-pilot below a pid: the program and its supervisor process."""
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        try:
            name = Path(f"/proc/{current}/comm").read_text().strip()
            children = [c for task in Path(f"/proc/{current}/task").iterdir() for c in (task / "children").read_text().split()]
        except OSError:
            continue
        if name in ("drizzle-pilot", "drizzle-reaper"):
            found.append(current)
        todo.extend(int(child) for child in children)
    return found


def cpu_ns(pids):
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total


def idle_cpu(seconds=10):
    folder = project("drop_column")
    before = (folder / "before.sql").read_text()
    for where in ("into a pipe", "on a terminal"):
        reset(before)
        with locked():
            pid, master = pty.fork() if where == "on a terminal" else (os.fork(), None)
            if pid == 0:
                os.chdir(folder)
                if master is None:
                    quiet = os.open(os.devnull, os.O_RDWR)
                    for descriptor in (0, 1, 2):
                        os.dup2(quiet, descriptor)
                os.execve(PILOT, [PILOT, "push"], environment())
            drain(master, 4)
            pids = ours(pid)
            start = cpu_ns(pids)
            drain(master, seconds)
            share = (cpu_ns(pids) - start) / (seconds * 1e9)
        drain(master, None)
        os.waitpid(pid, 0)
        spread = "%d process%s, %d s" % (len(pids), "es"[: 2 * (len(pids) > 1)], seconds)
        row(f"own CPU while the kit thinks, {where}", f"{100 * share:.3f} %", spread, "≤ 1 %", share <= 0.01)


def drain(master, seconds):
    """Reads a terminal for some time, or to its end."""
    end = None if seconds is None else time.monotonic() + seconds
    while end is None or time.monotonic() < end:
        if master is None:
            if end is not None:
                time.sleep(end - time.monotonic())
            return
        ready, _, _ = select.select([master], [], [], None if end is None else max(0, end - time.monotonic()))
        if ready:
            try:
                if not os.read(master, 65536):
                    return
            except OSError:
                return


def peak_memory(folder, what):
    """The peak memory of both processes, counting shared pages once (PSS, sampled every 2 ms), and the peak resident memory
    of each, shared or not (VmHWM)."""
    child = subprocess.Popen([PILOT, "push"], cwd=folder, env=environment(), stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shares, resident = [0], {}
    while child.poll() is None:
        share = 0
        for pid in ours(child.pid):
            with contextlib.suppress(OSError, TypeError):  # A process that is ending has no memory any more.
                share += int(re.search(r"Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())[1])
                # Between fork and exec, the supervisor process is a copy of the program: the last value counts.
                resident[pid] = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])
        shares.append(share / 1024)
        time.sleep(0.002)
    peak = max(shares)
    each = " + ".join(f"{peak / 1024:.1f}" for peak in resident.values())
    row(f"own peak memory, {what}", f"{peak:.1f} MiB", f"resident {each}", "≤ 16 MiB", peak <= 16)


def latencies(cast):
    """From the last byte of each prompt to the Enter that answers it."""
    events = [json.loads(line) for line in cast.read_text().splitlines()[1:]]
    found, shown, open_, typed = [], None, False, False
    for at, kind, text in events:
        if kind == "o":
            if HIDE_CURSOR.decode() in text:
                open_, typed = True, False
            if open_ and not typed:
                shown = at
        elif kind == "i" and open_:
            typed = True
            if "\r" in text:
                found.append(1000 * (at - shown))
                open_ = False
    return found


def hundred(folder):
    """One table whose hundred columns are all renamed and reordered."""
    count = 100
    old = [f"old_{n:02}" for n in range(count)]
    new = {f"new_{n:02}": old[(n * 37 + 11) % count] for n in range(count)}
    (folder / "before.sql").write_text(f"CREATE TABLE wide ({', '.join(f'{name} integer' for name in old)})")
    columns = "\n".join(f"  {name}: integer('{name}')," for name in new)
    (folder / "schema.ts").write_text(
        "import { integer, pgTable } from 'drizzle-orm/pg-core';\n\n"
        f"export const wide = pgTable('wide', {{\n{columns}\n}});\n")
    (folder / "drizzle-pilot.toml").write_text(
        "version = 1\n[renames.columns]\n" + "".join(f'"public.wide.{o}" = "{n}"\n' for n, o in new.items()))
    return old, new


def hundred_renames():
    folder = project("rename_column")
    old, new = hundred(folder)
    before = (folder / "before.sql").read_text()

    def ideal():
        left = list(old)

        def answer(drawn):
            question = re.search(rb"Is \S*?(new_\d\d)", drawn)
            if not question:
                return None
            wanted = new[question[1].decode()]
            down, rows = left.index(wanted) + 1, len(left) + 1
            left.remove(wanted)
            return (DOWN * down if down <= rows - down else b"\x1b[A" * (rows - down)) + b"\r"

        return typist(folder, answer)

    ways = {"drizzle-pilot push": lambda: timed([PILOT, "push"], folder), "an ideal typist": ideal}
    compare("100 renames", ways, max(5, ROUNDS // 3), {"an ideal typist": 1.3}, lambda _: reset(before))

    reset(before)
    peak_memory(folder, "100 renames")
    reset(before)
    cast = folder / "run.cast"
    timed([PILOT, "push", "--record", str(cast)], folder)
    found = latencies(cast)
    middle, low, high = quartiles(found)
    row("100 renames: last byte of a prompt to Enter", f"{middle:.2f} ms",
        f"{low:.2f}–{high:.2f}, {len(found)} prompts, all keys", "–", None)
    replay_throughput(folder, cast)


def prompt_latency():
    folder = project("drop_column")
    before = (folder / "before.sql").read_text()
    found = []
    for n in range(10):
        reset(before)
        cast = folder / f"{n}.cast"
        timed([PILOT, "push", "--record", str(cast)], folder)
        found += latencies(cast)
    middle, low, high = quartiles(found)
    row("last byte of a prompt to Enter", f"{middle:.2f} ms", f"{low:.2f}–{high:.2f}, max {max(found):.2f}, {len(found)} prompts",
        "≤ 10 ms", middle <= 10)


def replay_throughput(folder, cast):
    size = sum(len(event[2].encode()) for event in map(json.loads, cast.read_text().splitlines()[1:]) if event[1] == "o")
    empty = [timed([PILOT, "--version"], folder) for _ in range(20)]
    times = [timed([PILOT, "replay", str(cast)], folder) - statistics.median(empty) for _ in range(7)]
    middle, low, high = quartiles([size / 1e6 / t for t in times])
    row("screen throughput (replay)", f"{middle:.1f} MB/s", f"{low:.1f}–{high:.1f}, {size / 1e6:.2f} MB", "–", None)


def start_up():
    def once(command):
        start = time.perf_counter()
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
        os.waitpid(pid, 0)
        return 1000 * (time.perf_counter() - start)

    times = [once([PILOT, "--version"]) for _ in range(200)]
    middle, low, high = quartiles(times)
    row("start-up of --version", f"{middle:.2f} ms", f"{low:.2f}–{high:.2f}", "≤ 5 ms", middle <= 5)


def measure():
    start_up()
    wall("no_changes")
    wall("drop_column")
    prompt_latency()
    folder = project("drop_column")
    reset((folder / "before.sql").read_text())
    peak_memory(folder, "one approved drop")
    hundred_renames()
    idle_cpu()
