# SPDX-License-Identifier: Apache-2.0
"""Several switches at once, and the Services that lead to the sink from then on, or back."""

import os

import pytest
from cli_command import Command
from holds import SwitchGate
from kube import ROOT
from test_switch import followed, numbers
from test_switch_failures import wait_at_gate

ENGINE = os.path.join(ROOT, os.environ.get("BUILD", "build"), "bin", "kubeferry-engine")


def service(name, namespace):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": {"app": "source", "tier": "old"}, "ports": [{"port": 5432}]}}


def service_spec(cluster, namespace, name):
    return cluster.get(f"/api/v1/namespaces/{namespace}/services/{name}")["spec"]


def test_two_switches_at_once_each_with_its_service(cluster, operator, make_migration, namespace):
    """And of one task one at a time. Without the right to patch Services the task says so, and goes on once there is it. A
    switch back leads its Service back."""
    wishes = [{"name": "one", "selector": {"app": "sink"}}, {"name": "two", "externalName": "sink.example.com"}]
    command, migrations = Command(cluster, namespace), [make_migration(), make_migration()]
    cluster.apply([service(wish["name"], namespace) for wish in wishes])
    gates = [SwitchGate(migration.sink) for migration in migrations]
    for migration, gate, kind in zip(migrations, gates, ("initialization-and-cdc", "initialization-and-twoway-cdc")):
        followed(migration, taskType=kind)
        migration.source.execute("INSERT INTO public.numbered SELECT generate_series(1, 100)")
        gate.close("draining")
    # The one with a way back first: the slot for it waits for transactions of the sink's server, such as the other's at its gate.
    for migration, wish, gate in reversed(list(zip(migrations, wishes, gates))):
        migration.patch(cutover={"requested": True, "timeoutSeconds": 300, "service": wish})
        wait_at_gate(gate, migration)
    one = migrations[0]
    one.wait(lambda task: task["status"].get("cutover", {}).get("state") == "Running", "news of the switch", 30)
    said = command.refused("migration", "cutover", one.name, "--auto-approve", code=1)
    assert "is under way since" in said and "one at a time" in said, said
    ends = [database.conninfo(host=database.server.address) for database in (one.source, one.sink)]
    code, said = cluster.call(ENGINE, "cutover", "--name", one.name, "--source", ends[0], "--sink", ends[1])
    assert code == 75 and f'another cutover of task "{one.name}" is under way' in said, said
    for gate in gates:
        gate.open()
    for migration in migrations:
        migration.wait(lambda task, m=migration: "services" in m.condition("Ready", task).get("message", ""), "news of the missing right", 90)
        assert numbers(migration.sink) == set(range(1, 101))
    with operator.values("rbac.services=true"):
        for migration, wish, reason in zip(migrations, wishes, ("CutOver", "StreamingBack")):
            migration.wait_for_condition("Ready", reason=reason, timeout=120)
            assert migration.status()["cutover"]["service"] == wish["name"]
        found = [service_spec(cluster, namespace, wish["name"]) for wish in wishes]
        assert found[0]["selector"] == {"app": "sink"} and found[0]["type"] == "ClusterIP"
        assert (found[1]["type"], found[1]["externalName"]) == ("ExternalName", "sink.example.com") and not found[1].get("selector")
        command.good("migration", "rollback", migrations[1].name, "--service", "two", "--service-to", "app=source,tier=old",
                     "--auto-approve", "--wait", "--timeout", "120")
        migrations[1].wait_for_condition("Ready", reason="RolledBack", timeout=60)
        assert migrations[1].status()["rollback"]["service"] == "two"
    back = service_spec(cluster, namespace, "two")
    assert (back["type"], back["selector"]) == ("ClusterIP", {"app": "source", "tier": "old"}) and not back.get("externalName"), back
    assert back["clusterIP"] not in ("", "None")


@pytest.mark.parametrize("options, said", [
    (["--service", "shop"], "--service and --service-to go together"),
    (["--service-to", "app=pg"], "--service and --service-to go together"),
    (["--service", "shop", "--service-to", ""], "--service-to: its value is empty"),
    (["--service", "shop", "--service-to", "=pg"], "read '=pg'"),
    (["--service", "shop", "--service-to", "app=pg,role"], "read 'app=pg,role'"),
    (["--service", "shop", "--service-to", "pg.example.com:5432"], "read 'pg.example.com:5432'"),
])
def test_a_service_that_leads_nowhere_is_refused(cluster, namespace, options, said):
    assert said in Command(cluster, namespace).refused("migration", "cutover", "mytask", "--auto-approve", *options)
