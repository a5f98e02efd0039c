# SPDX-License-Identifier: Apache-2.0
"""What the bench measures of the controller: a process of its own in the network of a real cluster, which shares the machine.

Each function gives rows: (what, value, unit, most that is allowed, remark).
"""

import concurrent.futures
import contextlib
import json
import os
import statistics
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

import command  # noqa: E402
from controller_process import ControllerProcess  # noqa: E402
from kube import ROOT, TASKS, Cluster  # noqa: E402
from measurements import say  # noqa: E402
from migration import ClusterServer, Migration  # noqa: E402
from servers import debian_bin, eventually, pgbench_initialize  # noqa: E402

SYSTEM = "kubeferry-bench"  # the namespace of the Lease
CONNECTIONS = 16  # of whoever stores many objects
STEPS = 4  # Jobs of a task
JOBS = "/apis/batch/v1"


@contextlib.contextmanager
def bench_cluster():
    """A cluster of its own; KUBEFERRY_E2E_CLUSTER=DIR takes one that runs, and leaves there what was made."""
    running = os.environ.get("KUBEFERRY_E2E_CLUSTER")
    with tempfile.TemporaryDirectory(prefix="kubeferry-bench-") as parent:
        one = Cluster(os.path.abspath(running) if running else os.path.join(parent, "cluster"))
        try:
            one.run("up")
            one.kubectl("apply", "-f", os.path.join(ROOT, "crds"))
            one.kubectl("wait", "--for=condition=Established", "-f", os.path.join(ROOT, "crds"), "--timeout=30s")
            eventually(lambda: one.call("kubectl", "apply", "-f", os.path.join(ROOT, "deploy", "template.yaml"))[0] == 0, what="the template")
            make_namespace(one, SYSTEM)
            yield one
        finally:
            if not running:
                one.run("down")


def make_namespace(cluster, name):
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


def task(namespace, name, template="apecloud-pg2pg"):
    """As large as one that a person writes."""
    tables = [{"tableName": f"table_{i}", "isAll": True} for i in range(10)]
    end = {"userName": "app", "password": "secret-of-the-bench", "databaseName": "shop"}
    return {"apiVersion": "datamigration.apecloud.io/v1alpha1", "kind": "MigrationTask", "metadata": {"name": name, "namespace": namespace},
            "spec": {"template": template, "taskType": "initialization-and-cdc",
                     "initialization": {"steps": ["preCheck", "initStruct", "initData"]},
                     "sourceEndpoint": {**end, "address": "10.0.0.1:5432"}, "sinkEndpoint": {**end, "address": "10.0.0.2:5432"},
                     "migrationObj": {"whiteList": [{"schemaName": "public", "isAll": False, "tableList": tables}]}}}


def store(cluster, documents):
    """Seconds to store all of them, by so many connections at a time. documents: (path of the collection, text)."""
    local = threading.local()

    def post(document):
        if not hasattr(local, "cluster"):
            local.cluster = Cluster(cluster.directory)
        status, answer = local.cluster.request("POST", *document)
        assert status == 201, f"{document[0]}: {status} {answer}"

    with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
        began = time.monotonic()
        for _ in pool.map(post, documents):
            pass
    return time.monotonic() - began


def task_documents(namespace, count, template="apecloud-pg2pg"):
    path = f"{TASKS}/namespaces/{namespace}/migrationtasks"
    return [(path, json.dumps(task(namespace, f"task-{i}", template))) for i in range(count)]


def count_of(cluster, path):
    """How many objects a collection has, without reading them."""
    found = cluster.get(f"{path}?limit=1")
    return len(found["items"]) + found["metadata"].get("remainingItemCount", 0)


def megabytes(controller):
    return controller.metric("process_resident_memory_bytes") / (1 << 20)


# ---- idle ----------------------------------------------------------------------------------------------------------

def measure_idle(cluster, options):
    """One task that streams, its worker being polled, and nothing to do."""
    cluster.import_images()
    namespace = make_namespace(cluster, "idle")
    with ClusterServer(cluster, debian_bin()) as server, ControllerProcess(cluster, SYSTEM) as controller:
        migration = Migration(cluster, namespace, server.database("idle_source"), server.database("idle_sink"), "idle")
        pgbench_initialize(migration.source, 1)
        migration.apply()
        migration.wait_for_status("Running", timeout=180)
        time.sleep(30)
        before = controller.metric("process_cpu_seconds_total")
        began = time.monotonic()
        time.sleep(options.idle_seconds)
        share = (controller.metric("process_cpu_seconds_total") - before) / (time.monotonic() - began)
        resident = megabytes(controller)
        migration.delete(timeout=120)
        controller.stop()
    say(f"controller idle with one streaming task: {resident:.1f} MB, {share * 100:.3f} % of a core")
    return [("idle, one task streams: resident memory", resident, "MB", 15, "its worker is polled every 2 s"),
            ("idle, one task streams: share of a core", share * 100, "%", 0.2, f"over {options.idle_seconds} s")]


# ---- the first Job -------------------------------------------------------------------------------------------------

class JobTimes:
    """When the API server told of each Job of a namespace first, by name."""

    def __init__(self, cluster, namespace):
        self.seen = {}
        self.process = cluster.start("kubectl", "get", "jobs", "-n", namespace, "--watch", "--no-headers", "-o", "name", stdout=-1)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.seen.setdefault(line.strip().removeprefix("job.batch/"), time.monotonic())

    def stop(self):
        self.process.terminate()
        self.process.wait()


def measure_first_job(cluster, options):
    namespace = make_namespace(cluster, "first")
    path = f"{TASKS}/namespaces/{namespace}/migrationtasks"
    times, stored = [], []
    with ControllerProcess(cluster, SYSTEM) as controller:
        controller.wait_until_leading()
        jobs = JobTimes(cluster, namespace)
        time.sleep(2)
        for i in range(options.first_jobs):
            text = json.dumps(task(namespace, f"task-{i}"))
            began = time.monotonic()
            status, answer = cluster.request("POST", path, text)
            assert status == 201, answer
            stored.append((time.monotonic() - began) * 1000)
            eventually(lambda name=f"task-{i}-precheck-0": name in jobs.seen, what="the first Job", interval=0.001)
            times.append((jobs.seen[f"task-{i}-precheck-0"] - began) * 1000)
            time.sleep(0.3)
        jobs.stop()
        controller.stop()
    say(f"first Job: median {statistics.median(times):.1f} ms ({min(times):.1f} – {max(times):.1f})")
    return [("from apply to the first step's Job (median)", statistics.median(times), "ms", 100,
             f"{len(times)} tasks; {min(times):.0f} – {max(times):.0f} ms; storing the task takes {statistics.median(stored):.0f} ms of it")]


# ---- a thousand at once --------------------------------------------------------------------------------------------

def as_new(item, namespace):
    """The object as somebody would store it anew elsewhere."""
    document = {key: value for key, value in item.items() if key != "status"}
    kept = {key: item["metadata"][key] for key in ("name", "labels", "annotations") if key in item["metadata"]}
    document["metadata"] = {**kept, "namespace": namespace}
    if item["kind"] == "Job":
        document["spec"] = {key: value for key, value in item["spec"].items() if key != "selector"}
        labels = document["spec"]["template"]["metadata"].get("labels", {})
        for places in (labels, document["metadata"].get("labels", {})):
            for name in [name for name in places if name.removeprefix("batch.kubernetes.io/") in ("controller-uid", "job-name")]:
                del places[name]
    return json.dumps(document)


def stored_again(cluster, source, target):
    """Everything that a task and its controller store, as documents for another namespace."""
    documents = []
    for base, resource, kind, version in ((TASKS, "migrationtasks", "MigrationTask", "datamigration.apecloud.io/v1alpha1"),
                                          (JOBS, "jobs", "Job", "batch/v1"), ("/api/v1", "secrets", "Secret", "v1")):
        for item in cluster.items(f"{base}/namespaces/{source}/{resource}"):
            documents.append((f"{base}/namespaces/{target}/{resource}", as_new({**item, "kind": kind, "apiVersion": version}, target)))
    return documents


def measure_many(cluster, options):
    namespace, count = make_namespace(cluster, "many"), options.many
    jobs = f"{JOBS}/namespaces/{namespace}/jobs"
    with ControllerProcess(cluster, SYSTEM) as controller:
        controller.wait_until_leading()
        began = time.monotonic()
        store(cluster, task_documents(namespace, count))
        stored = time.monotonic() - began
        eventually(lambda: count_of(cluster, jobs) == count * STEPS, 600, "all Jobs", interval=0.1)
        ours = time.monotonic() - began
        assert controller.stop() == 0, controller.log()
    again = stored_again(cluster, namespace, make_namespace(cluster, "again"))
    plain = store(cluster, again)
    say(f"{count} tasks at once: all Jobs after {ours:.1f} s (tasks stored after {stored:.1f} s); the same {len(again)} objects stored in {plain:.1f} s")
    return [(f"{count:,} tasks created at once: until all have all their Jobs", ours, "s", plain * 2,
             f"the API server takes {plain:.1f} s to store the same {len(again):,} objects sent by {CONNECTIONS} connections")]


# ---- ten thousand --------------------------------------------------------------------------------------------------

def measure_ten_thousand(cluster, options):
    """They wait for a template that is not there: the controller has looked at each and written its status."""
    namespace, count = make_namespace(cluster, "huge"), options.tasks
    store(cluster, task_documents(namespace, count, template="absent"))
    rows = []
    with ControllerProcess(cluster, SYSTEM) as controller:
        controller.wait_until_leading(60)

        def done():  # one pass for the finalizer, one for the status
            metrics = controller.metrics()
            return metrics["workqueue_depth"] == 0 and metrics["controller_runtime_reconcile_total"] >= 2 * count

        began = time.monotonic()
        eventually(done, 900, "a look at each task", interval=1)
        say(f"{count} tasks: each was looked at and has a status after {time.monotonic() - began:.1f} s")
        time.sleep(30)
        rows.append((f"{count:,} tasks: resident memory", megabytes(controller), "MB", 40, "after a status was written to each"))
        assert controller.stop() == 0, controller.log()
    with ControllerProcess(cluster, SYSTEM) as controller:
        rows.insert(0, (f"{count:,} tasks: list and sync", controller.wait_until_ready(120), "s", 5, "from the start of the process"))
        controller.wait_until_leading(60)
        time.sleep(30)
        rows.append((f"{count:,} tasks: resident memory after a restart", megabytes(controller), "MB", 40, ""))
        controller.stop()
    for what, value, unit, _, _ in rows:
        say(f"{what}: {value:.1f} {unit}")
    return rows


def measure(options):
    rows = []
    with bench_cluster() as cluster:
        rows += measure_idle(cluster, options)
        no_workers(cluster)
        rows += measure_first_job(cluster, options)
        rows += command.measure(cluster, "first", f"{TASKS}/namespaces/first/migrationtasks")
        rows += measure_many(cluster, options)
    with bench_cluster() as cluster:  # where there are these tasks and no others
        no_workers(cluster)
        rows += measure_ten_thousand(cluster, options)
    return rows


def no_workers(cluster):
    """Workers that cannot start cost the machine nothing."""
    cluster.kubectl("cordon", "node1")
