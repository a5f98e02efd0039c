# SPDX-License-Identifier: Apache-2.0
"""A task that is deleted cleans its source first, whatever it was doing; when it cannot, it says so and stays."""

import pytest
from holds import HeldSteps
from recorder import Recorder, kstatus
from servers import eventually, pgbench_initialize


def test_it_stays_while_the_source_is_away_and_goes_when_it_is_back(cluster, make_migration, make_server):
    server = make_server()
    migration = make_migration(source=server)
    pgbench_initialize(migration.source, 1)
    migration.apply()
    migration.wait_for_condition("Ready")
    migration.source.close()
    server.stop()
    migration.delete(wait=False)
    failed = migration.wait_for_condition("Reconciling", reason="CleanupFailed", timeout=120)
    assert migration.slot in failed["message"] and "isForceDelete" in failed["message"] and "10.244.0.1" in failed["message"], failed
    kind, note = migration.wait_for_event("CleanupFailed")[1:]
    assert kind == "Warning" and migration.slot in note
    assert kstatus(migration.get()) == "Terminating" and migration.condition("Ready")["status"] == "False"
    code, said = cluster.call("kubectl", "delete", "mt", "-n", migration.namespace, migration.name, "--timeout=1s")
    assert code != 0 and "timed out" in said
    server.start()
    assert migration.leftovers() != []
    migration.wait_until_gone(180)
    assert migration.leftovers() == []


def test_forced_it_goes_without_cleaning_and_names_what_is_left(make_migration, make_server):
    server = make_server()
    migration = make_migration(source=server)
    pgbench_initialize(migration.source, 1)
    migration.apply()
    migration.wait_for_condition("Ready")
    migration.source.close()
    server.stop()
    migration.delete(wait=False)
    migration.wait_for_condition("Reconciling", reason="CleanupFailed", timeout=120)
    migration.patch(isForceDelete=True)
    migration.wait_until_gone(30)
    kind, note = migration.wait_for_event("LeftBehind")[1:]
    assert kind == "Warning" and f"replication slot {migration.slot} " in note and f"{migration.slot}_publication_for_all_tables" in note
    server.start()
    assert sorted(migration.leftovers()) == [migration.slot, f"{migration.slot}_publication_for_all_tables"]


def test_force_alone_does_not_keep_it_from_cleaning(migration):
    pgbench_initialize(migration.source, 1)
    migration.apply(isForceDelete=True)
    migration.wait_for_condition("Ready")
    migration.delete()
    assert migration.leftovers() == []
    assert not [event for event in migration.events() if event[0] == "LeftBehind"]


@pytest.mark.parametrize("step", ["preCheck", "initStruct", "initData"])
def test_deleted_in_the_middle_of_a_step_it_leaves_nothing(migration, step):
    pgbench_initialize(migration.source, 1)
    held = HeldSteps(migration)
    with held.hold(step):
        migration.apply()
        eventually(lambda: held.worker(step), 180, f"a worker of {step}", interval=0.2)
        if step == "initData":
            eventually(migration.leftovers, 120, "a slot")
        migration.delete(timeout=60)
    assert migration.leftovers() == []
    eventually(lambda: not migration.pods(), 30, "end of the pods", interval=0.3)


@pytest.mark.parametrize("when", ["at once", "waiting", "suspended", "stalled", "done"])
def test_deleted_when_no_worker_is_at_work_it_goes_at_once(migration, when):
    pgbench_initialize(migration.source, 1)
    changes = {"at once": {}, "waiting": {"template": "not-there"}, "suspended": {"suspend": True},
               "stalled": {"cdc__config__param": {"unknown": 1}}, "done": {"taskType": "initialization"}}[when]
    migration.apply(**changes)
    if when != "at once":
        reason = {"waiting": "WaitingForTemplate", "suspended": "Suspended", "stalled": "UnsupportedField", "done": "Done"}[when]
        migration.wait_for_condition("Ready", "True" if when == "done" else "False", reason, timeout=90)
    migration.delete(timeout=45 if when in ("at once", "done") else 5)
    assert migration.leftovers() == []


def test_deleted_while_suspended_in_the_middle_it_drops_slot_and_publication(migration):
    pgbench_initialize(migration.source, 1)
    migration.apply()
    migration.wait_for_condition("Ready")
    migration.patch(suspend=True)
    migration.wait_for_status("Pause")
    assert migration.leftovers() != []
    migration.delete()
    assert migration.leftovers() == []


def test_cleaning_survives_a_slot_and_a_publication_that_are_gone_already(migration):
    pgbench_initialize(migration.source, 1)
    migration.apply()
    migration.wait_for_condition("Ready")
    migration.patch(suspend=True)
    eventually(lambda: not migration.at_work(), 60, "end of the workers", interval=0.2)
    migration.source.execute(f"DROP PUBLICATION {migration.slot}_publication_for_all_tables")
    migration.source.execute(f"SELECT pg_drop_replication_slot('{migration.slot}')")
    migration.delete()


def test_cleaning_waits_for_a_secret_that_was_deleted_before(cluster, migration):
    pgbench_initialize(migration.source, 1)
    migration.apply()
    migration.wait_for_condition("Ready")
    cluster.kubectl("delete", "secret", "-n", migration.namespace, f"{migration.name}-source")
    migration.delete(wait=False)
    said = migration.wait_for_condition("Reconciling", words=f"{migration.name}-source", timeout=60)
    assert said["reason"] in ("WaitingForWorker", "CleanupFailed"), said
    cluster.apply(migration.secret("source"))
    migration.wait_until_gone(180)
    assert migration.leftovers() == []


def test_a_secret_that_never_comes_back_does_not_hold_a_forced_end(cluster, migration):
    pgbench_initialize(migration.source, 1)
    migration.apply(isForceDelete=True)
    migration.wait_for_condition("Ready")
    cluster.kubectl("delete", "secret", "-n", migration.namespace, f"{migration.name}-source")
    migration.delete(timeout=100)
    migration.wait_for_event("LeftBehind")


def test_a_namespace_that_is_deleted_lets_its_task_go_when_forced(cluster, namespace, make_migration):
    """Nothing can be created in it any more, so no worker that cleans up. It says so, once, and stays until it is forced."""
    doomed = f"{namespace}-2"
    cluster.kubectl("create", "namespace", doomed)
    migration = make_migration(namespace=doomed)
    pgbench_initialize(migration.source, 1)
    migration.apply()
    migration.wait_for_condition("Ready")
    with Recorder(cluster, doomed, migration.name) as seen:
        cluster.kubectl("delete", "namespace", doomed, "--wait=false")
        told = migration.wait_for_condition("Reconciling", words="isForceDelete")
        before = len(seen.states)
        with pytest.raises(AssertionError):  # nothing happens until it is forced
            eventually(lambda: migration.get() is None or len(seen.states) > before + 4, 15)
        migration.patch(isForceDelete=True)
        eventually(lambda: cluster.get(f"/api/v1/namespaces/{doomed}") is None, 180, "end of the namespace", interval=0.3)
    assert told["reason"] == "WaitingForCluster" and "terminated" in told["message"] and migration.slot in told["message"]
