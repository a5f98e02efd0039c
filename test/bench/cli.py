#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What one `kubeferry migration list` costs, beside kubectl and curl on the same API server: prints a table.

usage: cli.py CLUSTER [RUNS]        CLUSTER: the folder of a test cluster that runs (test/cluster), with the kinds in it
"""

import os
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def measure(runs, *command):
    """(milliseconds from start to end: best and median, milliseconds of processor: best, largest resident MB)"""
    walls, own, resident = [], [], []
    for _ in range(runs):
        begin = time.perf_counter()
        pid = os.fork()
        if pid == 0:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            os.execvp(command[0], command)
        _, status, used = os.wait4(pid, 0)
        walls.append((time.perf_counter() - begin) * 1e3)
        own.append((used.ru_utime + used.ru_stime) * 1e3)
        resident.append(used.ru_maxrss / 1024)
        if status:
            sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return min(walls), statistics.median(walls), min(own), max(resident)


def main():
    cluster = os.path.abspath(sys.argv[1])
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    with open(os.path.join(cluster, "run", "netns.pid"), encoding="ascii") as file:
        if not os.environ.get("KUBEFERRY_INSIDE"):
            os.environ.update(KUBEFERRY_INSIDE="1", KUBECONFIG=os.path.join(cluster, "kubeconfig"))
            os.execvp("nsenter", ["nsenter", f"--net=/proc/{file.read().strip()}/ns/net", sys.executable, *sys.argv])
    binary = os.path.join(ROOT, "build", "bin", "kubeferry")
    print("| command | start to answer, ms (best, median) | processor, ms | resident, MB |\n|---|---|---|---|")
    for name, command in {"`kubeferry --version`": [binary, "--version"], "`kubeferry migration list`": [binary, "migration", "list"],
                          "`curl -k /version`": ["curl", "-sk", "https://10.244.0.1:6443/version"],
                          "`kubectl get mt`": ["kubectl", "get", "mt"]}.items():
        best, median, own, resident = measure(runs, *command)
        print(f"| {name} | {best:.1f}, {median:.1f} | {own:.1f} | {resident:.1f} |")


main()
