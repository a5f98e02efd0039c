# SPDX-License-Identifier: Apache-2.0
"""kubeferry-controller as a process in the test cluster's network, for tests and measurements that want it by itself: with
another kubeconfig than its pods have, or without an image."""

import http.client
import itertools
import os
import re
import signal
import sys
import tempfile
import time

from kube import ROOT, connect_inside

sys.path.insert(0, os.path.join(ROOT, "test", "engine"))
from servers import eventually  # noqa: E402

BINARY = os.environ.get("KUBEFERRY_CONTROLLER", os.path.join(ROOT, "build", "bin", "kubeferry-controller"))
with open(os.path.join(ROOT, "Makefile"), encoding="ascii") as makefile:
    VERSION = re.search(r"^VERSION := (\S+)", makefile.read(), re.MULTILINE)[1]
ENGINE_IMAGE = f"docker.io/kubeferry/kubeferry-engine:{VERSION}"


class _Inside(http.client.HTTPConnection):
    def __init__(self, netns, *arguments, **options):
        super().__init__(*arguments, **options)
        self._netns = netns

    def connect(self):
        self.sock = connect_inside(self._netns, (self.host, self.port), self.timeout)


class ControllerProcess:
    """Runs until stop() or the end of the with block. kubeconfig: the admin's when None. Workers have the image of this tree
    once cluster.import_images() brought it; before, their pods wait for it."""

    _ports = itertools.count(18080 + os.getpid() % 1000 * 10)

    def __init__(self, cluster, lease_namespace, kubeconfig=None, image=ENGINE_IMAGE, log_level="info"):
        self.cluster, self.port = cluster, next(self._ports)
        self.arguments = [BINARY, "--kubeconfig", kubeconfig or cluster.kubeconfig, "--engine-image", image, "--engine-pull-policy",
                          "Never", "--listen", f"127.0.0.1:{self.port}", "--lease-namespace", lease_namespace, "--log-level", log_level]
        self.log_file = tempfile.NamedTemporaryFile(prefix="kubeferry-controller-", suffix=".log")
        self.process = None

    def start(self):
        self.started = time.monotonic()
        self.process = self.cluster.start(*self.arguments, stderr=self.log_file)
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.kill()

    def get(self, page):
        """(HTTP status, text); (0, "") while nobody listens."""
        connection = _Inside(self.cluster.netns, "127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", page)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def wait_until_ready(self, timeout=60):
        """Seconds from the start until the caches are in sync."""
        def ready():
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log()}"
            return self.get("/readyz")[0] == 200
        eventually(ready, timeout, "/readyz", interval=0.02)
        return time.monotonic() - self.started

    def wait_until_leading(self, timeout=30):
        self.wait_until_ready(timeout)
        eventually(lambda: self.metric("leader_election_master_status") == 1, timeout, "leadership", interval=0.1)

    def metrics(self):
        """Sums over the labels, by name."""
        status, text = self.get("/metrics")
        assert status == 200, f"/metrics: {status}"
        sums = {}
        for name, value in re.findall(r"^([a-z_]+)(?:\{.*\})? ([0-9.e+-]+)$", text, re.MULTILINE):
            sums[name] = sums.get(name, 0.0) + float(value)
        return sums

    def metric(self, name):
        return self.metrics()[name]

    def log(self):
        with open(self.log_file.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout=10):
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)
