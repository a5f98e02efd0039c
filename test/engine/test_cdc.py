# SPDX-License-Identifier: Apache-2.0
"""Changes arrive in effect exactly as they were committed, whatever their order, shape and size."""

import contextlib
import time

import pytest

from servers import Pgbench, eventually

ACCOUNTS = "CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE, v text, big text); ALTER TABLE t ALTER big SET STORAGE external;"
FILL = ACCOUNTS + "INSERT INTO t SELECT i, 'u' || i, 'v', repeat('big' || i, 3000) FROM generate_series(1, 100) i"

# Each list is committed statement by statement with nothing in between: it lands in one batch, or in several.
CHANGES = {
    "keys swapped in one transaction": (FILL, ["BEGIN; UPDATE t SET id = -1 WHERE id = 1; UPDATE t SET id = 1 WHERE id = 2; UPDATE t SET id = 2 WHERE id = -1; COMMIT"]),
    "unique values swapped between rows": (FILL, [
        "BEGIN; UPDATE t SET u = 'x' WHERE id = 1; UPDATE t SET u = 'u1' WHERE id = 2; UPDATE t SET u = 'u2' WHERE id = 1; COMMIT",
        "UPDATE t SET u = 'y' WHERE id = 3", "UPDATE t SET u = 'u3' WHERE id = 4", "UPDATE t SET u = 'u4' WHERE id = 3"]),
    "unique value moved by delete and insert": (FILL, ["BEGIN; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1001, 'u1'); COMMIT",
        "DELETE FROM t WHERE id = 2", "INSERT INTO t VALUES (1002, 'u2')", "UPDATE t SET u = 'gone' WHERE id = 1002", "INSERT INTO t VALUES (1003, 'u2')"]),
    "row deleted and inserted again": (FILL, ["BEGIN; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 'u1', 'again'); COMMIT",
        "DELETE FROM t WHERE id = 2", "INSERT INTO t VALUES (2, 'new', 'n')", "DELETE FROM t WHERE id = 2", "INSERT INTO t VALUES (2, 'newer', 'n')",
        "INSERT INTO t VALUES (3000, 'x')", "DELETE FROM t WHERE id = 3000"]),
    "insert, then an update that leaves a stored value out": (FILL, [
        "BEGIN; INSERT INTO t VALUES (500, 'u500', 'v', repeat('z', 100000)); UPDATE t SET v = 'later' WHERE id = 500; COMMIT",
        "INSERT INTO t VALUES (501, 'u501', 'v', repeat('y', 100000))", "UPDATE t SET v = 'later' WHERE id = 501", "UPDATE t SET u = 'again' WHERE id = 501"]),
    "updates with different columns left out": (FILL, ["UPDATE t SET v = 'a' WHERE id = 1", "UPDATE t SET big = repeat('n', 50000) WHERE id = 1",
        "UPDATE t SET v = 'b' WHERE id = 1", "UPDATE t SET v = 'all'", "UPDATE t SET big = NULL WHERE id = 7", "UPDATE t SET v = 'c' WHERE id = 7"]),
    "key changed with a stored value left out": (FILL, ["UPDATE t SET id = id + 10000 WHERE id <= 10", "UPDATE t SET id = 20000 WHERE id = 10001", "UPDATE t SET v = 'k' WHERE id = 20000",
        "BEGIN; UPDATE t SET id = 30000 WHERE id = 10002; UPDATE t SET v = 'w' WHERE id = 30000; UPDATE t SET id = 40000 WHERE id = 30000; COMMIT",
        "UPDATE t SET id = 1 WHERE id = 20000", "DELETE FROM t WHERE id = 40000"]),
    "key chain": (FILL, ["UPDATE t SET id = id + 1000", "UPDATE t SET id = id - 999", "BEGIN; UPDATE t SET id = -id; UPDATE t SET id = 1 - id; COMMIT"]),
    "updates that change nothing": (FILL, ["UPDATE t SET v = v", "UPDATE t SET id = id WHERE id < 10"]),
    "deletes of many": (FILL, ["DELETE FROM t WHERE id % 2 = 0", "DELETE FROM t", "INSERT INTO t VALUES (1, 'a')"]),
    "truncate between changes": (FILL, ["UPDATE t SET v = 'x'", "TRUNCATE t", "INSERT INTO t VALUES (1, 'one'), (2, 'two')",
        "BEGIN; INSERT INTO t VALUES (3, 'three'); TRUNCATE t; INSERT INTO t VALUES (4, 'four'); COMMIT", "UPDATE t SET v = 'after'"]),
    "truncate with foreign keys": ("""CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
        CREATE TABLE c (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b int REFERENCES b);
        INSERT INTO a SELECT generate_series(1, 10); INSERT INTO b SELECT i, i FROM generate_series(1, 10) i; INSERT INTO c (b) VALUES (1)""",
        ["TRUNCATE a CASCADE", "INSERT INTO a VALUES (5)", "TRUNCATE b, c RESTART IDENTITY", "INSERT INTO b VALUES (1, 5)", "INSERT INTO c (b) VALUES (1)", "TRUNCATE c"]),
    "truncate of partitions": ("""CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
        CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20); INSERT INTO p SELECT generate_series(0, 19)""",
        ["TRUNCATE p1", "INSERT INTO p VALUES (1)", "TRUNCATE p", "INSERT INTO p VALUES (2), (12)"]),
    "foreign keys in every order": ("""CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE ON UPDATE CASCADE);
        INSERT INTO a SELECT i, i FROM generate_series(1, 20) i; INSERT INTO b SELECT i, i FROM generate_series(1, 20) i""",
        ["DELETE FROM a WHERE id = 1", "UPDATE a SET id = 100 WHERE id = 2", "INSERT INTO a VALUES (30)", "INSERT INTO b VALUES (30, 30)", "UPDATE b SET a = 30 WHERE id = 5",
         "DELETE FROM a WHERE id = 5", "DELETE FROM b", "DELETE FROM a"]),
    "exclusion constraint": ("""CREATE EXTENSION btree_gist; CREATE TABLE r (id int PRIMARY KEY, room int, during int4range, EXCLUDE USING gist (room WITH =, during WITH &&));
        INSERT INTO r SELECT i, 1, int4range(i * 10, i * 10 + 10) FROM generate_series(1, 10) i""",
        ["BEGIN; DELETE FROM r WHERE id = 1; INSERT INTO r VALUES (11, 1, '[10,20)'); COMMIT", "UPDATE r SET during = '[500,510)' WHERE id = 2",
         "UPDATE r SET during = '[20,30)' WHERE id = 3", "UPDATE r SET during = '[30,40)' WHERE id = 2"]),
    "deferrable unique": ("CREATE TABLE d (id int PRIMARY KEY, n int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO d SELECT i, i FROM generate_series(1, 20) i",
        ["UPDATE d SET n = n + 1", "BEGIN; UPDATE d SET n = 100 WHERE id = 1; UPDATE d SET n = 2 WHERE id = 2; UPDATE d SET n = n + 1; COMMIT"]),
    "equal rows under identity full": ("CREATE TABLE f (a int, j json, b text); ALTER TABLE f REPLICA IDENTITY FULL; INSERT INTO f SELECT 1, '{\"a\": 1}', NULL FROM generate_series(1, 5)",
        ["DELETE FROM f WHERE ctid = (SELECT min(ctid) FROM f)", "UPDATE f SET b = 'one' WHERE ctid = (SELECT min(ctid) FROM f)", "UPDATE f SET a = 2 WHERE b IS NULL",
         "BEGIN; INSERT INTO f VALUES (9), (9), (9); DELETE FROM f WHERE ctid = (SELECT max(ctid) FROM f); COMMIT", "UPDATE f SET a = a"]),
    "identity full with stored values": ("CREATE TABLE f (a int, big text); ALTER TABLE f REPLICA IDENTITY FULL; ALTER TABLE f ALTER big SET STORAGE external;"
        "INSERT INTO f SELECT i, repeat('x' || i, 5000) FROM generate_series(1, 10) i",
        ["UPDATE f SET a = a + 100", "DELETE FROM f WHERE a = 105", "UPDATE f SET big = 'small' WHERE a = 107"]),
    "subtransactions": (FILL, ["BEGIN; SAVEPOINT a; UPDATE t SET v = 'rolled back'; ROLLBACK TO a; UPDATE t SET v = 'kept' WHERE id = 1; SAVEPOINT b; DELETE FROM t WHERE id = 2;"
        "RELEASE b; SAVEPOINT c; DELETE FROM t WHERE id = 3; ROLLBACK TO c; COMMIT",
        "DO $$ BEGIN FOR i IN 1..300 LOOP BEGIN INSERT INTO t VALUES (1000 + i, 'sub' || i); IF i % 3 = 0 THEN RAISE EXCEPTION 'x'; END IF; EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$"]),
    "rolled back and empty transactions": (FILL, ["BEGIN; DELETE FROM t; ROLLBACK", "BEGIN; CREATE TEMP TABLE x (a int) ON COMMIT DROP; INSERT INTO x VALUES (1); COMMIT", "UPDATE t SET v = 'x' WHERE id = -1",
        "INSERT INTO t VALUES (1000, 'after')"]),
    "messages of other tools": (FILL, ["SELECT pg_logical_emit_message(true, 'other', 'in a transaction')", "SELECT pg_logical_emit_message(false, 'other', 'outside')",
        "BEGIN; UPDATE t SET v = 'a' WHERE id = 1; SELECT pg_logical_emit_message(true, 'kubeferry', 'x'); SELECT pg_logical_emit_message(false, 'kubeferry', 'y'); UPDATE t SET v = 'b' WHERE id = 2; COMMIT"]),
    "text that looks like something else": (FILL, [r"UPDATE t SET v = '{""a"",NULL}' WHERE id = 1", r"UPDATE t SET v = 'NULL' WHERE id = 2", "UPDATE t SET v = '' WHERE id = 3", r"UPDATE t SET v = E'\\N\\\\\"' WHERE id = 4"]),
}


@pytest.mark.parametrize("case", CHANGES)
def test_changes_as_they_come(pair, case):
    create, changes = CHANGES[case]
    pair.source.execute(create)
    with pair.following() as engine:
        for change in changes:
            pair.source.execute(change)
        pair.settle(engine)
        pair.assert_equal()


@pytest.mark.parametrize("case", CHANGES)
def test_changes_that_wait_in_the_slot(pair, case):
    """The same while no engine runs: all of it arrives at once and lands in one batch."""
    create, changes = CHANGES[case]
    pair.source.execute(create)
    pair.migrate()
    for change in changes:
        pair.source.execute(change)
    pair.migrate()
    pair.assert_equal()


def test_transaction_open_across_the_snapshot(pair):
    """Its BEGIN precedes the slot's consistent point, its COMMIT follows the copy: the copy cannot have seen its rows."""
    pair.source.execute(FILL)
    pair.marker_table()
    with contextlib.ExitStack() as connections:
        *waited_for, across = [connections.enter_context(pair.source.connect(autocommit=False)) for _ in range(5)]
        waited_for[0].execute("INSERT INTO t VALUES (1001, 'first')")
        engine = pair.start("run", listen=True)
        # Each of the two slots that give the snapshot waits twice.
        for number, (old, new) in enumerate(zip(waited_for, waited_for[1:])):
            pair.source.wait_for_waiter(old)
            new.execute(f"INSERT INTO t VALUES (1002 + {number}, 'later {number}')")
            old.commit()
        pair.source.wait_for_waiter(waited_for[-1])
        across.execute("UPDATE t SET v = 'across' WHERE id <= 50")
        waited_for[-1].commit()
        pair.wait_for_stream(engine)
        assert pair.sink.value("SELECT count(*) FROM t WHERE v = 'across'") == 0
        across.commit()
        pair.settle(engine)
    pair.assert_equal()


def test_slot_creation_that_an_old_transaction_blocks_says_who(pair):
    pair.source.execute(FILL)
    with pair.source.connect(autocommit=False, application_name="old_one") as other:
        other.execute("INSERT INTO t VALUES (1000, 'from before')")
        pid = other.info.backend_pid
        engine = pair.start("run", "--until", "caught-up")
        engine.until_output(rf"\b{pid}\b")
        assert engine.running()
        other.commit()
    result = engine.wait()
    assert result.code == 0, str(result)
    pair.assert_equal()


def test_commit_order_differs_from_begin_order(pair):
    pair.source.execute(FILL)
    with pair.following() as engine:
        with pair.source.connect(autocommit=False) as one, pair.source.connect(autocommit=False) as two:
            one.execute("UPDATE t SET v = 'one' WHERE id <= 50")
            two.execute("UPDATE t SET v = 'two' WHERE id > 50")
            two.commit()
            pair.source.execute("UPDATE t SET v = 'three' WHERE id > 90")
            one.execute("UPDATE t SET v = 'one again' WHERE id > 95")
            one.commit()
        pair.settle(engine)
        pair.assert_equal()


def test_many_clients_on_few_rows(pair):
    """Conflicts of every kind in every batch: unique values moved about, rows deleted and made again."""
    pair.source.execute("CREATE SEQUENCE fresh; CREATE TABLE hot (id int PRIMARY KEY, u int UNIQUE, v text); INSERT INTO hot SELECT i, i, '' FROM generate_series(1, 20) i")
    script = r"""\set a random(1, 20)
\set b random(1, 20)
BEGIN;
SELECT pg_advisory_xact_lock(1);
UPDATE hot SET u = -nextval('fresh') WHERE id IN (:a, :b) AND u > 0;
UPDATE hot SET u = :a WHERE id = :b AND NOT EXISTS (SELECT FROM hot WHERE u = :a);
DELETE FROM hot WHERE id = :a AND :b % 3 = 0;
INSERT INTO hot VALUES (:a, 1000 + nextval('fresh'), 'again') ON CONFLICT DO NOTHING;
UPDATE hot SET id = id + 100 WHERE id = :b AND :a % 4 = 0 AND NOT EXISTS (SELECT FROM hot WHERE id = :b + 100);
UPDATE hot SET id = id - 100 WHERE id = :a + 100 AND NOT EXISTS (SELECT FROM hot WHERE id = :a);
COMMIT;
"""
    with pair.following() as engine:
        Pgbench(pair.source, clients=4, script=script, transactions=500).wait()
        pair.settle(engine)
        pair.assert_equal()


def test_a_large_transaction_needs_little_memory(pair):
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    with pair.following("--jobs", "1") as engine:
        pair.source.execute("INSERT INTO t SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 200000) i")
        pair.source.execute("BEGIN; UPDATE t SET v = v || 'x'; DELETE FROM t WHERE id % 10 = 0; COMMIT")
        pair.settle(engine, 120)
    pair.assert_equal()
    assert engine.memory_peak < (64 + 16) << 20, f"{engine.memory_peak >> 20} MB"


def test_a_transaction_becomes_visible_at_once_or_not_at_all(pair):
    """However large it is, and whatever is killed while it is applied."""
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    pair.migrate()
    pair.source.execute("BEGIN; INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1, 150000) i; UPDATE t SET v = 'y' WHERE id % 2 = 0; COMMIT")
    seen = set()
    for attempt in range(4):
        engine = pair.start("cdc", "--until", "caught-up")

        def look():
            seen.add(pair.sink.value("SELECT count(*) FROM t"))
            return not engine.running()
        try:
            eventually(look, 0.5 + attempt, "the end")
        except AssertionError:
            engine.kill()
    pair.run("cdc", "--until", "caught-up")
    assert seen <= {0, 150000}
    pair.assert_equal()


def test_a_large_row_after_small_ones(pair):
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    with pair.following() as engine:
        for size in (10, 10_000_000, 10, 30_000_000):
            pair.source.execute(f"INSERT INTO t SELECT count(*), repeat('x', {size}) FROM t")
        pair.source.execute("UPDATE t SET id = id + 100")
        pair.settle(engine)
        pair.assert_equal()


def test_the_slot_moves_while_the_tables_are_idle(pair):
    pair.source.execute("CREATE TABLE idle (id int PRIMARY KEY); CREATE TABLE busy (id int PRIMARY KEY, v text)")
    engine = pair.start("run", "--migration-object", '"public.idle"', listen=True)
    engine.until(lambda d: d["step"] == "cdc" and d["stream"]["lsnApplied"], "streaming")
    pair.source.execute("INSERT INTO busy SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i")
    target = pair.source.value("SELECT pg_current_wal_lsn()::text")
    query = f"SELECT confirmed_flush_lsn >= '{target}' FROM pg_replication_slots WHERE slot_name = '{pair.slot}'"
    eventually(lambda: pair.source.value(query), 40, "the slot's confirmed position beyond what other tables wrote")
    result = engine.terminate()
    assert result.code == 0, str(result)


def test_wal_without_changes_is_no_lag_of_the_last_change(pair):
    """A checkpoint on a source that rests: the sink is some bytes behind (until the next keepalive, at once or after seconds), and
    not as long as nobody has written."""
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    with pair.following() as engine:
        pair.source.execute("INSERT INTO t VALUES (1)")
        age = "SELECT extract(epoch FROM clock_timestamp() - commit_time) FROM kubeferry.progress"
        eventually(lambda: float(pair.sink.value(age)) > 12, 60, "a last change of 12 s ago")
        lags = []
        for _ in range(30):
            pair.source.execute("SELECT pg_create_restore_point('rest')")  # WAL, and no transaction's
            time.sleep(0.2)
            lags.append(engine.progress()["stream"]["lagSeconds"])
    assert max(lags) < 10, lags


def test_timeouts_and_settings_of_the_roles_do_not_end_it(pair):
    pair.source.execute(FILL + "; INSERT INTO t SELECT i, 'u' || i, 'v', repeat('x', 5000) FROM generate_series(1000, 5000) i")
    settings = ["statement_timeout = '200ms'", "idle_in_transaction_session_timeout = '300ms'", "lock_timeout = '100ms'",
                "idle_session_timeout = '300ms'", "default_transaction_isolation = 'serializable'", "synchronous_commit = off"]
    for database, role in ((pair.source, "hasty_source"), (pair.sink, "hasty_sink")):
        text = database.role(f"{role}_{pair.slot}", "LOGIN SUPERUSER")
        for setting in settings:
            database.execute(f"ALTER ROLE {role}_{pair.slot} SET {setting}")
        if database is pair.source:
            database.execute(f"ALTER ROLE {role}_{pair.slot} SET default_transaction_read_only = on")
            pair.source_text = text()
        else:
            pair.sink_text = text()
    with pair.following() as engine:
        with pair.sink.connect(autocommit=False) as blocker:
            blocker.execute("LOCK TABLE t IN SHARE MODE")
            pair.source.execute("UPDATE t SET v = 'x'")
            time.sleep(1)  # longer than every timeout that is set
        pair.settle(engine)
        pair.assert_equal()


def test_notices_of_the_sink_do_not_stop_it(pair):
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    pair.sink.execute("""CREATE TABLE t (id int PRIMARY KEY, v text);
        CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', repeat('x', 1000); RETURN NEW; END $$;
        CREATE TRIGGER shouting BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION shout(); ALTER TABLE t ENABLE ALWAYS TRIGGER shouting""")
    with pair.following() as engine:
        pair.source.execute("INSERT INTO t SELECT i, 'v' FROM generate_series(1, 20000) i")
        pair.settle(engine)
        pair.assert_equal()


def test_rows_that_only_the_sink_lost_stop_the_stream(pair):
    """An UPDATE that finds no row means that both ends have diverged: never guessed, never skipped."""
    pair.source.execute(FILL)
    with pytest.raises(AssertionError):
        with pair.following() as engine:
            pair.sink.execute("DELETE FROM t WHERE id = 77")
            pair.source.execute("UPDATE t SET v = 'x' WHERE id = 77")
            pair.settle(engine, 30)
    result = engine.wait()
    assert result.code == 78, str(result)
    assert "77" in result.output and '"public"."t"' in result.output.replace("public.t", '"public"."t"'), str(result)


def test_a_commit_on_an_idle_stream_is_visible_at_once(pair):
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    with pair.following() as engine:
        delays = []
        for i in range(30):
            time.sleep(0.02)
            pair.source.execute(f"INSERT INTO t VALUES ({i})")
            began = time.monotonic()
            while not pair.sink.value(f"SELECT 1 FROM t WHERE id = {i}"):
                assert time.monotonic() - began < 10
            delays.append(time.monotonic() - began)
        assert engine.running()
    # The quicker quarter: on a busy machine the rest waits for the processor, and a fixed pause would show in all of them.
    assert sorted(delays)[7] < 0.05, delays


def test_prepared_transaction_arrives_with_its_commit(make_server, make_pair):
    source = make_server(settings={"max_prepared_transactions": "10"})
    pair = make_pair(source=source)
    pair.source.execute(FILL)
    with pair.following() as engine:
        pair.source.each("BEGIN;\nUPDATE t SET v = 'two-phase' WHERE id < 5;\nPREPARE TRANSACTION 'x';\n")
        pair.settle(engine)
        assert pair.sink.value("SELECT count(*) FROM t WHERE v = 'two-phase'") == 0
        pair.source.execute("COMMIT PREPARED 'x'")
        pair.settle(engine)
        pair.assert_equal()


def test_schema_changes_that_do_not_matter_go_on(pair):
    pair.source.execute(FILL)
    with pair.following() as engine:
        pair.source.execute("CREATE TABLE other (id int)")
        pair.source.execute("CREATE INDEX ON t (v)")
        pair.source.execute("ALTER TABLE t ALTER v SET DEFAULT 'd'")
        pair.source.execute("INSERT INTO t (id) VALUES (1000)")
        pair.source.execute("VACUUM FULL t")
        pair.settle(engine)
        pair.assert_equal([("public", "t")])
