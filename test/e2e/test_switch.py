# SPDX-License-Identifier: Apache-2.0
"""Comparing both ends, the switch to the sink and the way back, asked for by the task's spec and by the command."""

import re
import threading

import pytest
from cli_command import Command
from servers import eventually

import psycopg


class Writer:
    """An application that commits numbered rows one by one, wherever it is told to, and remembers each commit that it was told of."""

    def __init__(self, database):
        self.database, self.written, self.refused = database, [], 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self._stop.set()
        self._thread.join()

    def _run(self):
        number = 0
        while not self._stop.is_set():
            try:
                with psycopg.connect(self.database.conninfo(), autocommit=True) as connection:
                    while not self._stop.is_set():
                        number += 1
                        connection.execute("INSERT INTO public.numbered VALUES (%s)", (number,))
                        self.written.append(number)
                        self._stop.wait(0.005)
            except psycopg.Error:
                self.refused += 1
                self._stop.wait(0.05)


def followed(migration, **changes):
    """A task that follows changes, with the table that a Writer fills."""
    migration.marker_table()
    migration.source.execute("CREATE TABLE public.numbered (id int PRIMARY KEY, at timestamptz DEFAULT now());"
                             "CREATE SEQUENCE public.counter START 41; SELECT nextval('public.counter')")
    migration.apply(**changes)
    migration.wait_for_condition("Ready", reason="Streaming", timeout=120)


def numbers(database):
    database.close()  # a switch ends the sessions of others
    return {row[0] for row in database.rows("SELECT id FROM public.numbered")}


def test_a_switch_loses_nothing(cluster, migration, namespace):
    command = Command(cluster, namespace)
    followed(migration)
    with Writer(migration.source) as writer:
        eventually(lambda: len(writer.written) > 20, 60, "some commits")
        out = command.good("migration", "verify", migration.name, "--wait", "--timeout", "120")
        assert "Equal: " in out and ", 0 differ" in out, out
        assert migration.condition("Verified")["status"] == "True"
        before = len(writer.written)
        out = command.good("migration", "verify", migration.name, "--sample", "30", "--wait", "--timeout", "120")
        assert 0 < int(re.search(r"Equal: (\d+) rows", out)[1]) < before, out
        eventually(lambda: len(writer.written) > before + 20, 60, "commits after the verification")
        out = command.good("migration", "cutover", migration.name, "--verification", "final", "--auto-approve", "--wait", "--timeout", "120")
        assert "switched to the sink: " in out, out
        eventually(lambda: writer.refused > 0, 30, "a refused write")
    task = migration.wait_for_condition("Ready", reason="CutOver", timeout=60)
    status = migration.status()
    assert (status["taskStatus"], status["cutover"]["state"]) == ("Done", "Done"), (task, status)
    assert numbers(migration.sink) == set(writer.written)
    assert migration.sink.value("SELECT nextval('public.counter')") == 42
    migration.delete()
    migration.source.close()
    assert migration.leftovers() == []


def test_a_way_back(migration):
    followed(migration, taskType="initialization-and-twoway-cdc")
    migration.source.execute("INSERT INTO public.numbered VALUES (1)")
    migration.patch(cutover={"requested": True})
    migration.wait_for_condition("Ready", reason="StreamingBack", timeout=120)
    migration.sink.execute("INSERT INTO public.numbered VALUES (2)")
    eventually(lambda: numbers(migration.source) == {1, 2}, 60, "the sink's row on the source")
    migration.patch(rollback={"requested": True})
    migration.wait_for_condition("Ready", reason="RolledBack", timeout=120)
    migration.source.close()
    migration.source.execute("INSERT INTO public.numbered VALUES (3)")  # it takes writes again
    assert numbers(migration.source) == {1, 2, 3}
    migration.delete()
    migration.source.close()
    assert migration.leftovers() == []


def test_a_switch_that_is_refused_leaves_all_as_it_was(migration):
    followed(migration)
    migration.patch(cutover={"requested": True, "verification": "required"})  # and there was none
    message = migration.wait_for_condition("Stalled", reason="CutoverFailed", timeout=90)["message"]
    assert "verif" in message and "spec.cutover.request" in message, message
    assert migration.status()["cutover"]["state"] == "Refused"
    migration.source.execute("INSERT INTO public.numbered VALUES (1)")  # nothing is kept from the source
    migration.settle()
    migration.patch(cutover=None)
    migration.wait_for_condition("Ready", reason="Streaming", timeout=60)
    migration.patch(verification={"request": "now"})
    migration.wait_for_condition("Verified", timeout=120)
    migration.patch(cutover={"requested": True, "verification": "required"})
    migration.wait_for_condition("Ready", reason="CutOver", timeout=120)
    assert numbers(migration.sink) == {1}


@pytest.mark.parametrize("field", ["cutover", "rollback"])
def test_what_a_task_cannot_do_is_refused_by_the_command(cluster, migration, namespace, field):
    migration.apply(template="missing")
    command = Command(cluster, namespace)
    said = command.refused("migration", field, migration.name, "--auto-approve", code=1)
    assert "does not follow changes" in said, said
