# SPDX-License-Identifier: Apache-2.0
"""Writes what the bench measured as docs/BENCHMARKS.md."""

import datetime
import os
import platform
import re
import statistics
import subprocess

TARGETS = {"copy": 1.3, "backlog": 1.5}
LATENCY_TARGET_MS = 20
BASE_MEMORY, JOB_MEMORY = 64 << 20, 16 << 20


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(re.search(r"MemTotal:\s+(\d+)", file.read()).group(1)) >> 20
    with open("/etc/os-release", encoding="utf-8") as file:
        system = re.search(r'PRETTY_NAME="(.*)"', file.read()).group(1)
    return f"{os.cpu_count()} cores ({model.group(1) if model else platform.machine()}), {memory} GB of memory, {system}"


def commit():
    run = subprocess.run(["git", "describe", "--always", "--dirty"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                         cwd=os.path.dirname(os.path.abspath(__file__)))
    return run.stdout.strip() or "unknown"


def _spread(values, unit):
    digits = 1 if unit == "ms" else 2
    return f"{statistics.median(values):.{digits}f} {unit} ({min(values):.{digits}f} – {max(values):.{digits}f})"


def comparison_table(rows):
    lines = ["| what | contestant | median (least – most) | kubeferry is faster by | wanted |", "|---|---|---|---|---|"]
    for what, unit, contestants in rows:
        ours = contestants["kubeferry"]
        lines.append(f"| {what} | **kubeferry** | {_spread(ours, unit)} | | {wanted_absolute(unit)} |")
        for number, (name, values) in enumerate(list(contestants.items())[1:]):
            shown = name.replace("|", "\\|")
            lines.append(f"| | {shown} | {_spread(values, unit)} | {ratio(ours, values):.2f} × | {wanted(what, number)} |")
    return lines


def ratio(ours, theirs):
    """Median of the ratios of the pairs when there are pairs, so that the machine's drift cancels out."""
    if len(ours) == len(theirs) and len(ours) < 50:
        return statistics.median(b / a for a, b in zip(ours, theirs))
    return statistics.median(theirs) / statistics.median(ours)


def wanted(what, number):
    target = TARGETS.get(what.split()[0])
    return f"≥ {target} ×" if target and number == 0 else ""


def wanted_absolute(unit):
    return f"≤ {LATENCY_TARGET_MS} ms" if unit == "ms" else ""


def memory_table(rows):
    lines = ["| what | jobs | engine's peak | allowed |", "|---|---|---|---|"]
    for what, peak, jobs in rows:
        lines.append(f"| {what} | {jobs} | {peak / (1 << 20):.0f} MB | {(BASE_MEMORY + jobs * JOB_MEMORY) >> 20} MB |")
    return lines


def _number(value, unit):
    digits = 3 if unit == "%" else 1
    return f"{value:.{digits}f} {unit}"


def controller_table(rows):
    lines = ["| what | measured | allowed | |", "|---|---|---|---|"]
    for what, value, unit, most, remark in rows:
        lines.append(f"| {what} | {_number(value, unit)} | {most:.4g} {unit} | {remark} |")
    return lines


def missed(comparisons, memory, figures, controller):
    """Sentences for each target that was not reached."""
    found = [f"{what}: {_number(value, unit)}, allowed {most:.4g} {unit}" for what, value, unit, most, _ in controller if value > most]
    found += [f"{what}: {measured}, wanted {goal}" for what, measured, goal, reached in figures if not reached]
    for what, unit, contestants in comparisons:
        ours = contestants["kubeferry"]
        target = TARGETS.get(what.split()[0])
        theirs = list(contestants.values())[1]
        if target and ratio(ours, theirs) < target:
            found.append(f"{what}: {ratio(ours, theirs):.2f} times, wanted {target}")
        if unit == "ms" and statistics.median(ours) > LATENCY_TARGET_MS:
            found.append(f"{what}: {statistics.median(ours):.1f} ms, wanted {LATENCY_TARGET_MS}")
    for what, peak, jobs in memory:
        if peak > BASE_MEMORY + jobs * JOB_MEMORY:
            found.append(f"{what}: {peak >> 20} MB, allowed {(BASE_MEMORY + jobs * JOB_MEMORY) >> 20}")
    return found


def figure_table(rows):
    return ["| what | figures | wanted |", "|---|---|---|", *(f"| {what} | {figures} | {goal} |" for what, figures, goal, _ in rows)]


EXPLANATION = "## Where the time goes"


def explanation_of(path):
    """What a person wrote at the end of the page: figures explain themselves to nobody."""
    if not os.path.isfile(path):  # /dev/stdout is none to read from
        return ""
    with open(path, encoding="utf-8") as file:
        _, found, after = file.read().partition(EXPLANATION)
    return found + after


def write(path, version, settings, command, comparisons, memory, figures, controller):
    shown = ", ".join(f"{name}={value}" for name, value in settings.items())
    explanation = explanation_of(path)
    lines = ["# Benchmarks", "", "Written by `make bench`, all but the last chapter; do not edit the rest.", "",
             f"- {datetime.date.today().isoformat()}, kubeferry {commit()}",
             f"- machine: {machine()}; servers, cluster, load and what is measured share it",
             *([f"- both servers: PostgreSQL {version} with {shown}"] if version else []),
             f"- run as `{command}`; the contestants take turns on the same servers (A B A B)", ""]
    if comparisons:
        lines += ["## Speed", "", *comparison_table(comparisons), "",
                  "The ratio is the median over the pairs of a run. pg_dump and pg_restore are of the servers' own version;",
                  "the pipe is measured with pg_dump's default compression and without (-Z0). The engine's time is the whole process: precheck, structure, rows, indexes, constraints, ANALYZE.",
                  "A backlog is applied when the row that the source committed last is visible on the sink; the time starts before the",
                  "engine's process does, or with ALTER SUBSCRIPTION … ENABLE.", ""]
    if memory:
        lines += ["## Memory", "", *memory_table(memory), "",
                  "The highest resident set (VmHWM) of the engine's process; allowed are 64 MB and 16 MB a job.", ""]
    if controller:
        lines += ["## Controller and command", "", *controller_table(controller), "",
                  "A process of its own in the network of a one-node Kubernetes (test/cluster) on the same machine. A task has four Jobs and a Secret.",
                  "Where a thousand come at once, the time is compared with that of storing the same objects without a controller.", ""]
    if figures:
        lines += ["## The switch", "", *figure_table(figures), "",
                  "The clients are pgbench's (TPC-B); they go to the sink as soon as its ledger says that the switch is done. A commit is lost",
                  "when a client was told of it and the sink does not have it. Clients, both servers and the engine share the machine's cores.",
                  "In the rows about a load beside verify the sink and the engine have the lowest priority, as they have cores of their own in life.", ""]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + ("\n" + explanation if explanation else ""))
