"""`reset` compared with psql: DROP SCHEMA, and one statement per table. Over a slow line, round trips are counted."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time

from common import PILOT, REPO, SCRATCH, compare, peak_of, row, timed

# Room for the locks of ten thousand tables in one transaction, more than a server has by default.
ROOMY = "max_locks_per_transaction = 2000\n"
# Ten others refer to each: with thousands of foreign keys to one table, the server's cost grows quadratically.
SHAPE = "(id serial PRIMARY KEY, name text UNIQUE, at timestamp DEFAULT now(), t int REFERENCES t%s)"


@contextlib.contextmanager
def server():
    files = SCRATCH / "roomy"
    files.mkdir(exist_ok=True)
    (files / "postgresql.conf").write_text(ROOMY)
    added = subprocess.run([REPO / "scripts/lab", "add", "roomy", "15", files], check=True, capture_output=True, text=True)
    try:
        yield added.stdout.strip()
    finally:
        subprocess.run([REPO / "scripts/lab", "halt", "roomy", "immediate"], check=True)


def named(url, database):
    return url.rsplit("/", 1)[0] + "/" + database


def psql(url, *statements):
    commands = [argument for statement in statements for argument in ("-c", statement)]
    subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", url, *commands], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_tables(url, n_tables):
    """Tables as drizzle creates them. Their locks are released in between."""
    psql(url, f"CREATE TABLE t0 {SHAPE % 0}", f"""
        DO $$ BEGIN FOR n IN 1..{n_tables - 1} LOOP
            EXECUTE format('CREATE TABLE t%s {SHAPE}', n, n / 10);
            IF n % 500 = 0 THEN COMMIT; END IF;
        END LOOP; END $$""")


def folder():
    where = SCRATCH / "reset"
    where.mkdir(exist_ok=True)
    (where / "drizzle-pilot.toml").write_text("version = 1\n[guard]\nhosts = ['127.0.0.1']\n")
    return where


def sizes(url):
    for n_tables, rounds in ((100, 7), (1_000, 4), (10_000, 2)):
        template, database = f"tables_{n_tables}", named(url, "bench")
        psql(url, f"CREATE DATABASE {template}")
        make_tables(named(url, template), n_tables)

        def fill(_):
            psql(url, "DROP DATABASE IF EXISTS bench WITH (FORCE)", f"CREATE DATABASE bench TEMPLATE {template}", "CHECKPOINT")

        one_by_one = SCRATCH / "one_by_one.sql"
        one_by_one.write_text("".join(f"DROP TABLE IF EXISTS t{n} CASCADE;\n" for n in range(n_tables)))
        quiet = ["psql", "-qX1", "-v", "ON_ERROR_STOP=1", database]
        ours = [PILOT, "reset", "--yes", "--url", database]
        ways = {
            "drizzle-pilot reset": lambda: timed(ours, folder()),
            "DROP SCHEMA … CASCADE": lambda: timed([*quiet, "-c", "DROP SCHEMA public CASCADE", "-c", "CREATE SCHEMA public"], folder()),
            "a statement for each table": lambda: timed([*quiet, "-f", str(one_by_one)], folder()),
        }
        goals = {"DROP SCHEMA … CASCADE": 1.0 if n_tables == 10_000 else 1.1}
        compare(f"{n_tables:,} tables", ways, rounds, goals, fill)
        fill(None)
        row(f"{n_tables:,} tables: peak memory of reset", f"{peak_of(ours, folder()):.1f} MiB", "", "–", None)
        floor(n_tables, lambda: fill(None), lambda: timed(ours, folder()))
        psql(url, f"DROP DATABASE {template}")


def floor(n_tables, fill, reset):
    """The unavoidable cost: the server truncates every file of a table when the drop is committed."""
    n_files = 6 * n_tables
    files = SCRATCH / "files"
    files.mkdir()
    for n in range(n_files):
        (files / str(n)).write_bytes(b"\0" * 8192)
    start = time.perf_counter()
    for n in range(n_files):
        os.truncate(files / str(n), 0)
    for n in range(n_files):
        os.unlink(files / str(n))
    bare = time.perf_counter() - start
    shutil.rmtree(files)
    fill()
    row(f"{n_tables:,} tables: reset / cutting and unlinking {n_files:,} files", f"{reset() / bare:.1f}", f"{1000 * bare:.0f} ms", "–", None)


class SlowLine:
    """A line with a round-trip time of 30 ms. A round trip is counted when the server answers the client."""

    def __init__(self, port, delay=0.015):
        self.port, self.delay, self.turns = port, delay, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.port))
            said = {"last": None}
            for source, target, who in ((client, server, "client"), (server, client, "server")):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.carry, args=(source, target, who, said), daemon=True).start()

    def carry(self, source, target, who, said):
        due = []
        ready = threading.Condition()

        def deliver():
            while True:
                with ready:
                    ready.wait_for(lambda: due)
                    at, piece = due.pop(0)
                time.sleep(max(0, at - time.monotonic()))
                with contextlib.suppress(OSError):
                    target.sendall(piece) if piece else target.shutdown(socket.SHUT_WR)
                if not piece:
                    return

        threading.Thread(target=deliver, daemon=True).start()
        piece = True
        while piece:
            try:
                piece = source.recv(65536)
            except OSError:
                piece = b""
            if piece and who == "server" and said["last"] == "client":
                self.turns += 1
            said["last"] = who if piece else said["last"]
            with ready:
                due.append((time.monotonic() + self.delay, piece))
                ready.notify()


def slow_line(url):
    psql(url, "DROP DATABASE IF EXISTS bench WITH (FORCE)", "CREATE DATABASE bench")
    make_tables(named(url, "bench"), 100)
    port = int(url.rsplit(":", 1)[1].split("/")[0])
    line = SlowLine(port)
    slow = named(url, "bench").replace(f":{port}/", f":{line.listener.getsockname()[1]}/")
    took = timed([PILOT, "reset", "--yes", "--url", slow], folder())
    row("100 tables at 30 ms of latency: round trips of reset", str(line.turns), f"{1000 * took:.0f} ms, all connections", "≤ 20", line.turns <= 20)


def measure():
    with server() as url:
        slow_line(url)
        sizes(url)
