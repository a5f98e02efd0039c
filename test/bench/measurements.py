# SPDX-License-Identifier: Apache-2.0
"""What the bench measures: the engine and its rivals, in turns on the same servers.

Each function gives rows of a table: (what, unit, {contestant: [values]}). The end of an apply is seen the same way for
both: a row that the source committed last is polled for on the sink.
"""

import contextlib
import os
import random
import statistics
import subprocess
import sys
import time

import psycopg

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "engine"))

from engine_process import Engine  # noqa: E402
from servers import SUPERUSER_PASSWORD, Pgbench, client, eventually, pgbench_initialize  # noqa: E402

KUBEFERRY = "kubeferry"
NO_CDC = "precheck=true,init-struct=true,init-data=true,cdc=false"


def say(text):
    print(f"bench: {text}", flush=True)


def arguments(verb, name, source, sink, *more):
    return [verb, "--name", name, "--source", source.conninfo(), "--sink", sink.conninfo(), *more]


def run_engine(verb, name, source, sink, *more, timeout=3600, wrapper=()):
    """(seconds, peak memory) of an engine that must end with exit code 0."""
    began = time.monotonic()
    engine = Engine(*arguments(verb, name, source, sink, *more), wrapper=wrapper)
    try:
        result = engine.wait(timeout)
    finally:
        engine.destroy()
    if result.code != 0:
        raise RuntimeError(f"{verb}: {result}")
    return time.monotonic() - began, result.memory_peak


@contextlib.contextmanager
def streaming_engine(name, source, sink, *more, wrapper=()):
    engine = Engine(*arguments("run", name, source, sink, *more), wrapper=wrapper)
    try:
        yield engine
    finally:
        engine.terminate(120)


def password_file(servers):
    """An environment in which libpq's clients find the passwords."""
    path = os.path.join(servers[0].directory, "pgpass")
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        for server in servers:
            password = "".join("\\" + c if c in ":\\" else c for c in SUPERUSER_PASSWORD)
            file.write(f"127.0.0.1:{server.port}:*:postgres:{password}\n")
    return {**os.environ, "PGPASSFILE": path}


def dump_and_restore(source, sink, options=()):
    """Seconds of pg_dump | pg_restore in the archive format that a pipe allows."""
    environment = password_file([source.server, sink.server])
    began = time.monotonic()
    with subprocess.Popen([client("pg_dump"), "-Fc", *options, "-d", source.conninfo(password=None)], env=environment,
                          stdout=subprocess.PIPE) as dump:
        subprocess.run([client("pg_restore"), "-d", sink.conninfo(password=None)], env=environment, stdin=dump.stdout, check=True)
    if dump.returncode:
        raise RuntimeError("pg_dump failed")
    return time.monotonic() - began


def dump_and_restore_directory(source, sink, jobs):
    """Seconds of pg_dump -Fd -j and then pg_restore -j: parallel, but the second waits for the first."""
    environment = password_file([source.server, sink.server])
    directory = os.path.join(source.server.directory, f"dump-{random.randrange(1 << 40)}")
    began = time.monotonic()
    try:
        subprocess.run([client("pg_dump"), "-Fd", "-Z0", "-j", str(jobs), "-f", directory, "-d", source.conninfo(password=None)],
                       env=environment, check=True)
        subprocess.run([client("pg_restore"), "-j", str(jobs), "-d", sink.conninfo(password=None), directory], env=environment,
                       check=True)
        return time.monotonic() - began
    finally:
        subprocess.run(["rm", "-rf", directory], check=True)


def settle(*servers):
    """No contestant pays for what was written before it."""
    for server in servers:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute("CHECKPOINT")


def measure_copy(source_server, sink_server, options):
    source = source_server.database("copy_source")
    say(f"copy: filling pgbench scale {options.scale}")
    pgbench_initialize(source, options.scale)
    size = source.value("SELECT pg_database_size(current_database())")
    times = {KUBEFERRY: [], "pg_dump | pg_restore": [], "pg_dump -Z0 | pg_restore": [], f"pg_dump -Fd -j{options.jobs}, pg_restore -j{options.jobs}": []}
    peaks = []

    def engine(sink):
        seconds, peak = run_engine("run", "bench-copy", source, sink, "--jobs", options.jobs, "--steps", NO_CDC)
        peaks.append(peak)
        return seconds

    contestants = [engine, lambda sink: dump_and_restore(source, sink), lambda sink: dump_and_restore(source, sink, ["-Z0"]),
                   lambda sink: dump_and_restore_directory(source, sink, options.jobs)]
    for turn in range(options.repeat):
        for name, contestant in zip(times, contestants):
            sink = sink_server.database("copy_sink")
            settle(source_server, sink_server)
            times[name].append(contestant(sink))
            say(f"copy {turn + 1}/{options.repeat}: {name} {times[name][-1]:.2f} s")
            assert_counts(source, sink)
            sink.drop()
    source.drop()
    what = f"copy of pgbench scale {options.scale} ({size >> 20} MB), engine with {options.jobs} jobs"
    return [(what, "s", times)], [(what, max(peaks), options.jobs)]


def assert_counts(source, sink):
    for table in ("pgbench_accounts", "pgbench_branches", "pgbench_tellers", "pgbench_history"):
        query = f"SELECT count(*), COALESCE(sum(hashtextextended(t::text, 0)::numeric), 0) FROM {table} t"
        if source.rows(query) != sink.rows(query):
            raise RuntimeError(f"{table} differs")


class Streams:
    """One source database, followed into two sink databases: by the engine and by a native subscription."""

    def __init__(self, source_server, sink_server, scale, jobs):
        self.jobs = jobs
        self.source = source_server.database("stream_source")
        pgbench_initialize(self.source, scale)
        self.source.execute("ALTER TABLE pgbench_history ADD id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;"
                            "CREATE TABLE bench_marker (id int PRIMARY KEY)")
        self.ours, self.native = sink_server.database("stream_kubeferry"), sink_server.database("stream_native")
        self.markers = 0
        run_engine("run", "bench-stream", self.source, self.ours, "--until", "caught-up", "--jobs", jobs)
        self._subscribe()

    def _subscribe(self):
        environment = password_file([self.source.server, self.native.server])
        with subprocess.Popen([client("pg_dump"), "-s", "-Fc", "--no-publications", "-d", self.source.conninfo(password=None)],
                              env=environment, stdout=subprocess.PIPE) as dump:
            subprocess.run([client("pg_restore"), "-d", self.native.conninfo(password=None)], env=environment, stdin=dump.stdout,
                           check=True)
        self.source.execute("CREATE PUBLICATION bench_native FOR ALL TABLES")
        text = self.source.conninfo().replace("'", "''")
        self.native.execute(f"CREATE SUBSCRIPTION bench_native CONNECTION '{text}' PUBLICATION bench_native")
        ready = "SELECT count(*) = 0 FROM pg_subscription_rel WHERE srsubstate <> 'r'"
        eventually(lambda: self.native.value(ready), 600, "the subscription's first copy", 0.2)
        self.disable_native()

    def disable_native(self):
        self.native.execute("ALTER SUBSCRIPTION bench_native DISABLE")
        idle = "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'bench_native'"
        eventually(lambda: self.source.value(idle), 60, "the subscription's end")

    @contextlib.contextmanager
    def native_stream(self):
        self.native.execute("ALTER SUBSCRIPTION bench_native ENABLE")
        try:
            yield
        finally:
            self.disable_native()

    def engine_stream(self):
        return streaming_engine("bench-stream", self.source, self.ours, "--jobs", str(self.jobs))

    def mark(self):
        self.markers += 1
        self.source.execute(f"INSERT INTO bench_marker VALUES ({self.markers})")
        return self.markers

    def wait_for(self, sink, marker, timeout=3600, interval=0.02):
        query = f"SELECT 1 FROM bench_marker WHERE id = {marker}"
        eventually(lambda: sink.value(query), timeout, f"marker {marker}", interval)

    def remove(self):
        self.native.execute("ALTER SUBSCRIPTION bench_native DISABLE; ALTER SUBSCRIPTION bench_native SET (slot_name = NONE)")
        self.native.execute("DROP SUBSCRIPTION bench_native")
        for database in (self.source, self.ours, self.native):
            database.drop()


def measure_backlog(streams, options):
    times = {KUBEFERRY: [], "native subscription": []}
    runs = {KUBEFERRY: (streams.engine_stream, streams.ours), "native subscription": (streams.native_stream, streams.native)}
    for turn in range(options.repeat):
        clients = 8
        Pgbench(streams.source, clients=clients, transactions=options.transactions // clients).wait(3600)
        marker = streams.mark()
        order = list(runs) if turn % 2 == 0 else list(reversed(runs))
        for name in order:
            settle(streams.source.server, streams.ours.server)
            stream, sink = runs[name]
            began = time.monotonic()
            with stream():
                streams.wait_for(sink, marker)
                times[name].append(time.monotonic() - began)
            say(f"backlog {turn + 1}/{options.repeat}: {name} {times[name][-1]:.2f} s")
    for sink in (streams.ours, streams.native):
        assert_counts(streams.source, sink)
    return [(f"backlog of {options.transactions:,} TPC-B transactions", "s", times)]


def measure_latency(streams, options):
    times = {KUBEFERRY: [], "native subscription": []}
    runs = {KUBEFERRY: (streams.engine_stream, streams.ours), "native subscription": (streams.native_stream, streams.native)}
    for name, (stream, sink) in list(runs.items()) * 2:
        with stream():
            streams.wait_for(sink, streams.mark())
            for _ in range(options.samples // 2):
                time.sleep(random.uniform(0.01, 0.05))
                marker = streams.mark()
                committed = time.monotonic()
                streams.wait_for(sink, marker, 60, 0.0005)
                times[name].append((time.monotonic() - committed) * 1000)
        say(f"latency: {name} median {statistics.median(times[name]):.1f} ms so far")
    return [(f"commit on an idle stream, until visible on the sink (median of {options.samples})", "ms", times)]


def measure_transaction_memory(source_server, sink_server, options):
    """One transaction of the wanted size, through a running stream."""
    source, sink = source_server.database("large_source"), sink_server.database("large_sink")
    source.execute("CREATE TABLE large (id bigint PRIMARY KEY, body text); CREATE TABLE bench_marker (id int PRIMARY KEY)")
    source.execute("ALTER TABLE large ALTER body SET STORAGE plain")
    jobs = 1
    with streaming_engine("bench-large", source, sink, "--jobs", str(jobs)) as engine:
        eventually(lambda: sink.value("SELECT to_regclass('bench_marker') IS NOT NULL"), 60, "the copy's end")
        source.execute(f"""INSERT INTO large SELECT i, repeat(md5(i::text), 32)
                             FROM generate_series(1, {options.transaction_mb * 1024 * 1024 // 1100}) i""")
        source.execute("INSERT INTO bench_marker VALUES (1)")
        eventually(lambda: sink.value("SELECT 1 FROM bench_marker"), 3600, "the large transaction", 0.2)
    if source.value("SELECT count(*) FROM large") != sink.value("SELECT count(*) FROM large"):
        raise RuntimeError("the large transaction's rows differ")
    for database in (source, sink):
        database.drop()
    say(f"memory: transaction of {options.transaction_mb} MB: {engine.memory_peak >> 20} MB")
    return [(f"cdc of one transaction of {options.transaction_mb} MB", engine.memory_peak, jobs)]


def measure_tables_memory(source_server, sink_server, options):
    """A whole run over many small tables."""
    source, sink = source_server.database("many_source"), sink_server.database("many_sink")
    for first in range(0, options.tables, 500):
        source.execute(f"""DO $$ BEGIN
            FOR i IN {first} .. {min(first + 500, options.tables) - 1} LOOP
                EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, v text)', i);
                EXECUTE format('INSERT INTO t%s VALUES (1, ''one'')', i);
            END LOOP; END $$""")
    seconds, peak = run_engine("run", "bench-many", source, sink, "--until", "caught-up", "--jobs", options.jobs)
    run_engine("cleanup", "bench-many", source, sink)
    copied = sink.value("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
    if copied != options.tables:
        raise RuntimeError(f"{copied} tables of {options.tables}")
    for database in (source, sink):
        database.drop()
    say(f"memory: {options.tables} tables: {peak >> 20} MB, {seconds:.1f} s")
    return [(f"whole run over {options.tables:,} tables ({seconds:.0f} s)", peak, options.jobs)]
