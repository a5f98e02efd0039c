# SPDX-License-Identifier: Apache-2.0
"""Passwords are nowhere to be seen, and no task reaches a Secret of another namespace."""

import json

import pytest
from kube import TASKS
from servers import SUPERUSER_PASSWORD, eventually, pgbench_initialize


def everything_to_read(cluster, operator, migration):
    """All that a person with the right to look at a namespace, but not at its Secrets, can see of a task; (where, text)."""
    namespace = migration.namespace
    for path in (f"{TASKS}/namespaces/{namespace}/migrationtasks", f"/apis/batch/v1/namespaces/{namespace}/jobs", f"/api/v1/namespaces/{namespace}/pods",
                 f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", f"/api/v1/namespaces/{namespace}/configmaps"):
        yield path, json.dumps(cluster.get(path), ensure_ascii=False)
    for kind in ("jobs", "pods", "secrets"):
        yield f"kubectl describe {kind}", cluster.kubectl("describe", kind, "-n", namespace)
    for pod in cluster.items(f"/api/v1/namespaces/{namespace}/pods"):
        name = pod["metadata"]["name"]
        yield f"log of {name}", cluster.call("kubectl", "logs", "-n", namespace, name)[1]
        if pod["status"]["phase"] == "Running":
            for page in ("progress", "metrics", "healthz"):
                yield f"{page} of {name}", str(cluster.request("GET", f"/api/v1/namespaces/{namespace}/pods/{name}:9187/proxy/{page}")[1])
    for pod in operator.pods():
        name = pod["metadata"]["name"]
        yield f"log of {name}", cluster.kubectl("logs", "-n", operator.namespace, name)
        yield f"metrics of {name}", operator.metrics(name)


def assert_hidden(cluster, operator, migration, *passwords, spec=False):
    """spec: the task itself holds it, as its user wrote it; everything else must not."""
    for where, text in everything_to_read(cluster, operator, migration):
        if spec and where.endswith("/migrationtasks"):
            text = json.dumps([{**one, "spec": None, "metadata": {**one["metadata"], "annotations": None}} for one in json.loads(text)["items"]])
        for password in passwords:
            assert password not in text and json.dumps(password)[1:-1] not in text, f"a password is in {where}"


def test_passwords_of_secrets_are_seen_nowhere(cluster, operator, migration):
    pgbench_initialize(migration.source, 1)
    migration.apply()
    migration.wait_for_condition("Ready")
    assert SUPERUSER_PASSWORD not in cluster.kubectl("describe", "mt", "-n", migration.namespace)
    assert_hidden(cluster, operator, migration, SUPERUSER_PASSWORD)
    assert "cdc" in " ".join(where for where, _ in everything_to_read(cluster, operator, migration))


def test_passwords_of_the_spec_are_seen_nowhere_else(cluster, operator, migration):
    pgbench_initialize(migration.source, 1)
    inline = {f"{end}Endpoint__{field}": value for end in ("source", "sink")
              for field, value in (("secret", ...), ("userName", "postgres"), ("password", SUPERUSER_PASSWORD))}
    cluster.apply(migration.manifest(**inline))
    migration.wait_for_condition("Ready")
    assert_hidden(cluster, operator, migration, SUPERUSER_PASSWORD, spec=True)
    pod = migration.pod(step="cdc")
    secret = next(volume["secret"]["secretName"] for volume in pod["spec"]["volumes"] if "secret" in volume)
    stored = cluster.get(f"/api/v1/namespaces/{migration.namespace}/secrets/{secret}")
    owner = stored["metadata"]["ownerReferences"][0]
    assert stored["immutable"] and (owner["kind"], owner["name"], owner["controller"]) == ("MigrationTask", migration.name, True)
    migration.delete()
    eventually(lambda: cluster.get(f"/api/v1/namespaces/{migration.namespace}/secrets/{secret}") is None, 30, "end of the Secret")


@pytest.mark.parametrize("end", ["source", "sink"])
def test_passwords_that_are_refused_are_seen_nowhere(cluster, operator, migration, end):
    wrong = "Wr0ng pass'word\\ of \"a\" person"
    migration.source.execute("CREATE TABLE item (id int PRIMARY KEY)")
    right = "sink" if end == "source" else "source"
    cluster.apply([migration.secret(end, password=wrong), migration.secret(right), migration.manifest()])
    migration.wait_for_condition("Stalled", reason="AccessRefused")
    migration.wait_for_event("AccessRefused")
    assert_hidden(cluster, operator, migration, wrong, SUPERUSER_PASSWORD)


def test_a_secret_of_another_namespace_is_refused(cluster, migration):
    migration.source.execute("CREATE TABLE item (id int PRIMARY KEY)")
    migration.apply(sourceEndpoint__secret={"name": "treasure", "namespace": "kube-system"})
    stalled = migration.wait_for_condition("Stalled", reason="UnsupportedField")
    for words in ("sourceEndpoint.secret.namespace", "treasure", migration.namespace):
        assert words in stalled["message"]
    assert not migration.jobs()
    migration.patch(sourceEndpoint__secret={"name": f"{migration.name}-source", "namespace": migration.namespace})
    migration.wait_for_condition("Ready")


def test_workers_can_do_nothing_in_the_cluster_and_little_on_their_node(cluster, migration):
    pgbench_initialize(migration.source, 1)
    migration.apply()
    migration.wait_for_condition("Ready")
    for pod in migration.pods():
        spec, container = pod["spec"], pod["spec"]["containers"][0]
        assert spec["automountServiceAccountToken"] is False and spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"} and spec["enableServiceLinks"] is False
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        assert not any("serviceAccountToken" in json.dumps(volume) for volume in spec["volumes"])
        assert all("value" not in one or "PASSWORD" not in one["name"] for one in container["env"])
    name = migration.pod(step="cdc")["metadata"]["name"]
    assert cluster.call("kubectl", "exec", "-n", migration.namespace, name, "--", "id", "-u")[1].strip() == "65532"
    code, said = cluster.call("kubectl", "label", "--dry-run=server", "--overwrite", "namespace", migration.namespace,
                              "pod-security.kubernetes.io/enforce=restricted")
    assert code == 0 and "violate" not in said, said


def test_a_namespace_that_enforces_the_restricted_standard_takes_them(cluster, migration):
    cluster.kubectl("label", "namespace", migration.namespace, "pod-security.kubernetes.io/enforce=restricted")
    pgbench_initialize(migration.source, 1)
    migration.apply()
    migration.wait_for_condition("Ready")
    migration.delete()
