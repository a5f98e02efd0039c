# SPDX-License-Identifier: Apache-2.0
"""verify sees every difference, names the keys, and is right while writes go on."""

import re

import pytest

from servers import Pgbench, eventually

TABLES = """CREATE TABLE t (id int PRIMARY KEY, v text, j json, f float8); INSERT INTO t SELECT i, 'v' || i, '{"a": 1}', i / 3.0 FROM generate_series(1, 5000) i;
CREATE TABLE two (a text, b int, v bytea, PRIMARY KEY (a, b)); INSERT INTO two SELECT 'k''"' || i, i, '\\x00' FROM generate_series(1, 500) i;
CREATE TABLE nokey (a int, v text); ALTER TABLE nokey REPLICA IDENTITY FULL; INSERT INTO nokey SELECT i % 10, 'v' FROM generate_series(1, 100) i;
CREATE TABLE p (id int PRIMARY KEY) PARTITION BY HASH (id); CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1); INSERT INTO p SELECT generate_series(1, 100);
CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1);
CREATE TABLE empty (id int PRIMARY KEY);
CREATE DOMAIN small AS smallint; CREATE TABLE typed (id bigint PRIMARY KEY, a int, b int, c char(9), n numeric, s small, v varchar, d date, i interval, e text[]);
INSERT INTO typed VALUES (1, 1, 2, 'ab', 1.5, 7, NULL, '2020-01-01', '1 day', '{a,NULL}'), (2, 2, 1, '', 1.5, NULL, 'x', NULL, '24 h', NULL)"""


@pytest.fixture
def done(pair):
    pair.source.execute(TABLES)
    pair.migrate()
    return pair


def test_equal_ends(done):
    result = done.run("verify")
    assert "0" in result.output
    done.source.execute("UPDATE t SET v = 'not yet applied' WHERE id < 100")
    done.run("verify")
    slots = done.source.rows("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()")
    assert slots == [(done.slot,)], "a temporary slot is left"


@pytest.mark.parametrize("change, words", [
    ("DELETE FROM t WHERE id = 4711", ["4711", "missing"]),
    ("INSERT INTO t VALUES (99999, 'x')", ["99999", "extra"]),
    ("INSERT INTO t VALUES (-5, 'x')", ["-5", "extra"]),
    ("UPDATE t SET v = v || ' ' WHERE id = 17", ["17", "different"]),
    ("UPDATE t SET j = '{\"a\":1}' WHERE id = 18", ["18", "different"]),
    ("UPDATE t SET f = f + 1e-12 WHERE id = 19", ["19", "different"]),
    ("UPDATE t SET v = NULL WHERE id = 20", ["20", "different"]),
    ("UPDATE two SET v = '\\x0000' WHERE b = 30", ["30", "different"]),
    ("UPDATE nokey SET v = 'x' WHERE ctid = (SELECT min(ctid) FROM nokey)", ["nokey"]),
    ("INSERT INTO nokey VALUES (1, 'v')", ["nokey"]),
    ("UPDATE t SET v = CASE id WHEN 40 THEN 'v41' ELSE 'v40' END WHERE id IN (40, 41)", ["40", "41", "different"]),
    ("UPDATE typed SET c = 'ab ' || 'c' WHERE id = 1", ["typed", "different"]),
    ("UPDATE typed SET n = '1.50' WHERE id = 2", ["typed", "different"]),
    ("UPDATE typed SET v = '' WHERE v IS NULL", ["typed", "different"]),
    ("UPDATE typed SET a = b, b = a", ["typed", "different"]),
    ("DELETE FROM p WHERE id = 42", ["42", "missing"]),
    ("INSERT INTO child VALUES (3)", ["child", "3", "extra"]),
    ("INSERT INTO empty VALUES (1)", ["empty", "extra"]),
    ("TRUNCATE t", ["missing"]),
])
def test_each_difference_is_named(done, change, words):
    done.sink.execute(change)
    result = done.call("verify")
    assert result.code == 1, str(result)
    assert all(word in result.output for word in words), str(result)


def test_at_most_twenty_keys_are_named(done):
    done.sink.execute("DELETE FROM t WHERE id BETWEEN 1000 AND 1099")
    result = done.call("verify")
    assert result.code == 1 and "100" in result.output, str(result)
    named = sum(str(key) in result.output for key in range(1001, 1099))
    assert 1 <= named <= 20, str(result)


def test_a_table_that_the_sink_lost(done):
    done.sink.execute("DROP TABLE two")
    result = done.call("verify")
    assert result.code in (1, 78) and "two" in result.output, str(result)


def test_while_an_engine_applies_and_clients_write(pair):
    pair.source.execute(TABLES)
    script = """\\set id random(1, 5000)
UPDATE t SET v = v || 'x' WHERE id = :id;
INSERT INTO nokey VALUES (:id, 'n');
"""
    with pair.following() as engine, Pgbench(pair.source, rate=300, script=script) as writer:
        for _ in range(3):
            pair.run("verify", "--jobs", "2")
        pair.sink.execute("UPDATE two SET v = NULL WHERE b = 77")
        result = pair.call("verify")
        assert result.code == 1 and "77" in result.output, str(result)
        pair.sink.execute("UPDATE two SET v = '\\x00' WHERE b = 77")
        writer.stop()
        pair.settle(engine)
    pair.assert_equal()


def test_tables_and_columns_of_one_end_only(done):
    done.sink.execute("CREATE TABLE sink_only (id int); ALTER TABLE t DROP COLUMN j; ALTER TABLE two ADD COLUMN more int")
    result = done.call("verify")
    assert result.code == 1, result
    assert '"public"."sink_only": the table exists on the sink alone' in result.output, result
    assert '"public"."t": the sink\'s table lacks the column "j"' in result.output, result
    assert "differences: 2" in result.output, result


def test_an_old_transaction_of_the_source_is_named_and_cdc_goes_on(pair):
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    with pair.following() as engine, pair.source.connect() as old:
        old.execute("BEGIN")
        old.execute("INSERT INTO t VALUES (1)")
        result = pair.call("verify")
        assert result.code == 78 and f"pid {old.info.backend_pid}" in result.output, result
        assert pair.source.value("SELECT count(*) FROM pg_replication_slots WHERE temporary") == 0
        pair.settle(engine, timeout=10)
        old.execute("ROLLBACK")


def test_a_stop_while_cdc_is_held_lets_it_go_on(pair):
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    with pair.following() as engine, pair.source.connect() as old:
        old.execute("BEGIN")
        old.execute("INSERT INTO t VALUES (1)")  # verify waits for its end, the applier is held
        verify = pair.start("verify")
        eventually(lambda: pair.sink.value("SELECT state FROM kubeferry.barrier") == "holding", what="the applier held")
        assert verify.terminate().code == 75
        assert pair.sink.value("SELECT state FROM kubeferry.barrier") == "none"
        pair.settle(engine, timeout=10)
        old.execute("ROLLBACK")


def test_a_sample_is_the_same_on_both_ends(done):
    result = done.run("verify", "--sample", "10")
    rows = int(re.search(r"verified \d+ tables, (\d+) rows", result.output).group(1))
    assert 300 < rows < 900, result
    assert "sample of 10 %" in result.output, result
    done.sink.execute("UPDATE t SET v = 'x'")
    result = done.call("verify", "--sample", "10")
    assert result.code == 1, result
    found = int(re.search(r'"public"."t": 0 missing on the sink, 0 extra on the sink, (\d+) different', result.output).group(1))
    assert 300 < found < 700, result
    assert done.sink.rows("SELECT sample, differences FROM kubeferry.verification") == [(10.0, found)]


def test_a_large_table_is_cut_into_chunks(pair):
    """The ends are cut by themselves: the sink's rows stand in other blocks, some of them in partitions."""
    pair.source.execute("""CREATE TABLE large (id int, v text, w text, PRIMARY KEY (id)); ALTER TABLE large ALTER v SET STORAGE PLAIN;
        INSERT INTO large SELECT i, repeat(chr(97 + i % 26), 7000), 'w' || i FROM generate_series(1, 30000) i; ANALYZE large""")
    pair.migrate()
    pair.sink.execute("UPDATE large SET w = w WHERE id % 3 = 0")
    assert "verified 1 tables, 30000 rows" in pair.run("verify", "--jobs", "3").output
    pair.sink.execute("UPDATE large SET w = 'x' WHERE id = 29999; DELETE FROM large WHERE id = 3; INSERT INTO large VALUES (-1, '', '')")
    pair.sink.execute("CREATE TABLE small (id int PRIMARY KEY)")
    pair.source.execute("CREATE TABLE small (id int PRIMARY KEY)")
    for jobs in ("1", "3"):
        result = pair.call("verify", "--jobs", jobs)
        assert result.code == 1 and '"public"."large": 1 missing on the sink, 1 extra on the sink, 1 different' in result.output, result
        assert all(f"{{id={key}}}" in result.output for key in (29999, 3, -1)), result
    pair.sink.execute("""UPDATE large SET w = 'w' || id WHERE id = 29999; DELETE FROM large WHERE id = -1;
        ALTER TABLE large RENAME TO plain; CREATE TABLE large (LIKE plain INCLUDING ALL) PARTITION BY RANGE (id);
        CREATE TABLE low PARTITION OF large FOR VALUES FROM (MINVALUE) TO (15000);
        CREATE TABLE high PARTITION OF large FOR VALUES FROM (15000) TO (MAXVALUE); INSERT INTO large SELECT * FROM plain; DROP TABLE plain""")
    result = pair.call("verify", "--jobs", "3")
    assert '"public"."large": 1 missing on the sink, 0 extra on the sink, 0 different' in result.output, result


def test_resumed_after_an_interruption(pair):
    """The large table is compared first and noted; the next ones are held up: killed there, the next verify passes it over."""
    pair.source.execute(TABLES + "; CREATE TABLE large (id int PRIMARY KEY, v text); INSERT INTO large SELECT i, repeat('x', 100) FROM generate_series(1, 30000) i")
    pair.migrate()
    pair.sink.execute("""CREATE FUNCTION kubeferry.gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(88); RETURN NEW; END $$;
        CREATE TRIGGER gate BEFORE INSERT ON kubeferry.verified FOR EACH ROW WHEN (NEW.table_name <> 'large') EXECUTE FUNCTION kubeferry.gate();
        SELECT pg_advisory_lock(88)""")
    first = pair.start("verify", "--jobs", "1")
    eventually(lambda: pair.sink.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"), 30, "the other tables")
    first.kill()
    pair.sink.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    pair.sink.execute("DROP TRIGGER gate ON kubeferry.verified; SELECT pg_advisory_unlock(88)")
    assert pair.sink.rows("SELECT table_name FROM kubeferry.verified") == [("large",)]
    result = pair.run("verify", "--resume")
    assert "1 tables were found equal by the verification before" in result.output and "differences: 0" in result.output, result
    assert pair.sink.value("SELECT count(*) FROM kubeferry.verified") == 0
    assert pair.sink.rows("SELECT lsn, rows FROM kubeferry.verification") == [(None, 35704)], "not of one moment"
    result = pair.run("verify", "--resume")
    assert "interrupted" not in result.output, result
    assert pair.sink.value("SELECT lsn IS NOT NULL FROM kubeferry.verification")
