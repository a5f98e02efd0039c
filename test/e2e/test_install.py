# SPDX-License-Identifier: Apache-2.0
"""The operator as it is shipped: by the chart with no value set, and by kustomize from deploy/."""

import json
import os

import pytest
from kube import CHART, ROOT
from servers import eventually

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAMES = ["migrationtasks.datamigration.apecloud.io", "migrationtemplates.datamigration.apecloud.io", "serialjobs.common.apecloud.io"]
TEMPLATE = "/apis/datamigration.apecloud.io/v1alpha1/migrationtemplates/apecloud-pg2pg"


def test_installed_with_no_value_set_it_is_ready(cluster, operator):
    assert len(operator.ready_pods()) == 2
    eventually(operator.leader, 20, "a leader")
    eventually(lambda: (cluster.get(TEMPLATE) or {}).get("status", {}).get("phase") == "Available", 20, "the template's phase")
    header, row = cluster.kubectl("get", "mtp").splitlines()
    assert header.split() == ["NAME", "DATABASE-MAPPING", "STATUS", "AGE"]
    assert row.startswith("apecloud-pg2pg") and "Available" in row


def test_helm_test_passes(operator):
    said = operator.cluster.helm("test", operator.release, "-n", operator.namespace, "--timeout", "60s")
    assert "Phase:          Succeeded" in said


def test_the_pods_keep_to_the_restricted_standard(cluster, operator):
    """The API server is asked to judge the present pods by it."""
    code, said = cluster.call("kubectl", "label", "--dry-run=server", "--overwrite", "namespace", operator.namespace,
                              "pod-security.kubernetes.io/enforce=restricted")
    assert code == 0 and "violate" not in said, said


def test_a_second_release_is_refused(cluster, operator):
    code, said = cluster.call("kubectl", "create", "namespace", "second")
    assert code == 0 or "AlreadyExists" in said
    said = cluster.helm("install", "second", CHART, "-n", "second", "--set", "crds.enabled=false", check=False)
    assert f"the release {operator.release} in the namespace {operator.namespace} serves all namespaces" in said
    assert "deployments" not in cluster.kubectl("get", "all", "-n", "second", "-o", "name")


def test_a_task_applied_three_times_is_changed_once(cluster, migration):
    first = migration.apply(suspend=True)
    assert f"migrationtask.datamigration.apecloud.io/{migration.name} created" in first
    generation = migration.wait_for_status("Pause")["metadata"]["generation"]
    for _ in range(3):
        assert f"migrationtask.datamigration.apecloud.io/{migration.name} unchanged" in migration.apply(suspend=True)
    code, said = cluster.call("kubectl", "diff", "-f", "-", input=json.dumps(migration.manifest(suspend=True)))
    assert (code, said) == (0, "")
    assert migration.get()["metadata"]["generation"] == generation


@pytest.mark.parametrize("name", sorted(os.listdir(os.path.join(ROOT, "deploy", "samples"))))
def test_the_samples_are_taken(cluster, operator, namespace, name):
    """With their Secrets; never run, since their servers do not exist."""
    path = os.path.join(ROOT, "deploy", "samples", name)
    code, said = cluster.call("kubectl", "apply", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", path)
    assert code == 0 and "migrationtask" in said, said


@pytest.mark.alone
def test_uninstalled_it_leaves_kinds_and_tasks_and_kustomize_installs_it_again(cluster, operator, migration):
    migration.apply(suspend=True)
    migration.wait_for_status("Pause")
    operator.uninstall()
    assert not operator.pods()
    assert all(cluster.get(f"{CRDS}/{name}") for name in NAMES)
    assert migration.get()["spec"]["suspend"] and cluster.get(TEMPLATE)
    cluster.kubectl("delete", "namespace", operator.namespace, "--timeout=60s")

    apply = ["kubectl", "apply", "--server-side", "--force-conflicts", "-k", os.path.join(ROOT, "deploy")]
    code, said = cluster.call(*apply)
    assert code == 0, said
    before = json.loads(cluster.kubectl("get", "-k", os.path.join(ROOT, "deploy"), "-o", "json"))["items"]
    cluster.kubectl("rollout", "status", "-n", "kubeferry-system", "deployment/kubeferry", "--timeout=60s")
    code, said = cluster.call(*apply)
    assert code == 0, said
    after = {(one["kind"], one["metadata"]["name"]): one["metadata"].get("generation")
             for one in json.loads(cluster.kubectl("get", "-k", os.path.join(ROOT, "deploy"), "-o", "json"))["items"]}
    assert after == {(one["kind"], one["metadata"]["name"]): one["metadata"].get("generation") for one in before}
    seen = migration.patch(isForceDelete=True)["metadata"]["generation"]
    migration.wait(lambda task: task["status"]["observedGeneration"] == seen, "the new controller", 60)

    cluster.kubectl("delete", "-f", os.path.join(ROOT, "deploy", "controller.yaml"), "--timeout=60s")
    cluster.kubectl("delete", "namespace", "kubeferry-system", "--timeout=60s")
    operator.install()
    assert len(operator.ready_pods()) == 2
