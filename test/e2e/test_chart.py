# SPDX-License-Identifier: Apache-2.0
"""The chart and the plain manifests as texts: made from one source, strict about values, with nothing dangerous in them."""

import filecmp
import os
import re
import shutil
import subprocess

import pytest
import yaml
from kube import CHART, ROOT, helm

GENERATED = ["deploy/crds.yaml", "deploy/controller.yaml", "deploy/template.yaml", "deploy/monitoring.yaml", "deploy/addon.yaml",
             "docs/migration-task.md", "helm/migration/README.md", "helm/migration/Chart.yaml"]


def template(*options, release="kubeferry", namespace="somewhere"):
    """(exit code, the objects or, when it was refused, what helm said)"""
    run = subprocess.run([helm(), "template", release, CHART, "-n", namespace, *options], text=True, capture_output=True)
    if run.returncode:
        return run.returncode, run.stderr
    return 0, [one for one in yaml.safe_load_all(run.stdout) if one]


def objects(*options, **more):
    code, found = template(*options, **more)
    assert code == 0, found
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def the(kind, found):
    return next(one for (k, _), one in found.items() if k == kind)


def test_what_is_made_is_up_to_date(tmp_path):
    """helm/sync.sh was run after the last change of its sources."""
    for folder in ("helm", "deploy", "docs"):
        shutil.copytree(os.path.join(ROOT, folder), tmp_path / folder)
    subprocess.run([os.path.join(ROOT, "helm", "sync.sh"), str(tmp_path)], check=True)
    stale = [path for path in GENERATED if not filecmp.cmp(os.path.join(ROOT, path), tmp_path / path, shallow=False)]
    copies = [name for name in os.listdir(os.path.join(ROOT, "crds")) if name.endswith(".yaml")]
    for name in copies:
        if not filecmp.cmp(os.path.join(ROOT, "crds", name), os.path.join(CHART, "files", "crds", name), shallow=False):
            stale.append(name)
    assert len(copies) == 3 and not stale, f"run helm/sync.sh: {stale}"


def test_the_crds_can_be_kept_or_left_out():
    found = objects()
    kept = [one for (kind, _), one in found.items() if kind == "CustomResourceDefinition"]
    assert len(kept) == 3
    assert all(one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep" for one in kept)
    for name in os.listdir(os.path.join(ROOT, "crds")):
        if name.endswith(".yaml"):
            with open(os.path.join(ROOT, "crds", name), encoding="utf-8") as file:
                source = yaml.safe_load(file)
            assert found["CustomResourceDefinition", source["metadata"]["name"]]["spec"] == source["spec"]
    found = objects("--set", "crds.keep=false")
    assert not any("annotations" in one["metadata"] for (kind, _), one in found.items() if kind == "CustomResourceDefinition")
    assert not any(kind == "CustomResourceDefinition" for kind, _ in objects("--set", "crds.enabled=false"))


@pytest.mark.parametrize("options, words", [
    (["--set", "replicacount=1"], "additional properties 'replicacount' not allowed"),
    (["--set", "image.pullPolicy=Sometimes"], "'Always', 'IfNotPresent', 'Never'"),
    (["--set", "image.registry=https://a.example.com"], "/image/registry"),
    (["--set", "image.repository=a/b:1.0"], "/image/repository"),
    (["--set", "log.level=loud"], "'debug', 'info', 'warn'"),
    (["--set", "replicaCount=two"], "want integer"),
    (["--set", "metrics.port=0"], "/metrics/port"),
    (["--set", "tolerations[0].effect=Never"], "/tolerations/0/effect"),
    (["--set", "metrics.serviceMonitor.interval=often"], "/metrics/serviceMonitor/interval"),
    (["--kube-version", "1.28.0"], "requires kubeVersion: >=1.29.0-0"),
])
def test_what_the_chart_refuses_and_how(options, words):
    code, said = template(*options)
    assert code != 0 and words in said, said


def test_the_images_come_from_where_values_say():
    found = objects("--set", "image.registry=mirror.example.com:5000/a", "--set", "image.tag=9.9", "--set", "image.pullPolicy=Always",
                    "--set", "image.pullSecrets={one,two}", "--set", "engine.image.tag=8.8", "--set", "engine.image.pullSecrets={three,four}")
    pod = the("Deployment", found)["spec"]["template"]["spec"]
    controller = pod["containers"][0]
    assert controller["image"] == "mirror.example.com:5000/a/kubeferry/kubeferry-controller:9.9"
    assert controller["imagePullPolicy"] == "Always"
    assert pod["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
    engine = "mirror.example.com:5000/a/kubeferry/kubeferry-engine:8.8"
    assert {f"--engine-image={engine}", "--engine-pull-policy=Always", "--engine-pull-secrets=three,four"} <= set(controller["args"])
    assert the("Pod", found)["spec"]["containers"][0]["image"] == engine


def test_values_reach_the_pods():
    """Those that the KubeBlocks add-on maps, and the others that place and size pods."""
    found = objects("--set", "replicaCount=3", "--set", "resources.limits.cpu=1", "--set", "resources.requests.memory=64Mi",
                    "--set-json", 'tolerations=[{"key":"kb-controller","operator":"Equal","value":"true","effect":"NoSchedule"}]',
                    "--set", "nodeSelector.disk=ssd", "--set", "priorityClassName=high", "--set", "podLabels.team=db",
                    "--set-json", 'affinity={"nodeAffinity":{}}', release="kb-addon-migration")
    deployment = found["Deployment", "kb-addon-migration"]["spec"]
    pod = deployment["template"]["spec"]
    assert deployment["replicas"] == 3
    assert pod["containers"][0]["resources"] == {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"cpu": 1, "memory": "256Mi"}}
    assert pod["tolerations"][0]["key"] == "kb-controller" and pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["priorityClassName"] == "high" and pod["affinity"] == {"nodeAffinity": {}}
    assert deployment["template"]["metadata"]["labels"]["team"] == "db" and "team" not in deployment["selector"]["matchLabels"]
    assert pod["topologySpreadConstraints"][0]["topologyKey"] == "kubernetes.io/hostname"


def test_one_replica_has_no_disruption_budget():
    assert not any(kind == "PodDisruptionBudget" for kind, _ in objects("--set", "replicaCount=1"))
    assert the("PodDisruptionBudget", objects())["spec"]["minAvailable"] == 1


def test_the_controller_can_read_no_secret():
    found = objects()
    rules = [rule for (kind, _), one in found.items() if kind in ("ClusterRole", "Role") for rule in one["rules"]]
    secrets = [rule for rule in rules if "secrets" in rule["resources"]]
    assert secrets == [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}]
    assert not any("*" in rule[part] for rule in rules for part in ("apiGroups", "resources", "verbs"))


def test_monitoring_is_there_when_asked_for():
    assert not any("Monitor" in kind or kind == "PrometheusRule" for kind, _ in objects())
    found = objects("--set", "metrics.serviceMonitor.enabled=true", "--set", "metrics.podMonitor.enabled=true",
                    "--set", "metrics.prometheusRule.enabled=true", "--set", "metrics.prometheusRule.labels.release=prometheus")
    rule = the("PrometheusRule", found)
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    assert the("ServiceMonitor", found)["spec"]["selector"]["matchLabels"].items() <= the("Service", found)["metadata"]["labels"].items()
    assert the("PodMonitor", found)["spec"]["namespaceSelector"] == {"any": True}
    alerts = [one["alert"] for group in rule["spec"]["groups"] for one in group["rules"]]
    assert alerts == ["KubeferryLag", "KubeferrySlotRetained", "KubeferryTaskStalled", "KubeferryNoLeader"]


def test_alerts_ask_for_metrics_that_exist():
    """Each name in an expression stands in a source of one of the programs."""
    with open(os.path.join(ROOT, "deploy", "monitoring.yaml"), encoding="utf-8") as file:
        rule = next(one for one in yaml.safe_load_all(file) if one["kind"] == "PrometheusRule")
    expressions = " ".join(one["expr"] for group in rule["spec"]["groups"] for one in group["rules"])
    names = set(re.findall(r"\b(?:kubeferry|leader_election)_[a-z_]+", expressions))
    assert len(names) == 4
    text = ""
    for folder in ("common/contract", "controller"):
        for name in os.listdir(os.path.join(ROOT, folder)):
            if name.endswith(".c"):
                with open(os.path.join(ROOT, folder, name), encoding="utf-8") as file:
                    text += file.read()
    for name in names:
        # The engine's metrics get the beginning of their names in one place.
        assert name in text or f'"{name.removeprefix("kubeferry_")}"' in text, name


def test_the_addon_maps_values_that_exist():
    with open(os.path.join(ROOT, "deploy", "addon.yaml"), encoding="utf-8") as file:
        mapping = yaml.safe_load(file)["spec"]["helm"]["valuesMapping"]
    with open(os.path.join(CHART, "values.yaml"), encoding="utf-8") as file:
        values = yaml.safe_load(file)
    assert mapping["valueMap"]["replicaCount"] in values and mapping["jsonMap"]["tolerations"] in values
    for kind in ("cpu", "memory"):
        for what, path in mapping["resources"][kind].items():
            assert path == f"resources.{what}.{kind}" and what in values["resources"]
