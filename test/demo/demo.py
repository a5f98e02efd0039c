# SPDX-License-Identifier: Apache-2.0
"""A live migration from end to end: two throwaway servers, writers that never pause, kubeferry-engine between them.

Fills the source, starts the writers, runs the engine with its live view, stops the writers, waits until the last commit is
applied, compares both ends twice (the engine's verify and a comparison of its own), prints a report and removes everything.
Exit code 0 only if both ends are equal.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "engine"))

from servers import SUPERUSER_PASSWORD, Pgbench, Server, debian_bin, eventually, free_port, pgbench_initialize  # noqa: E402

ENGINE = os.environ.get("KUBEFERRY_ENGINE", os.path.join(HERE, "..", "..", "build", "bin", "kubeferry-engine"))
SETTINGS = {"max_wal_size": "4GB", "shared_buffers": "256MB", "synchronous_commit": "off"}

CHECKSUM = "SELECT count(*), COALESCE(sum(hashtextextended(t::text, 0)::numeric), 0) FROM ONLY {} t"
TABLES = """
SELECT c.oid::regclass::text, pg_table_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
 WHERE relkind = 'r' AND nspname IN ('public', 'shop') ORDER BY 2 DESC"""


def say(text):
    print(f"demo: {text}", flush=True)


class Failure(Exception):
    """Both ends are not equal, or a part of the demo did not do its work."""


def progress(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/progress", timeout=5) as response:
        return json.load(response)


def lsn_number(text):
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def applied(document):
    return lsn_number(document["stream"]["lsnApplied"] or "0/0")


def engine_arguments(verb, source, sink):
    return [ENGINE, verb, "--name", "demo", "--source", source.conninfo(password=None), "--sink", sink.conninfo(password=None)]


def password_environment(servers):
    """Both passwords in a password file: nothing secret stands in the process list."""
    path = os.path.join(servers[0].directory, "pgpass")
    password = "".join("\\" + c if c in ":\\" else c for c in SUPERUSER_PASSWORD)
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        for server in servers:
            file.write(f"127.0.0.1:{server.port}:*:postgres:{password}\n")
    return {**os.environ, "PGPASSFILE": path}


class Stops:
    """Signals that are to stop the demo. Python loses what a handler raises inside a destructor, so they are remembered, and
    whoever waits looks for them."""

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self):
        self._came, self._deferred = None, False

    def catch(self):
        for number in self.NUMBERS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number, _frame):
        self._came = self._came or number
        self.look()

    def look(self):
        if self._came and not self._deferred:
            raise KeyboardInterrupt if self._came == signal.SIGINT else SystemExit(143)

    @contextlib.contextmanager
    def deferred(self):
        """Heeded at its end: a process that is just being started could not be ended yet."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        self.look()


stops = Stops()


@contextlib.contextmanager
def running_engine(*arguments, **options):
    engine = None
    try:
        with stops.deferred():
            engine = subprocess.Popen(arguments, **options)
        yield engine
    finally:
        if engine and engine.poll() is None:
            engine.kill()
            engine.wait()


def wait_for(engine, port, condition, what, timeout):
    def look():
        stops.look()
        if engine.poll() is not None:
            raise Failure(f"the engine ended before {what}, exit code {engine.returncode}")
        with contextlib.suppress(OSError, ValueError):
            document = progress(port)
            return document if condition(document) else None
    return eventually(look, timeout, what, 0.1)


def pause(seconds):
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        stops.look()
        time.sleep(min(left, 0.5))


def compare(source, sink):
    """(tables, rows, tables that differ), by a checksum of each table's rows."""
    differing, rows, names = [], 0, [row[0] for row in source.rows(TABLES)]
    for name in names:
        left, right = (database.rows(CHECKSUM.format(name)) for database in (source, sink))
        rows += left[0][0]
        if left != right:
            differing.append(f"{name}: {left[0][0]} rows on the source, {right[0][0]} on the sink")
    return len(names), rows, differing


def fill(source, scale):
    pgbench_initialize(source, scale)
    with open(os.path.join(HERE, "shop.sql"), encoding="utf-8") as file:
        source.psql(file.read())


def migrate(source, sink, options, environment):
    """Runs the engine while the writers write; returns (progress document at the end, result of verify, seconds)."""
    port = free_port()
    with open(os.path.join(HERE, "shop_writer.sql"), encoding="utf-8") as file:
        shop = file.read()
    with Pgbench(source, rate=options.rate) as bank, Pgbench(source, rate=options.rate // 4, clients=1, script=shop) as shopping:
        started = time.monotonic()
        arguments = [*engine_arguments("run", source, sink), "--jobs", str(options.jobs), "--listen", f"127.0.0.1:{port}"]
        with running_engine(*arguments, env=environment) as engine:
            wait_for(engine, port, is_streaming, "the copy's end", 300)
            copied = time.monotonic() - started
            pause(options.follow)
            for writer in (bank, shopping):
                if not writer.running():
                    raise Failure("a writer ended too early: " + writer.process.stdout.read())
                writer.stop()
            last = lsn_number(source.value("SELECT pg_current_wal_insert_lsn()::text"))
            stopped = time.monotonic()
            wait_for(engine, port, lambda d: applied(d) >= last, "the last commit's arrival", 300)
            seconds = {"copied": copied, "drained": time.monotonic() - stopped, "all": time.monotonic() - started}
            document = progress(port)
            engine.send_signal(signal.SIGTERM)
            if engine.wait(60) != 0:
                raise Failure(f"the engine did not stop cleanly: exit code {engine.returncode}")
    verify = subprocess.run([*engine_arguments("verify", source, sink), "--jobs", str(options.jobs)], env=environment,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return document, verify, seconds


def is_streaming(document):
    return document["step"] == "cdc" and applied(document) > 0


def report(document, verify, seconds, checked, total):
    tables, rows, differing = checked
    copy, stream = document["copy"], document["stream"]
    steps = ", ".join(f"{step['step']} {step['seconds']:.1f} s" for step in document["steps"] if "seconds" in step)
    print(f"""
  tables             {tables}
  rows               {rows:,} at the end, {copy['rowsDone']:,} copied
  bytes copied       {copy['bytesDone']:,}
  steps              {steps}
  changes applied    {stream['changes']:,} in {stream['transactions']:,} transactions
  lag                p50 {stream['lagP50Seconds'] * 1000:.1f} ms, p99 {stream['lagP99Seconds'] * 1000:.1f} ms
  last commit        on the sink {seconds['drained']:.2f} s after the writers stopped
  engine's verify    {'equal' if verify.returncode == 0 else 'exit code ' + str(verify.returncode)}
  own comparison     {'equal' if not differing else '; '.join(differing)}
  differences: {len(differing) if verify.returncode in (0, 1) else 'unknown'}
  {total:.0f} seconds in all
""", flush=True)


def show(options):
    began = time.monotonic()
    binaries = debian_bin()
    with contextlib.ExitStack() as stack:
        say("starting two PostgreSQL servers")
        servers = [stack.enter_context(Server(binaries, settings=SETTINGS)) for _ in range(2)]
        source, sink = (server.database("demo") for server in servers)
        say(f"filling the source: pgbench scale {options.scale} and the schema shop")
        fill(source, options.scale)
        say(f"writers start: {options.rate} and {options.rate // 4} transactions a second; the engine starts")
        environment = password_environment(servers)
        document, verify, seconds = migrate(source, sink, options, environment)
        say("comparing both ends, row by row")
        checked = compare(source, sink)
        cleanup = subprocess.run(engine_arguments("cleanup", source, sink), env=environment, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
        left = source.rows("SELECT slot_name FROM pg_replication_slots UNION ALL SELECT pubname FROM pg_publication")
        report(document, verify, seconds, checked, time.monotonic() - began)
        if verify.returncode != 0:
            raise Failure("verify: " + verify.stdout)
        if checked[2]:
            raise Failure("both ends differ")
        if cleanup.returncode != 0 or left:
            raise Failure(f"cleanup left {left} on the source: {cleanup.stdout}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, default=20, help="pgbench's scale (%(default)s)")
    parser.add_argument("--rate", type=int, default=300, help="pgbench transactions a second (%(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="workers of the engine (%(default)s)")
    parser.add_argument("--follow", type=float, default=8, help="seconds of writing after the copy (%(default)s)")
    options = parser.parse_args()
    stops.catch()
    try:
        show(options)
    except KeyboardInterrupt:
        say("stopped; everything is removed")
        return 130
    except (Failure, AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        say(f"FAILED: {error}")
        return 1
    say("done; everything is removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
