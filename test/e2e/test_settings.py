# SPDX-License-Identifier: Apache-2.0
"""What a task sets for its workers arrives in their pods: resources, tolerations, volumes, how many copy at once."""

import pytest
from holds import Hold
from servers import eventually, pgbench_initialize

STEPS = {"preCheck": 0, "initStruct": 1, "initData": 2, "initStructLater": 3}


def container(pod):
    return pod["spec"]["containers"][0]


def worker(migration, step):
    return migration.pod(step="cdc") if step == "cdc" else migration.pod(order=STEPS[step])


def test_resources_of_a_step_and_of_all_others(migration):
    pgbench_initialize(migration.source, 1)
    mine, everyone = {"limits": {"cpu": "800m", "memory": "200Mi"}, "requests": {"cpu": "50m", "memory": "64Mi"}}, {"limits": {"cpu": "300m", "memory": "300Mi"}}
    migration.apply(initialization__config__initData__resource=mine, globalResources=everyone)
    migration.wait_for_condition("Ready")
    assert container(worker(migration, "initData"))["resources"] == mine
    for step in ("preCheck", "initStruct", "cdc"):
        assert container(worker(migration, step))["resources"]["limits"] == everyone["limits"], step


def test_modest_requests_where_nothing_is_said(migration):
    pgbench_initialize(migration.source, 1)
    migration.apply(globalResources={"limits": {}})
    migration.wait_for_condition("Ready")
    assert all(container(pod)["resources"] == {"requests": {"cpu": "100m", "memory": "128Mi"}} for pod in migration.pods())


def test_a_worker_that_no_node_can_take_is_told_of(migration):
    pgbench_initialize(migration.source, 1)
    migration.apply(initialization__config__preCheck__resource={"requests": {"cpu": "1000"}})
    waiting = migration.wait_for_condition("Reconciling", reason="WaitingForWorker")
    assert "Insufficient cpu" in waiting["message"], waiting
    migration.patch(suspend=True, initialization__config__preCheck__resource=None)
    migration.wait_for_status("Pause")
    migration.patch(suspend=False)
    migration.wait_for_condition("Ready")


def test_a_worker_whose_memory_does_not_suffice_is_told_of(migration):
    """A worker needs what the largest row needs: pages of programs may be another's, so a small limit alone is not met for sure."""
    migration.source.execute("CREATE TABLE large (id int PRIMARY KEY, v text); INSERT INTO large VALUES (1, repeat('x', 200000000))")
    migration.apply(initialization__config__initData__resource={"limits": {"memory": "40Mi"}})
    said = migration.wait(lambda task: "memory" in migration.condition("Ready", task).get("message", "").lower()
                          or "oom" in migration.condition("Ready", task).get("message", "").lower(), "news of the memory", 120)
    assert migration.condition("Ready", said)["status"] == "False"


def test_tolerations_of_a_step_and_of_all(migration):
    pgbench_initialize(migration.source, 1)
    own = {"key": "fast", "operator": "Exists", "effect": "NoSchedule"}
    everyone = {"key": "team", "operator": "Equal", "value": "db", "effect": "NoExecute", "tolerationSeconds": 60}
    migration.apply(initialization__config__initData__tolerations=[own], globalTolerations=[everyone])
    migration.wait_for_condition("Ready")
    assert all(one in worker(migration, "initData")["spec"]["tolerations"] for one in (own, everyone))
    for step in ("preCheck", "initStruct", "cdc"):
        tolerations = worker(migration, step)["spec"]["tolerations"]
        assert everyone in tolerations and own not in tolerations, step


def test_a_volume_claim_as_work_folder(cluster, namespace, migration, tmp_path):
    tmp_path.chmod(0o777)
    for parent in list(tmp_path.parents)[:3]:
        parent.chmod(0o755)
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": namespace},
              "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "persistentVolumeReclaimPolicy": "Retain",
                       "storageClassName": "", "hostPath": {"path": str(tmp_path)},
                       "claimRef": {"name": "work", "namespace": namespace}}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "work", "namespace": namespace},
             "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "volumeName": namespace, "resources": {"requests": {"storage": "1Gi"}}}}
    pgbench_initialize(migration.source, 1)
    migration.apply(initialization__config__initStruct__persistentVolumeClaimName="work")
    waiting = migration.wait_for_condition("Reconciling", reason="WaitingForWorker")
    assert "work" in waiting["message"], waiting
    cluster.apply([volume, claim])
    try:
        migration.wait_for_condition("Ready")
        volumes = {one["name"]: one for one in worker(migration, "initStruct")["spec"]["volumes"]}
        mount = next(one for one in container(worker(migration, "initStruct"))["volumeMounts"] if one["mountPath"] == "/var/lib/kubeferry")
        assert volumes[mount["name"]]["persistentVolumeClaim"] == {"claimName": "work"}
        for step in ("preCheck", "initData", "cdc"):
            assert not any("persistentVolumeClaim" in one for one in worker(migration, step)["spec"]["volumes"]), step
    finally:
        cluster.kubectl("delete", "pv", namespace, "--wait=false")


def test_how_many_tables_at_once(migration):
    pgbench_initialize(migration.source, 1)
    migration.apply(initialization__config__initData__jobs=5, cdc__config__jobs=3)
    migration.wait_for_condition("Ready")
    assert "--jobs=5" in container(worker(migration, "initData"))["args"]
    assert not any("--jobs" in one for one in container(worker(migration, "preCheck"))["args"])


def test_three_workers_share_the_copying(migration):
    """Three large tables are locked in the sink: each worker comes to wait for another one."""
    names = ["large_1", "large_2", "large_3"]
    for name in names:
        migration.source.execute(f"""CREATE TABLE {name} (id int PRIMARY KEY, body text);
            INSERT INTO {name} SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 5000) n""")
        migration.sink.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, body text)")
    waiting = "SELECT DISTINCT client_addr FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with Hold(migration.sink, f"LOCK TABLE {', '.join(names)} IN EXCLUSIVE MODE"):
        migration.apply(initialization__config__initData__parallelism=3, initialization__config__initData__jobs=1)
        addresses = eventually(lambda: len(found := migration.sink.rows(waiting)) == 3 and found, 120, "three workers that wait")
    migration.wait_for_condition("Ready")
    name = f"{migration.name}-initdata-2"
    job = migration.jobs()[name]
    assert job["spec"]["completionMode"] == "Indexed" and job["spec"]["completions"] == job["status"]["succeeded"] == 3
    pods = [pod for pod in migration.pods() if pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] == name]
    assert {str(address[0]) for address in addresses} == {pod["status"]["podIP"] for pod in pods}
    assert {pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] for pod in pods} == {"0", "1", "2"}
    migration.assert_equal()


def test_only_the_copying_can_have_several_workers(cluster, migration):
    code, said = cluster.try_apply(migration.manifest(cdc__config__parallelism=2))
    assert code != 0 and "one process follows the slot" in said, said


@pytest.mark.parametrize("image", ["docker.io/kubeferry/none:1"])
def test_a_template_with_an_image_that_is_not_there(cluster, migration, image):
    template = {"apiVersion": "datamigration.apecloud.io/v1alpha1", "kind": "MigrationTemplate", "metadata": {"name": migration.namespace},
                "spec": {"description": "a test's", "taskType": ["initialization-and-cdc"],
                         "source": {"dbType": "PostgreSQL", "dbVersion": "*"}, "target": {"dbType": "PostgreSQL", "dbVersion": "*"},
                         "initialization": {"steps": [{"step": "preCheck", "container": {"image": image}}, {"step": "initStruct"}, {"step": "initData"}]},
                         "cdc": {"container": {"env": [{"name": "MARK", "value": "of the template"}]}}}}
    path = f"/apis/datamigration.apecloud.io/v1alpha1/migrationtemplates/{migration.namespace}"
    pgbench_initialize(migration.source, 1)
    cluster.apply(template)
    try:
        migration.apply(template=migration.namespace)
        waiting = migration.wait_for_condition("Reconciling", reason="WaitingForWorker")
        assert image in waiting["message"] and "ImagePull" in waiting["message"] or "ErrImage" in waiting["message"], waiting
        template["spec"]["initialization"]["steps"][0] = {"step": "preCheck"}
        cluster.apply(template)
        migration.patch(suspend=True)
        migration.wait_for_status("Pause")
        migration.patch(suspend=False)
        migration.wait_for_condition("Ready")
        assert {"name": "MARK", "value": "of the template"} in container(worker(migration, "cdc"))["env"]
    finally:
        cluster.request("DELETE", path)
