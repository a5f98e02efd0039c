# SPDX-License-Identifier: Apache-2.0
"""A thousand tasks that are created at once."""

import concurrent.futures
import json
import os
import threading

import pytest
from controller_process import ControllerProcess
from kube import TASKS, Cluster
from test_controller_faults import INITIALIZATION, STEPS, Tasks, prepared  # noqa: F401
from test_watch import eventually

pytestmark = pytest.mark.alone
COUNT = int(os.environ.get("KUBEFERRY_E2E_TASKS", "1000"))  # fewer, to try the test itself


def at_once(cluster, requests):
    """requests: (method, path, body). All must be taken."""
    local = threading.local()

    def send(request):
        if not hasattr(local, "cluster"):
            local.cluster = Cluster(cluster.directory)
        status, answer = local.cluster.request(*request)
        assert status in (200, 201), answer
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(send, requests))


def test_a_thousand_at_once(cluster, namespace):
    tasks = Tasks(cluster, namespace)
    end = {"userName": "app", "password": "secret-1", "databaseName": "shop"}
    spec = {"template": "apecloud-pg2pg", "taskType": "initialization-and-cdc", "initialization": {"steps": INITIALIZATION},
            "sourceEndpoint": {**end, "address": "10.0.0.1:5432"},
            "sinkEndpoint": {**end, "address": "10.0.0.2:5432"}}
    tasks.names = {f"task-{i}" for i in range(COUNT)}

    def counts():
        items = cluster.items(f"/apis/batch/v1/namespaces/{namespace}/jobs")
        return len(items), len({item["metadata"]["ownerReferences"][0]["name"] for item in items})

    with ControllerProcess(cluster, namespace) as controller:
        controller.wait_until_leading()
        at_once(cluster, [("POST", tasks.path, json.dumps({
            "apiVersion": "datamigration.apecloud.io/v1alpha1", "kind": "MigrationTask", "metadata": {"name": name}, "spec": spec}))
            for name in sorted(tasks.names)])
        eventually(lambda: counts() == (COUNT * len(STEPS), COUNT), 600, "all Jobs", interval=2)
        tasks.converge(timeout=600)
        assert controller.metric("process_resident_memory_bytes") < 40 << 20
        assert controller.metric("kubeferry_tasks_stalled") == 0
        at_once(cluster, [("DELETE", f"{tasks.path}/{name}") for name in sorted(tasks.names)])
        eventually(lambda: not cluster.items(f"{TASKS}/namespaces/{namespace}/migrationtasks?limit=1"), 600, "the end of all tasks", interval=1)
        assert controller.stop() == 0, controller.log()
