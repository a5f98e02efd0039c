# SPDX-License-Identifier: Apache-2.0
"""Killed at any moment and started again: nothing is lost, nothing doubled, finished tables are not copied again."""

import glob
import itertools
import re

import pytest

from comparison import assert_same_definitions
from servers import Pgbench, eventually

SCHEMA = """
CREATE TABLE small (id int PRIMARY KEY, v text);
INSERT INTO small SELECT i, 'v' || i FROM generate_series(1, 1000) i;
CREATE TABLE wide (id int PRIMARY KEY, a text, b text, c text);
INSERT INTO wide SELECT i, md5(i::text), md5((i * 7)::text), repeat('c', i % 500) FROM generate_series(1, 150000) i;
CREATE INDEX ON wide (a); CREATE INDEX ON wide (b, c); CREATE UNIQUE INDEX ON wide (a, id);
CREATE TABLE child (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, wide int REFERENCES wide, n int NOT NULL DEFAULT 0);
INSERT INTO child (wide) SELECT 1 + i % 150000 FROM generate_series(1, 60000) i;
CREATE TABLE parted (id int PRIMARY KEY, v text) PARTITION BY HASH (id);
CREATE TABLE parted0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parted1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parted SELECT i, 'p' FROM generate_series(1, 20000) i;
"""
WRITER = r"""\set id random(1, 150000)
\set p random(1, 20000)
BEGIN;
UPDATE wide SET a = md5(random()::text), b = 'w' WHERE id = :id;
INSERT INTO child (wide, n) VALUES (:id, :p);
DELETE FROM child WHERE id = (SELECT min(id) FROM child WHERE id > :id % 60000);
UPDATE parted SET v = v || 'x' WHERE id = :p;
UPDATE small SET v = 'seen' WHERE id = :p % 1000;
COMMIT;
"""
MOMENTS = {
    "at once": lambda d: True,
    "in precheck": lambda d: d["step"] == "precheck",
    "in init-struct": lambda d: d["step"] == "init-struct",
    "at the first rows": lambda d: d["copy"]["rowsDone"] > 0,
    "in the middle of the rows": lambda d: d["copy"]["rowsDone"] > 90_000,
    "at the first table": lambda d: d["copy"]["tablesDone"] > 0,
    "at the first index": lambda d: any(r["what"] != "copy" for r in d["copy"]["running"]),
    "between indexes": lambda d: d["copy"]["indexesDone"] > 2,
    "at the stream's start": lambda d: d["step"] == "cdc",
    "in the stream": lambda d: d["stream"]["transactions"] > 20,
}


@pytest.fixture(scope="module")
def filled(source_server):
    """A database to copy, so that it is filled once."""
    database = source_server.database("filled")
    database.execute(SCHEMA)
    database.close()
    yield database.name
    database.drop()


@pytest.fixture
def shop(make_pair, filled):
    pair = make_pair(source_options={"template": filled})
    pair.marker_table()
    with Pgbench(pair.source, rate=150, script=WRITER) as writer:
        yield pair
        writer.stop()


def finish(pair):
    """Runs it again to the end, without writers at last, and compares everything."""
    with pair.following("--jobs", "2") as engine:
        pair.settle(engine)
    pair.migrate()


def file_nodes(sink):
    """What changes when a table is emptied or made again."""
    return dict(sink.rows("SELECT oid::regclass::text, relfilenode FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"))


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_once(shop, moment):
    engine = shop.start("run", "--jobs", "2", listen=True)
    engine.until(MOMENTS[moment], moment)
    engine.kill()
    finish(shop)
    stop_writing_and_compare(shop)


def stop_writing_and_compare(pair):
    end_writers = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgbench' AND datname = current_database()"
    pair.source.rows(end_writers)
    eventually(lambda: not pair.source.rows(end_writers), what="the writers' end")
    pair.migrate()
    pair.assert_equal()
    assert_same_definitions(pair.source, pair.sink)


def test_killed_again_and_again(shop):
    """At random moments until it has come through once."""
    for attempt in itertools.count(1):
        engine = shop.start("run", "--until", "caught-up", "--jobs", "2")
        try:
            eventually(lambda e=engine: not e.running(), timeout=0.15 * attempt, what="the end", interval=0.01)
            break
        except AssertionError:
            engine.kill()
    result = engine.wait()
    assert result.code == 0, str(result)
    assert attempt > 4
    stop_writing_and_compare(shop)


def test_killed_again_and_again_in_the_stream(shop):
    shop.migrate()
    for attempt in range(12):
        engine = shop.start("cdc", listen=True)
        engine.until(lambda d: d["stream"]["transactions"] > attempt * 3, "some transactions")
        engine.kill()
    stop_writing_and_compare(shop)


def test_finished_tables_are_not_copied_again(make_pair, filled):
    pair = make_pair(source_options={"template": filled})
    engine = pair.start("run", "--jobs", "1", listen=True)
    engine.until(lambda d: 2 <= d["copy"]["tablesDone"], "two finished tables")
    engine.kill()
    before = file_nodes(pair.sink)
    done = {f"{schema}.{name}" if schema != "public" else name for schema, name in finished_tables(pair)}
    assert len(done) >= 2
    result = pair.migrate("--jobs", "1")
    after = file_nodes(pair.sink)
    assert {name: after[name] for name in done} == {name: before[name] for name in done}, str(result)
    inserted = dict(pair.sink.rows("SELECT relname, n_tup_ins FROM pg_stat_user_tables"))
    for name in done:
        assert inserted[name] <= pair.source.value(f"SELECT count(*) FROM ONLY {name}"), f"{name} was copied again"
    pair.assert_equal()


def finished_tables(pair):
    """From the sink itself: tables whose every row has arrived."""
    names = pair.sink.rows("SELECT schemaname, relname FROM pg_stat_user_tables WHERE schemaname = 'public'")
    count = 'SELECT count(*) FROM ONLY "{}"."{}"'
    return [n for n in names if 0 < pair.source.value(count.format(*n)) == pair.sink.value(count.format(*n))]


def test_children_do_not_outlive_a_killed_engine(pair):
    pair.source.execute("DO $$ BEGIN FOR i IN 1..400 LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY)', i); END LOOP; END $$")
    engine = pair.start("run", "--until", "caught-up")
    children = eventually(lambda: child_pids(engine.pid) or not engine.running(), what="pg_dump", interval=0.002)
    assert children is not True, engine.output()
    engine.kill()
    eventually(lambda: not any(alive(pid) for pid in children), 15, "the children's end")


def child_pids(parent):
    found = []
    for path in glob.glob(f"/proc/{parent}/task/*/children"):
        try:
            with open(path, encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
        except OSError:
            continue
    return found


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return re.search(r"\) (\w)", file.read()).group(1) not in "ZX"
    except OSError:
        return False
