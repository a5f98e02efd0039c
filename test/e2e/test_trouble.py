# SPDX-License-Identifier: Apache-2.0
"""What can be wrong: told by condition, reason and a message that a person can act on; put right, it goes on by itself."""

import re
import time

import pytest
from kube import TASKS
from recorder import kstatus
from servers import SUPERUSER_PASSWORD, eventually, pgbench_initialize

WRONG = "not the password"


def pods_made(migration):
    return len(migration.pods())


def assert_no_crash_loop(migration, pods, seconds=8):
    """Nothing new is started while a person must mend it (the first repetition comes after half a minute)."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert pods_made(migration) <= pods
        time.sleep(0.2)


# ---- prechecks -----------------------------------------------------------------------------------------------------


def test_every_failed_precheck_is_told_at_once_and_mended_it_goes_on(migration):
    """Of objects: identity, rows of somebody else, columns, a large role of things that the test puts right by SQL."""
    migration.source.execute("""
        CREATE TABLE keyless (a int); INSERT INTO keyless VALUES (1);
        CREATE TABLE taken (id int PRIMARY KEY, note text); INSERT INTO taken VALUES (1, 'source');
        CREATE TABLE shaped (id int PRIMARY KEY, note text)""")
    migration.sink.execute("""
        CREATE TABLE taken (id int PRIMARY KEY, note text); INSERT INTO taken VALUES (7, 'sink');
        CREATE TABLE shaped (id int PRIMARY KEY)""")
    migration.apply()
    stalled = migration.wait_for_condition("Stalled", reason="PrecheckFailed")
    for words in ("identity", "public.keyless", "REPLICA IDENTITY", "sink_empty", "public.taken", "TRUNCATE", "sink_columns", "public.shaped"):
        assert words in stalled["message"], (words, stalled["message"])
    task = migration.get()
    assert migration.condition("Ready", task)["message"] == stalled["message"] == task["status"]["initialization"]["failedReason"]
    assert kstatus(task) == "Failed" and migration.condition("Reconciling", task)["status"] == "False"
    failed = {check["id"]: check for check in task["status"]["prechecks"] if check["verdict"] == "fail"}
    assert sorted(failed) == ["identity", "sink_columns", "sink_empty"]
    assert all(check["message"] and check["remedy"] for check in failed.values())
    assert migration.wait_for_event("PrecheckFailed", "keyless")[1] == "Warning"
    assert_no_crash_loop(migration, 1)
    migration.source.execute("ALTER TABLE keyless REPLICA IDENTITY FULL")
    migration.sink.execute("DROP TABLE taken, shaped")
    migration.wait_for_condition("Ready")  # by itself
    migration.assert_equal()
    assert migration.condition("Stalled")["status"] == "False" and not migration.status()["initialization"].get("failedReason")


def test_settings_of_the_source_that_forbid_it(make_migration, make_server):
    """wal_level and no slot free; mended, and then told by a toggled suspend to try again at once."""
    server = make_server(settings={"wal_level": "replica", "max_replication_slots": "1"})
    migration = make_migration(source=server)
    pgbench_initialize(migration.source, 1)
    migration.source.execute("SELECT pg_create_physical_replication_slot('taken')")
    migration.apply()
    stalled = migration.wait_for_condition("Stalled", reason="PrecheckFailed")
    for words in ("wal_level", "ALTER SYSTEM SET wal_level = logical", "replication_slots", "max_replication_slots"):
        assert words in stalled["message"], (words, stalled["message"])
    migration.source.close()
    server.configure(wal_level="logical", max_replication_slots="5")
    server.restart()
    migration.patch(suspend=True)
    migration.wait_for_status("Pause")
    migration.patch(suspend=False)
    began = time.monotonic()
    migration.wait(lambda task: migration.condition("Stalled", task)["status"] == "False" and task["status"]["taskStatus"] in ("Init", "Running"),
                   "another try", 15)
    assert time.monotonic() - began < 15
    migration.wait_for_condition("Ready")
    migration.assert_equal()


def test_rights_that_the_role_lacks(migration):
    migration.source.execute("CREATE TABLE item (id int PRIMARY KEY)")
    role = f"poor_{migration.source.name}"
    migration.source.role(role)
    try:
        migration.cluster.apply([migration.secret("source", role, "pw of a role"), migration.secret("sink"), migration.manifest()])
        stalled = migration.wait_for_condition("Stalled", reason="PrecheckFailed")
        for words in ("replication_right", f"ALTER ROLE {role} REPLICATION", "source_read", "GRANT SELECT", "public.item"):
            assert words in stalled["message"], (words, stalled["message"])
    finally:
        migration.patch(isForceDelete=True)
        migration.delete()
        migration.source.execute(f"DROP ROLE {role}")


def test_a_table_that_is_not_there(migration):
    migration.source.execute("CREATE TABLE item (id int PRIMARY KEY)")
    migration.apply(migrationObj={"whiteList": [{"schemaName": "public", "tableList": [{"tableName": "itme", "isAll": True}]}]})
    stalled = migration.wait_for_condition("Stalled", reason="PrecheckFailed")
    assert "itme" in stalled["message"]


# ---- credentials ---------------------------------------------------------------------------------------------------


def test_a_wrong_password_in_a_secret_goes_on_by_itself_once_it_is_right(cluster, migration):
    pgbench_initialize(migration.source, 1)
    cluster.apply([migration.secret("source", password=WRONG), migration.secret("sink"), migration.manifest()])
    stalled = migration.wait_for_condition("Stalled", reason="AccessRefused")
    assert "source" in stalled["message"] and "password" in stalled["message"] and WRONG not in stalled["message"]
    assert migration.wait_for_event("AccessRefused")[1] == "Warning" and kstatus(migration.get()) == "Failed"
    assert_no_crash_loop(migration, 1, 5)
    cluster.apply(migration.secret("source"))
    migration.wait_for_condition("Ready")


def test_a_wrong_password_in_a_secret_is_tried_at_once_when_suspend_is_toggled(cluster, migration):
    pgbench_initialize(migration.source, 1)
    cluster.apply([migration.secret("source"), migration.secret("sink", password=WRONG), migration.manifest()])
    stalled = migration.wait_for_condition("Stalled", reason="AccessRefused")
    assert "sink" in stalled["message"]
    cluster.apply(migration.secret("sink"))
    migration.patch(suspend=True)
    migration.wait_for_status("Pause")
    migration.patch(suspend=False)
    migration.wait_for_condition("Ready")


def test_a_wrong_password_in_the_spec_is_tried_at_once_when_it_is_corrected(cluster, migration):
    pgbench_initialize(migration.source, 1)
    inline = {"sourceEndpoint__secret": ..., "sourceEndpoint__userName": "postgres"}
    cluster.apply([migration.secret("sink"), migration.manifest(**inline, sourceEndpoint__password=WRONG)])
    stalled = migration.wait_for_condition("Stalled", reason="AccessRefused")
    assert WRONG not in stalled["message"]
    migration.patch(sourceEndpoint__password=SUPERUSER_PASSWORD)
    migration.wait_for_condition("Ready")
    migration.assert_equal()


def test_a_password_that_changes_while_it_follows(cluster, make_migration, make_server):
    """The worker that is connected goes on; the next one asks for the new password, and gets it from the Secret."""
    server = make_server()
    migration = make_migration(source=server)
    pgbench_initialize(migration.source, 1)
    migration.marker_table()
    role = migration.source.role("mover", "LOGIN SUPERUSER REPLICATION")
    assert role
    cluster.apply([migration.secret("source", "mover", "pw of a role"), migration.secret("sink"), migration.manifest()])
    migration.wait_for_condition("Ready")
    migration.source.execute("ALTER ROLE mover PASSWORD 'another'")
    migration.settle()
    migration.source.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'mover'")
    stalled = migration.wait_for_condition("Stalled", reason="AccessRefused", timeout=90)
    assert "mover" in stalled["message"] and migration.status()["cdc"]["failedReason"] == stalled["message"]
    cluster.apply(migration.secret("source", "mover", "another"))
    migration.wait_for_condition("Ready")
    migration.settle()
    migration.assert_equal()
    assert not migration.status()["cdc"].get("failedReason")


def test_a_secret_that_is_made_later(cluster, migration):
    pgbench_initialize(migration.source, 1)
    cluster.apply([migration.secret("sink"), migration.manifest()])
    waiting = migration.wait_for_condition("Reconciling", reason="WaitingForWorker")
    assert f"{migration.name}-source" in waiting["message"] and migration.condition("Stalled")["status"] == "False"
    assert migration.wait_for_event("WaitingForWorker", f"{migration.name}-source")[1] == "Warning"
    assert_no_crash_loop(migration, 1, 3)
    cluster.apply(migration.secret("source"))
    migration.wait_for_condition("Ready")


def test_a_secret_without_the_key(cluster, migration):
    pgbench_initialize(migration.source, 1)
    secret = migration.secret("source")
    secret["stringData"] = {"username": "postgres", "other": SUPERUSER_PASSWORD}
    cluster.apply([secret, migration.secret("sink"), migration.manifest()])
    waiting = migration.wait_for_condition("Reconciling", reason="WaitingForWorker")
    assert "the key password" in waiting["message"] and f"{migration.name}-source" in waiting["message"], waiting
    cluster.apply(migration.secret("source"))
    migration.wait_for_condition("Ready")


def test_other_keys_of_a_secret(cluster, migration):
    pgbench_initialize(migration.source, 1)
    secret = migration.secret("source")
    secret["stringData"] = {"login": "postgres", "pw": SUPERUSER_PASSWORD}
    reference = {"name": f"{migration.name}-source", "namespace": migration.namespace, "userKeyword": "login", "passwordKeyword": "pw"}
    cluster.apply([secret, migration.secret("sink"), migration.manifest(sourceEndpoint__secret=reference)])
    migration.wait_for_condition("Ready")


def test_tls_with_the_authority_from_a_secret(cluster, migration):
    pgbench_initialize(migration.source, 1)
    authority = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "authority", "namespace": migration.namespace},
                 "stringData": {"ca.crt": migration.source.server.certificate()}}
    other = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "authority-of-the-sink", "namespace": migration.namespace},
             "stringData": {"pem": migration.sink.server.certificate()}}
    cluster.apply([authority, other])
    migration.apply(sourceEndpoint__tls={"mode": "verify-full", "caSecret": {"name": "authority"}},
                    sinkEndpoint__tls={"mode": "verify-ca", "caSecret": {"name": "authority-of-the-sink", "key": "pem"}})
    migration.wait_for_condition("Ready")
    said = migration.logs(migration.pod(order=0))
    assert re.search(r"^ok +source_tls", said, re.M) and re.search(r"^ok +sink_tls", said, re.M), said


def test_the_authority_of_another_server_is_refused(cluster, migration):
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "authority", "namespace": migration.namespace},
                   "stringData": {"ca.crt": migration.sink.server.certificate()}})
    migration.apply(sourceEndpoint__tls={"mode": "verify-full", "caSecret": {"name": "authority"}})
    said = migration.wait(lambda task: "certificate" in migration.condition("Ready", task).get("message", ""), "news of the certificate", 60)
    assert "source" in migration.condition("Ready", said)["message"]


# ---- servers -------------------------------------------------------------------------------------------------------


def test_a_server_that_is_not_there_yet(make_migration, make_server):
    server = make_server()
    migration = make_migration(source=server)
    pgbench_initialize(migration.source, 1)
    migration.source.close()
    server.stop()
    migration.apply()
    said = migration.wait_for_condition("Reconciling", words=server.endpoint.split(":")[0], timeout=150)
    assert "source" in said["message"] and migration.condition("Stalled")["status"] == "False", said
    server.start()
    migration.wait_for_condition("Ready")


def test_a_database_that_does_not_exist(migration):
    migration.apply(sinkEndpoint__databaseName="not_there")
    said = migration.wait_for_condition("Stalled", timeout=60)
    assert "not_there" in said["message"] and "CREATE DATABASE" in said["message"], said


# ---- templates and fields ------------------------------------------------------------------------------------------


def template(name, **spec):
    return {"apiVersion": "datamigration.apecloud.io/v1alpha1", "kind": "MigrationTemplate", "metadata": {"name": name},
            "spec": {"description": "a test's", "taskType": ["initialization-and-cdc"],
                     "source": {"dbType": "PostgreSQL", "dbVersion": "*"}, "target": {"dbType": "PostgreSQL", "dbVersion": "*"},
                     "initialization": {"steps": [{"step": "preCheck"}, {"step": "initStruct"}, {"step": "initData"}]}, "cdc": {}, **spec}}


def test_a_template_that_is_made_later(cluster, migration):
    pgbench_initialize(migration.source, 1)
    migration.apply(template=migration.namespace)
    waiting = migration.wait_for_condition("Reconciling", reason="WaitingForTemplate")
    assert migration.namespace in waiting["message"] and "kubectl get mtp" in waiting["message"]
    cluster.apply(template(migration.namespace))
    try:
        migration.wait_for_condition("Ready")
    finally:
        cluster.request("DELETE", f"{TASKS}/migrationtemplates/{migration.namespace}")
    migration.delete()  # the template is gone, and is not needed for that
    assert migration.leftovers() == []


def test_a_template_that_cannot_serve_the_task(cluster, migration):
    migration.source.execute("CREATE TABLE item (id int PRIMARY KEY)")
    path = f"{TASKS}/migrationtemplates/{migration.namespace}"
    cluster.apply(template(migration.namespace, taskType=["cdc"]))
    try:
        migration.apply(template=migration.namespace, taskType="initialization")
        stalled = migration.wait_for_condition("Stalled", reason="TemplateUnusable")
        assert migration.namespace in stalled["message"] and "initialization" in stalled["message"]
        cluster.merge(path, {"spec": {"taskType": ["cdc", "initialization"], "source": {"dbType": "MySQL"}}})
        migration.wait_for_condition("Stalled", reason="TemplateUnusable", words="MySQL")
        eventually(lambda: cluster.get(path)["status"]["phase"] == "Unavailable", 20, "the template's phase")
        cluster.merge(path, {"spec": {"source": {"dbType": "PostgreSQL"}}})
        migration.wait_for_status("Done")
        assert cluster.get(path)["status"]["phase"] == "Available"
    finally:
        cluster.request("DELETE", path)


def test_each_field_that_is_not_built_is_named(migration):
    migration.source.execute("CREATE TABLE item (id int PRIMARY KEY)")
    migration.apply(
        migrationObj={"whiteList": [
            {"schemaName": "a", "schemaMappingName": "b", "isAll": True, "dmlOp": ["insert"], "ddlOp": ["all"], "dclOp": ["all"]},
            {"schemaName": "c", "tableList": [{"tableName": "t", "tableMappingName": "u", "dmlOp": ["update", "delete"],
                                               "fieldList": [{"fieldName": "f", "fieldMappingName": "g"}]}]}],
            "blackList": [{"schemaName": "a", "tableList": [{"tableName": "x", "tableMappingName": "y"}]}]},
        initialization__config__initData__param={"batch.size": 5}, cdc__config__param={"extractor.server_id": 1, "other": True},
        cdc__config__resource={"claims": [{"name": "gpu"}]}, globalResources={"claims": [{"name": "gpu"}]},
        sourceEndpoint__secret__namespace="elsewhere")
    message = migration.wait_for_condition("Stalled", reason="UnsupportedField")["message"]
    for words in ("whiteList[0].schemaMappingName", "whiteList[0].dmlOp", "whiteList[0].ddlOp", "whiteList[0].dclOp",
                  "whiteList[1].tableList[0].tableMappingName", "whiteList[1].tableList[0].dmlOp", "whiteList[1].tableList[0].fieldList",
                  "blackList[0].tableList[0].tableMappingName", "initialization.config.initData.param.batch.size", "cdc.config.param.other",
                  "cdc.config.resource.claims", "globalResources.claims", "sourceEndpoint.secret.namespace"):
        assert words in message, (words, message)
    assert "server_id" not in message and kstatus(migration.get()) == "Failed"
    assert migration.wait_for_event("UnsupportedField")[1] == "Warning"
    assert not migration.jobs() and not migration.pods()


def test_a_setting_that_is_not_known_can_be_taken_out(migration):
    pgbench_initialize(migration.source, 1)
    migration.apply(cdc__config__param={"threads": 4})
    migration.wait_for_condition("Stalled", reason="UnsupportedField", words="cdc.config.param.threads")
    migration.patch(cdc__config__param=None)
    migration.wait_for_condition("Ready")


# ---- what the API server refuses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name, words", [
    ("a" * 64, "at most 63 characters"), ("with.dot", "write with-dot"), ("Upper", "lowercase"), ("-dash", "metadata.name")])
def test_a_bad_name_is_refused_with_a_word_on_what_to_write(cluster, make_migration, name, words):
    code, said = cluster.try_apply(make_migration(name=name).manifest())
    assert code != 0 and words in said, said


@pytest.mark.parametrize("changes, words", [
    ({"taskType": "sometimes"}, "initialization-and-cdc"), ({"initialization__steps": ["preChek"]}, "preCheck"),
    ({"sourceEndpoint__address": "no-port"}, "host:port"), ({"template": ...}, "spec.template"),
    ({"sinkEndpoint": ...}, "spec.sinkEndpoint"), ({"cdc__config__metrics": {"periodSeconds": -1}}, "periodSeconds"),
    ({"initialization__config__preCheck__parallelism": 2}, "initData"), ({"initialization__config__initData__parallelism": 65}, "64"),
    ({"migrationObj__whiteList": [{"isAll": True}]}, "schemaName")])
def test_what_the_schema_can_refuse_it_refuses(cluster, make_migration, changes, words):
    code, said = cluster.try_apply(make_migration().manifest(**changes))
    assert code != 0 and words in said, said


@pytest.mark.parametrize("field, value", [("template", "other"), ("taskType", "cdc"), ("sourceEndpoint__address", "10.0.0.1:1"),
                                          ("sinkEndpoint__databaseName", "other"), ("initialization__steps", ["preCheck"]),
                                          ("migrationObj__whiteList", [{"schemaName": "x", "isAll": True}])])
def test_what_cannot_change_says_what_to_do_instead(cluster, migration, field, value):
    migration.apply(suspend=True)
    status, answer = cluster.request("PATCH", migration.path, {"spec": migration.manifest(**{field: value})["spec"]}, "application/merge-patch+json")
    assert status == 422 and "cannot be changed" in answer["message"] and "make a new one" in answer["message"], answer
