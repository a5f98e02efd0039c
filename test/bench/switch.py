# SPDX-License-Identifier: Apache-2.0
"""The switch as an application sees it, and what a verification costs. Figures: nothing is compared with a rival.

Rows: (what, figures, what is wanted, whether it was reached).
"""

import contextlib
import glob
import os
import subprocess
import tempfile
import threading
import time

import psycopg
from measurements import run_engine, say, settle, streaming_engine
from servers import Pgbench, client, eventually, pgbench_initialize

ELSEWHERE = ("nice", "-n", "19")  # the engine
DONE = "SELECT count(*) FROM kubeferry.cutover WHERE state = 'done'"


class Load:
    """pgbench with a line a commit, against one database."""

    def __init__(self, database, rate, clients, directory, name, seconds=3600):
        info = psycopg.conninfo.conninfo_to_dict(database.conninfo())
        self.prefix = os.path.join(directory, name)
        command = [client("pgbench"), "-n", "-c", str(clients), "-j", "1", "-T", str(seconds), "-R", str(rate), "-l", "--log-prefix", self.prefix,
                   "-h", info["host"], "-p", info["port"], "-U", info["user"], info["dbname"]]
        self.process = subprocess.Popen(command, env={**os.environ, "PGPASSWORD": info["password"]}, text=True, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)

    def wait(self):
        self.process.wait(60)

    def commits(self):
        """The times of the commits that clients were told of, sorted."""
        times = []
        for path in glob.glob(self.prefix + ".*"):
            with open(path, encoding="ascii") as file:
                for line in file:
                    words = line.split()
                    if len(words) >= 6:
                        times.append(int(words[4]) + int(words[5]) / 1e6)
        return sorted(times)


def count(database):
    return database.value("SELECT count(*) FROM pgbench_history")


def longest_gap(times):
    return max(b - a for a, b in zip(times, times[1:]))


def one_cutover(source_server, sink_server, options, block):
    """(gap, rate before, commits, lost) of a switch under load. pgbench starts on the sink as soon as the ledger there says done."""
    source, sink = source_server.database("switch_source"), sink_server.database("switch_sink")
    pgbench_initialize(source, options.stream_scale)
    source.execute("ALTER TABLE pgbench_history ADD id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
    settle(source_server, sink_server)
    with tempfile.TemporaryDirectory() as directory, streaming_engine("bench-switch", source, sink, "--jobs", str(options.jobs)) as engine:
        eventually(lambda: "following the changes" in engine.output(), 600, "the stream")
        before = count(source)
        load = Load(source, options.rate, options.clients, directory, "source")
        time.sleep(options.seconds)
        moved = {}

        def follow_the_application():
            with sink.connect() as connection:
                while not connection.execute(DONE).fetchone()[0]:
                    time.sleep(0.003)
            moved["at"] = time.time()
            moved["load"] = Load(sink, options.rate, options.clients, directory, "sink", max(2, int(options.seconds / 2)))

        watcher = threading.Thread(target=follow_the_application)
        watcher.start()
        run_engine("cutover", "bench-switch", source, sink, "--block", block)
        watcher.join(60)
        load.wait()
        moved["load"].wait()
        engine.wait(60)
        first, second = load.commits(), moved["load"].commits()
        rows = count(sink)
    told = len(first) + len(second)
    lost = before + told - rows
    rate = len(first) / (first[-1] - first[0])
    say(f"cutover, {block}: {told} commits at {rate:.0f} a second, longest gap {longest_gap(first + second) * 1000:.0f} ms, "
        f"rows {rows - before}")
    if lost > 0:
        raise RuntimeError(f"{lost} commits that clients were told of are not on the sink")
    gap = longest_gap(first + second)
    around = second[0] - first[-1]
    for database in (source, sink):
        database.close()
    run_engine("cleanup", "bench-switch", source, sink)
    for database in (source, sink):
        database.drop()
    return gap, around, rate, told


def measure_cutover(source_server, sink_server, options):
    rows = []
    for block in ("read-only", "lock"):
        runs = [one_cutover(source_server, sink_server, options, block) for _ in range(options.repeat)]
        gap = max(run[0] for run in runs)
        rows.append((f"cutover, --block {block}, {options.clients} clients, {min(run[2] for run in runs):.0f} transactions a second",
                     f"longest time between two commits {gap * 1000:.0f} ms; at the switch "
                     f"{min(run[1] for run in runs) * 1000:.0f} – {max(run[1] for run in runs) * 1000:.0f} ms; "
                     f"of {sum(run[3] for run in runs):,} commits none lost", "< 1000 ms", gap < 1))
    return rows


def throughput(database, seconds, rate=None, during=None):
    """TPC-B transactions a second that the clients get, at most rate, with something beside them."""
    bench = Pgbench(database, clients=4, rate=rate)
    time.sleep(1)
    began, start = time.monotonic(), count(database)
    if during:
        during()
    else:
        time.sleep(seconds)
    done, took = count(database) - start, time.monotonic() - began
    bench.stop()
    return done / took


@contextlib.contextmanager
def as_if_elsewhere(server):
    """The source's application does not share its cores with the sink in life: here that gives way to everything else."""
    os.setpriority(os.PRIO_PROCESS, server.process.pid, 19)  # and the sessions that it begins
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, server.process.pid, 0)


def cost_of_verify(source, sink, options, rate):
    alone, beside = [], []
    for _ in range(options.repeat):
        alone.append(throughput(source, options.seconds, rate))
        beside.append(throughput(source, options.seconds, rate, lambda: run_engine("verify", "bench-verify", source, sink, wrapper=ELSEWHERE)))
    cost = 100 * (1 - sum(beside) / sum(alone))
    return cost, f"{sum(alone) / len(alone):.0f} transactions a second alone, {sum(beside) / len(beside):.0f} with verify: {cost:.1f} % less"


def measure_verification(source_server, sink_server, options):
    source, sink = source_server.database("verify_source"), sink_server.database("verify_sink")
    pgbench_initialize(source, options.scale)
    source.execute("ALTER TABLE pgbench_history ADD id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
    size = source.value("SELECT sum(pg_table_size(oid))::float8 FROM pg_class WHERE relkind = 'r' AND relname LIKE 'pgbench%'")
    run_engine("run", "bench-verify", source, sink, "--until", "caught-up", "--jobs", options.jobs)
    rows, seconds, sampled = [], [], []
    for _ in range(options.repeat):
        seconds.append(run_engine("verify", "bench-verify", source, sink, "--jobs", 1)[0])
        sampled.append(run_engine("verify", "bench-verify", source, sink, "--jobs", 1, "--sample", 10)[0])
    speeds = sorted(size / 1e6 / value for value in seconds)
    rows.append((f"verify of {int(size) >> 20} MB, one job (a core on each end)", f"{speeds[0]:.0f} – {speeds[-1]:.0f} MB/s; "
                 f"with --sample 10 {min(sampled):.1f} s in place of {min(seconds):.1f} s", "≥ 200 MB/s", speeds[0] >= 200))
    say(rows[-1][1])
    with as_if_elsewhere(sink_server), streaming_engine("bench-verify", source, sink, "--jobs", options.jobs, wrapper=ELSEWHERE) as engine:
        eventually(lambda: "following the changes" in engine.output(), 600, "the stream")
        for what, rate, most in ((f"verify beside a load of {options.rate} transactions a second", options.rate, 5),
                                 ("verify beside a load that takes all that both cores can give", None, None)):
            cost, figures = cost_of_verify(source, sink, options, rate)
            rows.append((what, figures, f"< {most} %" if most else "", most is None or cost < most))
            say(rows[-1][1])
    run_engine("cleanup", "bench-verify", source, sink)
    for database in (source, sink):
        database.drop()
    return rows
