# SPDX-License-Identifier: Apache-2.0
"""common/k8s/k8s_watch against a real API server: what the watcher was told must end equal to what the server has."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from conftest import ROOT

sys.path.insert(0, os.path.join(ROOT, "test", "engine"))
from servers import eventually  # noqa: E402

TOOL = os.environ.get("KUBEFERRY_WATCH_TOOL", os.path.join(ROOT, "build", "test", "e2e", "watch_tool"))


class Watcher:
    """The tool, and the state that its lines build."""

    def __init__(self, cluster, namespace, *selector):
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        self.process = cluster.start(TOOL, cluster.kubeconfig, path, *selector, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.state, self.fresh, self.synced, self.events, self.log = {}, None, 0, [], ""
        self.threads = [threading.Thread(target=self._read_events, daemon=True), threading.Thread(target=self._read_log, daemon=True)]
        for thread in self.threads:
            thread.start()

    def _read_log(self):
        for line in self.process.stderr:
            self.log += line

    def _read_events(self):
        for line in self.process.stdout:
            word, *rest = line.rstrip("\n").split(" ")
            self.events.append(line)
            if word == "begin":
                self.fresh = {}
            elif word == "synced":
                self.state, self.fresh = self.fresh, None
                self.synced += 1
            else:
                target = self.state if self.fresh is None else self.fresh
                if word == "DELETED":
                    target.pop(rest[0], None)
                else:
                    target[rest[0]] = rest[1]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        for thread in self.threads:
            thread.join(5)
        assert code == 0, self.log


@pytest.fixture
def watch(cluster, namespace):
    started = []

    def start(*selector):
        started.append(Watcher(cluster, namespace, *selector))
        eventually(lambda: started[-1].synced, what="the first complete state")
        return started[-1]

    yield start
    for watcher in started:
        watcher.stop()


def put(cluster, namespace, name, value, **labels):
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, "labels": labels},
                "data": {"value": value}}
    cluster.kubectl("apply", "-f", "-", input=json.dumps(document))


def on_server(cluster, namespace, *more):
    items = json.loads(cluster.kubectl("get", "configmaps", "-n", namespace, "-o", "json", *more))["items"]
    return {item["metadata"]["name"]: item.get("data", {}).get("value", "") for item in items}


def equal(watcher, cluster, namespace, *more):
    eventually(lambda: {k: v for k, v in watcher.state.items() if k != "kube-root-ca.crt"} ==
               {k: v for k, v in on_server(cluster, namespace, *more).items() if k != "kube-root-ca.crt"},
               timeout=60, what="equal states")


def test_follows_what_is_made_changed_and_deleted(cluster, namespace, watch):
    put(cluster, namespace, "before", "1")
    watcher = watch()
    put(cluster, namespace, "after", "2")
    put(cluster, namespace, "before", "3")
    equal(watcher, cluster, namespace)
    assert watcher.state["before"] == "3" and watcher.state["after"] == "2"
    cluster.kubectl("delete", "configmap", "-n", namespace, "before")
    equal(watcher, cluster, namespace)
    assert "before" not in watcher.state
    assert watcher.synced == 1  # followed, and not listed again


def test_selector(cluster, namespace, watch):
    watcher = watch("app=ours")
    put(cluster, namespace, "ours", "1", app="ours")
    put(cluster, namespace, "other", "1", app="other")
    equal(watcher, cluster, namespace, "-l", "app=ours")
    assert set(watcher.state) == {"ours"}
    put(cluster, namespace, "ours", "1", app="other")  # leaves the selection
    equal(watcher, cluster, namespace, "-l", "app=ours")
    assert not watcher.state


def test_many_objects(cluster, namespace, watch):
    items = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{i}", "namespace": namespace},
              "data": {"value": str(i)}} for i in range(700)]  # more than a page of 500
    cluster.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    equal(watch(), cluster, namespace)


@pytest.mark.alone
def test_the_api_server_is_killed(cluster, namespace, watch):
    put(cluster, namespace, "kept", "1")
    put(cluster, namespace, "dropped", "1")
    watcher = watch()
    cluster.run("restart", "kube-apiserver")
    eventually(lambda:
               cluster.start("kubectl", "get", "--raw", "/readyz", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait() == 0,
               timeout=60, what="the API server's return", interval=0.5)
    put(cluster, namespace, "new", "2")
    put(cluster, namespace, "kept", "2")
    cluster.kubectl("delete", "configmap", "-n", namespace, "dropped")
    equal(watcher, cluster, namespace)
    assert "again in" in watcher.log  # it said so
