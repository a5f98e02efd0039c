# SPDX-License-Identifier: Apache-2.0
"""Servers that the pods of the test cluster reach, and a migration between two databases of theirs."""

import copy
import itertools
import os
import sys
import time

from kube import ROOT, TASKS

sys.path.insert(0, os.path.join(ROOT, "test", "engine"))
from comparison import assert_equal, leftovers  # noqa: E402
from servers import SUPERUSER, SUPERUSER_PASSWORD, Server, embedded_bin, eventually  # noqa: E402

NODE = "10.244.0.1"


class ClusterServer(Server):
    """A server in the cluster's network namespace, at 10.244.0.1:port for pods. Tests and pgbench, which are outside, come
    by its socket in the file system."""

    address = NODE
    networks = ("10.244.0.0/16",)

    def __init__(self, cluster, bin_directory=None, **options):
        self.prefix = ("nsenter", f"--net={cluster.netns}")
        super().__init__(bin_directory or embedded_bin(14), **options)

    def conninfo(self, database="postgres", user=SUPERUSER, password=SUPERUSER_PASSWORD, **more):
        return super().conninfo(database, user, password, **{"host": self.directory, **more})

    @property
    def endpoint(self):
        """host:port, as a task names it."""
        return f"{self.address}:{self.port}"

    def certificate(self):
        """Its own certificate, which is its certificate authority, too."""
        with open(os.path.join(self.directory, "server.crt"), encoding="ascii") as file:
            return file.read()


def merged(document, changes):
    """A copy of the document with every dotted path of changes set; ... takes a field out."""
    document = copy.deepcopy(document)
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = document
        for name in parents:
            place = place.setdefault(name, {})
        if value is ...:
            place.pop(last, None)
        else:
            place[last] = value
    return document


class Migration:
    """A source and a sink database, Secrets with their passwords, and the MigrationTask between them.

    Nothing is made in the cluster before apply(). At the end of a test close() deletes the task, by force if need be."""

    _numbers = itertools.count(1)

    def __init__(self, cluster, namespace, source, sink, name=None):
        self.cluster, self.namespace, self.source, self.sink = cluster, namespace, source, sink
        self.name = name or f"task-{next(self._numbers)}"
        self.slot = self.name.replace("-", "_")
        self._markers = itertools.count(1)

    # ---- the task ---------------------------------------------------------------------------------------------------

    def manifest(self, **changes):
        """The task. changes by dotted path below spec, with __ for the dots: manifest(initialization__steps=["preCheck"])."""
        document = {
            "apiVersion": "datamigration.apecloud.io/v1alpha1", "kind": "MigrationTask",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {"template": "apecloud-pg2pg", "taskType": "initialization-and-cdc",
                     "sourceEndpoint": self._endpoint(self.source, "source"), "sinkEndpoint": self._endpoint(self.sink, "sink")},
        }
        return merged(document, {"spec." + path.replace("__", "."): value for path, value in changes.items()})

    def _endpoint(self, database, end):
        return {"address": database.server.endpoint, "databaseName": database.name, "secret": {"name": f"{self.name}-{end}"}}

    def secret(self, end, user=SUPERUSER, password=SUPERUSER_PASSWORD):
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{self.name}-{end}", "namespace": self.namespace},
                "stringData": {"username": user, "password": password}}

    def apply(self, **changes):
        """Both Secrets and the task, as kubectl apply."""
        return self.cluster.apply([self.secret("source"), self.secret("sink"), self.manifest(**changes)])

    @property
    def path(self):
        return f"{TASKS}/namespaces/{self.namespace}/migrationtasks/{self.name}"

    def get(self):
        """The task as it is; None when it is gone."""
        return self.cluster.get(self.path)

    def patch(self, **changes):
        """Changes of the spec, as in manifest()."""
        return self.cluster.merge(self.path, merged({}, {"spec." + path.replace("__", "."): value for path, value in changes.items()}))

    def status(self):
        return (self.get() or {}).get("status", {})

    def condition(self, kind, task=None):
        """The condition of that type, {} when there is none."""
        conditions = (task or self.get() or {}).get("status", {}).get("conditions", [])
        return next((one for one in conditions if one["type"] == kind), {})

    def wait(self, condition, what, timeout=90):
        """Until condition(task) is true; gives the task. It sees no task once that is gone, and then fails."""
        deadline = time.monotonic() + timeout
        while True:
            task = self.get()
            assert task is not None, f"waiting for {what}: the task {self.name} is gone"
            if condition(task):
                return task
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {timeout} s; status: {task.get('status')}")
            time.sleep(0.1)

    def wait_for_status(self, *names, timeout=180):
        """Until taskStatus is one of these."""
        return self.wait(lambda task: task.get("status", {}).get("taskStatus") in names, " or ".join(names), timeout)

    def wait_for_condition(self, kind, status="True", reason=None, words="", timeout=180):
        """Until a condition has that status, reason and words in its message; gives the condition."""
        def holds(task):
            one = self.condition(kind, task)
            return one.get("status") == status and reason in (None, one["reason"]) and words in one["message"]
        what = f"{kind}={status} {reason or ''} {words}"
        return self.condition(kind, self.wait(holds, what, timeout))

    def delete(self, wait=True, timeout=120):
        status, answer = self.cluster.request("DELETE", self.path)
        assert status in (200, 202, 404), answer
        if wait:
            self.wait_until_gone(timeout)

    def wait_until_gone(self, timeout=60):
        eventually(lambda: self.get() is None, timeout, f"end of the task {self.name}", interval=0.2)

    # ---- its workers ------------------------------------------------------------------------------------------------

    def jobs(self):
        """Its Jobs by name, whatever step."""
        found = self.cluster.items(f"/apis/batch/v1/namespaces/{self.namespace}/jobs")
        return {job["metadata"]["name"]: job for job in found
                if any(owner["name"] == self.name for owner in job["metadata"].get("ownerReferences", []))}

    def pods(self):
        label = f"datamigration.apecloud.io%2Fmigrationtask%3D{self.name}"
        return self.cluster.items(f"/api/v1/namespaces/{self.namespace}/pods?labelSelector={label}")

    def pod(self, order=None, step=None):
        """The newest pod of a step, by its serial_job_order or by step="cdc"; None when there is none."""
        def matches(pod):
            notes = pod["metadata"].get("annotations", {})
            return (notes.get("common.apecloud.io/serial_job_order") == str(order) if order is not None
                    else notes.get("datamigration.apecloud.io/step") == step)
        found = [pod for pod in self.pods() if matches(pod)]
        return max(found, key=lambda pod: pod["metadata"]["creationTimestamp"], default=None)

    def at_work(self):
        """Its pods that have not ended."""
        return [pod for pod in self.pods() if pod["status"].get("phase") not in ("Succeeded", "Failed")]

    def events(self):
        """What the Events about the task say: (reason, type, note)."""
        found = self.cluster.items(f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events")
        return [(one["reason"], one["type"], one.get("note", "")) for one in found
                if one["regarding"]["name"] == self.name and one["regarding"]["kind"] == "MigrationTask"]

    def wait_for_event(self, reason, words="", timeout=30):
        """Until there is such an Event; gives (reason, type, note)."""
        return eventually(lambda: next((one for one in self.events() if one[0] == reason and words in one[2]), None), timeout,
                          f"an Event {reason} about {self.name} with {words!r}", interval=0.2)

    def logs(self, pod):
        return self.cluster.kubectl("logs", "-n", self.namespace, pod["metadata"]["name"])

    # ---- both ends --------------------------------------------------------------------------------------------------

    def marker_table(self):
        """The table that settle() writes; to be made before the task."""
        self.source.execute("CREATE TABLE IF NOT EXISTS public.settle_marker (id int PRIMARY KEY)")

    def settle(self, timeout=60):
        """Waits until the sink shows what the source committed last."""
        number = next(self._markers)
        self.source.execute(f"INSERT INTO public.settle_marker VALUES ({number})")
        exists, query = "SELECT to_regclass('public.settle_marker')", f"SELECT 1 FROM public.settle_marker WHERE id = {number}"
        eventually(lambda: self.sink.value(exists) is not None and self.sink.value(query), timeout, f"marker {number} in the sink")

    def assert_equal(self, only=None):
        assert_equal(self.source, self.sink, only)

    def leftovers(self):
        """Slots and publications on the source."""
        return leftovers(self.source)

    def close(self):
        if self.get() is not None:
            self.patch(isForceDelete=True)
            self.delete(wait=False)
            self.wait_until_gone(180)
        for database in (self.source, self.sink):
            if database.server.process is not None:
                database.drop()
