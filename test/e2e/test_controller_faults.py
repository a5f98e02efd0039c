# SPDX-License-Identifier: Apache-2.0
"""The controller behind a proxy that fails: whatever happens between it and the API server, the cluster ends as it should.

It runs as a process of its own; workers cannot be scheduled, so what each task must come to is known: its Secret and its four
Jobs, the first one resumed, and a status that says what it waits for."""

import json
import os
import time

import fault_proxy as faults
import pytest
from conftest import ROOT
from controller_process import ControllerProcess
from kube import TASKS
from test_watch import eventually

pytestmark = pytest.mark.alone  # two controllers with two leases would both work on every task

INITIALIZATION = ["preCheck", "initStruct", "initData"]
STEPS = ("precheck-0", "initstruct-1", "initdata-2", "cdc")


@pytest.fixture(scope="module", autouse=True)
def prepared(cluster):
    """The kinds and the template are there, no operator works, and no worker can start."""
    crds = os.path.join(ROOT, "crds")
    cluster.kubectl("apply", "-f", crds)
    cluster.kubectl("wait", "--for=condition=Established", "-f", crds, "--timeout=30s")
    template = os.path.join(ROOT, "deploy", "template.yaml")
    eventually(lambda: cluster.call("kubectl", "apply", "-f", template)[0] == 0, what="the template")
    operators = json.loads(cluster.kubectl("get", "deployments", "-A", "-l", "app.kubernetes.io/component=controller", "-o", "json"))["items"]

    def scale(replicas):
        for one in operators:
            cluster.kubectl("scale", "deployment", "-n", one["metadata"]["namespace"], one["metadata"]["name"],
                            f"--replicas={one['spec']['replicas'] if replicas is None else replicas}")
    scale(0)
    cluster.kubectl("cordon", "node1")
    yield
    cluster.kubectl("uncordon", "node1")
    scale(None)


class Tasks:
    """Tasks of a namespace, and what has to be there for each."""

    def __init__(self, cluster, namespace):
        self.cluster, self.namespace, self.names = cluster, namespace, set()
        self.path = f"{TASKS}/namespaces/{namespace}/migrationtasks"

    def create(self, *names):
        for name in names:
            end = {"secret": {"name": "app"}, "databaseName": "shop"}  # the workers that read it never start
            status, answer = self.cluster.request("POST", self.path, {
                "apiVersion": "datamigration.apecloud.io/v1alpha1", "kind": "MigrationTask", "metadata": {"name": name},
                "spec": {"template": "apecloud-pg2pg", "taskType": "initialization-and-cdc", "initialization": {"steps": INITIALIZATION},
                         "sourceEndpoint": {**end, "address": "10.0.0.1:5432"}, "sinkEndpoint": {**end, "address": "10.0.0.2:5432"}}})
            assert status == 201, answer
            self.names.add(name)

    def delete(self, *names):
        for name in names:
            status, answer = self.cluster.request("DELETE", f"{self.path}/{name}")
            assert status == 200, answer
            self.names.discard(name)

    def suspend(self, name, suspend=True):
        self.cluster.merge(f"{self.path}/{name}", {"spec": {"suspend": suspend}})

    def _owned(self, base, resource):
        """{name of the task: {name: object}}"""
        found = {}
        for item in self.cluster.items(f"{base}/namespaces/{self.namespace}/{resource}"):
            for owner in item["metadata"].get("ownerReferences", []):
                found.setdefault(owner["name"], {})[item["metadata"]["name"]] = item
        return found

    def wrong(self, suspended=()):
        """What is not as it should be, in words; "" when all is."""
        tasks = {item["metadata"]["name"]: item for item in self.cluster.items(self.path)}
        if set(tasks) != self.names:
            return f"tasks {sorted(tasks)}"
        jobs, secrets = self._owned("/apis/batch/v1", "jobs"), self._owned("/api/v1", "secrets")
        for name, task in tasks.items():
            mine = jobs.get(name, {})
            if set(mine) != {f"{name}-{step}" for step in STEPS} or len(secrets.get(name, {})) != 1:
                return f"{name}: {sorted(mine)}, secrets {sorted(secrets.get(name, {}))}"
            resumed = {job for job, item in mine.items() if not item["spec"]["suspend"]}
            if resumed != (set() if name in suspended else {f"{name}-precheck-0"}):
                return f"{name}: {resumed} are resumed"
            mounted = mine[f"{name}-precheck-0"]["spec"]["template"]["spec"]["volumes"]
            if not any(volume.get("secret", {}).get("secretName") in secrets[name] for volume in mounted):
                return f"{name}: its worker mounts another Secret than {sorted(secrets[name])}"
            ready = next((c for c in task.get("status", {}).get("conditions", []) if c["type"] == "Ready"), {})
            if ready.get("reason") != ("Suspended" if name in suspended else "WaitingForWorker"):
                return f"{name}: {ready}"
            if task["status"].get("observedGeneration") != task["metadata"]["generation"]:
                return f"{name}: observedGeneration {task['status'].get('observedGeneration')}"
        return ""

    def converge(self, suspended=(), timeout=90):
        deadline = time.monotonic() + timeout
        while wrong := self.wrong(suspended):
            assert time.monotonic() < deadline, f"after {timeout} s: {wrong}"
            time.sleep(0.25)

    def uids(self):
        return {name: item["metadata"]["uid"] for jobs in self._owned("/apis/batch/v1", "jobs").values() for name, item in jobs.items()}


@pytest.fixture
def tasks(cluster, namespace):
    made = Tasks(cluster, namespace)
    yield made
    left = [item["metadata"]["name"] for item in cluster.items(made.path)]
    for name in left:  # nobody is there any more who would take the finalizer off
        cluster.merge(f"{made.path}/{name}", {"metadata": {"finalizers": []}})


@pytest.fixture
def controller(cluster, namespace, proxy, tasks):  # stops before the tasks are cleared away
    """Behind the proxy, leading."""
    with ControllerProcess(cluster, namespace, kubeconfig=proxy.kubeconfig) as one:
        one.wait_until_leading()
        yield one
        assert one.process.poll() is None, one.log()
        proxy.clear()
        assert one.stop(20) == 0, one.log()


WATCHES, WRITES = r"[?&]watch=1", r"/(migrationtasks|jobs|secrets|events|leases)"
FAULTS = {  # fault, requests, method, how many times; None: during the whole test
    "conflict-409-on-patches": (faults.status(409), WRITES, "PATCH", 8),
    "conflict-409-on-posts": (faults.status(409), WRITES, "POST", 4),
    "gone-410": (faults.status(410), WATCHES, "GET", 4),
    "gone-410-as-event": (faults.error_event(410, after=1), WATCHES, "GET", 4),
    "refused-429": (faults.status(429, retry_after=1), "", None, 20),
    "error-500": (faults.status(500), "", None, 20),
    "truncated-watches": (faults.truncated(after=1), WATCHES, "GET", 4),
    "truncated-answers": (faults.truncated(), WRITES, "PATCH", 8),
    "reset-in-an-event": (faults.reset(after=1), WATCHES, "GET", 4),
    "answers-lost": (faults.lost_reply(), WRITES, None, 12),
    "requests-lost": (faults.lost_request(), "", None, 20),
    "no-json-in-watches": (faults.garbage(after=1), WATCHES, "GET", 4),
    "slow-reads": (faults.slow(0.001, 128), "", None, None),
    "late": (faults.delayed(1), WRITES, None, None),
    "connection-closed-each-time": (faults.close_after(), WRITES, None, None),
}


@pytest.mark.parametrize("name", FAULTS)
def test_converges(proxy, controller, tasks, name):
    fault, match, method, times = FAULTS[name]
    tasks.create("before")
    tasks.converge()
    injection = proxy.inject(fault, match, method, times)
    if method == "GET" and match == WATCHES:
        proxy.break_connections()  # streams that were there before are asked for anew
    tasks.create("a", "b", "c")
    tasks.suspend("before")
    tasks.converge(suspended=["before"])
    kept = tasks.uids()
    tasks.delete("a")
    tasks.suspend("before", False)
    tasks.converge()
    assert injection.hits >= (1 if times is None else min(times, 2))
    proxy.clear()
    tasks.create("after")
    tasks.converge()
    now = tasks.uids()
    assert all(now[job] == uid for job, uid in kept.items() if not job.startswith("a-")), "a Job was made anew"


def test_equal_events_are_one(cluster, namespace, controller, tasks):
    tasks.create("a")
    tasks.converge()
    for _ in range(3):
        tasks.suspend("a")
        tasks.converge(suspended=["a"])
        tasks.suspend("a", False)
        tasks.converge()

    def counts():
        return [event.get("series", {}).get("count", 1) for event in cluster.items(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
                if event["regarding"]["kind"] == "MigrationTask" and event["reason"] == "Suspended"]
    eventually(lambda: counts() == [2], what="one Event with a series")  # its third time is not yet due to be written


def test_a_refusal_is_told_once(cluster, namespace, proxy, controller, tasks):
    """It is tried again and again; the status does not tick with it."""
    injection = proxy.inject(faults.status(403, message="exceeded quota"), "/secrets", "POST", None)
    tasks.create("a")

    def ready():
        found = cluster.get(f"{tasks.path}/a")
        conditions = found.get("status", {}).get("conditions", [])
        return found, next((c for c in conditions if c["type"] == "Ready"), {"reason": "", "message": ""})
    eventually(lambda: ready()[1]["reason"] == "WaitingForCluster", what="the refusal in the status")
    assert "exceeded quota" in ready()[1]["message"]
    tries, version = injection.hits, ready()[0]["metadata"]["resourceVersion"]
    injection.wait(tries + 3)
    assert ready()[0]["metadata"]["resourceVersion"] == version
    events = cluster.items(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
    assert sum(event["reason"] == "WaitingForCluster" for event in events) == 1
    injection.remove()
    tasks.converge()


def test_half_open_connections(proxy, controller, tasks):
    """Everything that is connected falls silent, nobody says so: found out within the watches' 75 s without a bookmark."""
    tasks.create("before")
    tasks.converge()
    assert proxy.freeze() >= 4
    tasks.create("a")
    tasks.converge(timeout=150)


def test_the_api_server_cannot_be_reached_for_half_a_minute(proxy, controller, tasks):
    tasks.create("before")
    tasks.converge()
    proxy.down()
    tasks.create("a", "b")
    tasks.delete("before")
    time.sleep(30)
    proxy.up()
    tasks.converge(timeout=120)
    assert "no longer leading" in controller.log()


def test_its_namespace_is_deleted(cluster, namespace, controller, tasks):
    """Nothing can be made in it any more, so no worker cleans up: it says so, and what lets it go."""
    other = Tasks(cluster, f"{namespace}-other")
    cluster.kubectl("create", "namespace", other.namespace)
    other.create("a")
    other.converge()
    # As if its rows were being copied: there may be a slot on the source.
    cluster.merge(f"/apis/batch/v1/namespaces/{other.namespace}/jobs/a-initdata-2", {"spec": {"suspend": False}})
    eventually(lambda: cluster.items(f"/api/v1/namespaces/{other.namespace}/pods?labelSelector=job-name%3Da-initdata-2"), what="its pod")
    cluster.kubectl("delete", "namespace", other.namespace, "--wait=false")

    def message():
        task = cluster.get(f"{other.path}/a")
        return next((c["message"] for c in task["status"]["conditions"] if c["type"] == "Ready"), "") if task else ""
    eventually(lambda: "isForceDelete" in message(), timeout=60, what="advice")
    cluster.merge(f"{other.path}/a", {"spec": {"isForceDelete": True}})
    eventually(lambda: cluster.get(f"/api/v1/namespaces/{other.namespace}") is None, timeout=150, what="the namespace's end", interval=1)


def test_the_controller_is_killed_after_each_write(cluster, namespace, proxy, tasks):
    """After so many of its writes it is dead, and another goes on from what is there; in the end nothing is missing or doubled."""
    tasks.create("a")
    for writes in range(1, 9):
        seen = len(proxy.requests)

        def written(before=seen):
            return sum(one.method in ("POST", "PATCH") and "/leases" not in one.path and one.status in (200, 201)
                       for one in list(proxy.requests)[before:])
        with ControllerProcess(cluster, namespace, kubeconfig=proxy.kubeconfig) as one:
            one.wait_until_ready()
            eventually(lambda n=writes: written() >= n or not tasks.wrong(), timeout=60, what="its writes", interval=0.001)
            one.kill()
        cluster.kubectl("delete", "lease", "kubeferry-controller", "-n", namespace, "--ignore-not-found")  # so that the next one need not wait
    with ControllerProcess(cluster, namespace, kubeconfig=proxy.kubeconfig) as one:
        one.wait_until_ready()  # there may be nothing left to do, and it would be stopped before it hears signals
        tasks.converge()
        assert one.stop() == 0
