# SPDX-License-Identifier: Apache-2.0
"""kubeferry as a person runs it, and what the controller would have written."""

import contextlib
import fcntl
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
import tempfile
import time

from conftest import ROOT, SCRIPT
from servers import eventually

BINARY = os.path.join(ROOT, os.environ.get("BUILD", "build"), "bin", "kubeferry")
TALKER = "kubeferry.test/talker:1"
TEMPLATE = {
    "apiVersion": "datamigration.apecloud.io/v1alpha1", "kind": "MigrationTemplate", "metadata": {"name": "apecloud-pg2pg"},
    "spec": {"description": "PostgreSQL10.* to PostgreSQL18.*", "taskType": ["initialization", "cdc", "initialization-and-cdc"],
             "source": {"dbType": "PostgreSQL", "dbVersion": "10.*"}, "target": {"dbType": "PostgreSQL", "dbVersion": "18.*"},
             "initialization": {"steps": [{"step": "preCheck"}, {"step": "initStruct"}, {"step": "initData"}]}, "cdc": {}}}


@contextlib.contextmanager
def locked(path):
    with open(path, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Command:
    """The command in the network of the cluster, in one namespace."""

    def __init__(self, cluster, namespace):
        self.cluster = cluster
        self.namespace = namespace

    def __call__(self, *words, input="", env=None, program=BINARY, namespace=True):
        """(exit code, standard output, standard error). Standard input is no terminal."""
        words = [*words, *(["-n", self.namespace] if namespace and words[0] == "migration" else [])]
        run = subprocess.run([SCRIPT, "exec", self.cluster.directory, program, *words], input=input, text=True, timeout=120,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8", **(env or {})})
        return run.returncode, run.stdout, run.stderr

    def good(self, *words, **options):
        code, out, err = self(*words, **options)
        assert code == 0, (code, out, err)
        return out

    def refused(self, *words, code=64, **options):
        """What it says: one line."""
        found, out, err = self(*words, **options)
        assert (found, out) == (code, ""), (found, out, err)
        assert err.startswith("kubeferry: ") and err.count("\n") == 1, err
        return err

    def start(self, *words, **options):
        return self.cluster.start(BINARY, *words, "-n", self.namespace, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def create(self, name="mytask", *more, source="app:pw-one@10.0.0.1:5432/shop", sink="app:pw-two@10.0.0.2:5432/shop"):
        return self.good("migration", "create", name, "--source", source, "--sink", sink, *more)

    def kubectl(self, *words, **options):
        return self.cluster.kubectl("-n", self.namespace, *words, **options)

    def get(self, kind, *name):
        return json.loads(self.kubectl("get", kind, *name, "-o", "json"))

    def apply(self, document):
        self.kubectl("apply", "-f", "-", input=json.dumps(document))

    def set_status(self, status, name="mytask", kind="mt"):
        self.kubectl("patch", kind, name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))

    def wait_for(self, question, seconds=30):
        end = time.monotonic() + seconds
        while not question():
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.2)


def condition(kind, status, reason="AsExpected", message="fine"):
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-01-02T03:04:05Z"}


def ready(reason="Streaming", message="changes are followed"):
    return [condition("Ready", "True", reason, message), condition("Stalled", "False"), condition("Reconciling", "False")]


def stalled(reason, message):
    return [condition("Ready", "False", reason, message), condition("Stalled", "True", reason, message), condition("Reconciling", "False")]


def install(cluster):
    """The kinds and the template, as the add-on brings them."""
    with locked(os.path.join(cluster.directory, "kinds.lock")):  # several test processes begin at once
        cluster.kubectl("apply", "-f", os.path.join(ROOT, "crds"))
    cluster.kubectl("wait", "--for=condition=Established", "-f", os.path.join(ROOT, "crds"), "--timeout=30s")
    # The kind is known a moment after it is established; and another process may make the template at the same time.
    eventually(lambda: cluster.call("kubectl", "apply", "-f", "-", input=json.dumps(TEMPLATE))[0] == 0, 30, "the template")
    cluster.kubectl("patch", "mtp", "apecloud-pg2pg", "--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Available"}}')


def import_talker(cluster):
    """An image with one static program, which is also the pods' pause."""
    with tempfile.TemporaryDirectory() as folder:
        program, archive = os.path.join(folder, "talker"), os.path.join(folder, "image.tar")
        subprocess.run(["cc", "-O2", "-static", "-o", program, os.path.join(ROOT, "test", "e2e", "talker.c")], check=True)
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            tar.add(program, "talker")
        layer = layer.getvalue()
        config = {"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/talker"]},
                  "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}
        files = {"config.json": json.dumps(config).encode(), "layer.tar": layer,
                 "manifest.json": json.dumps([{"Config": "config.json", "RepoTags": [TALKER, "kubeferry.test/pause:1"], "Layers": ["layer.tar"]}]).encode()}
        with tarfile.open(archive, "w") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        cluster.run("import", archive, stdout=subprocess.PIPE)


def rows(text):
    """A table: a list of lists, split where two or more spaces stand."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
