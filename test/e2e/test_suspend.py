# SPDX-License-Identifier: Apache-2.0
"""Held and gone on with, at each step; several tasks at once; names as long as they may be."""

import pytest
from holds import HeldSteps
from recorder import kstatus
from servers import Pgbench, eventually, pgbench_initialize


@pytest.mark.parametrize("step", ["preCheck", "initStruct", "initData"])
def test_suspended_in_the_middle_of_a_step_it_goes_on(migration, step):
    held = HeldSteps(migration)
    pgbench_initialize(migration.source, 1)
    migration.marker_table()
    with held.hold(step):
        migration.apply()
        eventually(lambda: held.worker(step), 180, f"a worker of {step}", interval=0.2)
        migration.patch(suspend=True)
        eventually(lambda: not migration.at_work(), 60, "end of the workers", interval=0.2)
    task = migration.wait_for_status("Pause")
    paused = migration.condition("Ready", task)
    assert paused["reason"] == "Suspended" and "spec.suspend" in paused["message"] and kstatus(task) == "InProgress"
    assert all(job["spec"]["suspend"] for job in migration.jobs().values() if not job["status"].get("completionTime"))
    migration.patch(suspend=False)
    migration.wait_for_condition("Ready")
    migration.settle()
    migration.assert_equal()


def test_suspended_while_it_follows_it_catches_up(migration):
    pgbench_initialize(migration.source, 1)
    migration.marker_table()
    with Pgbench(migration.source, rate=100):
        migration.apply()
        migration.wait_for_condition("Ready")
        migration.patch(suspend=True)
        migration.wait_for_status("Pause")
        eventually(lambda: not migration.at_work(), 60, "end of the workers", interval=0.2)
        paused = migration.condition("Ready")
        assert "WAL" in paused["message"]
        held = migration.sink.value("SELECT count(*) FROM pgbench_history")
        written = migration.source.value("SELECT count(*) FROM pgbench_history")
        eventually(lambda: migration.source.value("SELECT count(*) FROM pgbench_history") > written + 200, 30, "writes on the source")
        assert migration.sink.value("SELECT count(*) FROM pgbench_history") == held
        migration.patch(suspend=False)
        migration.wait_for_condition("Ready")
    migration.settle()
    migration.assert_equal()
    assert migration.wait_for_event("Suspended")[1] == "Normal"


def test_made_suspended_it_waits_to_be_let_go(migration):
    pgbench_initialize(migration.source, 1)
    migration.apply(suspend=True)
    migration.wait_for_status("Pause")
    assert not migration.pods() and migration.leftovers() == []
    migration.patch(suspend=None)
    migration.wait_for_condition("Ready")
    migration.assert_equal()


def test_toggled_quickly_it_ends_where_it_was_told_last(migration):
    pgbench_initialize(migration.source, 1)
    migration.marker_table()
    migration.apply()
    migration.wait_for_status("Init", "Running")
    for _ in range(5):
        migration.patch(suspend=True)
        migration.patch(suspend=False)
    migration.wait_for_condition("Ready")
    migration.settle()
    migration.assert_equal()


def test_two_tasks_of_one_name_in_two_namespaces(cluster, namespace, make_migration, make_server):
    """On two sources; one of them is deleted while the other goes on."""
    other = f"{namespace}-2"
    cluster.kubectl("create", "namespace", other)
    try:
        first, second = make_migration(name="same"), make_migration(name="same", namespace=other, source=make_server())
        for one in (first, second):
            pgbench_initialize(one.source, 1)
            one.marker_table()
            one.apply()
        for one in (first, second):
            one.wait_for_condition("Ready")
        first.delete()
        assert first.leftovers() == [] and second.leftovers() != []
        second.source.execute("UPDATE pgbench_branches SET bbalance = 5")
        second.settle()
        second.assert_equal()
        second.delete()
    finally:
        cluster.kubectl("delete", "namespace", other, "--wait=false")


def test_two_tasks_of_one_source_at_once(make_migration):
    tasks = [make_migration(), make_migration()]
    for one in tasks:
        pgbench_initialize(one.source, 1)
        one.marker_table()
        one.apply()
    for one in tasks:
        one.wait_for_condition("Ready")
        one.source.execute("UPDATE pgbench_tellers SET tbalance = 7")
        one.settle()
        one.assert_equal()


def test_a_slot_of_another_task_is_never_taken(make_migration, cluster):
    """A slot is called as its task: the second of that name on one server is stopped by its prechecks."""
    first = make_migration(name="twin")
    pgbench_initialize(first.source, 1)
    first.apply()
    first.wait_for_condition("Ready")
    cluster.kubectl("create", "namespace", f"{first.namespace}-2")
    try:
        second = make_migration(name="twin", namespace=f"{first.namespace}-2")
        pgbench_initialize(second.source, 1)
        second.apply()
        stalled = second.wait_for_condition("Stalled", reason="PrecheckFailed")
        assert "twin" in stalled["message"] and "slot" in stalled["message"]
        second.delete()
        assert "twin" in first.leftovers() and first.condition("Ready")["status"] == "True"
    finally:
        cluster.kubectl("delete", "namespace", f"{first.namespace}-2", "--wait=false")


@pytest.mark.parametrize("name", ["n" * 63, "a-" + "b" * 30 + "-" + "c" * 30, "x"])
def test_a_name_as_long_and_as_short_as_it_may_be(cluster, make_migration, name):
    migration = make_migration(name=name)
    pgbench_initialize(migration.source, 1)
    migration.marker_table()
    migration.apply()
    migration.wait_for_condition("Ready")
    migration.source.execute("UPDATE pgbench_branches SET bbalance = 5")
    migration.settle()
    migration.assert_equal()
    assert migration.slot in migration.leftovers()
    names = list(migration.jobs())
    assert len(set(names)) == 5 and all(len(one) <= 63 for one in names)
    labelled = [job for job in migration.jobs().values() if "datamigration.apecloud.io/migrationtask" in job["metadata"]["labels"]]
    assert sorted(int(job["metadata"]["name"].rsplit("-", 1)[1]) for job in labelled) == [0, 1, 2, 3]
    assert migration.pod(step="cdc")["spec"]["containers"][0]["name"] == name
    assert "Streaming" in cluster.kubectl("describe", "mt", "-n", migration.namespace, name)
    migration.delete()
    assert migration.leftovers() == []


def test_a_task_made_anew_resumes_nothing_that_is_gone_and_doubles_nothing(migration):
    """As GitOps prunes and makes again: the rows in the sink are now somebody's, so the second task refuses."""
    pgbench_initialize(migration.source, 1)
    migration.apply()
    migration.wait_for_condition("Ready")
    migration.delete()
    migration.apply()
    stalled = migration.wait_for_condition("Stalled", reason="PrecheckFailed")
    assert "sink_empty" in stalled["message"]
    migration.assert_equal()
    migration.sink.execute("TRUNCATE pgbench_accounts, pgbench_branches, pgbench_tellers, pgbench_history")
    migration.wait_for_condition("Ready")
    migration.assert_equal()
