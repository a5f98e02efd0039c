# SPDX-License-Identifier: Apache-2.0
"""What one `kubeferry migration list` costs, beside curl and kubectl that ask the same API server for the same tasks.

Rows as in controller.py. Run as a program, inside the cluster's network, it prints the figures of one command as JSON.
"""

import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.path.join(HERE, "..", "..", "build", "bin", "kubeferry")
RUNS = 40


def run_once(command):
    """(milliseconds from start to end, milliseconds of processor, resident MB at most)"""
    began = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.execvp(command[0], command)
    _, status, used = os.wait4(pid, 0)
    wall = (time.perf_counter() - began) * 1e3
    if status:
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return wall, (used.ru_utime + used.ru_stime) * 1e3, used.ru_maxrss / 1024


def medians(cluster, *command):
    """The medians of what run_once gives, over RUNS runs inside the cluster's network."""
    inside = ["nsenter", f"--net={cluster.netns}", sys.executable, os.path.abspath(__file__), *command]
    run = subprocess.run(inside, env={**os.environ, "KUBECONFIG": cluster.kubeconfig}, check=True, text=True, stdout=subprocess.PIPE)
    return [statistics.median(values) for values in zip(*json.loads(run.stdout))]


def measure(cluster, namespace, path):
    """namespace: one that has tasks, at that path of the API."""
    host, port, token = cluster.access()
    wall, processor, resident = medians(cluster, BINARY, "migration", "list", "-n", namespace)
    curl = medians(cluster, "curl", "-sSk", "-H", f"Authorization: Bearer {token}", f"https://{host}:{port}{path}")
    kubectl = medians(cluster, "kubectl", "get", "mt", "-n", namespace)
    return [("`kubeferry migration list`: from start to answer (median)", wall, "ms", 30,
             f"{processor:.0f} ms of it on a processor; curl {curl[0]:.0f} ms, kubectl {kubectl[0]:.0f} ms"),
            ("`kubeferry migration list`: resident memory with all libraries", resident, "MB", 10,
             f"curl with the same libcurl {curl[2]:.1f} MB, kubectl {kubectl[2]:.0f} MB")]


if __name__ == "__main__":
    print(json.dumps([run_once(sys.argv[1:]) for _ in range(RUNS)]))
