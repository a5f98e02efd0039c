# SPDX-License-Identifier: Apache-2.0
"""The kinds of the API on a real API server: what applies, what is refused and in which words, what changes nothing."""

import copy
import json
import os
import subprocess

import pytest
from conftest import ROOT, SCRIPT

# As the KubeBlocks client (0.8) sends it.
CLIENT_MADE = {
    "apiVersion": "datamigration.apecloud.io/v1alpha1", "kind": "MigrationTask", "metadata": {"name": "mytask"},
    "spec": {
        "taskType": "initialization-and-cdc", "template": "apecloud-pg2pg",
        "sourceEndpoint": {"userName": "u", "password": "pw-1", "address": "10.0.0.1:5432", "databaseName": "shop",
                           "secret": {"name": "", "namespace": "", "userKeyword": "", "passwordKeyword": ""}},
        "sinkEndpoint": {"userName": "u", "password": "pw-2", "address": "pg.example.com:5432", "databaseName": "shop"},
        "initialization": {"steps": ["preCheck", "initStruct", "initData"], "config": {
            step: {"resource": {"limits": {}}, "tolerations": [], "persistentVolumeClaimName": "", "metrics": {}}
            for step in ("preCheck", "initStruct", "initData")}},
        "cdc": {"config": {"resource": {"limits": {}}, "tolerations": [], "param": {"extractor.server_id": 10001}, "metrics": {}}},
        "migrationObj": {"whiteList": [
            {"schemaName": "public", "isAll": False, "tableList": [{"tableName": "orders", "isAll": True}]},
            {"schemaName": "public", "isAll": True, "tableList": None}]},
        "globalTolerations": [], "globalResources": {"limits": {}},
    },
}


@pytest.fixture(scope="module", autouse=True)
def crds(cluster):
    cluster.kubectl("apply", "-f", os.path.join(ROOT, "crds"))
    cluster.kubectl("wait", "--for=condition=Established", "-f", os.path.join(ROOT, "crds"), "--timeout=30s")


def changed(path, value, document=None):
    """A copy with the field at the dotted path set; value ... takes it out."""
    document = copy.deepcopy(document or CLIENT_MADE)
    *parents, last = path.split(".")
    place = document
    for name in parents:
        place = place.setdefault(name, {})
    if value is ...:
        place.pop(last, None)
    else:
        place[last] = value
    return document


def apply(cluster, namespace, document, *more):
    """(exit code, everything that kubectl said)"""
    run = subprocess.run([SCRIPT, "exec", cluster.directory, "kubectl", "apply", "-n", namespace, "-f", "-", *more],
                         input=json.dumps(document), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return run.returncode, run.stdout


def get(cluster, namespace, name="mytask"):
    return json.loads(cluster.kubectl("get", "mt", "-n", namespace, name, "-o", "json"))


def test_a_manifest_of_the_client_applies_and_again_changes_nothing(cluster, namespace):
    code, said = apply(cluster, namespace, CLIENT_MADE)
    assert code == 0, said
    first = get(cluster, namespace)
    assert first["status"] == {"observedGeneration": -1}  # a new object is not taken for done
    for more in ((), (), ("--server-side", "--force-conflicts"), ("--server-side", "--force-conflicts")):
        code, said = apply(cluster, namespace, CLIENT_MADE, *more)
        assert code == 0, said
    again = get(cluster, namespace)
    assert again["metadata"]["generation"] == first["metadata"]["generation"] == 1
    assert again["spec"] == first["spec"]


@pytest.mark.parametrize("path, value, words", [
    ("metadata.name", "a" * 64, "longer than 63 characters"),
    ("metadata.name", "my.task", "write - in place of dots"),
    ("spec.template", ..., "spec.template"),
    ("spec.taskType", "everything", "initialization-and-cdc"),
    ("spec.sourceEndpoint.address", "pg.example.com", "host:port"),
    ("spec.sourceEndpoint.address", "u:p@pg.example.com:5432", "host:port"),
    ("spec.sourceEndpoint.secret.name", "mine", "not both"),
    ("spec.sinkEndpoint.tls", {"mode": "verify-full"}, "need caSecret"),
    ("spec.sinkEndpoint.tls", {"mode": "yes"}, "verify-full"),
    ("spec.initialization.steps", ["preCheck", "preCheck"], "twice"),
    ("spec.initialization.steps", ["dance"], "initStructLater"),
    ("spec.migrationObj.whiteList", [{"schemaName": ""}], "schemaName"),
    ("spec.initialization.config", {"initData": {"parallelism": 0}}, "parallelism"),
])
def test_what_is_refused_and_how(cluster, namespace, path, value, words):
    code, said = apply(cluster, namespace, changed(path, value))
    assert code != 0 and words in said, said
    assert "pw-1" not in said


@pytest.mark.parametrize("path, value", [
    ("metadata.name", "a" * 63),
    ("spec.sourceEndpoint.address", "[fd00::1]:5432"),
    ("spec.migrationObj", None),
    ("spec.initialization", None),
    ("spec.sourceEndpoint.secret", None),
    ("spec.suspend", True),
    ("spec.sinkEndpoint.tls", {"mode": "verify-full", "caSecret": {"name": "ca"}, "clientSecret": {"name": "ours"}}),
    ("spec.migrationObj.whiteList", [{"schemaName": "public", "tableList": [{"tableName": f"t{i}"} for i in range(5000)]}]),
])
def test_what_is_taken(cluster, namespace, path, value):
    code, said = apply(cluster, namespace, changed(path, value), "--server-side")
    assert code == 0, said


@pytest.mark.parametrize("path, value, words", [
    ("spec.template", "other", "template cannot be changed"),
    ("spec.taskType", "cdc", "taskType cannot be changed"),
    ("spec.taskType", ..., "taskType cannot be changed"),
    ("spec.sinkEndpoint.address", "elsewhere:5432", "address of an endpoint cannot be changed"),
    ("spec.sinkEndpoint.databaseName", "other", "databaseName cannot be changed"),
    ("spec.migrationObj.whiteList", [{"schemaName": "sales"}], "migrationObj cannot be changed"),
])
def test_what_cannot_be_changed(cluster, namespace, path, value, words):
    assert apply(cluster, namespace, CLIENT_MADE)[0] == 0
    code, said = apply(cluster, namespace, changed(path, value))
    assert code != 0 and words in said and "make a new one" in said, said


@pytest.mark.parametrize("path, value", [
    ("spec.suspend", True), ("spec.isForceDelete", True), ("spec.sourceEndpoint.password", "pw-3"),
    ("spec.cdc.config.jobs", 4), ("spec.slotGuard", {"maxRetainedBytes": 1000}),
])
def test_what_can_be_changed(cluster, namespace, path, value):
    assert apply(cluster, namespace, CLIENT_MADE)[0] == 0
    code, said = apply(cluster, namespace, changed(path, value))
    assert code == 0, said
    assert get(cluster, namespace)["metadata"]["generation"] == 2


def test_columns_stand_where_scripts_count_them(cluster, namespace):
    assert apply(cluster, namespace, CLIENT_MADE)[0] == 0
    status = {"status": {"taskStatus": "Running", "progress": {"rows": 12, "percent": 100, "lagSeconds": "0.4"}}}
    cluster.kubectl("patch", "mt", "mytask", "-n", namespace, "--subresource=status", "--type=merge", "-p", json.dumps(status))
    header, row = cluster.kubectl("get", "mt", "-n", namespace).splitlines()
    assert header.split() == ["NAME", "TEMPLATE", "STATUS", "AGE", "ROWS", "PERCENT", "LAG"]
    fields = row.split()
    assert fields[:3] + fields[4:] == ["mytask", "apecloud-pg2pg", "Running", "12", "100", "0.4"]


def test_explain_speaks_of_every_field(cluster):
    text = cluster.kubectl("explain", "mt", "--recursive")
    assert "slotGuard" in text and "passwordKeyword" in text
    for field in ("mt.spec", "mt.spec.sourceEndpoint", "mt.spec.migrationObj.whiteList.tableList", "mt.status.progress", "mtp.spec"):
        said = cluster.kubectl("explain", field)
        assert "<no description>" not in said.replace("metadata", ""), said


def test_the_three_kinds_are_known_as_clients_expect(cluster):
    known = cluster.kubectl("api-resources", "--categories=dtplatform", "-o", "name").split()
    assert set(known) == {"migrationtasks.datamigration.apecloud.io", "migrationtemplates.datamigration.apecloud.io",
                          "serialjobs.common.apecloud.io"}
    short = cluster.kubectl("api-resources", "--api-group=datamigration.apecloud.io", "--no-headers")
    assert " mt " in short and " mtp " in short
