# SPDX-License-Identifier: Apache-2.0
"""Every state that a task went through, as a watching client saw it, and how GitOps tools read each."""

import json
import subprocess
import threading


def condition(task, kind):
    found = (one for one in task.get("status", {}).get("conditions", []) if one["type"] == kind)
    return next(found, {})


def kstatus(task):
    """What kstatus makes of the object: the rules of its specification for kinds that it does not know."""
    if "deletionTimestamp" in task["metadata"]:
        return "Terminating"
    if task.get("status", {}).get("observedGeneration", task["metadata"]["generation"]) != task["metadata"]["generation"]:
        return "InProgress"
    if condition(task, "Stalled").get("status") == "True":
        return "Failed"
    if condition(task, "Reconciling").get("status") == "True":
        return "InProgress"
    return "Current" if condition(task, "Ready").get("status", "True") == "True" else "InProgress"


def changes(values):
    """Without what equals the one before it."""
    values = list(values)
    return [value for i, value in enumerate(values) if i == 0 or value != values[i - 1]]


class Recorder:
    """Watches one task from now on, the time of its making included: with Recorder(...) as states: …"""

    def __init__(self, cluster, namespace, name):
        command = ["kubectl", "get", "mt", "-n", namespace, "--field-selector", f"metadata.name={name}", "-o", "json",
                   "--watch", "--output-watch-events"]
        self.states = []  # as they came; after a deletion the last state again
        self.problem = None
        self._process = cluster.start(*command, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self):
        self._reader.start()
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(10)
        self._reader.join(10)

    def _read(self):
        decoder, text = json.JSONDecoder(), ""
        for line in self._process.stdout:
            text += line
            if line.rstrip("\n") != "}":  # the end of a document that is not in one line
                if not line.startswith("{"):
                    continue
            try:
                event, end = decoder.raw_decode(text)
            except ValueError:
                continue
            text = text[end:].lstrip()
            self.states.append(event["object"])

    def task_statuses(self):
        return changes(state.get("status", {}).get("taskStatus", "") for state in self.states)

    def readings(self):
        return changes(kstatus(state) for state in self.states)

    def reasons(self):
        return changes(condition(state, "Ready").get("reason", "") for state in self.states)
