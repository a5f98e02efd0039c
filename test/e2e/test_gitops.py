# SPDX-License-Identifier: Apache-2.0
"""What a GitOps tool needs: applying again changes nothing, each phase reads right, and rights are no more than needed."""

import json

import pytest
from recorder import Recorder, kstatus
from servers import Pgbench, eventually, pgbench_initialize


def without_status_fields(task):
    """The object without what following changes by itself writes."""
    copy = json.loads(json.dumps(task))
    for name in ("resourceVersion", "managedFields"):
        copy["metadata"].pop(name, None)
    copy.pop("status", None)
    return copy


@pytest.mark.parametrize("server_side", [False, True])
def test_three_syncs_change_nothing(cluster, migration, server_side):
    """Of a task that is done: not one write, neither by the tool nor by the controller."""
    pgbench_initialize(migration.source, 1)
    how = ["--server-side", "--field-manager=gitops"] if server_side else []
    objects = [migration.secret("source"), migration.secret("sink"), migration.manifest(taskType="initialization")]
    cluster.apply(objects, *how)
    migration.wait_for_status("Done")
    migration.wait_for_condition("Ready")
    before, jobs = migration.get(), migration.jobs()
    for _ in range(3):
        said = cluster.apply(objects, *how)
        assert server_side or said.count("unchanged") >= 1 and f"migrationtask.datamigration.apecloud.io/{migration.name} unchanged" in said
        diff = ["kubectl", "diff", *how, "-f", "-"]
        code, said = cluster.call(*diff, input=json.dumps(migration.manifest(taskType="initialization")))
        assert (code, said) == (0, ""), said
    assert migration.get() == before and migration.jobs() == jobs


def test_syncs_of_a_task_that_follows_write_nothing(cluster, migration):
    """Idle, with no write on the source, it makes no write either once its figures stand still."""
    pgbench_initialize(migration.source, 1)
    migration.apply()
    migration.wait_for_condition("Ready")
    before = migration.get()
    for _ in range(3):
        assert f"{migration.name} unchanged" in migration.apply()
    after = migration.get()
    assert without_status_fields(after) == without_status_fields(before)
    managers = {(one["manager"], one.get("subresource", "")) for one in after["metadata"]["managedFields"]}
    assert managers == {("kubectl-client-side-apply", ""), ("kubeferry-controller", ""), ("kubeferry-controller", "status")}, managers
    spec = next(one for one in after["metadata"]["managedFields"] if one["manager"] == "kubeferry-controller" and not one.get("subresource"))
    assert list(spec["fieldsV1"]["f:metadata"]) == ["f:finalizers"] and list(spec["fieldsV1"]) == ["f:metadata"]
    assert after["metadata"].get("labels") is None
    assert set(after["metadata"]["annotations"]) == {"kubectl.kubernetes.io/last-applied-configuration"}


def test_labels_annotations_and_finalizers_of_others_stay(cluster, migration):
    migration.source.execute("CREATE TABLE item (id int PRIMARY KEY)")
    document = migration.manifest()
    document["metadata"].update(labels={"team": "a"}, annotations={"note": "x"}, finalizers=["example.com/other"])
    cluster.apply([migration.secret("source"), migration.secret("sink"), document])
    task = migration.wait(lambda one: migration.condition("Ready", one).get("status") == "True", "Ready")
    assert task["metadata"]["labels"] == {"team": "a"} and task["metadata"]["annotations"]["note"] == "x"
    assert sorted(task["metadata"]["finalizers"]) == ["datamigration.apecloud.io/cleanup", "example.com/other"]
    migration.delete(wait=False)
    left = migration.wait(lambda one: one["metadata"]["finalizers"] == ["example.com/other"], "the end of our finalizer", 60)
    assert migration.leftovers() == [] and kstatus(left) == "Terminating"
    cluster.merge(migration.path, {"metadata": {"finalizers": None}})
    migration.wait_until_gone(10)


def test_each_phase_reads_right(cluster, migration):
    """No state, from the first on, lets a tool take the task for finished before it is."""
    pgbench_initialize(migration.source, 1)
    with Recorder(cluster, migration.namespace, migration.name) as seen:
        migration.apply()
        said = cluster.kubectl("wait", "-n", migration.namespace, f"mt/{migration.name}", "--for=condition=Ready", "--timeout=90s")
        assert "condition met" in said
        migration.patch(suspend=True)
        cluster.kubectl("wait", "-n", migration.namespace, f"mt/{migration.name}", "--for=condition=Ready=False", "--timeout=30s")
        migration.wait_for_status("Pause")
        migration.patch(suspend=False)
        migration.wait_for_condition("Ready")
        migration.delete()
        eventually(lambda: seen.readings()[-1] == "Terminating", 10, "the watch to see the end")
    assert seen.readings() == ["InProgress", "Current", "InProgress", "Current", "Terminating"], seen.readings()
    assert seen.states[0]["status"]["observedGeneration"] == -1
    for state in seen.states:
        status = state["status"]
        assert status["observedGeneration"] <= state["metadata"]["generation"]
        kinds = [one["type"] for one in status.get("conditions", [])]
        assert kinds in ([], ["Ready", "Reconciling", "Stalled"]), kinds
        for one in status.get("conditions", []):
            assert one["status"] in ("True", "False") and one["reason"] and one["observedGeneration"] <= state["metadata"]["generation"]
            assert one["message"] or one["status"] == "False"
        held = [one["type"] for one in status.get("conditions", []) if one["status"] == "True"]
        assert len(held) == 1 or not kinds, held
    for earlier, later in zip(seen.states, seen.states[1:]):  # a time of transition moves when the status does, and not else
        before = {one["type"]: one for one in earlier["status"].get("conditions", [])}
        for one in later["status"].get("conditions", []):
            old = before.get(one["type"])
            if old and old["status"] == one["status"]:
                assert old["lastTransitionTime"] == one["lastTransitionTime"], (old, one)


def test_it_does_not_write_what_has_not_changed(cluster, migration):
    """A task that waits, and one that is suspended, cause no writes at all; one at work, one in 5 s."""
    pgbench_initialize(migration.source, 1)
    migration.apply(template="not-there-yet")
    migration.wait_for_condition("Reconciling", reason="WaitingForTemplate")
    with Recorder(cluster, migration.namespace, migration.name) as seen:
        eventually(lambda: seen.states, 10, "the first state")
        for _ in range(20):  # what touches the template's queue and the task's
            cluster.call("kubectl", "annotate", "--overwrite", "mtp", "apecloud-pg2pg", f"sync={_}")
        migration.apply(template="not-there-yet")
    assert len(seen.states) == 1, [state["metadata"]["resourceVersion"] for state in seen.states]


def test_a_task_at_work_is_written_no_more_often_than_every_5_s(cluster, migration):
    pgbench_initialize(migration.source, 1)
    migration.apply()
    migration.wait_for_condition("Ready")
    migration.wait(lambda task: "lsn" in task["status"].get("cdc", {}).get("metrics", {}), "metrics")
    with Pgbench(migration.source, rate=20), Recorder(cluster, migration.namespace, migration.name) as seen:
        eventually(lambda: len(seen.states) >= 4, 30, "three writes")
    updates = [max(entry["time"] for entry in state["metadata"]["managedFields"]) for state in seen.states[1:]]
    seconds = [int(text[17:19]) + 60 * int(text[14:16]) for text in updates]
    assert all(b - a >= 4 for a, b in zip(seconds, seconds[1:])), updates  # whole seconds


def can(cluster, operator, verb, resource, *more):
    who = f"--as=system:serviceaccount:{operator.namespace}:{operator.deployment}"
    return cluster.call("kubectl", "auth", "can-i", verb, resource, who, *more)[1].splitlines()[-1] == "yes"


def test_the_controller_may_do_what_it_needs_and_no_more(cluster, operator):
    deployment = json.loads(cluster.kubectl("get", "deployment", "-n", operator.namespace, operator.deployment, "-o", "json"))
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == operator.deployment
    for verb in ("get", "list", "watch", "update", "patch", "delete"):
        assert not can(cluster, operator, verb, "secrets", "-A"), verb
        assert not can(cluster, operator, verb, "secrets", "-n", operator.namespace), verb
        assert not can(cluster, operator, verb, "secrets", "-n", "kube-system"), verb
    assert can(cluster, operator, "create", "secrets", "-n", "default")
    for verb, resource in (("create", "pods"), ("create", "pods/exec"), ("create", "deployments"), ("update", "migrationtasks"),
                           ("create", "migrationtasks"), ("delete", "migrationtasks"), ("get", "configmaps"), ("list", "nodes"),
                           ("list", "namespaces"), ("create", "clusterroles"), ("impersonate", "users"), ("create", "serviceaccounts/token")):
        assert not can(cluster, operator, verb, resource, "-A"), (verb, resource)
    for verb, resource in (("patch", "migrationtasks"), ("patch", "migrationtasks.datamigration.apecloud.io/status"), ("create", "jobs"),
                           ("delete", "jobs"), ("watch", "pods"), ("create", "events.events.k8s.io")):
        assert can(cluster, operator, verb, resource, *(["--subresource=status"] if "/status" in resource else []), "-A"), (verb, resource)


def test_a_task_of_a_user_with_the_role_edit_can_be_made(cluster, operator, namespace):
    """The rights to tasks come with Kubernetes' own roles."""
    who = f"--as=system:serviceaccount:{namespace}:default"
    cluster.kubectl("create", "rolebinding", "-n", namespace, "editor", "--clusterrole=edit", f"--serviceaccount={namespace}:default")
    for verb, expected in (("create", "yes"), ("delete", "yes"), ("patch", "yes")):
        assert eventually(lambda v=verb: cluster.call("kubectl", "auth", "can-i", v, "migrationtasks", who, "-n", namespace)[1].strip() == expected, 10, verb)
    assert cluster.call("kubectl", "auth", "can-i", "create", "migrationtasks", who, "-n", "default")[1].strip() == "no"


def test_the_status_survives_that_somebody_empties_it(cluster, migration):
    """Nothing in it is needed to go on; it is written again from what is so."""
    pgbench_initialize(migration.source, 1)
    migration.apply()
    migration.wait_for_condition("Ready")
    slots = migration.leftovers()
    status, answer = cluster.request("PATCH", migration.path + "/status", {"status": None}, "application/merge-patch+json")
    assert status == 200, answer
    task = migration.wait(lambda one: migration.condition("Ready", one).get("status") == "True", "Ready again", 30)
    assert task["status"]["taskStatus"] == "Running" and task["status"]["startTime"]
    assert migration.leftovers() == slots and len(migration.jobs()) == 5


def test_a_child_that_somebody_deletes_is_made_again(cluster, migration):
    pgbench_initialize(migration.source, 1)
    migration.marker_table()
    migration.apply()
    migration.wait_for_condition("Ready")
    uid = migration.jobs()[f"{migration.name}-cdc"]["metadata"]["uid"]
    cluster.kubectl("delete", "job", "-n", migration.namespace, f"{migration.name}-cdc")
    eventually(lambda: migration.jobs().get(f"{migration.name}-cdc", {}).get("metadata", {}).get("uid") not in (uid, None), 30, "another Job")
    cluster.kubectl("delete", "job", "-n", migration.namespace, f"{migration.name}-initdata-2")
    migration.wait_for_condition("Ready")
    migration.settle()
    migration.assert_equal()


def test_done_jobs_may_be_cleared_away(cluster, migration):
    """As a clean-up of finished Jobs would: the copy is not made twice."""
    pgbench_initialize(migration.source, 1)
    migration.marker_table()
    migration.apply()
    migration.wait_for_condition("Ready")
    version = migration.sink.value("SELECT min(xmin::text::bigint) FROM pgbench_accounts")
    cluster.kubectl("delete", "jobs", "-n", migration.namespace, "-l", f"datamigration.apecloud.io/migrationtask={migration.name}")
    migration.settle()
    task = migration.get()
    assert task["status"]["taskStatus"] == "Running" and migration.condition("Ready", task)["status"] == "True"
    assert list(migration.jobs()) == [f"{migration.name}-cdc"]
    assert migration.sink.value("SELECT min(xmin::text::bigint) FROM pgbench_accounts") == version
    migration.delete()
    assert migration.leftovers() == []
