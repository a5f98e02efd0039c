# SPDX-License-Identifier: Apache-2.0
"""A real cluster for the whole run. KUBEFERRY_E2E_CLUSTER=DIR uses one that runs already (make cluster-up)."""

import itertools
import os
import re
import subprocess
import tempfile

import pytest

NUMBERS = itertools.count(1)  # no two namespaces of a run have one name
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(ROOT, "test", "cluster", "cluster.sh")


class Cluster:
    def __init__(self, directory):
        self.directory = directory
        self.kubeconfig = os.path.join(directory, "kubeconfig")

    def run(self, verb, *arguments, **options):
        return subprocess.run([SCRIPT, verb, self.directory, *arguments], check=True, text=True, **options)

    def kubectl(self, *arguments, **options):
        """What kubectl prints; raises when it fails."""
        return self.run("exec", "kubectl", *arguments, stdout=subprocess.PIPE, **options).stdout

    def start(self, *command, **options):
        """A process inside the cluster's network namespace."""
        return subprocess.Popen([SCRIPT, "exec", self.directory, *command], text=True, **options)


@pytest.fixture(scope="session")
def cluster():
    running = os.environ.get("KUBEFERRY_E2E_CLUSTER")
    if running:
        yield Cluster(os.path.abspath(running))
        return
    with tempfile.TemporaryDirectory(prefix="kubeferry-cluster-") as parent:
        one = Cluster(os.path.join(parent, "cluster"))
        try:
            one.run("up")
            yield one
        finally:
            one.run("down")


@pytest.fixture
def namespace(cluster, request):
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:50].strip("-") + f"-{os.getpid() % 10000}-{next(NUMBERS)}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
