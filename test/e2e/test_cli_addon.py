# SPDX-License-Identifier: Apache-2.0
"""kubeferry addon, installed as `make install` does: by way of KubeBlocks' Addon object, and with the real helm."""

import json
import os
import subprocess

import pytest
from cli_command import BINARY, Command, rows
from conftest import ROOT, SCRIPT
from kube import TASKS, helm
from servers import eventually

pytestmark = pytest.mark.alone  # it installs and uninstalls what the others work with

# As much of KubeBlocks as the command looks at.
KUBEBLOCKS = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "addons.extensions.kubeblocks.io"}, "spec": {
    "group": "extensions.kubeblocks.io", "scope": "Cluster", "names": {"kind": "Addon", "listKind": "AddonList", "plural": "addons", "singular": "addon"},
    "versions": [{"name": "v1alpha1", "served": True, "storage": True, "subresources": {"status": {}},
                  "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}
CRDS = "kubectl delete crd migrationtasks.datamigration.apecloud.io migrationtemplates.datamigration.apecloud.io serialjobs.common.apecloud.io"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """DESTDIR/usr/bin"""
    folder = tmp_path_factory.mktemp("install")
    subprocess.run(["make", "-s", "install", f"DESTDIR={folder}", "PREFIX=/usr"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return os.path.join(folder, "usr", "bin")


@pytest.fixture
def kf(cluster, namespace, installed, tmp_path):
    # The namespaces of tests before may be on their way out still, and tasks with them.
    eventually(lambda: not cluster.items(f"{TASKS}/migrationtasks?limit=1"), 300, "the end of other tests' tasks", interval=0.5)
    os.symlink(helm(), tmp_path / "helm")
    command = Command(cluster, namespace)

    def call(*words, path=f"{tmp_path}:{os.environ['PATH']}", **options):
        return command(*words, program=os.path.join(installed, "kubeferry"), env={"PATH": path}, **options)

    call.command = command
    return call


@pytest.fixture
def kubeblocks(cluster):
    cluster.kubectl("apply", "-f", "-", input=json.dumps(KUBEBLOCKS))
    cluster.kubectl("wait", "--for=condition=Established", "crd/addons.extensions.kubeblocks.io", "--timeout=30s")
    yield
    cluster.kubectl("delete", "crd", "addons.extensions.kubeblocks.io", "--wait=true")


@pytest.fixture
def no_release(cluster):
    yield
    cluster.helm("uninstall", "kb-addon-migration", "--namespace", "kubeferry-system", "--wait", check=False)


def good(found):
    code, out, err = found
    assert code == 0, (code, out, err)
    return out


def addon(cluster):
    return json.loads(cluster.kubectl("get", "addons.extensions.kubeblocks.io", "migration", "-o", "json"))


def test_through_kubeblocks(kf, cluster, kubeblocks):
    assert rows(good(kf("addon", "list"))) == [["NAME", "VERSION", "PROVIDER", "STATUS", "AUTO-INSTALL"], ["migration", "-", "-", "Disabled", "false"]]
    assert good(kf("addon", "enable", "migration", "--set", "replicaCount=1", "--set", "log.level=debug")) == "addon.extensions.kubeblocks.io/migration enabled\n"
    found = addon(cluster)
    assert found["spec"]["install"] == {"enabled": True} and found["spec"]["type"] == "Helm" and found["spec"]["installable"] == {"autoInstall": False}
    assert found["spec"]["helm"]["installValues"] == {"setValues": ["replicaCount=1", "log.level=debug"]}
    assert found["spec"]["helm"]["chartLocationURL"].startswith("oci://")
    cluster.kubectl("patch", "addons.extensions.kubeblocks.io", "migration", "--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Enabled"}}')
    assert rows(good(kf("addon", "list", "--no-headers"))) == [["migration", "0.1.0", "community", "Enabled", "false"]]
    shown = good(kf("addon", "describe", "migration"))
    assert "Installed by: KubeBlocks\n" in shown and "Status: Enabled\n" in shown and "Tasks: 0\n" in shown
    assert good(kf("addon", "upgrade", "migration", "--chart", "oci://registry.example.com/migration")) == "addon.extensions.kubeblocks.io/migration upgraded\n"
    assert addon(cluster)["spec"]["helm"]["chartLocationURL"] == "oci://registry.example.com/migration"
    assert addon(cluster)["spec"]["helm"]["installOptions"] == {"version": "0.1.0"}
    assert good(kf("addon", "disable", "migration")) == ("addon.extensions.kubeblocks.io/migration disabled\n"
                                                         "The kinds of objects stay, and every object of them. To delete both by hand:\n  " + CRDS + "\n")
    assert addon(cluster)["spec"]["install"] == {"enabled": False}


def test_with_helm(kf, cluster, no_release):
    cluster.import_images()
    assert rows(good(kf("addon", "list")))[1] == ["migration", "0.1.0", "community", "Disabled", "false"]
    code, out, err = kf("addon", "upgrade", "migration")
    assert (code, out) == (1, "") and "migration is not enabled" in err
    # --take-ownership is not ours to give: the kinds that other tests applied by hand go first.
    cluster.kubectl("delete", "-f", os.path.join(ROOT, "crds"), "--ignore-not-found", "--wait=true")
    assert good(kf("addon", "enable", "migration", "--set", "replicaCount=1")) == "addon.extensions.kubeblocks.io/migration enabled\n"
    assert rows(good(kf("addon", "list")))[1] == ["migration", "0.1.0", "community", "Enabled", "false"]
    assert "Installed by: helm release kb-addon-migration in kubeferry-system\n" in good(kf("addon", "describe"))
    table = rows(good(kf("migration", "templates", namespace=False)))
    assert table[1][0] == "apecloud-pg2pg"
    assert good(kf("addon", "upgrade", "migration", "--set", "log.level=debug")) == "addon.extensions.kubeblocks.io/migration upgraded\n"
    values = json.loads(cluster.helm("get", "values", "kb-addon-migration", "--namespace", "kubeferry-system", "-o", "json"))
    assert values["replicaCount"] == 1 and values["log"] == {"level": "debug"}
    # A task stands in the way of disabling.
    kf.command.create("mytask", "--steps", "cdc=false")
    code, out, err = kf("addon", "disable", "migration")
    assert (code, out) == (1, "") and f"there is still a task: {kf.command.namespace}/mytask" in err and "--force" in err
    good(kf("migration", "terminate", "mytask", "--auto-approve", "--force", "--wait", "--timeout", "60"))
    assert CRDS in good(kf("addon", "disable", "migration"))
    assert rows(good(kf("addon", "list")))[1][3] == "Disabled"
    assert cluster.kubectl("get", "crd", "migrationtasks.datamigration.apecloud.io")


def test_a_chart_that_helm_refuses(kf, cluster, no_release):
    code, out, err = kf("addon", "enable", "migration", "--chart", "/nowhere/chart")
    assert (code, out) == (1, "") and err.startswith("kubeferry: helm upgrade ended with 1: ") and "/nowhere/chart" in err and err.count("\n") == 1


def test_without_helm(kf):
    code, out, err = kf.command("PATH=/nowhere", BINARY, "addon", "list", program="env")
    assert (code, out) == (1, "") and "this cluster has no KubeBlocks, and helm is not in PATH; install helm" in err


def test_another_addon(kf):
    code, out, err = kf("addon", "enable", "mysql")
    assert (code, out) == (64, "") and "there is no add-on 'mysql' here; for example: kubeferry addon enable migration" in err


# ---- what else `make install` puts there ------------------------------------------------------------------------------

def test_installed_files_work(installed, cluster):
    prefix = os.path.dirname(installed)
    env = {**os.environ, "PATH": f"{installed}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    inside = [SCRIPT, "exec", cluster.directory]
    listed = subprocess.run([*inside, "kubectl", "plugin", "list"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env).stdout
    assert os.path.join(installed, "kubectl-migration") in listed
    for page, text in {"kubeferry": "completion bash|zsh|fish", "kubeferry-migration": "migration terminate NAME...", "kubectl-migration": "--migration-object LIST",
                       "kubeferry-addon": "addon enable", "kubeferry-engine": "--migration-object LIST"}.items():
        shown = subprocess.run(["man", "-P", "cat", "-M", f"{prefix}/share/man", page], text=True, stdout=subprocess.PIPE, check=True, env=env).stdout
        assert text in shown and "0.1.0" in shown, page
    completed = subprocess.run([*inside, "kubectl", "__complete", "migration", "logs", "--step", "init-s"], text=True, stdout=subprocess.PIPE, env=env).stdout
    assert completed.splitlines()[:2] == ["init-struct", "init-struct-later"], completed
    fish = f"{prefix}/share/fish/vendor_completions.d/kubeferry.fish"
    found = subprocess.run(["fish", "--no-config", "-c", f"source {fish}; complete -C 'kubeferry migration des'; complete -C 'kubeferry migration create --so'"],
                           text=True, stdout=subprocess.PIPE, check=True, env=env).stdout
    assert [line.split("\t")[0] for line in found.splitlines()] == ["describe", "--source", "--source-secret"]
    subprocess.run(["zsh", "-n", f"{prefix}/share/zsh/site-functions/_kubeferry"], check=True)
    run = subprocess.run([os.path.join(installed, "kubeferry"), "run", "--version"], text=True, stdout=subprocess.PIPE, env=env)
    assert run.returncode == 0 and run.stdout.startswith("kubeferry-engine"), run.stdout
    run = subprocess.run([os.path.join(installed, "kubeferry"), "run", "--source", "nonsense:"], text=True, stderr=subprocess.PIPE, env=env)
    assert run.returncode == 64
