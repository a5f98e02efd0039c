# SPDX-License-Identifier: Apache-2.0
"""controller/lease against a real API server: who leads, how soon another follows, and never two at once."""

import json
import os
import signal
import subprocess
import threading
import time

import fault_proxy as faults
import pytest
from conftest import ROOT
from test_watch import eventually

TOOL = os.environ.get("KUBEFERRY_LEASE_TOOL", os.path.join(ROOT, "build", "test", "e2e", "lease_tool"))


class Candidate:
    """The tool, when it worked as the leader, and what it was told."""

    def __init__(self, cluster, kubeconfig, namespace, identity):
        self.identity = identity
        self.process = cluster.start(TOOL, kubeconfig, namespace, identity, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.work, self.told, self.log = [], [], ""
        self.threads = [threading.Thread(target=self._read, daemon=True), threading.Thread(target=self._read_log, daemon=True)]
        for thread in self.threads:
            thread.start()

    def _read(self):
        for line in self.process.stdout:
            word, at = line.split()
            (self.work if word == "work" else self.told).append(float(at) if word == "work" else (word, float(at)))

    def _read_log(self):
        for line in self.process.stderr:
            self.log += line

    def works_after(self, moment):
        return bool(self.work) and self.work[-1] > moment

    def send(self, number):
        self.process.send_signal(number)
        return time.monotonic()

    def end(self):
        """Exit code."""
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
        code = self.process.wait(20)
        for thread in self.threads:
            thread.join(5)
        return code


@pytest.fixture
def candidates(cluster, namespace):
    """start(identity) starts one. At the end no two of them may have led at one time."""
    started = []

    def start(identity, kubeconfig=None):
        started.append(Candidate(cluster, kubeconfig or cluster.kubeconfig, namespace, identity))
        return started[-1]

    yield start
    codes = [one.end() for one in started]
    turns = sorted((at, one.identity) for one in started for at in one.work)
    changes = [turns[0]] + [turns[i] for i in range(1, len(turns)) if turns[i][1] != turns[i - 1][1]]
    assert len(changes) <= sum(word == "leading" for one in started for word, _ in one.told), f"two led at once: {changes}"
    assert all(code in (0, -signal.SIGKILL) for code in codes), [one.log for one in started]


def lead(one, timeout=5):
    begun = time.monotonic()
    eventually(lambda: one.works_after(begun), timeout=timeout, what=f"{one.identity} to lead", interval=0.02)


def lease(cluster, namespace):
    return json.loads(cluster.kubectl("get", "lease", "contested", "-n", namespace, "-o", "json"))


def followed_within(one, moment, seconds):
    eventually(lambda: one.works_after(moment), timeout=seconds + 5, what=f"{one.identity} to follow", interval=0.02)
    assert one.work[0] - moment < seconds


def test_one_leads_and_renews(cluster, namespace, candidates):
    a = candidates("a")
    lead(a)
    b = candidates("b")
    first = lease(cluster, namespace)["spec"]
    assert first["holderIdentity"] == "a" and first["leaseDurationSeconds"] == 15 and first["leaseTransitions"] == 0
    time.sleep(5)
    later = lease(cluster, namespace)["spec"]
    assert later["renewTime"] > first["renewTime"] and later["acquireTime"] == first["acquireTime"]
    assert not b.work
    assert max(y - x for x, y in zip(a.work, a.work[1:])) < 1  # without a pause


def test_what_others_keep_in_the_object_stays(cluster, namespace, candidates):
    a = candidates("a")
    lead(a)
    cluster.kubectl("label", "lease", "contested", "-n", namespace, "team=ours")
    time.sleep(5)  # two renewals
    assert lease(cluster, namespace)["metadata"]["labels"] == {"team": "ours"}
    assert [word for word, _ in a.told] == ["leading"]


@pytest.mark.alone  # seconds are counted
def test_sigterm_hands_over_within_3_seconds(cluster, namespace, candidates):
    a = candidates("a")
    lead(a)
    b = candidates("b")
    time.sleep(3)
    moment = a.send(signal.SIGTERM)
    followed_within(b, moment, 3)
    assert a.process.wait(5) == 0
    spec = lease(cluster, namespace)["spec"]
    assert spec["holderIdentity"] == "b" and spec["leaseTransitions"] >= 1


@pytest.mark.alone
def test_sigstop_is_followed_within_17_seconds(cluster, namespace, candidates):
    """Stopped just after a renewal; and when it wakes up it does nothing more."""
    a = candidates("a")
    lead(a)
    b = candidates("b")
    time.sleep(3)
    renewed = lease(cluster, namespace)["spec"]["renewTime"]
    eventually(lambda: lease(cluster, namespace)["spec"]["renewTime"] != renewed, what="a renewal", interval=0.02)
    moment = a.send(signal.SIGSTOP)
    followed_within(b, moment, 17)
    woken = a.send(signal.SIGCONT)
    time.sleep(3)
    assert not a.works_after(woken)
    assert [word for word, _ in a.told] == ["leading", "lost"]
    assert b.works_after(time.monotonic() - 1)


def test_sigkill_is_followed(cluster, candidates):
    a = candidates("a")
    lead(a)
    b = candidates("b")
    time.sleep(3)
    moment = a.send(signal.SIGKILL)
    followed_within(b, moment, 17)


def test_a_deleted_lease(cluster, namespace, candidates):
    a = candidates("a")
    lead(a)
    b = candidates("b")
    time.sleep(3)
    cluster.kubectl("delete", "lease", "contested", "-n", namespace)
    time.sleep(5)
    assert lease(cluster, namespace)["spec"]["holderIdentity"] == "a"
    assert not b.work and a.works_after(time.monotonic() - 1)


@pytest.mark.alone
def test_the_api_server_is_killed(cluster, candidates):
    """Whoever leads then: never two, and one does afterwards."""
    a = candidates("a")
    lead(a)
    b = candidates("b")
    time.sleep(2)
    cluster.run("restart", "kube-apiserver")
    back = time.monotonic()
    eventually(lambda: a.works_after(back + 15) or b.works_after(back + 15), timeout=60, what="a leader")


def test_dead_connections_cost_no_leadership(proxy, candidates):
    a = candidates("a", proxy.kubeconfig)
    lead(a)
    assert proxy.freeze() > 0
    begun = time.monotonic()
    eventually(lambda: a.works_after(begun + 20), timeout=30, what="20 s of leadership")
    assert [word for word, _ in a.told] == ["leading"]


FAULTS = {
    "refused-429": faults.status(429, retry_after=30),
    "error-500": faults.status(500),
    "conflict-409": faults.status(409),
    "answer-lost": faults.lost_reply(),
    "connection-lost": faults.lost_request(),
    "garbage": faults.status(200, message="this is no lease"),
    "byte-by-byte": faults.slow(0),
}


@pytest.mark.parametrize("name", FAULTS)
def test_renewals_that_fail_twice(proxy, candidates, name):
    a = candidates("a", proxy.kubeconfig)
    lead(a)
    proxy.inject(FAULTS[name], "/leases/", method="PATCH", times=2).wait(2)
    begun = time.monotonic()
    eventually(lambda: a.works_after(begun + 4), timeout=15, what="4 s of leadership")
    assert [word for word, _ in a.told] == ["leading"]


def test_no_renewal_gets_through(proxy, candidates):
    """The holder gives up after 10 s, before the other may follow; the one that is reachable leads then."""
    a = candidates("a", proxy.kubeconfig)
    lead(a)
    b = candidates("b")
    time.sleep(2)
    injection = proxy.inject(faults.silence(), "/leases", times=None)
    moment = time.monotonic()
    followed_within(b, moment, 18)
    assert 7 < a.told[1][1] - moment < 10.5 and a.told[1][0] == "lost"
    injection.remove()
    time.sleep(2)
    assert not a.works_after(b.work[0])
