# SPDX-License-Identifier: Apache-2.0
"""Whatever is killed, at whatever step, under load: it recovers by itself, and both ends are equal row by row."""

import os
import signal

import pytest
from holds import HeldSteps
from kube import process_of
from servers import Pgbench, eventually, pgbench_initialize

STEPS = ("preCheck", "initStruct", "initData")

def kill_worker(held, step):
    """As the kernel would, or crictl."""
    os.kill(process_of(held.worker(step)["metadata"]["uid"], "kubeferry-engine"), signal.SIGKILL)


def delete_pod(held, step):
    migration = held.migration
    migration.cluster.request("DELETE", f"/api/v1/namespaces/{migration.namespace}/pods/{held.worker(step)['metadata']['name']}?gracePeriodSeconds=1")


def restart_source(held, step):
    held.migration.source.close()
    held.migration.source.server.restart()


def crash_sink(held, step):
    held.migration.sink.close()
    held.migration.sink.server.crash()
    held.migration.sink.server.start()


def run_through(migration, strike, rate=50):
    """A migration under load with a strike in the middle of every step, the last while it follows."""
    pgbench_initialize(migration.source, 1)
    held = HeldSteps(migration)
    migration.marker_table()
    load = Pgbench(migration.source, rate=rate)
    try:
        for step in STEPS:
            with held.hold(step):
                if step == STEPS[0]:
                    migration.apply()
                eventually(lambda s=step: held.worker(s), 180, f"a worker of {step}; status {migration.status()}", interval=0.2)
                if step == "initData":
                    eventually(migration.leftovers, 120, "a slot", interval=0.2)
                load.stop()
                strike(held, step)
                load = Pgbench(migration.source, rate=rate)
        migration.wait_for_condition("Ready", timeout=180)
        eventually(lambda: held.worker("cdc"), 180, "a worker of cdc", interval=0.2)
        load.stop()
        strike(held, "cdc")
        load = Pgbench(migration.source, rate=rate)
        seen = migration.source.value("SELECT count(*) FROM pgbench_history")
        eventually(lambda: migration.source.value("SELECT count(*) FROM pgbench_history") > seen + 100, 60, "writes", interval=0.2)
    finally:
        load.stop()
    migration.settle(120)
    migration.assert_equal()
    migration.wait_for_condition("Ready")
    migration.delete()  # the node itself may be away for a while
    assert migration.leftovers() == []


@pytest.mark.parametrize("strike", [kill_worker, delete_pod, restart_source, crash_sink], ids=lambda one: one.__name__)
def test_something_is_killed_at_each_step(make_migration, make_server, strike):
    durable = {"fsync": "on", "wal_writer_delay": "500ms"}
    own = {end: make_server(settings=durable) for end in ("source", "sink") if end in strike.__name__}
    run_through(make_migration(**own), strike)


@pytest.mark.alone
@pytest.mark.parametrize("component", ["kubelet", "kube-apiserver", "kube-controller-manager", "containerd"])
def test_a_part_of_kubernetes_is_killed_at_each_step(cluster, migration, component):
    def strike(held, step):
        cluster.run("restart", component)
        eventually(lambda: ready(cluster), 60, "a ready API server", interval=0.3)

    run_through(migration, strike)


def ready(cluster):
    try:
        return cluster.request("GET", "/readyz")[0] == 200
    except OSError:
        return False


def kill_controllers(operator, pods):
    for pod in pods:
        os.kill(operator.process(pod), signal.SIGKILL)


@pytest.mark.alone
@pytest.mark.parametrize("which", ["the leader", "both"])
def test_controllers_are_killed_at_each_step(operator, migration, which):
    def strike(held, step):
        eventually(operator.leader, 60, "a leader", interval=0.2)
        names = [operator.leader()] if which == "the leader" else [pod["metadata"]["name"] for pod in operator.ready_pods()]
        kill_controllers(operator, names)

    operator.renew_pods()
    run_through(migration, strike)
    eventually(lambda: len(operator.ready_pods()) == 2, 120, "both controllers", interval=0.5)
