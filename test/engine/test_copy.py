# SPDX-License-Identifier: Apache-2.0
"""The initial copy: formats, snapshot and slot, workers that lose their sessions, large objects, sequences, memory."""

import pytest

from servers import eventually

SLOTS = "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"
OURS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'kubeferry %%' AND pid <> pg_backend_pid()"
WIDE = "CREATE TABLE wide (id int PRIMARY KEY, v text); INSERT INTO wide SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, {}) i"


def copied(pair, *more, **options):
    pair.run("init-struct")
    return pair.run("init-data", *more, **options)


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_ranges_of_one_table_come_whole(pair, jobs):
    pair.source.execute(WIDE.format(120_000))
    pair.source.execute("DELETE FROM wide WHERE id % 7 = 0; UPDATE wide SET v = 'moved' WHERE id % 11 = 0")
    copied(pair, "--jobs", jobs)
    pair.assert_equal()
    if jobs > 1:
        assert pair.sink.value("SELECT count(*) FROM kubeferry.chunk") > 1
    assert pair.sink.value("SELECT count(*) FROM kubeferry.chunk WHERE NOT done") == 0
    assert pair.sink.rows("SELECT state, rows FROM kubeferry.relation") == [("done", pair.source.value("SELECT count(*) FROM wide"))]
    assert pair.sink.value("SELECT count(*) FROM pg_stats WHERE tablename = 'wide'") == 2, "analyzed"


def test_text_where_binary_does_not_fit(pair):
    """Composites and arrays of user types carry oids, which differ between the ends."""
    pair.sink.execute("CREATE TABLE shifts_the_oids (a int)")
    pair.source.execute("""
        CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text);
        CREATE DOMAIN positive AS int CHECK (VALUE > 0);
        CREATE TABLE t (id int PRIMARY KEY, m mood, ms mood[], p pair, ps pair[], d positive, r regclass, n name, i int4range);
        INSERT INTO t SELECT i, 'ok', '{sad,ok}', ROW(i, E'a\\tb\\n\\\\.')::pair, ARRAY[ROW(1, NULL)::pair], i, 'pg_class', 'n', '[1,5)'
          FROM generate_series(1, 100) i""")
    pair.sink.execute("DROP TABLE shifts_the_oids")
    copied(pair)
    pair.assert_equal()


def test_slot_creation_says_whom_it_waits_for_and_can_be_stopped(pair):
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pair.run("init-struct")
    with pair.source.connect(autocommit=False) as blocker:
        blocker.execute("INSERT INTO t VALUES (1)")
        pid = blocker.info.backend_pid
        engine = pair.start("init-data", listen=True)
        engine.until_output(rf"waits for an older transaction.*pid {pid}.*INSERT INTO t", timeout=30)
        assert engine.progress()["phase"] == f"the slot waits for pid {pid} (postgres)"
        result = engine.terminate()
        assert result.code in (0, 75), str(result)
        eventually(lambda: pair.source.rows(SLOTS) == [], what="no slot")
        engine = pair.start("init-data")
        engine.until_output(rf"waits for an older transaction.*pid {pid}", timeout=30)
        engine.kill()
        engine = pair.start("init-data")
        engine.until_output(r"waits for an older transaction", timeout=60)
        blocker.commit()
        result = engine.wait()
        assert result.code == 0, str(result)
    pair.assert_equal()
    assert pair.source.rows(SLOTS) == [(pair.slot,)]


@pytest.mark.parametrize("end", ["source", "sink"])
def test_workers_whose_sessions_end_go_on(pair, end):
    """One worker's session, not the one that holds the snapshot or the ledger: no table is begun again."""
    pair.source.execute(WIDE.format(250_000))
    pair.run("init-struct")
    engine = pair.start("init-data", "--jobs", "2", listen=True)
    engine.until(lambda d: d["copy"]["rowsDone"] > 10_000, "some rows")
    server = getattr(pair, end)
    assert server.rows(f"SELECT pg_terminate_backend(pid) {OURS} AND query LIKE 'COPY %%' LIMIT 1")
    result = engine.wait()
    assert result.code == 0, str(result)
    assert "tries again" in result.output
    assert "new snapshot" not in result.output
    pair.assert_equal()
    assert pair.sink.value("SELECT rows FROM kubeferry.relation") == 250_000


def test_the_snapshot_is_gone_before_indexes_are_built(pair):
    pair.source.execute(WIDE.format(50_000))
    # An index whose build takes its time.
    pair.source.execute("""CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN IF $1 = 1 THEN PERFORM pg_sleep(4); END IF; RETURN $1; END $$; CREATE INDEX slow_index ON wide (slow(id)) WHERE id < 10""")
    pair.run("init-struct")
    engine = pair.start("init-data", "--jobs", "2")
    eventually(lambda: pair.sink.rows(f"SELECT 1 {OURS} AND query LIKE '%%slow_index%%' AND state = 'active'"), what="the build")
    eventually(lambda: not pair.source.rows(f"SELECT query {OURS} AND (backend_xmin IS NOT NULL OR state LIKE 'idle in%%')"), 2,
               "no transaction of ours on the source")
    assert engine.running()
    assert engine.wait().code == 0
    pair.assert_equal()


def test_left_over_build_of_a_killed_engine_is_ended(pair):
    pair.source.execute(WIDE.format(1000))
    pair.source.execute("""CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN IF $1 = 1 THEN PERFORM pg_sleep(CASE WHEN current_setting('application_name') LIKE 'kubeferry%' THEN 5 ELSE 0 END); END IF; RETURN $1; END $$;
        CREATE INDEX slow_index ON wide (slow(id)) WHERE id < 10""")
    pair.run("init-struct")
    engine = pair.start("init-data")
    build = f"SELECT pid {OURS} AND query LIKE '%%slow_index%%' AND state = 'active'"
    first = eventually(lambda: pair.sink.rows(build), what="the build")
    engine.kill()
    engine = pair.start("init-data")
    eventually(lambda: pair.sink.rows(build) not in ([], first), what="another build")
    assert engine.wait().code == 0
    assert pair.sink.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'slow_index'::regclass")


def test_without_cdc_a_resumed_copy_is_of_one_snapshot(pair):
    pair.source.execute("CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (1)")
    steps = ["--steps", "cdc=false"]
    pair.run("init-struct", *steps)
    pair.run("init-data", *steps)
    assert pair.leftovers() == []
    # As if it had been killed with one table done and another half way.
    pair.sink.execute("UPDATE kubeferry.task SET data_done = false; UPDATE kubeferry.relation SET state = 'waiting' WHERE table_name = 'b'")
    pair.source.execute("INSERT INTO a VALUES (2); INSERT INTO b VALUES (2)")
    result = pair.run("init-data", *steps)
    assert "copied again" in result.output
    pair.assert_equal()
    assert pair.leftovers() == []


def test_a_slot_whose_making_was_interrupted_is_made_again(pair):
    pair.source.execute(WIDE.format(100))
    copied(pair)
    pair.sink.execute("""UPDATE kubeferry.task SET data_done = false, slot_state = 'creating', consistent_point = NULL;
        DELETE FROM kubeferry.relation; TRUNCATE wide""")
    before = pair.source.value("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = %s", [pair.slot])
    pair.source.execute("INSERT INTO wide VALUES (0, 'late')")
    pair.run("init-data")
    assert pair.source.value("SELECT confirmed_flush_lsn > %s FROM pg_replication_slots WHERE slot_name = %s", [before, pair.slot])
    pair.assert_equal()


def test_tables_added_later_join_the_publication(pair):
    pair.source.execute(WIDE.format(100))
    pair.source.execute(f"CREATE PUBLICATION {pair.publication}; COMMENT ON PUBLICATION {pair.publication} IS 'kubeferry task {pair.name}'")
    pair.source.execute("""CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
        CREATE UNLOGGED TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1)""")
    copied(pair)
    members = pair.source.rows("SELECT tablename FROM pg_publication_tables WHERE pubname = %s ORDER BY 1", [pair.publication])
    assert members == [("p1",), ("wide",)]
    assert pair.source.rows("SELECT prrelid::regclass::text FROM pg_publication_rel ORDER BY 1") == [("p",), ("wide",)]
    pair.assert_equal()


LARGE_OBJECTS = """SELECT lo_from_bytea(0, convert_to(repeat(i::text, i * 40), 'UTF8')) FROM generate_series(1, 1200) i;
SELECT lo_create(0); SELECT lo_from_bytea(0, convert_to(repeat('large ', 500000), 'UTF8'));
SELECT lo_from_bytea(0, decode(repeat('00', 4096), 'hex')), lo_from_bytea(0, decode(repeat('ff', 4097), 'hex'))"""
LO_SUMS = "SELECT count(*), sum(hashtextextended(oid || md5(lo_get(oid)), 0)) FROM pg_largeobject_metadata"


def test_large_objects_come_along(pair):
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    pair.source.execute(LARGE_OBJECTS)
    copied(pair)
    assert pair.sink.rows(LO_SUMS) == pair.source.rows(LO_SUMS)
    # As if killed on the way: what was copied is replaced, not doubled.
    pair.sink.execute("""UPDATE kubeferry.task SET data_done = false; UPDATE kubeferry.object SET reason = 'up to '
        || (SELECT max(oid) FROM pg_largeobject_metadata) WHERE identity = 'LARGE OBJECTS'""")
    pair.run("init-data")
    assert pair.sink.rows(LO_SUMS) == pair.source.rows(LO_SUMS)


def test_large_objects_stay_out_when_tables_are_named(pair):
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY); SELECT lo_create(0)")
    pair.run("init-struct", "--migration-object", '"public.t"')
    pair.run("init-data", "--migration-object", '"public.t"')
    assert pair.sink.value("SELECT count(*) FROM pg_largeobject_metadata") == 0


def test_large_objects_of_somebody_else_stop_the_step(pair):
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); SELECT lo_create(0)")
    pair.run("init-struct")
    pair.sink.execute("SELECT lo_create(0)")
    result = pair.call("init-data")
    assert result.code == 78 and "large objects" in result.output, str(result)
    assert pair.sink.value("SELECT count(*) FROM t") == 0
    assert pair.leftovers() == []


SEQUENCES = """
CREATE TABLE s (id serial PRIMARY KEY, small smallserial, g int GENERATED ALWAYS AS IDENTITY, used int);
CREATE SEQUENCE standalone; CREATE SEQUENCE untouched START 42; CREATE SEQUENCE "De""fault" INCREMENT -3 MAXVALUE -1 CACHE 20;
CREATE SEQUENCE set_only; ALTER TABLE s ALTER used SET DEFAULT nextval('"De""fault"');
INSERT INTO s (small) SELECT i FROM generate_series(1, 10) i;
SELECT nextval('standalone'); SELECT setval('set_only', 77, false)"""
VALUES = {name: f"SELECT last_value, is_called FROM {name}"
          for name in ["s_id_seq", "s_small_seq", "s_g_seq", "standalone", "untouched", '"De""fault"', "set_only"]}


def test_sequences_are_set(pair):
    pair.source.execute(SEQUENCES)
    copied(pair)
    for name, query in VALUES.items():
        assert pair.sink.rows(query) == pair.source.rows(query), name


def test_memory_does_not_grow_with_a_table(pair):
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t ALTER v SET STORAGE EXTERNAL")
    pair.source.execute("INSERT INTO t SELECT i, repeat('x', 100000) FROM generate_series(1, 3000) i")
    pair.run("init-struct")
    result = pair.run("init-data", "--jobs", "2")
    assert result.memory_peak < 64 * 2**20 + 2 * 16 * 2**20, result.memory_peak
    pair.assert_equal()
