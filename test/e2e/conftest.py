# SPDX-License-Identifier: Apache-2.0
"""A real cluster for the whole run, the operator in it, servers that its pods reach, and a migration a test.

KUBEFERRY_E2E_CLUSTER=DIR uses a cluster that runs already (make cluster-up), and leaves it and what is in it running.
"""

import itertools
import os
import re
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from fault_proxy import FaultProxy  # noqa: E402
from kube import ROOT, SCRIPT, Cluster, Operator  # noqa: E402
from migration import ClusterServer, Migration  # noqa: E402

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
NUMBERS = itertools.count(1)  # no two namespaces of a run have one name


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: hits what all tests share (controller, kubelet, API server); nothing runs beside it")
    config.addinivalue_line("markers", "operator: set by itself on what uses the fixture; such tests come last")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """First what wants a cluster without the operator: the kinds and the client by themselves."""
    items.sort(key=lambda item: "operator" in item.fixturenames)
    for item in items:
        if "operator" in item.fixturenames:
            item.add_marker("operator")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """To a failure it adds what a person would look at next."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and call.when == "call" and "operator" in item.fixturenames and "operator" in item.funcargs:
        operator = item.funcargs["operator"]
        try:
            if "namespace" in item.funcargs:
                report.sections.append(("the namespace", operator.cluster.describe(item.funcargs["namespace"])))
            report.sections.append(("the controllers", operator.logs()))
        except (OSError, AssertionError) as error:  # the test may have ended with an API server that is away
            report.sections.append(("the cluster", f"cannot be asked: {error}"))


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


@pytest.fixture(scope="session")
def operator(cluster):
    """The chart of this tree with images of this tree, installed and ready."""
    return Operator(cluster).install()


@pytest.fixture(scope="session")
def source_server(cluster):
    with ClusterServer(cluster) as server:
        yield server


@pytest.fixture(scope="session")
def sink_server(cluster):
    with ClusterServer(cluster) as server:
        yield server


@pytest.fixture
def make_server(cluster):
    """Servers of one test, which may restart, reconfigure or break them: make_server(bin_directory, settings=…)."""
    servers = []

    def make(bin_directory=None, **options):
        servers.append(ClusterServer(cluster, bin_directory, **options))
        return servers[-1].start()

    yield make
    for server in servers:
        server.remove()


@pytest.fixture
def make_migration(cluster, operator, namespace, request, source_server, sink_server):
    """A function that makes migrations: make_migration(name=…, namespace=…, source=Server, sink=Server)."""
    made = []

    def make(name=None, namespace=namespace, source=None, sink=None):
        number = f"{WORKER}_{next(NUMBERS)}"
        one = Migration(cluster, namespace, (source or source_server).database(f"source_{number}"),
                        (sink or sink_server).database(f"sink_{number}"), name)
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


@pytest.fixture
def migration(make_migration):
    return make_migration()


def admin(cluster):
    with open(cluster.kubeconfig, encoding="ascii") as f:
        text = f.read()
    return re.search(r'server: "([^"]+)"', text)[1], re.search(r"token: (\w+)", text)[1]


@pytest.fixture
def proxy(cluster):
    """In front of the API server; it passes everything on until a fault is injected."""
    server, token = admin(cluster)
    with FaultProxy(server, f"{cluster.directory}/pki/ca.crt", token, netns=cluster.netns) as one:
        yield one


__all__ = ["ROOT", "SCRIPT"]
