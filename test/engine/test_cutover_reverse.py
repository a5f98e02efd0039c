# SPDX-License-Identifier: Apache-2.0
"""The way back: what is written on the sink after the cutover comes to the source, and rolling back loses nothing."""

import contextlib
import time

import psycopg
import pytest

from servers import embedded_bin, eventually
from test_cutover import (TABLES, assert_nothing_lost, clients, cut_over, cutover_state, hold_back, settings)


def back(pair):
    """The slot of the way back, on the sink."""
    return pair.sink.rows("SELECT slot_name FROM pg_replication_slots WHERE database = current_database() AND NOT temporary")


@contextlib.contextmanager
def reversing(pair):
    """Inside: the way back is followed; at the end it must have ended by itself, or is stopped."""
    engine = pair.start("reverse", listen=True)
    engine.until(lambda d: d["step"] == "cdc" and d["stream"]["lsnApplied"], "the stream back")
    yield engine
    if engine.running():
        assert engine.terminate().code == 0, engine.output()


def settle_back(pair, engine, value):
    pair.sink.execute(f"INSERT INTO parent VALUES ({value})")
    eventually(lambda: pair.source.value(f"SELECT 1 FROM parent WHERE id = {value}"), 60, "the sink's row on the source")


def test_there_and_back_and_there_again(pair):
    pair.source.execute(TABLES)
    with pair.following() as engine:
        pair.source.execute("INSERT INTO ledger (client, n) SELECT 1, generate_series(1, 100)")
        cut_over(pair, "--reverse")
        assert engine.wait().code == 0
    assert pair.leftovers() == [] and back(pair) == [((pair.slot + "_back"),)]
    pair.sink.execute("INSERT INTO ledger (client, n) SELECT 2, generate_series(1, 100); UPDATE child SET parent = 1; DELETE FROM child WHERE id > 40")
    with reversing(pair) as stream:
        settle_back(pair, stream, 5000)
        pair.assert_equal()
        eventually(lambda: pair.source.value("SELECT last_value FROM ledger_id_seq") == 200, 20, "the sequence of the source")
        result = pair.run("rollback", "--reverse")
        pair.sink.close()
        pair.source.close()
        assert stream.wait().code == 0 and "cut over" in stream.output(), stream.output()
    assert settings(pair) == [], "the source takes writes again"
    assert "takes writes again" in result.output, result
    assert back(pair) == []
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        pair.sink.execute("INSERT INTO parent VALUES (6000)")
    pair.sink.close()
    assert pair.source.value("INSERT INTO ledger (client, n) VALUES (3, 1) RETURNING id") == 201
    # And forwards again, from where it was left: nothing comes twice, nothing is missing.
    with pair.following() as engine:
        pair.assert_equal()
        result = cut_over(pair, "--reverse")
        pair.sink.close()
        assert engine.wait().code == 0
    assert pair.sink.value("INSERT INTO ledger (client, n) VALUES (3, 2) RETURNING id") == 202
    with reversing(pair) as stream:
        settle_back(pair, stream, 7000)
        pair.assert_equal()
    pair.run("cleanup")
    assert pair.leftovers() == [] and back(pair) == []
    assert pair.source.value("SELECT to_regclass('kubeferry.task')") is None


def test_clients_write_through_both(pair):
    """60 s in the wild, some seconds here: clients move to the sink, write there, and move back: all they were told is there."""
    pair.source.execute(TABLES)
    with pair.following() as engine, clients(pair) as writers:
        time.sleep(0.5)
        cut_over(pair, "--reverse")
        assert engine.wait().code == 0
        eventually(lambda: all(writer.moved for writer in writers), 20, "clients on the sink")
        with reversing(pair) as stream:
            time.sleep(5)
            for writer in writers:
                writer.end()
            assert_nothing_lost(pair, writers)
            result = pair.call("rollback")
            pair.sink.close()
            assert result.code == 0, result
            assert stream.wait().code == 0
    for writer in writers:
        writer.moved = False
    assert_nothing_lost(pair, writers, moved=False)
    assert settings(pair) == []
    assert pair.source.value("SELECT max(id) FROM ledger") <= pair.source.value("SELECT last_value FROM ledger_id_seq")


def test_a_rollback_that_fails_leaves_the_sink_at_work(pair):
    pair.source.execute(TABLES)
    with pair.following() as engine:
        cut_over(pair, "--reverse")
        assert engine.wait().code == 0
    with reversing(pair) as stream:
        with pair.source.connect(options="-c default_transaction_read_only=off") as source:
            source.execute("INSERT INTO kubeferry.object SELECT id, 'TRIGGER injected', 'held', NULL, 'SELECT 1 / 0' FROM kubeferry.task")
        result = pair.call("rollback", "--reverse")
        pair.sink.close()
        assert result.code == 78 and "was undone" in result.output, result
        settle_back(pair, stream, 8000)
        assert settings(pair) == [(["default_transaction_read_only=on"],)], "the source is not at work"
        with pair.source.connect(options="-c default_transaction_read_only=off") as source:
            source.execute("DELETE FROM kubeferry.object")
        pair.run("rollback")
        pair.sink.close()
        pair.source.close()
        assert stream.wait().code == 0
    assert settings(pair) == []
    pair.source.execute("INSERT INTO parent VALUES (9000)")


def test_a_cutover_that_fails_takes_the_way_back_along(pair):
    pair.source.execute(TABLES)
    with pair.following() as engine:
        hold_back(pair, "SELECT 1 / 0")
        result = pair.call("cutover", "--reverse")
        pair.source.close()
        assert result.code == 78 and "was undone" in result.output, result
        assert back(pair) == [] and pair.source.value("SELECT to_regclass('kubeferry.task')") is None
        pair.sink.execute("UPDATE kubeferry.object SET statement = 'SELECT pg_advisory_xact_lock(77)' WHERE identity = 'TRIGGER injected'")
        pair.sink.execute("SELECT pg_advisory_lock(77)")
        cutover = pair.start("cutover", "--reverse")
        eventually(lambda: back(pair), 30, "the slot of the way back")
        eventually(lambda: pair.sink.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"), 30, "the switch")
        cutover.kill()
        pair.source.close()
        pair.sink.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 77 AND NOT granted")
        eventually(lambda: cutover_state(pair) == "undone", 40, "the end of what was left")
        assert back(pair) == [] and pair.source.value("SELECT to_regclass('kubeferry.task')") is None
        pair.settle(engine)
    result = pair.call("reverse")
    assert result.code == 78 and "no way back" in result.output, result
    result = pair.call("rollback")
    assert result.code == 78 and "no task" in result.output, result


def test_precheck_finds_what_a_way_back_lacks(make_pair, make_server):
    sink_server = make_server(settings={"wal_level": "replica"})
    pair = make_pair(sink=sink_server)
    pair.source.execute(TABLES)
    assert pair.call("precheck").code == 0
    result = pair.call("precheck", "--reverse")
    assert result.code == 78 and "reverse_wal_level" in result.output and "ALTER SYSTEM SET wal_level" in result.output, result
    role = pair.source.role("back_" + pair.slot, "LOGIN REPLICATION")
    pair.source.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "back_{pair.slot}"; GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO "back_{pair.slot}"')
    pair.source_text = role()
    result = pair.call("precheck", "--reverse")
    assert result.code == 78 and "reverse_ledger" in result.output and "reverse_write" in result.output, result
    assert "GRANT CREATE ON DATABASE" in result.output, result


@pytest.mark.parametrize("source, sink", [(14, 16), (15, 12)])
def test_between_versions(make_pair, make_server, source, sink):
    pair = make_pair(source=make_server(embedded_bin(source)), sink=make_server(embedded_bin(sink)))
    pair.source.execute(TABLES)
    with pair.following() as engine:
        pair.source.execute("INSERT INTO ledger (client, n) SELECT 1, generate_series(1, 100)")
        cut_over(pair, "--reverse", "--verification", "final")
        assert engine.wait().code == 0
    with reversing(pair) as stream:
        settle_back(pair, stream, 5000)
        pair.run("rollback", "--verification", "final")
        assert stream.wait().code == 0
    pair.sink.close()
    pair.source.close()
    pair.assert_equal()
