# SPDX-License-Identifier: Apache-2.0
"""kubeferry migration on a real API server: what it makes, shows and refuses, to the letter, and its exit codes."""

import base64
import json
import os
import re
import subprocess
import urllib.parse

import pytest
from cli_command import BINARY, Command, condition, install, ready, rows, stalled
from conftest import ROOT, SCRIPT

ENDS = ("--source", "app:pw-one@10.0.0.1:5432/shop", "--sink", "app:pw-two@10.0.0.2:5432/shop")


@pytest.fixture(scope="module", autouse=True)
def kinds(cluster):
    install(cluster)


@pytest.fixture
def kf(cluster, namespace):
    return Command(cluster, namespace)


def passwords(kf, name="mytask"):
    data = kf.get("secret", f"{name}-credentials")["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


# ---- create ----------------------------------------------------------------------------------------------------------

def test_create_sends_the_contract(kf):
    assert kf.create("mytask", "--template", "apecloud-pg2pg", "--migration-object", '"public.table_test_1","public.table_test_2","sales"',
                     "--steps", "precheck=true,init-struct=false,init-data=true,cdc=true") == "MigrationTask mytask created\n"
    task = kf.get("mt", "mytask")
    end = {"endpointType": "address", "userName": "app", "databaseName": "shop"}
    assert task["spec"] == {
        "taskType": "initialization-and-cdc", "template": "apecloud-pg2pg",
        "sourceEndpoint": {**end, "address": "10.0.0.1:5432", "secret": {"name": "mytask-credentials", "passwordKeyword": "source-password"}},
        "sinkEndpoint": {**end, "address": "10.0.0.2:5432", "secret": {"name": "mytask-credentials", "passwordKeyword": "sink-password"}},
        "initialization": {"steps": ["preCheck", "initData"]},
        "migrationObj": {"whiteList": [
            {"schemaName": "public", "isAll": False, "tableList": [{"tableName": "table_test_1", "isAll": True}, {"tableName": "table_test_2", "isAll": True}]},
            {"schemaName": "sales", "isAll": True}]},
    }
    secret = kf.get("secret", "mytask-credentials")
    owner = secret["metadata"]["ownerReferences"]
    assert owner == [{"apiVersion": "datamigration.apecloud.io/v1alpha1", "kind": "MigrationTask", "name": "mytask", "uid": task["metadata"]["uid"]}]
    assert passwords(kf) == {"source-password": "pw-one", "sink-password": "pw-two"}
    assert "pw-one" not in json.dumps(task)


@pytest.mark.parametrize("password", ["p@ss", "a:b", "a/b", "p@ss:w/ord", "100%", "ü?#&", "a b'c\"d"])
def test_any_password_works(kf, password):
    quoted = urllib.parse.quote(password, safe="")
    kf.create("plain", source=f"app:{password}@10.0.0.1:5432/shop", sink=f"app:{quoted}@[fd00::7]:5432/shop")
    assert set(passwords(kf, "plain").values()) == {password}
    assert kf.get("mt", "plain")["spec"]["sinkEndpoint"]["address"] == "[fd00::7]:5432"
    escaped = password.replace("\\", "\\\\").replace("'", "\\'")
    kf.create("forms", source=f"postgresql://app:{quoted}@old:5432/shop?sslmode=require", sink=f"host=new port=6432 dbname=shop user=app password='{escaped}'")
    assert set(passwords(kf, "forms").values()) == {password}
    spec = kf.get("mt", "forms")["spec"]
    assert spec["sourceEndpoint"]["tls"] == {"mode": "require"} and "tls" not in spec["sinkEndpoint"]


def test_the_only_text_of_a_password_is_in_the_secret(kf):
    process = kf.start("migration", "create", "mytask", *ENDS, "--wait", "--timeout", "3")
    kf.wait_for(lambda: "mytask" in kf.good("migration", "list"))
    line = subprocess.run(["pgrep", "-af", f"create mytask.*{kf.namespace}"], text=True, stdout=subprocess.PIPE).stdout
    assert "build/bin/kubeferry" in line.replace(BINARY, "build/bin/kubeferry") and "pw-one" not in line, line
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1 and "was not ready within 3 s" in err, err
    everything = out + err + kf.good("migration", "describe", "mytask") + kf.good("migration", "list", "-o", "yaml")
    assert "pw-one" not in everything and "pw-two" not in everything


def test_create_with_secrets_that_exist(kf):
    kf.good("migration", "create", "mytask", "--source", "old:5432/shop", "--source-secret", "old-db", "--sink", "me@new:5432/shop",
            "--sink-secret", "new-db,user=login,password=pass", "--tls", "verify-full", "--tls-ca-secret", "ca,key=root.pem")
    spec = kf.get("mt", "mytask")["spec"]
    tls = {"mode": "verify-full", "caSecret": {"name": "ca", "key": "root.pem"}}
    assert spec["sourceEndpoint"] == {"endpointType": "address", "address": "old:5432", "databaseName": "shop", "secret": {"name": "old-db"}, "tls": tls}
    assert spec["sinkEndpoint"]["secret"] == {"name": "new-db", "userKeyword": "login", "passwordKeyword": "pass"}
    assert kf.get("secret")["items"] == []


def test_ends_come_from_the_environment(kf):
    kf.good("migration", "create", "mytask", env={"KUBEFERRY_SOURCE": "a:b12@c:1/d", "KUBEFERRY_SINK": "a:b34@e:1/d"})
    assert passwords(kf) == {"source-password": "b12", "sink-password": "b34"}


def test_settings_of_the_workers(kf):
    kf.create("mytask", "--steps", "cdc=false",
              "--resources", '"step=init-data,cpu=1000m,memory=1Gi","step=cdc,memory=512Mi","memory=256Mi"',
              "--tolerations", '"step=init-data,key=engineType,value=pg,operator=Equal,effect=NoSchedule","key=spot,operator=Exists"',
              "--tolerations", "step=global,key=other,operator=Exists")
    spec = kf.get("mt", "mytask")["spec"]
    assert spec["taskType"] == "initialization"
    assert spec["initialization"]["config"] == {"initData": {
        "resource": {"limits": {"cpu": "1000m", "memory": "1Gi"}},
        "tolerations": [{"key": "engineType", "value": "pg", "operator": "Equal", "effect": "NoSchedule"}]}}
    assert spec["cdc"] == {"config": {"resource": {"limits": {"memory": "512Mi"}}}}
    assert spec["globalResources"] == {"limits": {"memory": "256Mi"}}
    assert spec["globalTolerations"] == [{"key": "spot", "operator": "Exists"}, {"key": "other", "operator": "Exists"}]


REFUSALS = {
    "no source": (["--sink", "a:b@c:1/d"], ["--source is missing", "--source user:password@"]),
    "no port": (["--source", "a:b@c/d", "--sink", "a:b@c:1/d"], ["--source: the port is missing in 'a@c/d'", "--source user:password@"]),
    "a port that is none": (["--source", "a:b@c:x/d", "--sink", "a:b@c:1/d"], ["--source: a port that is no number"]),
    "no user": (["--source", "c:1/d", "--sink", "a:b@c:1/d"], ["--source: the user is missing in 'c:1/d'"]),
    "a socket": (["--source", "host=/tmp user=a port=5", "--sink", "a:b@c:1/d"], ["socket of this machine"]),
    "two hosts": (["--source", "a@b:1,c:2/d", "--sink", "a:b@c:1/d"], ["more than one host"]),
    "libpq's own": (["--source", "a:b@c:1/d?connect_timeout=3", "--sink", "a:b@c:1/d"], ["--source: a task cannot hold connect_timeout"]),
    "passwords twice": (["--source", "a:b@c:1/d", "--source-secret", "s", "--sink", "a:b@c:1/d"], ["--source: it holds a password, and --source-secret"]),
    "secret": ([*ENDS[:2], "--sink", "c:1/d", "--sink-secret", "x,pass=y"], ["--sink-secret: cannot understand 'pass=y'", "for example"]),
    "object": ([*ENDS, "--migration-object", '"public.a'], ["--migration-object: cannot read '\"public.a'", "for example"]),
    "step": ([*ENDS, "--steps", "precheck=true,init-dat=true"], ["--steps: cannot read 'precheck=true,init-dat=true'", "for example"]),
    "init-data": ([*ENDS, "--steps", "init-data=false"], ["step init-data is needed, and 'init-data=false' switches it off", "for example"]),
    "template": ([*ENDS, "--template", "apecloud-pg2p"], ["--template: there is no template 'apecloud-pg2p'", "for example --template apecloud-pg2pg"]),
    "resources": ([*ENDS, "--resources", "step=init-data,cpu=much"], ["--resources: 'much' is no amount", "step=init-data,cpu=much", "for example"]),
    "resource": ([*ENDS, "--resources", "disk=1Gi"], ["disk is none of step, cpu, memory"]),
    "step of resources": ([*ENDS, "--resources", "step=copy,cpu=1"], ["the step is none of precheck", "'step=copy,cpu=1'"]),
    "tolerations": ([*ENDS, "--tolerations", "key=a,effect=No"], ["--tolerations: effect is none of NoSchedule"]),
    "tolerations without =": ([*ENDS, "--tolerations", "spot"], ["--tolerations: expected key=value in 'spot'"]),
    "tls": ([*ENDS, "--tls", "always"], ["--tls: expected disable|"]),
    "output": ([*ENDS, "-o", "xml"], ["--output: expected json|yaml|name|wide, found 'xml'"]),
    "option": ([*ENDS, "--migration-objects", "a"], ["unknown option --migration-objects", "did you mean --migration-object?"]),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_bad_input_is_refused_before_anything_is_made(kf, case):
    words, expected = REFUSALS[case]
    said = kf.refused("migration", "create", "mytask", *words)
    for text in expected:
        assert text in said, said
    assert "pw-one" not in said and kf.get("mt")["items"] == [] and kf.get("secret")["items"] == []


@pytest.mark.parametrize("name", ["My_Task", "a-", "a.b", "x" * 64, ""])
def test_bad_names(kf, name):
    assert "NAME: " in kf.refused("migration", "create", name, *ENDS)


def test_what_the_server_refuses_is_one_readable_line(kf):
    said = kf.refused("migration", "create", "mytask", "--source", "a:bcd@c:1/d", "--sink", "a:bcd@c:1/d", code=1)
    assert said == ('kubeferry: the API server refuses MigrationTask "mytask": spec.sinkEndpoint: source and sink are one and the same database: '
                    "name another address or databaseName in one of them\n")
    said = kf.refused("migration", "create", "mytask", *ENDS, "--tls", "verify-ca", code=1)
    assert "spec.sourceEndpoint.tls.caSecret: the modes verify-ca and verify-full need" in said and "spec.sinkEndpoint.tls.caSecret: " in said
    assert kf.get("mt")["items"] == [] and kf.get("secret")["items"] == []


def test_a_name_that_is_taken(kf):
    kf.create()
    said = kf.refused("migration", "create", "mytask", *ENDS, code=1)
    assert 'there is a task "mytask" already' in said and "kubeferry migration terminate mytask" in said
    kf.kubectl("create", "secret", "generic", "other-credentials")
    said = kf.refused("migration", "create", "other", *ENDS, code=1)
    assert "there is a Secret other-credentials already" in said
    assert [item["metadata"]["name"] for item in kf.get("mt")["items"]] == ["mytask"]


def test_again_after_the_end(kf):
    kf.create()
    kf.good("migration", "terminate", "mytask", "--auto-approve", "--wait")
    kf.create("mytask", "--dry-run", "server")
    kf.create()  # the garbage collector may not have come by yet: the Secret of the first one makes room
    uid = kf.get("mt", "mytask")["metadata"]["uid"]
    assert kf.get("secret", "mytask-credentials")["metadata"]["ownerReferences"][0]["uid"] == uid


def test_dry_runs_make_nothing(kf):
    assert kf.create("mytask", "--dry-run=client") == "MigrationTask mytask created (dry run)\n"
    assert kf.create("mytask", "--dry-run", "server") == "MigrationTask mytask created (server dry run)\n"
    assert kf.create("mytask", "--dry-run", "client", "-o", "name") == "migrationtask.datamigration.apecloud.io/mytask\n"
    shown = kf.create("mytask", "--dry-run", "client", "-o", "yaml")
    assert "pw-one" not in shown
    assert json.loads(kf.create("mytask", "--dry-run", "server", "-o", "json"))["metadata"]["uid"]
    assert kf.get("mt")["items"] == [] and kf.get("secret")["items"] == []
    kf.kubectl("apply", "-f", "-", input=shown)
    assert kf.get("mt", "mytask")["spec"]["sourceEndpoint"]["secret"]["name"] == "mytask-credentials"


def test_without_the_right_to_make_secrets_nothing_is_made(kf):
    kf.kubectl("create", "role", "tasks", "--verb=create,get,list", "--resource=migrationtasks.datamigration.apecloud.io")
    kf.kubectl("create", "rolebinding", "tasks", "--role=tasks", "--user=erin")
    kf.cluster.kubectl("create", "clusterrole", f"{kf.namespace}-t", "--verb=get,list", "--resource=migrationtemplates.datamigration.apecloud.io")
    kf.cluster.kubectl("create", "clusterrolebinding", f"{kf.namespace}-t", f"--clusterrole={kf.namespace}-t", "--user=erin")
    said = kf.refused("migration", "create", "mytask", *ENDS, "--as", "erin", code=1)
    assert "the Secret for the passwords" in said and 'resources: ["secrets"], verbs: ["create"]' in said
    assert kf.get("mt")["items"] == []


def test_wait_ends_when_changes_are_followed(kf):
    process = kf.start("migration", "create", "mytask", *ENDS, "--wait", "--timeout", "60")
    kf.wait_for(lambda: "mytask" in kf.good("migration", "list"))
    kf.set_status({"taskStatus": "Init", "conditions": [condition("Ready", "False", "InitData", "copying")]})
    assert process.poll() is None
    kf.set_status({"taskStatus": "Running", "conditions": ready()})
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "MigrationTask mytask created\n", "")


def test_follow_says_each_change_and_why_it_failed(kf):
    process = kf.start("migration", "create", "mytask", *ENDS, "--follow", "--timeout", "60")
    kf.wait_for(lambda: "mytask" in kf.good("migration", "list"))
    kf.set_status({"taskStatus": "Init", "conditions": stalled("PrecheckFailed", "wal_level is replica. What to do: set it to logical")})
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "mytask: Failed, PrecheckFailed\n" in out
    assert err == ("kubeferry: the task mytask is Failed: PrecheckFailed: wal_level is replica. What to do: set it to logical; "
                   "kubeferry migration describe mytask shows it in full\n")


# ---- list ------------------------------------------------------------------------------------------------------------

COPYING = {"taskStatus": "Init", "conditions": [condition("Ready", "False", "InitData", "rows are being copied")],
           "progress": {"step": "init-data", "phase": "copying rows", "percent": 56, "rows": 1234567, "rowsTotal": 2300000, "bytes": 5 << 20,
                        "bytesTotal": 9 << 20, "tables": 3, "tablesTotal": 9, "indexes": 1, "indexesTotal": 12, "rowsPerSecond": 45000, "secondsLeft": 75}}
FOLLOWING = {"taskStatus": "Running", "startTime": "2026-01-02T03:04:05Z", "conditions": ready(),
             "cdc": {"metrics": {"timestamp": "Apr 23,2023 09:56:40.778 UTC+0000", "lsn": "0/56E54A8"}},
             "progress": {"step": "cdc", "phase": "caught up", "percent": 100, "rows": 2300000, "lagSeconds": "0.4", "lagBytes": 12345,
                          "lsnApplied": "0/56E54A8", "lsnSource": "0/56E84E1", "slotRetainedBytes": 3 << 20, "notes": ["large objects are not followed"]}}


def test_list(kf):
    code, out, err = kf("migration", "list")
    assert (code, out, err) == (0, "", f"No tasks in the namespace {kf.namespace}.\n")
    for name, status in {"a-copying": COPYING, "b-following": FOLLOWING, "c-stuck": {"taskStatus": "Init", "conditions": stalled("PrecheckFailed", "wal_level\nis replica")}}.items():
        kf.create(name)
        kf.set_status(status, name)
    kf.create("d-new")
    table = rows(kf.good("migration", "list"))
    assert table[0] == ["NAME", "TEMPLATE", "STATUS", "AGE", "PROGRESS", "ROWS", "LAG", "REASON"]
    assert [row[:3] + row[4:] for row in table[1:]] == [
        ["a-copying", "apecloud-pg2pg", "Init", "[███░░░]", "56 %", "1,234,567", "-", "InitData"],
        ["b-following", "apecloud-pg2pg", "Running", "[██████] 100 %", "2,300,000", "0.4 s", "Streaming"],
        ["c-stuck", "apecloud-pg2pg", "Failed", "-", "-", "-", "PrecheckFailed"],
        ["d-new", "apecloud-pg2pg", "-", "-", "-", "-", "-"]]
    assert all(re.fullmatch(r"\d+s|\dm\d*s?", row[3]) for row in table[1:])
    wide = rows(kf.good("migration", "list", "-o", "wide"))
    assert wide[0][-3:] == ["RATE", "REASON", "MESSAGE"] and wide[1][-3:] == ["45,000 rows/s", "InitData", "rows are being copied"]
    assert wide[3][-1] == "wal_level is replica"
    assert rows(kf.good("migration", "list", "--no-headers"))[0][0] == "a-copying"
    assert kf.good("migration", "list", "-o", "name").splitlines()[0] == "migrationtask.datamigration.apecloud.io/a-copying"
    assert len(json.loads(kf.good("migration", "list", "-o", "json"))["items"]) == 4
    everywhere = rows(kf.good("migration", "list", "-A", namespace=False))
    assert everywhere[0][:2] == ["NAMESPACE", "NAME"] and [kf.namespace, "d-new"] in [row[:2] for row in everywhere]
    assert "\033" not in kf.good("migration", "list") and "\033[32mRunning\033[0m" in kf.good("migration", "list", "--color", "always")


def test_the_servers_own_columns_say_the_same(kf):
    """What clients of the contract print: NAME TEMPLATE STATUS AGE come first there, too."""
    kf.create()
    kf.set_status(FOLLOWING)
    theirs, ours = rows(kf.kubectl("get", "mt")), rows(kf.good("migration", "list"))
    assert theirs[0][:4] == ours[0][:4] and theirs[1][:3] == ours[1][:3]
    assert [row[:3] for row in rows(kf.kubectl("get", "mtp"))[:2]] == [row[:3] for row in rows(kf.good("migration", "templates"))[:2]]


def test_list_watch_on_a_pipe(kf):
    kf.create()
    process = kf.start("migration", "list", "--watch")
    lines = [process.stdout.readline(), process.stdout.readline()]
    assert lines[0].startswith("NAME ") and lines[1].startswith("mytask ")
    kf.set_status(FOLLOWING)
    assert " Running " in process.stdout.readline()
    process.terminate()
    assert process.wait(timeout=20) == 0
    process.communicate()


# ---- describe --------------------------------------------------------------------------------------------------------

def job(kf, name, conditions, suspend=False):
    """A step's Job as the controller makes it; its conditions by hand, since no pod runs."""
    label = {"datamigration.apecloud.io/migrationtask": "mytask"}
    kf.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": label}, "spec": {
        "suspend": True, "template": {"metadata": {"labels": label}, "spec": {"restartPolicy": "Never", "containers": [{"name": "mytask", "image": "none"}]}}}})
    if conditions:
        kf.wait_for(lambda: kf.get("job", name).get("status", {}).get("conditions"))
        kf.kubectl("patch", "job", name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": conditions}))


def test_describe_a_task_that_follows(kf):
    kf.create("mytask", "--migration-object", '"public.orders","sales"')
    kf.set_status(FOLLOWING)
    for i, step in enumerate(["precheck", "initstruct", "initdata"]):
        job(kf, f"mytask-{step}-{i}", None)
    text = kf.good("migration", "describe", "mytask")
    made = r"[A-Z][a-z]{2} \d\d,\d{4} \d\d:\d\d:\d\d UTC\+0000"
    expected = [
        "Name: mytask\t Status: Running", r"NAMESPACE +CREATED-TIME +START-TIME +FINISHED-TIME",
        rf"{kf.namespace} +{made} +Jan 02,2026 03:04:05 UTC\+0000 +-", "",
        "Migration Config:", r"source: app@10\.0\.0\.1:5432/shop \(password in Secret mytask-credentials\)",
        r"sink: app@10\.0\.0\.2:5432/shop \(password in Secret mytask-credentials\)", r"migration objects: public\.orders, sales\.\*", "",
        "Template: apecloud-pg2pg", r"DATABASE-MAPPING +STATUS", r"PostgreSQL10\.\* to PostgreSQL18\.\* +Available", "",
        "Initialization:", r"STEP +NAMESPACE +STATUS +CREATED_TIME +START-TIME +FINISHED-TIME",
        *[rf"{step} +{kf.namespace} +Suspended +{made} +- +-" for step in ("precheck", "init-struct", "init-data")], "",
        "Cdc Metrics:", r"lsn +0/56E54A8", r"timestamp +Apr 23,2023 09:56:40\.778 UTC\+0000", "",
        "Progress:", "cdc: caught up", r"\[█{30}\] 100 %", "rows: 2,300,000",
        r"lag: 0\.4 s, 12\.1 kB of WAL; the slot keeps 3\.0 MB on the source", "applied: 0/56E54A8 of 0/56E84E1", "",
        "Notes:", "  - large objects are not followed"]
    lines = text.splitlines()
    assert len(lines) == len(expected), text
    for line, pattern in zip(lines, expected):
        assert re.fullmatch(pattern, line), (line, pattern)


def test_describe_a_failure_with_its_remedies(kf):
    kf.create()
    kf.set_status({"taskStatus": "Init", "conditions": stalled("PrecheckFailed", "2 of 47 prechecks failed"), "progress": {"step": "precheck"}, "prechecks": [
        {"id": "wal_level", "verdict": "fail", "message": "wal_level is replica", "remedy": "ALTER SYSTEM SET wal_level = logical; and restart the source"},
        {"id": "collation", "verdict": "warn", "message": "de_DE there, C here", "remedy": "make the sink's database with the source's locale"},
        {"id": "source_tls", "verdict": "pass", "message": "TLSv1.3"}]})
    text = kf.good("migration", "describe", "mytask")
    assert "Name: mytask\t Status: Failed\n" in text
    checks = rows(text[text.index("Prechecks:"):])
    assert checks[1:5] == [["CHECK", "VERDICT", "FOUND"], ["wal_level", "fail", "wal_level is replica"],
                           ["collation", "warn", "de_DE there, C here"], ["source_tls", "pass", "TLSv1.3"]]
    assert "wal_level:\n    ALTER SYSTEM SET wal_level = logical; and restart the source\n" in text
    assert text.endswith("Problem:\nPrecheckFailed\n    2 of 47 prechecks failed\n")


def test_no_password_is_ever_shown(kf):
    """A manifest of the original holds them in clear."""
    end = {"userName": "u", "databaseName": "shop"}
    kf.apply({"apiVersion": "datamigration.apecloud.io/v1alpha1", "kind": "MigrationTask", "metadata": {"name": "mytask"}, "spec": {
        "template": "apecloud-pg2pg", "sourceEndpoint": {**end, "address": "10.0.0.1:5432", "password": "sesame-one"},
        "sinkEndpoint": {**end, "address": "10.0.0.2:5432", "password": "sesame-two"}}})
    everything = "".join(kf.good(*words) for words in (
        ("migration", "describe", "mytask"), ("migration", "describe", "mytask", "-o", "yaml"), ("migration", "describe", "mytask", "-o", "json"),
        ("migration", "list", "-o", "yaml"), ("migration", "list", "-o", "json"), ("migration", "list", "-o", "wide")))
    assert "sesame" not in everything and "********" in everything and "last-applied-configuration" in everything
    assert "managedFields" not in everything


def test_objects_come_back_as_they_are(kf):
    kf.create()
    kf.set_status(COPYING)
    theirs = kf.get("mt", "mytask")
    assert json.loads(kf.good("migration", "describe", "mytask", "-o", "json")) == theirs
    yaml = kf.good("migration", "describe", "mytask", "-o", "yaml")
    assert json.loads(kf.kubectl("create", "--dry-run=client", "-o", "json", "-f", "-", input=yaml))["spec"] == theirs["spec"]


# ---- suspend, resume, terminate ---------------------------------------------------------------------------------------

def test_suspend_and_resume(kf):
    kf.create()
    assert kf.good("migration", "suspend", "mytask") == "MigrationTask mytask suspended\n"
    assert kf.get("mt", "mytask")["spec"]["suspend"] is True
    assert kf.good("migration", "suspend", "mytask") == "MigrationTask mytask suspended (it was already)\n"
    assert kf.good("migration", "resume", "mytask") == "MigrationTask mytask resumed\n"
    assert kf.get("mt", "mytask")["spec"]["suspend"] is False


def test_terminate_asks_for_the_name(kf):
    kf.create()
    assert "'mytsk' was typed, not 'mytask': nothing is deleted" in kf.refused("migration", "terminate", "mytask", input="mytsk\n", code=1)
    assert "--auto-approve" in kf.refused("migration", "terminate", "mytask", input="")
    assert kf.get("mt", "mytask")
    assert kf.good("migration", "terminate", "mytask", input="mytask\n") == "MigrationTask mytask deleted\n"
    assert kf.get("mt")["items"] == []


def test_terminate_several(kf):
    kf.create("one")
    kf.create("two")
    assert 'there is no task "three"' in kf.refused("migration", "terminate", "one", "three", "--auto-approve", code=1)
    assert kf.good("migration", "terminate", "one", "two", input="one two\n") == "MigrationTask one deleted\nMigrationTask two deleted\n"
    assert kf.get("mt")["items"] == []


def test_terminate_waits_and_forces(kf):
    kf.create()
    kf.kubectl("patch", "mt", "mytask", "--type=merge", "-p", '{"metadata":{"finalizers":["datamigration.apecloud.io/cleanup"]}}')
    kf.set_status({"taskStatus": "Running", "conditions": stalled("CleanupFailed", "the source does not answer")})
    code, out, err = kf("migration", "terminate", "mytask", "--auto-approve", "--wait", "--timeout", "2")
    assert (code, out) == (1, "MigrationTask mytask deleted\n")
    assert "was not gone within 2 s; it says: CleanupFailed: the source does not answer" in err and "--force" in err
    assert rows(kf.good("migration", "list"))[1][2] == "Terminating"
    kf.good("migration", "terminate", "mytask", "--auto-approve", "--force")
    assert kf.get("mt", "mytask")["spec"]["isForceDelete"] is True
    kf.kubectl("patch", "mt", "mytask", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')


@pytest.mark.parametrize("words", [("describe",), ("logs", "--step", "cdc"), ("suspend",), ("resume",), ("terminate", "--auto-approve")])
def test_a_task_that_is_not_there(kf, words):
    assert "there are none; -n names another namespace" in kf.refused("migration", words[0], "mytask", *words[1:], code=1)
    kf.create()
    assert kf.refused("migration", words[0], "mytsk", *words[1:], code=1) == f'kubeferry: there is no task "mytsk" in the namespace {kf.namespace}; did you mean mytask?\n'
    assert "the name of a task is missing" in kf.refused("migration", *words)


# ---- templates, help, version -------------------------------------------------------------------------------------------

def test_templates(kf):
    table = rows(kf.good("migration", "templates", namespace=False))
    assert table[0] == ["NAME", "DATABASE-MAPPING", "STATUS", "AGE"]
    assert ["apecloud-pg2pg", "PostgreSQL10.* to PostgreSQL18.*", "Available"] in [row[:3] for row in table]
    assert kf.good("migration", "templates", "-o", "name", namespace=False) == "migrationtemplate.datamigration.apecloud.io/apecloud-pg2pg\n"
    assert 'there is no template "x"' in kf.refused("migration", "templates", "x", code=1, namespace=False)


def test_help_version_and_slips(kf):
    assert kf.good("--version") == "kubeferry 0.1.0\n"
    assert re.fullmatch(r"kubeferry: 0\.1\.0\nKubernetes: v1\.34\.\d+\n", kf.good("version"))
    assert "migration create" in kf.good("--help") and "--migration-object" not in kf.good("--help")
    assert "examples:" in kf.good("migration", "create", "--help", namespace=False)
    assert "migration describe" in kf.good("migration", "help", namespace=False) and "addon list" not in kf.good("migration", "help", namespace=False)
    code, out, err = kf("migration", namespace=False)
    assert (code, out) == (64, "") and "migration list" in err
    assert "did you mean migration list?" in kf.refused("migration", "lst", namespace=False)
    assert "did you mean --source?" in kf.refused("migration", "create", "a", "--sorce", "x", namespace=False)


def test_it_is_a_plugin_of_kubectl(kf, tmp_path):
    os.symlink(BINARY, tmp_path / "kubectl-migration")
    kf.create()
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    code, out, err = kf("migration", "list", program="kubectl", env=env)
    assert code == 0 and rows(out)[1][:2] == ["mytask", "apecloud-pg2pg"], err
    code, out, err = kf("migration", "--help", program="kubectl", env=env, namespace=False)
    assert code == 0 and out.startswith("usage: kubectl migration [OPTION]..."), out


def test_completions_and_pages_hold_every_verb(kf):
    for shell in ("bash", "zsh", "fish"):
        script = kf.good("completion", shell)
        assert "migration describe" in script and "source-secret" in script
    assert "--shell" not in kf.good("completion", "bash")
    man = kf.good("migration", "--help-man", namespace=False)
    assert ".TH KUBEFERRY-MIGRATION 1" in man and "migration terminate NAME..." in man
    with open(os.path.join(ROOT, "docs", "commands.md"), encoding="utf8") as page:
        assert page.read() == kf.good("--help-markdown")


def test_bash_completes(kf):
    kf.create("mytask")
    script = f"""source <({BINARY} completion bash)
    kubeferry() {{ {BINARY} -n {kf.namespace} "$@"; }}
    try() {{ COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMPREPLY=(); _kubeferry; echo "${{COMPREPLY[*]}}"; }}
    try kubeferry m; try kubeferry migration des; try kubeferry migration create --so; try kubeferry -n x migration logs mytask --step i
    try kubeferry migration list -o ''; try kubeferry migration describe ''; try kubeferry migration create --template ''"""
    run = subprocess.run([SCRIPT, "exec", kf.cluster.directory, "bash", "-c", script], text=True, stdout=subprocess.PIPE, check=True)
    assert run.stdout.splitlines() == ["migration", "describe", "--source --source-secret", "init-struct init-data init-struct-later",
                                       "json yaml name wide", "mytask", "apecloud-pg2pg"]
