# SPDX-License-Identifier: Apache-2.0
"""The switch meets a failure at each of its steps while an application writes: the source takes writes again and its changes are
followed, or the sink has taken over; no acknowledged row is lost."""

import contextlib
import os
import signal

import pytest
from cli_command import Command
from holds import SwitchGate
from kube import process_of
from servers import Pgbench, eventually, pgbench_initialize
from test_kills import kill_controllers
from test_switch import Writer, followed, numbers

READ_ONLY = "SELECT count(*) FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()"


def switch_process(migration, work):
    """Of the worker that switches (cutover, rollback), or that follows changes (cdc)."""
    pods = [pod for pod in migration.at_work() if pod["metadata"]["name"].startswith(f"{migration.name}-{work}-")]
    assert len(pods) == 1, [pod["metadata"]["name"] for pod in migration.pods()]
    return process_of(pods[0]["metadata"]["uid"], "kubeferry-engine")


def wait_at_gate(gate, migration):
    eventually(gate.waits, 120, f"a switch at the gate; status {migration.status()}", interval=0.1)
    for database in (migration.source, migration.sink):
        database.close()  # it has ended the sessions of one


class Attempts:
    """Switches of one migration that are held at a gate, and what must be so after each."""

    def __init__(self, migration, writer):
        self.migration, self.writer = migration, writer
        self.gate = SwitchGate(migration.sink)

    def ask(self, name, **more):
        self.migration.patch(cutover={"requested": True, "request": name, **more})

    def wait_at_gate(self):
        wait_at_gate(self.gate, self.migration)

    def wait_for_undone(self, words):
        message = self.migration.wait_for_condition("Stalled", reason="CutoverFailed", words=words, timeout=120)["message"]
        assert "was undone" in message and "spec.cutover.request" in message, message
        assert self.migration.status()["cutover"]["state"] == "Undone"

    def source_takes_writes(self):
        seen = len(self.writer.written)
        eventually(lambda: len(self.writer.written) > seen + 20, 90, "writes to the source", interval=0.1)
        assert self.migration.source.value(READ_ONLY) == 0

    def goes_on(self):
        """The source takes writes again, and they come to the sink."""
        self.source_takes_writes()
        self.migration.settle(90)

    def wait_for_switch(self):
        """It has taken place by itself; nothing that was acknowledged is lost, and nothing else is in the sink."""
        self.migration.wait_for_condition("Ready", reason="CutOver", timeout=120)
        self.writer.end()
        status = self.migration.status()
        assert (status["taskStatus"], status["cutover"]["state"]) == ("Done", "Done"), status
        there = numbers(self.migration.sink)
        assert set(self.writer.written) <= there == numbers(self.migration.source)
        assert self.migration.leftovers() == []


@contextlib.contextmanager
def attempts_of(migration, first):
    """A migration that an application writes to, whose first attempt to switch is on its way to the closed gate at blocked."""
    followed(migration)
    with Writer(migration.source) as writer:
        attempts = Attempts(migration, writer)
        attempts.gate.close("blocked")
        attempts.ask(first)
        yield attempts


def test_the_worker_is_killed_sessions_and_drains_do_not_end(migration):
    with attempts_of(migration, "first") as attempts:
        gate = attempts.gate
        # Killed: the worker of cdc undoes it, and it is tried again by itself, for it left no word.
        for moment in ("blocked", "draining"):
            attempts.wait_at_gate()
            os.kill(switch_process(migration, "cutover"), signal.SIGKILL)
            if moment == "blocked":
                gate.break_off()  # or its server process would still ask for the drain, whose answer the next gate held
            gate.open()
            gate.close("draining")  # for the next attempt
            attempts.goes_on()

        attempts.ask("a drain that never ends", timeoutSeconds=5)
        attempts.wait_at_gate()
        following = switch_process(migration, "cdc")
        os.kill(following, signal.SIGSTOP)
        gate.open()
        try:
            attempts.wait_for_undone("did not reach")
            attempts.source_takes_writes()
        finally:
            os.kill(following, signal.SIGCONT)
        attempts.goes_on()

        with migration.source.connect() as stuck:  # a stopped server process does not answer to pg_terminate_backend
            os.kill(stuck.info.backend_pid, signal.SIGSTOP)
            try:
                attempts.ask("a session that does not end", timeoutSeconds=3)
                attempts.wait_for_undone(f"pid {stuck.info.backend_pid}")
            finally:
                os.kill(stuck.info.backend_pid, signal.SIGCONT)
        migration.source.close()
        attempts.goes_on()

        gate.close("tidying")
        attempts.ask("a session of the sink ends after the switch")
        attempts.wait_at_gate()
        gate.break_off()
        said = migration.wait_for_condition("Reconciling", reason="CutoverWaiting", timeout=60)["message"]
        assert "THE SWITCH IS DONE" in said and migration.status()["cutover"]["state"] == "Done", said
        gate.open()
        attempts.wait_for_switch()


def test_the_servers_are_restarted(make_migration, make_server):
    migration = make_migration(source=make_server(), sink=make_server(settings={"fsync": "on"}))
    with attempts_of(migration, "the source is restarted") as attempts:
        gate = attempts.gate
        attempts.wait_at_gate()
        migration.source.server.restart()
        gate.open()
        attempts.goes_on()

        gate.close("switching")
        attempts.ask("the sink crashes")
        attempts.wait_at_gate()
        migration.sink.close()
        migration.sink.server.crash()
        migration.sink.server.start()
        gate.open()
        attempts.goes_on()

        attempts.ask("nothing happens")
        attempts.wait_for_switch()


def test_the_way_back_brings_all_that_the_sink_took_for_a_minute(migration):
    """Also when the worker that switches back is killed; by itself there is another."""
    pgbench_initialize(migration.source, 1)
    followed(migration, taskType="initialization-and-twoway-cdc")
    migration.source.execute("INSERT INTO public.numbered VALUES (0)")
    migration.patch(cutover={"requested": True})
    migration.wait_for_condition("Ready", reason="StreamingBack", timeout=120)
    with Writer(migration.sink) as writer:
        Pgbench(migration.sink, rate=50, transactions=1500).wait(180)  # of each of two clients: one minute
        gate = SwitchGate(migration.source)
        gate.close("draining")
        migration.patch(rollback={"requested": True})
        wait_at_gate(gate, migration)
        os.kill(switch_process(migration, "rollback"), signal.SIGKILL)
        gate.open()
        seen = len(writer.written)
        eventually(lambda: len(writer.written) > seen, 60, "writes to the sink", interval=0.1)
        migration.wait_for_condition("Ready", reason="RolledBack", timeout=180)
    assert len(writer.written) > 1000
    assert {0, *writer.written} <= numbers(migration.source)
    migration.sink.close()
    migration.assert_equal()
    assert migration.source.value("SELECT count(*) FROM pgbench_history") == 3000
    assert migration.status()["rollback"]["state"] == "Done"


def test_it_compares_by_itself_again_and_a_difference_refuses_the_switch(cluster, migration, namespace):
    followed(migration, verification={"everyMinutes": 1})
    migration.source.execute("INSERT INTO public.numbered SELECT generate_series(1, 10)")
    migration.settle()
    migration.wait_for_condition("Verified", timeout=120)
    first = migration.status()["verification"]["startTime"]
    migration.sink.execute("DELETE FROM public.numbered WHERE id = 7")
    migration.wait_for_condition("Verified", status="False", timeout=180)
    found = migration.status()["verification"]
    assert (found["state"], found["differences"]) == ("Different", 1) and found["startTime"] > first, found
    migration.patch(cutover={"requested": True})
    migration.wait_for_condition("Stalled", reason="CutoverFailed", words="found 1 differences", timeout=90)
    migration.sink.execute("INSERT INTO public.numbered VALUES (7, %s)", [migration.source.value("SELECT at FROM public.numbered WHERE id = 7")])
    out = Command(cluster, namespace).good("migration", "verify", migration.name, "--wait", "--timeout", "120")
    assert ", 0 differ" in out, out
    migration.patch(cutover__request="mended")
    migration.wait_for_condition("Ready", reason="CutOver", timeout=120)


@pytest.mark.alone
def test_the_controllers_are_killed(operator, migration):
    """The switch does not need them; the next one finds out what became of it."""
    operator.renew_pods()
    with attempts_of(migration, "while nobody looks") as attempts:
        attempts.wait_at_gate()
        kill_controllers(operator, [pod["metadata"]["name"] for pod in operator.ready_pods()])
        attempts.gate.open()
        attempts.wait_for_switch()
    eventually(lambda: len(operator.ready_pods()) == 2, 120, "both controllers", interval=0.5)
