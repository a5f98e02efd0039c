# SPDX-License-Identifier: Apache-2.0
"""cleanup may come at any time, twice, with either end half gone, and touches nothing of anybody else."""

import contextlib
import signal
import socket
import time

import pytest

from conftest import Pair
from servers import eventually

TABLE = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000)"
LEDGER = "SELECT count(*) FROM pg_namespace WHERE nspname = 'kubeferry'"


def test_after_a_run_and_twice(pair):
    pair.source.execute(TABLE)
    pair.migrate()
    assert sorted(pair.leftovers()) == sorted([pair.slot, pair.publication])
    for _ in range(2):
        pair.run("cleanup")
        assert pair.leftovers() == []
        assert pair.sink.value(LEDGER) == 0
    assert pair.sink.value("SELECT count(*) FROM t") == 1000, "the user's data stays"
    assert pair.source.rows("SELECT nspname FROM pg_namespace WHERE nspname = 'kubeferry'") == []


def test_before_anything_was_done(pair):
    pair.run("cleanup")


@pytest.mark.parametrize("statement", [
    "SELECT pg_drop_replication_slot('{slot}')",
    "DROP PUBLICATION {publication}",
    "DROP TABLE t",
])
def test_source_half_gone(pair, statement):
    pair.source.execute(TABLE)
    pair.migrate()
    pair.source.execute(statement.format(slot=pair.slot, publication=pair.publication))
    pair.run("cleanup")
    assert pair.leftovers() == []


def test_ledger_half_gone(pair):
    pair.source.execute(TABLE)
    pair.migrate()
    pair.sink.execute("DROP TABLE kubeferry.chunk CASCADE; DROP TABLE kubeferry.progress CASCADE")
    pair.run("cleanup")
    assert pair.leftovers() == []
    assert pair.sink.value(LEDGER) == 0


def test_sink_gone(make_server, make_pair):
    sink = make_server()
    pair = make_pair(sink=sink)
    pair.source.execute(TABLE)
    pair.migrate()
    pair.sink.close()
    sink.stop()
    result = pair.call("cleanup")
    assert pair.leftovers() == [], str(result)
    assert "sink" in result.output, str(result)


def test_source_gone(make_server, make_pair):
    source = make_server()
    pair = make_pair(source=source)
    pair.source.execute(TABLE)
    pair.migrate()
    pair.source.close()
    source.stop()
    result = pair.call("cleanup")
    assert result.code == 69, str(result)
    source.start()
    pair.run("cleanup")
    assert pair.leftovers() == []


def test_while_an_engine_still_runs_or_its_connection_lingers(pair):
    """Another process of the same name holds the slot: cleanup must not hang, and the source must be clean at the end."""
    pair.source.execute(TABLE)
    pair.marker_table()
    engine = pair.start("run", listen=True)
    pair.wait_for_stream(engine)
    result = pair.call("cleanup", timeout=60)
    if result.code != 0:
        assert result.code in (75, 78), str(result)
        engine.kill()
        pair.run("cleanup")
    else:
        eventually(lambda: not engine.running(), 60, "the other engine's end")
    assert pair.leftovers() == []


def test_names_of_others_are_left_alone(pair):
    """A slot of the same name in another database, a publication of the same name that somebody else made."""
    pair.source.execute(TABLE)
    pair.source.execute(f"CREATE PUBLICATION {pair.publication} FOR ALL TABLES; CREATE PUBLICATION other FOR TABLE t")
    pair.source.execute("SELECT pg_create_logical_replication_slot('somebody_else', 'pgoutput')")
    pair.migrate()
    pair.run("cleanup")
    assert sorted(pair.leftovers()) == sorted(["somebody_else", pair.publication, "other"])


def test_ledger_of_another_task_stays(make_pair):

    first = make_pair()
    first.source.execute("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)")
    second = Pair(first.source, first.sink)
    first.migrate("--migration-object", '"public.a"')
    second.migrate("--migration-object", '"public.b"')
    first.run("cleanup")
    second.source.execute("INSERT INTO b VALUES (1)")
    second.migrate("--migration-object", '"public.b"')
    assert second.sink.value("SELECT count(*) FROM b") == 1


def test_after_each_kind_of_failure_nothing_is_left(pair):
    """A step that failed leaves what it needs to go on; cleanup takes that away."""
    pair.source.execute(TABLE)
    pair.sink.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (-1)")
    result = pair.call("run", "--until", "caught-up")
    assert result.code == 78, str(result)
    pair.run("cleanup")
    assert pair.leftovers() == []
    assert pair.sink.rows("SELECT id FROM t") == [(-1,)]


@contextlib.contextmanager
def nobody_answers(*arguments):
    """Inside: a port whose connections are taken by the kernel and by nobody else. Gives arguments of psycopg.conninfo."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield listener.getsockname()[1]


def with_port(text, port):
    return " ".join(f"port={port}" if word.startswith("port=") else word for word in text.split(" "))


@pytest.mark.parametrize("ends", ["source", "sink", "both", "sink forced"])
def test_an_end_that_never_answers(pair, ends):
    """Within half a minute, and what can be cleaned is clean."""
    pair.source.execute(TABLE)
    pair.migrate()
    texts = pair.source_text, pair.sink_text
    with nobody_answers() as port:
        if ends in ("source", "both"):
            pair.source_text = with_port(pair.source_text, port)
        if ends != "source":
            pair.sink_text = with_port(pair.sink_text, port)
        started = time.monotonic()
        result = pair.call("cleanup", *(["--force"] if "forced" in ends else []))
        assert time.monotonic() - started < 32, str(result)
    assert result.code == (0 if "forced" in ends else 69), str(result)
    assert "no answer within 10 s" in result.output
    assert (pair.leftovers() == []) == (ends in ("sink", "sink forced"))
    pair.source_text, pair.sink_text = texts
    pair.run("cleanup")
    assert pair.leftovers() == [] and pair.sink.value(LEDGER) == 0


def test_a_ledger_that_somebody_locks(pair):
    pair.source.execute(TABLE)
    pair.migrate()
    with pair.sink.connect(autocommit=False) as other:
        other.execute("LOCK TABLE kubeferry.task")
        started = time.monotonic()
        result = pair.call("cleanup")
        assert time.monotonic() - started < 32
        assert result.code == 69 and "lock timeout" in result.output, str(result)
    pair.run("cleanup")
    assert pair.leftovers() == []


@pytest.mark.parametrize("end", ["source", "sink"])
def test_wrong_password(pair, end):
    pair.source.execute(TABLE)
    pair.migrate()
    texts = pair.source_text, pair.sink_text
    setattr(pair, end + "_text", getattr(pair, end).conninfo(password="wrong"))
    result = pair.call("cleanup")
    assert result.code == 64 and "password authentication failed" in result.output, str(result)
    pair.source_text, pair.sink_text = texts
    pair.run("cleanup")
    assert pair.leftovers() == []


@pytest.mark.parametrize("moment", ["copying", "streaming"])
def test_a_moment_after_a_kill(pair, moment):
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, md5(n::text) FROM generate_series(1, 400000) n")
    pair.marker_table()
    engine = pair.start("run", listen=True)
    if moment == "streaming":
        pair.wait_for_stream(engine)
    else:
        engine.until(lambda d: d["copy"]["rowsDone"] > 0, "the first rows")
    engine.kill()
    pair.run("cleanup")
    assert pair.leftovers() == [] and pair.sink.value(LEDGER) == 0


def test_what_is_left_of_a_frozen_process_is_ended_by_force(pair):
    """Its sessions are there and do nothing, as those of a machine that is gone."""
    pair.source.execute(TABLE)
    pair.marker_table()
    engine = pair.start("run", listen=True)
    pair.wait_for_stream(engine)
    engine.signal(signal.SIGSTOP)
    result = pair.call("cleanup")
    assert result.code == 75 and "being run by another process" in result.output, str(result)
    assert sorted(pair.leftovers()) == sorted([pair.slot, pair.publication])
    pair.run("cleanup", "--force")
    assert pair.leftovers() == [] and pair.sink.value(LEDGER) == 0
    engine.kill()
