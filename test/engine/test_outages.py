# SPDX-License-Identifier: Apache-2.0
"""Servers and connections that go away and come back: the engine goes on by itself."""

import threading
import time

import pytest

from servers import Pgbench, eventually

TABLES = "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text); INSERT INTO t (v) SELECT repeat('v', 200) FROM generate_series(1, 50000)"
WRITER = """\\set id random(1, 50000)
INSERT INTO t (v) VALUES ('new');
UPDATE t SET v = 'seen' WHERE id = :id;
"""


@pytest.fixture
def own_pair(make_server, make_pair):
    pair = make_pair(source=make_server(), sink=make_server())
    pair.source.execute(TABLES)
    return pair


@pytest.mark.parametrize("end", ["source", "sink"])
@pytest.mark.parametrize("way", ["restart", "crash"])
def test_server_restarts_in_the_stream(own_pair, end, way):
    pair = own_pair
    server = getattr(pair, end).server
    with pair.following() as engine:
        with Pgbench(pair.source, rate=200, script=WRITER) as writer:
            eventually(lambda: pair.source.value("SELECT count(*) FROM t") > 50100, what="writes")
            pair.source.close()
            pair.sink.close()
            if end == "source":
                writer.stop()
            (server.stop if way == "restart" else server.crash)()
            time.sleep(2)
            assert engine.running(), engine.output()
            server.start()
            writer.stop()
        pair.source.execute("UPDATE t SET v = 'after' WHERE id < 100")
        pair.settle(engine)
        assert engine.until(lambda d: d["stream"]["reconnects"] > 0, "a counted reconnection")
        pair.assert_equal()


def test_sink_crash_loses_nothing_that_was_confirmed(make_server, make_pair):
    """With fsync on; the engine may commit asynchronously, and must not confirm what the sink has not flushed."""
    durable = {"fsync": "on", "synchronous_commit": "on", "wal_writer_delay": "10s"}
    pair = make_pair(source=make_server(), sink=make_server(settings=durable))
    pair.source.execute(TABLES)
    with pair.following() as engine:
        with Pgbench(pair.source, rate=500, script=WRITER) as writer:
            for _ in range(3):
                time.sleep(1)
                pair.sink.close()
                pair.sink.server.crash()
                pair.sink.server.start()
            writer.stop()
        pair.settle(engine)
        pair.assert_equal()


@pytest.mark.parametrize("end", ["source", "sink"])
def test_server_restarts_during_the_copy(own_pair, end):
    """It goes on by itself, or ends with `try again` and goes on with the next start."""
    pair = own_pair
    pair.source.execute("INSERT INTO t (v) SELECT repeat('v', 200) FROM generate_series(1, 400000)")
    engine = pair.start("run", "--until", "caught-up", "--jobs", "1", listen=True)
    engine.until(lambda d: d["copy"]["rowsDone"] > 0 or d["step"] == "cdc", "the first rows")
    server = getattr(pair, end).server
    pair.source.close()
    pair.sink.close()
    server.restart()
    result = engine.wait()
    assert result.code in (0, 69, 75), str(result)
    pair.migrate()
    pair.assert_equal()


@pytest.mark.parametrize("end", ["source", "sink"])
def test_every_session_is_ended_again_and_again(pair, end):
    pair.source.execute(TABLES)
    end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'pgbench'"
    with pair.following() as engine, Pgbench(pair.source, rate=200, script=WRITER) as writer:
        for _ in range(6):
            time.sleep(0.3)
            getattr(pair, end).rows(end_all)
        writer.stop()
        pair.settle(engine)
        pair.assert_equal()


def test_sink_that_is_locked_for_long_does_not_lose_the_source(make_server, make_pair):
    """One batch is slow: the engine must answer the source's keepalives all the while."""
    pair = make_pair(source=make_server(settings={"wal_sender_timeout": "2s"}))
    pair.source.execute(TABLES)
    with pair.following() as engine:
        with pair.sink.connect(autocommit=False) as blocker:
            blocker.execute("LOCK TABLE t IN SHARE MODE")
            pair.source.execute("UPDATE t SET v = 'x' WHERE id < 1000")
            time.sleep(6)
            assert "terminating walsender process due to replication timeout" not in pair.source.server.log()
        pair.settle(engine)
        pair.assert_equal()


def test_deadlock_on_the_sink_is_tried_again(pair):
    pair.source.execute("CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY, v int); INSERT INTO a VALUES (1, 0); INSERT INTO b VALUES (1, 0)")
    with pair.following() as engine:
        stop = threading.Event()

        def disturb():
            with pair.sink.connect(autocommit=False) as other:
                while not stop.is_set():
                    try:
                        for name in ("b", "a"):
                            other.execute(f"SELECT * FROM {name} FOR UPDATE")
                        time.sleep(0.002)
                        other.commit()
                    except Exception:
                        other.rollback()

        thread = threading.Thread(target=disturb)
        thread.start()
        try:
            for i in range(300):
                pair.source.execute(f"BEGIN; UPDATE a SET v = {i}; UPDATE b SET v = {i}; COMMIT")
        finally:
            stop.set()
            thread.join()
        pair.settle(engine)
        pair.assert_equal()


def test_server_that_is_starting_up_is_waited_for(own_pair):
    pair = own_pair
    pair.migrate()
    pair.source.execute("UPDATE t SET v = 'x' WHERE id = 1")
    pair.source.close()
    pair.source.server.stop()
    engine = pair.start("cdc", "--until", "caught-up")
    time.sleep(1)
    pair.source.server.start()
    result = engine.wait()
    assert result.code in (0, 69), str(result)
    pair.migrate()
    pair.assert_equal()


def test_source_crashes_under_pg_dump(make_server, make_pair):
    """What libpq says of a lost connection is no reason for a person to act."""
    pair = make_pair(source=make_server())
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    other = pair.source.connect(autocommit=False)
    other.execute("LOCK TABLE pg_transform")  # read by pg_dump alone
    engine = pair.start("init-struct")
    eventually(lambda: pair.source.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), what="pg_dump's wait")
    pair.source.close()
    pair.source.server.crash()
    result = engine.wait()
    other.close()
    assert result.code in (69, 75) and "pg_dump ended" in result.output, result
    pair.source.server.start()
    pair.run("init-struct")
