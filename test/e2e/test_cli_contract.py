# SPDX-License-Identifier: Apache-2.0
"""A whole migration by the command, with the real controller; and, line by line, what a client of the contract (kbcli 0.8)
sends, and what it reads from the cluster afterwards."""

import copy
import json
import re
import urllib.parse

import pytest
from cli_command import Command, rows
from servers import SUPERUSER, SUPERUSER_PASSWORD
from test_crds import CLIENT_MADE

LABEL = "datamigration.apecloud.io/migrationtask"
ORDER = "common.apecloud.io/serial_job_order"
STEP = "datamigration.apecloud.io/step"


def end(database):
    return f"{SUPERUSER}:{urllib.parse.quote(SUPERUSER_PASSWORD, safe='')}@{database.server.endpoint}/{database.name}"


def fill(database):
    database.execute("CREATE TABLE orders (id int PRIMARY KEY, note text)")
    database.execute("INSERT INTO orders SELECT i, 'note ' || i FROM generate_series(1, 5000) i")
    database.execute("CREATE TABLE other (id int PRIMARY KEY)")


def test_a_whole_migration_by_the_command(cluster, operator, migration):
    kf = Command(cluster, migration.namespace)
    fill(migration.source)
    migration.marker_table()
    out = kf.good("migration", "create", migration.name, "--source", end(migration.source), "--sink", end(migration.sink), "--migration-object",
                  '"public.orders","public.settle_marker"', "--follow", "--timeout", "110")
    assert out.splitlines()[0] == f"MigrationTask {migration.name} created" and out.splitlines()[-1] == f"{migration.name}: Running, cdc, Streaming", out
    migration.source.execute("UPDATE orders SET note = 'changed' WHERE id = 7")
    migration.settle()
    migration.assert_equal(only=[("public", "orders")])
    kf.wait_for(lambda: migration.status().get("cdc", {}).get("metrics", {}).get("lsn"))
    listed = rows(kf.good("migration", "list"))[1]
    assert listed[:3] == [migration.name, "apecloud-pg2pg", "Running"] and listed[-1] == "Streaming", listed
    page = kf.good("migration", "describe", migration.name)
    for step in ("precheck", "init-struct", "init-data"):
        assert re.search(rf"^{step} +{migration.namespace} +Complete( +\w\w\w \d\d,\d{{4}} \d\d:\d\d:\d\d UTC\+0000){{3}}$", page, re.M), page
    assert re.search(r"^Cdc:\nNAMESPACE .*\n\S+ +Running ", page, re.M) and "Cdc Metrics:\nlsn " in page and "lag: " in page, page
    assert SUPERUSER_PASSWORD not in page
    assert " checks: " in kf.good("migration", "logs", migration.name, "--step", "precheck")
    kf.wait_for(lambda: "current_position | lsn:" in kf.good("migration", "logs", migration.name, "--step", "cdc"))
    assert kf.good("migration", "suspend", migration.name) and migration.wait_for_status("Pause")
    assert rows(kf.good("migration", "list"))[1][2] == "Pause"
    assert kf.good("migration", "resume", migration.name) and migration.wait_for_condition("Ready")
    assert kf.good("migration", "terminate", migration.name, "--wait", "--timeout", "60", input=migration.name + "\n") == f"MigrationTask {migration.name} deleted\n"
    assert migration.leftovers() == []
    kf.wait_for(lambda: not [s for s in kf.get("secret")["items"] if s["metadata"]["name"] == f"{migration.name}-credentials"])


def test_a_precheck_that_fails_is_told_with_its_remedy(cluster, operator, migration):
    kf = Command(cluster, migration.namespace)
    migration.source.execute("CREATE TABLE bare (note text)")
    code, out, err = kf("migration", "create", migration.name, "--source", end(migration.source), "--sink", end(migration.sink), "--wait", "--timeout", "90")
    assert code == 1 and f"the task {migration.name} is Failed: PrecheckFailed" in err, (code, out, err)
    page = kf.good("migration", "describe", migration.name)
    assert re.search(r"^identity +fail +.*bare", page, re.M) and "REPLICA IDENTITY" in page and "Problem:\nPrecheckFailed\n" in page, page


@pytest.fixture
def client_made(cluster, operator, migration):
    """The task as that client sends it, passwords in clear and one schema twice, followed until it runs."""
    fill(migration.source)
    task = copy.deepcopy(CLIENT_MADE)
    task["metadata"] = {"name": migration.name, "namespace": migration.namespace}
    for name, database in (("sourceEndpoint", migration.source), ("sinkEndpoint", migration.sink)):
        task["spec"][name].update(userName=SUPERUSER, password=SUPERUSER_PASSWORD, address=database.server.endpoint, databaseName=database.name)
    cluster.apply(task)
    migration.wait_for_status("Running")
    migration.source.execute("INSERT INTO other VALUES (1)")  # the timestamp is that of a transaction
    migration.wait(lambda one: "timestamp" in one["status"].get("cdc", {}).get("metrics", {}), "metrics", 60)
    return migration


def test_what_a_client_of_the_contract_reads(cluster, client_made):
    task, name, namespace = client_made.get(), client_made.name, client_made.namespace
    kubectl = lambda *words: cluster.kubectl("-n", namespace, *words)  # noqa: E731
    # It works only where the three kinds are, each by its name; tasks and templates in one category.
    for kind in ("migrationtasks.datamigration.apecloud.io", "migrationtemplates.datamigration.apecloud.io", "serialjobs.common.apecloud.io"):
        crd = json.loads(cluster.kubectl("get", "crd", kind, "-o", "json"))
        assert [one["name"] for one in crd["spec"]["versions"]] == ["v1alpha1"]
    assert f"migrationtask.datamigration.apecloud.io/{name}" in kubectl("get", "dtplatform", "-o", "name")
    # list and templates print the server's tables.
    assert rows(kubectl("get", "mt"))[0][:4] == ["NAME", "TEMPLATE", "STATUS", "AGE"]
    assert rows(cluster.kubectl("get", "mtp"))[0] == ["NAME", "DATABASE-MAPPING", "STATUS", "AGE"]
    assert ["apecloud-pg2pg", "Available"] in [[row[0], row[2]] for row in rows(cluster.kubectl("get", "mtp"))]
    # describe, Initialization: as many Jobs with the label as steps, ordered by the number behind the last dash; the state is the type of the last condition.
    jobs = json.loads(kubectl("get", "jobs", "-l", f"{LABEL}={name}", "-o", "json"))["items"]
    jobs.sort(key=lambda job: int(job["metadata"]["name"].rsplit("-", 1)[1]))
    assert [job["metadata"]["name"] for job in jobs] == [f"{name}-precheck-0", f"{name}-initstruct-1", f"{name}-initdata-2"]
    assert len(jobs) == len(task["spec"]["initialization"]["steps"])
    assert [job["status"]["conditions"][-1]["type"] for job in jobs] == ["Complete"] * 3
    assert len({job["metadata"]["creationTimestamp"] for job in jobs}) <= 2 and all("completionTime" in job["status"] for job in jobs)
    starts = [job["status"]["startTime"] for job in jobs]
    assert starts == sorted(starts)
    # Every other Job of the task has labels of its own, and not that one.
    others = [job for job in client_made.jobs().values() if job["metadata"]["name"] not in {one["metadata"]["name"] for one in jobs}]
    assert others and all(job["metadata"]["labels"] and LABEL not in job["metadata"]["labels"] for job in others)
    # logs: the pods by the label, then by the annotation; the default container.
    pods = json.loads(kubectl("get", "pods", "-l", f"{LABEL}={name}", "-o", "json"))["items"]
    for order in ("0", "1", "2"):
        found = [pod for pod in pods if pod["metadata"].get("annotations", {}).get(ORDER) == order]
        assert len(found) >= 1 and all(pod["metadata"]["annotations"].get(STEP) != "cdc" for pod in found), order
    cdc = [pod for pod in pods if pod["metadata"].get("annotations", {}).get(STEP) == "cdc"]
    assert len(cdc) == 1 and ORDER not in cdc[0]["metadata"]["annotations"] and cdc[0]["status"]["phase"] == "Running"
    # Cdc: a StatefulSet, or none; Cdc Metrics: the values as they are.
    assert kubectl("get", "statefulsets", "-l", f"{LABEL}={name}", "-o", "name") == ""
    metrics = task["status"]["cdc"]["metrics"]
    assert sorted(metrics) == ["lsn", "timestamp"]
    assert re.fullmatch(r"[0-9A-F]+/[0-9A-F]+", metrics["lsn"])
    assert re.fullmatch(r"[A-Z][a-z]{2} \d\d,\d{4} \d\d:\d\d:\d\d\.\d{3} UTC[+-]\d{4}", metrics["timestamp"])
    # The head: times, and a status of the enumeration.
    assert task["status"]["taskStatus"] == "Running" and task["status"]["startTime"] and "finishTime" not in task["status"]
    assert {one["type"] for one in task["status"]["conditions"]} == {"Ready", "Reconciling", "Stalled"}
    # The line that scripts look for.
    position = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC INFO position_logger - current_position \| lsn:[0-9A-F]+/[0-9A-F]+,timestamp:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC-0000$"
    client_made.wait(lambda _: re.search(position, client_made.logs(cdc[0]), re.M), "the line current_position", 60)
    # Names on the source: the slot like the task, and the publication like the slot.
    slot = name.replace("-", "_")
    assert client_made.source.value(f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}'") == 1
    assert client_made.source.value("SELECT pubname FROM pg_publication") == f"{slot}_publication_for_all_tables"
    # One schema twice in the list, once with tables and once whole: everything of it came.
    assert client_made.sink.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 2
    # terminate is a plain DELETE, which returns at once.
    assert cluster.kubectl("-n", namespace, "delete", "mt", name, "--wait=false").startswith("migrationtask.datamigration.apecloud.io")
    client_made.wait_until_gone()
    assert client_made.leftovers() == []
