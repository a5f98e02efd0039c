# SPDX-License-Identifier: Apache-2.0
"""Measures kubeferry-engine against pg_dump | pg_restore and a native subscription, and its memory; and the controller and the
command on a real cluster.

Writes docs/BENCHMARKS.md (or --output). Exit code 0 when it measured; with --check 1 when a target was missed.
"""

import argparse
import os
import shlex
import sys

import controller
import measurements
import report
import switch
from measurements import say
from servers import Server, debian_bin, embedded_bin

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
ENGINE_PARTS = ["copy", "backlog", "latency", "memory", "cutover", "verify"]
PARTS = [*ENGINE_PARTS, "controller"]
# The same for both servers; durable as a user's would be.
SETTINGS = {"fsync": "on", "shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "30min",
            # The subscription's worker starts at once, and not up to 5 s after ENABLE.
            "wal_retrieve_retry_interval": "100ms"}


def options_of(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part alone (may be repeated)")
    parser.add_argument("--server", default="debian", help="debian, or the major of an embedded server (%(default)s)")
    parser.add_argument("--scale", type=int, default=50, help="pgbench's scale for the copy (%(default)s)")
    parser.add_argument("--stream-scale", type=int, default=20, help="pgbench's scale for the streams (%(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="the engine's workers (%(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="turns of each pair (%(default)s)")
    parser.add_argument("--transactions", type=int, default=100_000, help="TPC-B transactions of a backlog (%(default)s)")
    parser.add_argument("--samples", type=int, default=200, help="commits of the latency (%(default)s)")
    parser.add_argument("--transaction-mb", type=int, default=1024, help="size of the large transaction (%(default)s)")
    parser.add_argument("--tables", type=int, default=20_000, help="tables of the wide database (%(default)s)")
    parser.add_argument("--idle-seconds", type=int, default=60, help="how long the idle controller is watched (%(default)s)")
    parser.add_argument("--first-jobs", type=int, default=30, help="tasks whose first Job is waited for, one by one (%(default)s)")
    parser.add_argument("--many", type=int, default=1000, help="tasks that are created at once (%(default)s)")
    parser.add_argument("--tasks", type=int, default=10_000, help="tasks of the large cluster (%(default)s)")
    parser.add_argument("--rate", type=int, default=1000, help="transactions a second through a cutover (%(default)s)")
    parser.add_argument("--clients", type=int, default=8, help="clients of that load (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="how long it runs before the cutover (%(default)s)")
    parser.add_argument("--output", default=os.path.join(ROOT, "docs", "BENCHMARKS.md"), help="where the report goes")
    parser.add_argument("--check", action="store_true", help="fail when a target is missed")
    return parser.parse_args(words)


def measure(source, sink, options):
    parts = options.only or PARTS
    comparisons, memory, figures = [], [], []
    if "copy" in parts:
        rows, peaks = measurements.measure_copy(source, sink, options)
        comparisons += rows
        memory += peaks
    if "backlog" in parts or "latency" in parts:
        streams = measurements.Streams(source, sink, options.stream_scale, options.jobs)
        if "backlog" in parts:
            comparisons += measurements.measure_backlog(streams, options)
        if "latency" in parts:
            comparisons += measurements.measure_latency(streams, options)
        streams.remove()
    if "memory" in parts:
        memory += measurements.measure_transaction_memory(source, sink, options)
        memory += measurements.measure_tables_memory(source, sink, options)
    if "cutover" in parts:
        figures += switch.measure_cutover(source, sink, options)
    if "verify" in parts:
        figures += switch.measure_verification(source, sink, options)
    return comparisons, memory, figures


def main(words):
    options = options_of(words)
    parts = options.only or PARTS
    binaries = debian_bin() if options.server == "debian" else embedded_bin(int(options.server))
    if "controller" in parts and os.geteuid() != 0:  # network namespaces, mounts
        os.execvp("sudo", ["sudo", "-E", "env", f"PATH={os.environ['PATH']}", sys.executable, *sys.argv])
    comparisons, memory, figures, version = [], [], [], None
    if any(part in ENGINE_PARTS for part in parts):
        with Server(binaries, settings=SETTINGS, tls=False) as source, Server(binaries, settings=SETTINGS, tls=False) as sink:
            version = source.version
            comparisons, memory, figures = measure(source, sink, options)
    command = shlex.join(["make bench"] if not words else ["test/bench/bench.py", *words]).replace("'make bench'", "make bench")
    operator = []
    if version:  # what is known is kept, whatever becomes of the cluster
        report.write(options.output, version, SETTINGS, command, comparisons, memory, figures, operator)
    if "controller" in parts:
        operator = controller.measure(options)
        report.write(options.output, version, SETTINGS, command, comparisons, memory, figures, operator)
    say(f"written to {os.path.relpath(options.output)}")
    missed = report.missed(comparisons, memory, figures, operator)
    for sentence in missed:
        say("missed: " + sentence)
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
