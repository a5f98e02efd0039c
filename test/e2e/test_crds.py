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


def seen(cluster, namespace):
    """Puts a status there, as the controller does soon after a task is made."""
    cluster.kubectl("patch", "mt", "mytask", "-n", namespace, "--subresource=status", "--type=merge",
                    "-p", '{"status": {"observedGeneration": 1, "taskStatus": "Prepare"}}')


@pytest.mark.parametrize("more", [(), ("--server-side",)])
def test_a_manifest_of_the_client_applies_and_again_changes_nothing(cluster, namespace, more):
    code, said = apply(cluster, namespace, CLIENT_MADE, *more)
    assert code == 0, said
    assert get(cluster, namespace)["status"] == {"observedGeneration": -1}  # a new object is not taken for done
    seen(cluster, namespace)
    first = get(cluster, namespace)
    for _ in range(3):
        code, said = apply(cluster, namespace, CLIENT_MADE, *more)
        assert code == 0, said
    assert get(cluster, namespace) == first  # resourceVersion and all
    run = subprocess.run([SCRIPT, "exec", cluster.directory, "kubectl", "diff", "-n", namespace, "-f", "-",
                          *[option + "=true" for option in more]], input=json.dumps(CLIENT_MADE), text=True, capture_output=True)
    assert (run.returncode, run.stdout) == (0, "")


def test_one_tool_after_the_other_trips_no_rule(cluster, namespace):
    """What a client made by POST keeps its nulls, kubectl apply leaves them out, server-side apply puts them back."""
    cluster.run("exec", "kubectl", "create", "-n", namespace, "-f", "-", input=json.dumps(CLIENT_MADE), stdout=subprocess.DEVNULL)
    assert get(cluster, namespace)["spec"] == CLIENT_MADE["spec"]
    for more in ((), ("--server-side", "--force-conflicts"), ()):
        code, said = apply(cluster, namespace, CLIENT_MADE, *more)
        assert code == 0, said
    bare = copy.deepcopy(CLIENT_MADE)  # the same, written as a person would
    bare["spec"]["migrationObj"]["whiteList"] = [
        {"schemaName": "public", "tableList": [{"tableName": "orders", "isAll": True}]}, {"schemaName": "public", "isAll": True}]
    del bare["spec"]["taskType"], bare["spec"]["globalTolerations"], bare["spec"]["sourceEndpoint"]["secret"]
    for more in ((), ("--server-side", "--force-conflicts")):
        code, said = apply(cluster, namespace, bare, *more)
        assert code == 0, said


@pytest.mark.parametrize("path, value, words", [
    ("metadata.name", "a" * 64, "at most 63 characters"),
    ("metadata.name", "my.task", "write my-task"),
    ("spec.template", ..., "spec.template"),
    ("spec.taskType", "everything", "initialization-and-cdc"),
    ("spec.sourceEndpoint.address", "pg.example.com", "host:port"),
    ("spec.sourceEndpoint.address", "u:p@pg.example.com:5432", "host:port"),
    ("spec.sourceEndpoint.secret.name", "mine", "given twice"),
    ("spec.sinkEndpoint.tls", {"mode": "verify-full"}, "name the Secret that holds it"),
    ("spec.sinkEndpoint.tls", {"mode": "yes"}, "verify-full"),
    ("spec.initialization.steps", ["preCheck", "preCheck"], "twice"),
    ("spec.initialization.steps", ["dance"], "initStructLater"),
    ("spec.migrationObj.whiteList", [{"schemaName": ""}], "schemaName"),
    ("spec.initialization.config", {"initData": {"parallelism": 0}}, "greater than or equal to 1"),
    ("spec.initialization.config", {"preCheck": {"parallelism": 2}}, "leave out parallelism of preCheck"),
    ("spec.initialization.config", {"initdata": {"jobs": 2}}, "no step is called initdata: write preCheck, initStruct, initData"),
    ("spec.initialization.config", {"cdc": {"jobs": 2}}, "the settings of cdc stand in spec.cdc.config"),
    ("spec.initialization.config", {"initData": {"jobs": 65}}, "less than or equal to 64"),
    ("spec.initialization.config", {"initData": {"resource": {"limits": {"cpu": "much"}}}}, "limits.cpu"),
    ("spec.cdc.config.parallelism", 2, "one process follows the slot"),
    ("spec.cdc.config.metrics", {"periodSeconds": -1}, "greater than or equal to 0"),
    ("spec.slotGuard", {"maxRetainedBytes": -1}, "greater than or equal to 0"),
    ("spec.migrationObj.whiteList", [{"schemaName": "sales"}], "nothing is chosen in the schema sales: set isAll to true"),
    ("spec.migrationObj.whiteList", [{"schemaName": "", "isAll": True}], "write the name of a schema, for example public"),
    ("spec.migrationObj.whiteList", [{"isAll": True}], "whiteList[0].schemaName: Required value"),
    ("spec.migrationObj.whiteList", [{"schemaName": "a", "tableList": [{"tableName": ""}]}], "whiteList[0].tableList[0].tableName"),
    ("spec.migrationObj.whiteList", [{"schemaName": "a", "tableList": [{"tableName": "b" * 64}]}], "tableList[0].tableName: Too long"),
    ("spec.migrationObj.whiteList", [{"schemaName": "a", "isAll": True, "dmlOp": ["upsert"]}], '"all", "none", "insert", "update", "delete"'),
    ("spec.sourceEndpoint.address", "pg.example.com:0", "a number from 1 to 65535"),
    ("spec.sourceEndpoint.address", "pg.example.com:65536", "a number from 1 to 65535"),
    ("spec.sourceEndpoint.address", "a:5432,b:5432", "host:port"),
    ("spec.sourceEndpoint.address", "fd00::1:5432", "host:port"),
    ("spec.sourceEndpoint.address", "", "host:port"),
    ("spec.sourceEndpoint.address", ..., "spec.sourceEndpoint.address: Required value"),
    ("spec.sourceEndpoint.password", 123456, "must be of type string"),
    ("spec.sourceEndpoint.password", "pw-1" * 300, "spec.sourceEndpoint.password: Too long"),
    ("spec.sourceEndpoint.userName", "", "spec.sourceEndpoint.userName: Required value: write the role"),
    ("spec.sourceEndpoint.endpointType", "socket", '"address"'),
    ("spec.sinkEndpoint.tls", {"mode": "disable", "caSecret": {"name": "ca"}}, "leave out caSecret and clientSecret"),
    ("spec.sinkEndpoint.tls", {"caSecret": {"key": "ca.crt"}}, "caSecret.name: Required value"),
    ("spec.sinkEndpoint.address", "10.0.0.1:5432", "source and sink are one and the same database"),
    ("spec.suspended", True, 'unknown field "spec.suspended"'),
])
def test_what_is_refused_and_how(cluster, namespace, path, value, words):
    code, said = apply(cluster, namespace, changed(path, value))
    assert code != 0 and words in said, said
    assert "pw-1" not in said and "123456" not in said


@pytest.mark.parametrize("path, value", [
    ("metadata.name", "a" * 63),
    ("spec.sourceEndpoint.address", "[fd00::1]:5432"),
    ("spec.migrationObj", None),
    ("spec.initialization", None),
    ("spec.sourceEndpoint.secret", None),
    ("spec.suspend", True),
    ("spec.initialization.config", {"initData": {"parallelism": 4, "jobs": 8, "resource": {"limits": {"cpu": 2, "memory": "1.5Gi"}}}}),
    ("spec.initialization.config", {"initStruct": None, "preCheck": {"resource": None, "tolerations": None, "param": None, "metrics": None}}),
    ("spec.cdc", None),
    ("spec.globalTolerations", [{"operator": "Exists", "value": None, "tolerationSeconds": None}]),
    ("spec.migrationObj.blackList", [{"schemaName": "a", "schemaMappingName": None, "isAll": None, "dmlOp": None, "ddlOp": [], "dclOp": None,
                                      "tableList": [{"tableName": "b", "isAll": None, "fieldList": None, "tableMappingName": ""}]}]),
    ("spec.sourceEndpoint", {"address": "h:1", "secret": {"name": "mine"}}),
    ("spec.sourceEndpoint", {"address": "h:65535", "userName": "u", "password": None, "databaseName": None, "tls": {"mode": ""}}),
    ("spec.sinkEndpoint.tls", {"mode": "verify-full", "caSecret": {"name": "ca"}, "clientSecret": {"name": "ours"}}),
    ("spec.migrationObj.whiteList", [{"schemaName": "public", "tableList": [{"tableName": f"t{i}"} for i in range(5000)]}]),
])
def test_what_is_taken(cluster, namespace, path, value):
    code, said = apply(cluster, namespace, changed(path, value), "--server-side")
    assert code == 0, said


@pytest.mark.parametrize("path, value, words", [
    ("spec.template", "other", "spec.template: Forbidden: cannot be changed (it is apecloud-pg2pg)"),
    ("spec.taskType", "cdc", "spec.taskType: Forbidden: cannot be changed (it is initialization-and-cdc)"),
    ("spec.initialization.steps", ["preCheck", "initData"], "spec.initialization: Forbidden: the steps cannot be changed"),
    ("spec.initialization", ..., "spec.initialization: Forbidden: the steps cannot be changed"),
    ("spec.sinkEndpoint.address", "elsewhere:5432", "spec.sinkEndpoint.address: Forbidden: cannot be changed (it is pg.example.com:5432)"),
    ("spec.sinkEndpoint.databaseName", "other", "spec.sinkEndpoint.databaseName: Forbidden: cannot be changed"),
    ("spec.migrationObj.whiteList", [{"schemaName": "sales", "isAll": True}], "whiteList cannot be changed"),
    ("spec.migrationObj", ..., "whiteList cannot be changed"),
    ("spec.migrationObj.blackList", [{"schemaName": "public", "tableList": [{"tableName": "orders"}]}], "blackList cannot be changed"),
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
