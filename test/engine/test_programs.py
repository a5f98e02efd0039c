# SPDX-License-Identifier: Apache-2.0
"""The demo and the bench themselves, in small."""

import os
import re
import signal
import subprocess
import sys

import pytest

from engine_process import ENGINE, ROOT
from servers import eventually


def test_demo_in_small():
    run = subprocess.run([sys.executable, os.path.join(ROOT, "test", "demo", "demo.py"), "--scale", "2", "--follow", "2", "--rate", "100"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert run.returncode == 0, run.stdout
    assert "differences: 0" in run.stdout and re.search(r"changes applied\s+[1-9]", run.stdout), run.stdout


def test_demo_that_is_interrupted_leaves_nothing():
    demo = subprocess.Popen([sys.executable, os.path.join(ROOT, "test", "demo", "demo.py"), "--scale", "5", "--follow", "600"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        found = eventually(lambda: children(demo.pid, os.path.basename(ENGINE)), 60, "the demo's engine")
        servers = children(demo.pid, "postgres")
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=60)
    finally:
        demo.terminate()
        demo.communicate(timeout=60)
    assert demo.returncode == 130, output
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in found + servers), 20, "the end of the demo's processes")


def children(parent, name):
    """Direct children whose program has that name."""
    with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as file:
        pids = [int(word) for word in file.read().split()]
    found = []
    for pid in pids:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if file.read().split(b"\0")[0].decode().endswith(name):
                    found.append(pid)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("parts, sizes, expected", [
    (["copy", "backlog", "latency", "memory"], ["--transactions", "400", "--samples", "10", "--transaction-mb", "4", "--tables", "50"],
     ["copy of pgbench scale 1", "backlog of 400", "commit on an idle stream", "one transaction of 4 MB", "50 tables"]),
    (["cutover", "verify"], ["--rate", "50", "--clients", "2", "--seconds", "2"],
     ["cutover, --block read-only", "cutover, --block lock", "verify of", "verify beside a load"]),
])
def test_bench_in_small(tmp_path, parts, sizes, expected):
    output = tmp_path / "BENCHMARKS.md"
    only = [word for part in parts for word in ("--only", part)]
    run = subprocess.run([sys.executable, os.path.join(ROOT, "test", "bench", "bench.py"), *only, "--scale", "1", "--stream-scale", "1", "--repeat", "1",
                          *sizes, "--output", str(output)],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
    assert run.returncode == 0, run.stdout
    text = output.read_text(encoding="utf-8")
    for part in expected:
        assert part in text, text
