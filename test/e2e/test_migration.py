# SPDX-License-Identifier: Apache-2.0
"""A task from beginning to end, and what clients find on its way."""

import json
import re
import subprocess
import time

import pytest
from recorder import Recorder
from servers import Pgbench, eventually, pgbench_initialize

LABEL = "datamigration.apecloud.io/migrationtask"
ORDER = "common.apecloud.io/serial_job_order"
CLIENT_TIME = r"[A-Z][a-z]{2} \d\d,\d{4} \d\d:\d\d:\d\d\.\d{3} UTC[+-]\d{4}"


def lsn(text):
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def test_a_live_database_moves_and_leaves_nothing_behind(cluster, migration):
    pgbench_initialize(migration.source, 4)
    migration.marker_table()
    with Recorder(cluster, migration.namespace, migration.name) as seen, Pgbench(migration.source, rate=150):
        migration.apply()
        migration.wait_for_status("Running")
        cluster.kubectl("wait", "-n", migration.namespace, f"mt/{migration.name}", "--for=condition=Ready", "--timeout=60s")
        first = migration.wait(lambda task: "timestamp" in task["status"].get("cdc", {}).get("metrics", {}), "metrics")
        before = first["status"]["cdc"]["metrics"]
        later = migration.wait(lambda task: lsn(task["status"]["cdc"]["metrics"]["lsn"]) > lsn(before["lsn"]), "metrics that move", 20)
    migration.settle()
    migration.assert_equal()
    assert sorted(before) == ["lsn", "timestamp"]
    assert re.fullmatch(CLIENT_TIME, before["timestamp"]) and re.fullmatch(r"[0-9A-F]+/[0-9A-F]+", before["lsn"])
    status = later["status"]
    assert status["startTime"] and status["initialization"]["startTime"] and status["cdc"]["startTime"] and "finishTime" not in status
    assert status["startTime"] == status["initialization"]["startTime"] <= status["initialization"]["finishTime"] <= status["cdc"]["startTime"]
    assert status["progress"]["percent"] == 100 and status["progress"]["rows"] >= 400000
    assert {check["verdict"] for check in status.get("prechecks", [])} <= {"pass", "warn"}
    assert not status["cdc"].get("failedReason") and not status["initialization"].get("failedReason")
    order = ["", "Prepare", "InitPrepared", "Init", "InitFinished", "Running"]
    statuses = seen.task_statuses()
    assert [order.index(name) for name in statuses] == sorted(order.index(name) for name in statuses), statuses
    assert {"Init", "Running"} <= set(statuses)
    assert seen.readings() == ["InProgress", "Current"], seen.readings()
    assert all("generation" not in state["metadata"] or state["metadata"]["generation"] == 1 for state in seen.states)
    migration.delete()
    assert migration.leftovers() == []
    assert migration.sink.value("SELECT to_regnamespace('kubeferry')") is None


def test_what_clients_find_on_jobs_and_pods(cluster, migration):
    """The contract with clients: labels, annotations, names, order, the last condition."""
    pgbench_initialize(migration.source, 1)
    name = migration.name
    migration.apply()
    migration.wait_for_condition("Ready")
    jobs = migration.jobs()
    assert sorted(jobs) == [f"{name}-cdc", f"{name}-initdata-2", f"{name}-initstruct-1", f"{name}-initstructlater-3", f"{name}-precheck-0"]
    labelled = sorted((job for job in jobs.values() if job["metadata"]["labels"].get(LABEL) == name),
                      key=lambda job: int(job["metadata"]["name"].rsplit("-", 1)[1]))
    assert [job["metadata"]["name"] for job in labelled] == [
        f"{name}-precheck-0", f"{name}-initstruct-1", f"{name}-initdata-2", f"{name}-initstructlater-3"]
    assert {job["status"]["conditions"][-1]["type"] for job in labelled} == {"Complete"}
    created = [job["metadata"]["creationTimestamp"] for job in labelled]
    starts = [job["status"]["startTime"] for job in labelled]
    ends = [job["status"]["completionTime"] for job in labelled]
    assert starts == sorted(starts) and max(created) <= min(ends), (created, starts, ends)
    assert all(start >= end for start, end in zip(starts[1:], ends))
    assert LABEL not in jobs[f"{name}-cdc"]["metadata"]["labels"]
    for order in range(4):
        pod = migration.pod(order=order)
        assert pod["metadata"]["annotations"][ORDER] == str(order) and pod["metadata"]["labels"][LABEL] == name
        assert pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] == labelled[order]["metadata"]["name"]
        assert pod["spec"]["containers"][0]["name"] == name and pod["status"]["phase"] == "Succeeded"
    follower = migration.pod(step="cdc")
    assert ORDER not in follower["metadata"]["annotations"] and follower["metadata"]["labels"][LABEL] == name
    assert follower["spec"]["containers"][0]["name"] == name and len(migration.pods()) == 5

    migration.source.execute("UPDATE pgbench_branches SET bbalance = bbalance + 1")
    line = eventually(lambda: re.findall(r".*current_position.*", migration.logs(follower))[-1:], 30, "a line with current_position", interval=0.5)[0]
    assert re.search(r"INFO position_logger - current_position \| lsn:[0-9A-F]+/[0-9A-F]+,timestamp:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC", line), line
    assert "source_connection" in migration.logs(migration.pod(order=0))
    said = cluster.kubectl("describe", "mt", "-n", migration.namespace, name)
    assert "Streaming" in said and "apecloud-pg2pg" in said
    header, row = cluster.kubectl("get", "mt", "-n", migration.namespace).splitlines()
    assert header.split()[:4] == ["NAME", "TEMPLATE", "STATUS", "AGE"] and row.split()[:3] == [name, "apecloud-pg2pg", "Running"]
    assert name in cluster.kubectl("get", "dtplatform", "-n", migration.namespace)

    migration.delete(wait=False)
    labels = set()

    def gone():
        for job in migration.jobs().values():
            if job["metadata"]["name"].endswith("-cleanup"):
                labels.add(LABEL in job["metadata"]["labels"])
        return migration.get() is None

    eventually(gone, 180, "end of the task", interval=0.05)
    assert labels == {False}, "the Job that cleans up must not count as a step"
    eventually(lambda: not migration.pods() and not migration.jobs(), 30, "end of Jobs and pods", interval=0.3)
    secrets = cluster.items(f"/api/v1/namespaces/{migration.namespace}/secrets")
    assert sorted(one["metadata"]["name"] for one in secrets) == [f"{name}-sink", f"{name}-source"]


def test_rows_percent_and_lag_are_shown_while_it_copies(cluster, migration):
    """With a twentieth of a core the copying takes its time."""
    pgbench_initialize(migration.source, 10)
    watch = cluster.start("kubectl", "get", "mt", "-w", "-n", migration.namespace, stdout=subprocess.PIPE)
    try:
        migration.apply(initialization__config__initData__resource={"limits": {"cpu": "50m", "memory": "256Mi"}})
        copying = migration.wait(lambda task: 0 < task["status"].get("progress", {}).get("percent", 0) < 100, "percent", 120)
        progress = copying["status"]["progress"]
        assert 0 < progress["rows"] < 1000000 <= progress["rowsTotal"] * 1.05 and progress["step"] == "initData"
        assert 0 < progress["bytes"] < progress["bytesTotal"]
        assert migration.condition("Reconciling", copying)["reason"] == "InitData"
        migration.patch(suspend=True)
        eventually(lambda: not migration.at_work(), 60, "end of the workers", interval=0.2)
        migration.patch(suspend=False, initialization__config__initData__resource=None)  # as fast as it can from now on
        migration.wait_for_condition("Ready")
        migration.source.execute("UPDATE pgbench_branches SET bbalance = 1")
        migration.wait(lambda task: "lagSeconds" in task["status"]["progress"], "lag")
    finally:
        watch.terminate()
    rows = [line.split() for line in watch.stdout.read().splitlines() if line.startswith(migration.name)]
    until = next(i for i, row in enumerate(rows) if row[2] == "Pause")  # what was interrupted is copied again
    shown = [int(row[5]) for row in rows[:until] if len(row) > 5]
    assert shown == sorted(shown) and any(0 < percent < 100 for percent in shown), rows
    assert any(re.fullmatch(r"\d+\.\d", row[-1]) for row in rows if row[2] == "Running"), rows
    migration.assert_equal()


@pytest.mark.parametrize("period", [None, 3])
def test_metrics_are_never_older_than_15_s_while_it_writes(migration, period):
    pgbench_initialize(migration.source, 1)
    with Pgbench(migration.source, rate=20):
        migration.apply(**({"cdc__config__metrics": {"periodSeconds": period}} if period else {}))
        migration.wait_for_condition("Ready")
        migration.wait(lambda task: "timestamp" in task["status"].get("cdc", {}).get("metrics", {}), "metrics")
        last, since, ages = None, time.monotonic(), []
        until = time.monotonic() + (25 if period is None else 12)
        while time.monotonic() < until:
            now = migration.status()["cdc"]["metrics"]["lsn"]
            if now != last:
                ages.append(time.monotonic() - since)
                last, since = now, time.monotonic()
            time.sleep(0.1)
        ages.append(time.monotonic() - since)
    assert max(ages) < (15 if period is None else 7), ages
    assert len(ages) <= (5 if period is None else 7), "written more often than asked for"


def test_metrics_switched_off_are_not_written(migration):
    pgbench_initialize(migration.source, 1)
    migration.apply(cdc__config__metrics={"isDisable": True})
    migration.wait(lambda task: "lsnApplied" in task.get("status", {}).get("progress", {}), "a position", 90)
    assert "metrics" not in migration.status()["cdc"]


def test_a_task_may_only_copy(migration):
    pgbench_initialize(migration.source, 1)
    migration.apply(taskType="initialization")
    task = migration.wait_for_status("Done")
    assert task["status"]["finishTime"] >= task["status"]["startTime"] and "cdc" not in task["status"]
    migration.wait_for_condition("Ready", reason="Done")
    assert sorted(migration.jobs()) == [f"{migration.name}-{part}" for part in ("initdata-2", "initstruct-1", "initstructlater-3", "precheck-0")]
    migration.assert_equal()
    assert migration.leftovers() == [], "a finished copy needs no slot"
    version = task["metadata"]["resourceVersion"]
    migration.patch(isForceDelete=True)
    done = migration.wait(lambda one: one["status"]["observedGeneration"] == 2, "the new generation")
    assert done["status"]["taskStatus"] == "Done" and done["metadata"]["resourceVersion"] != version
    migration.delete()
    assert migration.leftovers() == []


def test_a_task_may_only_follow(migration):
    """The tables are there already, empty on both ends: no rows need to be copied."""
    for end in (migration.source, migration.sink):
        end.execute("CREATE TABLE item (id int PRIMARY KEY, name text)")
    migration.marker_table()
    migration.sink.execute("CREATE TABLE settle_marker (id int PRIMARY KEY)")
    migration.apply(taskType="cdc")
    migration.wait_for_condition("Ready")
    assert list(migration.jobs()) == [f"{migration.name}-cdc"]
    migration.source.execute("INSERT INTO item SELECT i, 'x' || i FROM generate_series(1, 100) i")
    migration.settle()
    migration.assert_equal()
    status = migration.status()
    assert status["taskStatus"] == "Running" and status["startTime"] == status["cdc"]["startTime"]
    migration.delete()
    assert migration.leftovers() == []


def test_some_of_the_steps_in_the_order_of_the_template(migration):
    pgbench_initialize(migration.source, 1)
    migration.apply(initialization__steps=["initData", "initStruct"])
    migration.wait_for_condition("Ready")
    assert sorted(migration.jobs()) == [f"{migration.name}-{part}" for part in ("cdc", "initdata-1", "initstruct-0")]
    assert migration.pod(order=1)["metadata"]["labels"]["batch.kubernetes.io/job-name"].endswith("-initdata-1")
    assert "prechecks" not in migration.status()
    migration.assert_equal()


def test_what_comes_after_the_rows_is_there_with_and_without_its_own_step(make_migration):
    for steps in (["preCheck", "initStruct", "initData"], ["initStruct", "initData", "initStructLater"]):
        migration = make_migration()
        pgbench_initialize(migration.source, 1, ["--foreign-keys"])
        migration.source.execute("CREATE INDEX by_filler ON pgbench_tellers (filler)")
        migration.apply(initialization__steps=steps)
        migration.wait_for_condition("Ready")
        assert (f"{migration.name}-initstructlater-2" in migration.jobs()) == ("initStructLater" in steps)
        migration.assert_equal()
        for query in ("SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid::regclass::text LIKE 'pgbench%' ORDER BY 1",
                      "SELECT conname FROM pg_constraint WHERE conname LIKE 'pgbench%fkey' ORDER BY 1"):
            assert migration.sink.rows(query) == migration.source.rows(query) != []


def test_lists_choose_what_is_moved(migration):
    """A schema that stands twice is merged, names are taken as written, the black list has the last word."""
    migration.source.execute('''
        CREATE SCHEMA "Sales, old"; CREATE TABLE "Sales, old"."Größe ""Lines""" (id int PRIMARY KEY);
        CREATE TABLE "Sales, old".other (id int PRIMARY KEY);
        CREATE SCHEMA side; CREATE TABLE side.a (id int PRIMARY KEY); CREATE TABLE side.b (id int PRIMARY KEY); CREATE TABLE side.c (id int PRIMARY KEY);
        CREATE TABLE public.left_out (id int PRIMARY KEY);
        INSERT INTO "Sales, old"."Größe ""Lines""" SELECT generate_series(1, 10);
        INSERT INTO side.a SELECT generate_series(1, 20); INSERT INTO side.b SELECT generate_series(1, 30)''')
    migration.apply(migrationObj={
        "whiteList": [{"schemaName": "side", "tableList": [{"tableName": "a", "isAll": True}]},
                      {"schemaName": "side", "isAll": True, "tableList": None},
                      {"schemaName": "Sales, old", "isAll": False, "tableList": [{"tableName": 'Größe "Lines"', "isAll": True}]}],
        "blackList": [{"schemaName": "side", "tableList": [{"tableName": "c"}]}]})
    migration.wait_for_condition("Ready")
    chosen = [("Sales, old", 'Größe "Lines"'), ("side", "a"), ("side", "b")]
    migration.assert_equal(chosen)
    made = migration.sink.rows("SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'kubeferry')")
    assert sorted(made) == chosen


def test_a_manifest_as_other_clients_send_it(migration):
    """With nulls and empty values where they have nothing to say."""
    pgbench_initialize(migration.source, 1)
    config = {"resource": {"limits": {}}, "tolerations": [], "param": None, "persistentVolumeClaimName": "", "metrics": {}}
    migration.apply(
        initialization={"steps": ["preCheck", "initStruct", "initData"], "config": {name: config for name in ("preCheck", "initStruct", "initData")}},
        cdc={"config": {**config, "param": {"extractor.server_id": 10001}}}, globalTolerations=[], globalResources={"limits": {}},
        migrationObj={"whiteList": [{"schemaName": "public", "isAll": True, "tableList": None}], "blackList": None})
    migration.wait_for_condition("Ready")
    migration.assert_equal()
