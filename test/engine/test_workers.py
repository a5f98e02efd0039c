# SPDX-License-Identifier: Apache-2.0
"""init-data by several processes: they share the work, and whatever is killed, nothing is lost or doubled."""

import json
import random
import signal
import time

import pytest

from servers import Pgbench, eventually

# On the sink each row takes its time (the check is made there, too), so that the copy lasts long enough to be disturbed.
SCHEMA = """
CREATE FUNCTION public.nap(id int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
  IF id % 40 = 0 AND current_database() LIKE 'sink%' THEN PERFORM pg_catalog.pg_sleep(0.01); END IF;
  RETURN true;
END $$;
DO $$ BEGIN FOR i IN 1..40 LOOP
  EXECUTE format('CREATE TABLE public.t%s (id int PRIMARY KEY CHECK (public.nap(id)), v text)', i);
  EXECUTE format('INSERT INTO public.t%s SELECT n, md5(n::text) FROM generate_series(1, 400) n', i);
  EXECUTE format('CREATE INDEX ON public.t%s (v)', i);
END LOOP; END $$;
CREATE TABLE public.big (id int PRIMARY KEY, v text, n int DEFAULT 0);
INSERT INTO public.big SELECT n, repeat(md5(n::text), 40) FROM generate_series(1, 60000) n;
CREATE TABLE public.nokey (id int CHECK (public.nap(id)), v text);
ALTER TABLE public.nokey ALTER v SET STORAGE PLAIN;
INSERT INTO public.nokey SELECT n, repeat(md5(n::text), 200) FROM generate_series(1, 9000) n;
ALTER TABLE public.nokey REPLICA IDENTITY FULL;
"""
WRITER = r"""\set id random(1, 60000)
\set row random(1, 9000)
BEGIN;
UPDATE big SET n = n + 1 WHERE id = :id;
INSERT INTO nokey VALUES (:row + 10000, 'new');
DELETE FROM nokey WHERE ctid = (SELECT ctid FROM nokey WHERE id = :row LIMIT 1);
UPDATE t1 SET v = 'seen' WHERE id = :id % 400;
COMMIT;
"""


@pytest.fixture(scope="module")
def filled(source_server):
    database = source_server.database("shared")
    database.execute(SCHEMA)
    database.execute("VACUUM ANALYZE")
    database.close()
    yield database.name
    database.drop()


@pytest.fixture
def shop(make_pair, filled):
    pair = make_pair(source_options={"template": filled})
    pair.run("init-struct")
    return pair


def start(pair, index, workers=3, *more, **options):
    return pair.start("init-data", "--jobs", "1", "--workers", workers, "--worker-index", index, *more, **options)


def finish(pair):
    """Whatever was written since, then the comparison."""
    end_writers = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgbench' AND datname = current_database()"
    eventually(lambda: not pair.source.rows(end_writers), what="the writers' end")
    pair.run("cdc", "--until", "caught-up")
    pair.assert_equal()
    indexes = "SELECT count(*) FROM pg_index WHERE indrelid::regclass::text ~ '^(t[0-9]+|big)$'"
    assert pair.sink.value(indexes) == pair.source.value(indexes)


def copied(engine):
    """Rows that a worker has copied by now; 0 when it does not answer."""
    document = engine.progress()
    return document["copy"]["rowsDone"] if document else 0


def test_three_processes_share_the_copy(shop, tmp_path):
    files = [tmp_path / f"worker{index}" for index in range(3)]
    engines = [start(shop, index, environment={"KUBEFERRY_TERMINATION_FILE": str(files[index])}) for index in (1, 2)]
    for engine in engines:
        engine.until_output("waiting for the process that coordinates")
    engines.insert(0, start(shop, 0, environment={"KUBEFERRY_TERMINATION_FILE": str(files[0])}))
    for engine in engines:
        result = engine.wait()
        assert result.code == 0, str(result)
    documents = [json.loads(file.read_text()) for file in files]
    assert [d["worker"] for d in documents] == [0, 1, 2]
    assert all(d["state"] == "done" and d["verb"] == "init-data" for d in documents)
    counts = [d["copy"]["rowsDone"] for d in documents]
    total = sum(shop.source.value(f"SELECT count(*) FROM {table}") for table in ["big", "nokey", *(f"t{i}" for i in range(1, 41))])
    assert counts[0] == total, "the coordinator's counts are those of all"
    assert documents[0]["copy"]["tablesDone"] == documents[0]["copy"]["tablesTotal"] == 42
    assert counts[1] > 0 and counts[2] > 0 and counts[1] + counts[2] < total, counts
    assert documents[1]["copy"]["tablesTotal"] == 0
    finish(shop)
    late = start(shop, 2).wait(20)
    assert late.code == 0 and "all rows are in" in late.output, "one that comes when all is done has nothing to do"


def test_without_cdc(shop):
    engines = [start(shop, index, 2, "--steps", "cdc=false") for index in (1, 0)]
    for engine in engines:
        result = engine.wait()
        assert result.code == 0, str(result)
    shop.assert_equal()
    assert shop.leftovers() == []


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random(shop, seed):
    """Coordinator and helpers, again and again, while applications write; whoever was killed comes back."""
    dice = random.Random(seed)
    with Pgbench(shop.source, rate=60, script=WRITER) as writer:
        engines = {index: start(shop, index) for index in range(3)}
        kills = {0: 0, 1: 0, 2: 0}
        deadline = time.monotonic() + 80
        while engines[0].running() and time.monotonic() < deadline:
            time.sleep(dice.uniform(0.1, 1.6))
            victim = dice.choice([0, 1, 2])
            if sum(kills.values()) < 14 and engines[victim].running():
                engines[victim].kill()
                kills[victim] += 1
                time.sleep(dice.uniform(0, 0.5))
            for index, engine in engines.items():
                if not engine.running() and engine.process.returncode != 0:
                    assert engine.process.returncode in (-signal.SIGKILL, 75), engine.output()
                    engines[index] = start(shop, index)
        results = {index: engine.wait() for index, engine in engines.items()}
        writer.stop()
    assert all(result.code == 0 for result in results.values()), results
    assert kills[0] > 1 and kills[1] + kills[2] > 1, kills
    finish(shop)


def test_rows_of_an_older_snapshot_are_fenced_off(make_pair, filled):
    """A helper that is frozen while its coordinator is replaced. The name is so long that the new coordinator cannot tell
    whose sessions those are and ends none: what keeps the old rows out is the fence alone."""
    pair = make_pair(source_options={"template": filled})
    pair.name = "a-name-of-63-characters-".ljust(63, "x")
    pair.slot = pair.name.replace("-", "_")
    pair.publication = (pair.slot + "_publication_for_all_tables")[:63]
    pair.run("init-struct")
    first, helper = start(pair, 0, 2, listen=True), start(pair, 1, 2, listen=True)
    helper.until(lambda d: any("nokey" in r["relation"] for r in d["copy"]["running"]), "a chunk of the helper")
    helper.signal(signal.SIGSTOP)
    first.kill()
    pair.source.execute("UPDATE nokey SET v = v || '!'; UPDATE big SET n = 1 WHERE id % 3 = 0")
    second = start(pair, 0, 2, listen=True)
    second.until_output("copying what is not complete under a new snapshot|is used by|waiting")
    time.sleep(3)  # it waits for the table's lock, which the frozen one holds
    helper.signal(signal.SIGCONT)
    for engine in (second, helper):
        result = engine.wait()
        assert result.code == 0, str(result)
    assert pair.sink.value("SELECT count(*) FROM nokey") == 9000
    finish(pair)


def test_helper_survives_coordinator_and_the_other_way_round(shop):
    first, helper = start(shop, 0, listen=True), start(shop, 1, listen=True)
    helper.until(lambda d: d["copy"]["rowsDone"] > 0, "the helper's first rows")
    first.kill()
    time.sleep(1)
    second = start(shop, 0, listen=True)
    helper.until_output("this plan of the copy has ended")
    before = copied(helper)
    helper.until(lambda d: d["copy"]["rowsDone"] > before, "rows under the new plan")
    helper.kill()
    result = second.wait()
    assert result.code == 0, str(result)
    finish(shop)


def test_helper_without_coordinator(pair):
    pair.source.execute("CREATE TABLE a (id int PRIMARY KEY)")
    helper = pair.start("init-data", "--worker-index", "1", listen=True)
    helper.until(lambda d: d["phase"] == "waiting for the coordinator", "its wait")
    result = helper.terminate()
    assert result.code == 75, str(result)
    assert "stopped before the end" in result.output
    assert pair.leftovers() == [] and pair.sink.value("SELECT to_regnamespace('kubeferry')") is None


def test_helper_of_another_source_is_refused(make_pair, filled):
    one, other = make_pair(source_options={"template": filled}), make_pair()
    one.run("init-struct")
    coordinator = start(one, 0, listen=True)
    coordinator.until(lambda d: d["copy"]["rowsDone"] > 0, "the first rows")
    arguments = ["init-data", "--name", one.name, "--source", other.source_text, "--sink", one.sink_text, "--worker-index", "1"]
    result = type(coordinator)(*arguments).wait(30)
    assert result.code == 78 and "belongs to another source" in result.output, str(result)
    assert coordinator.wait().code == 0


def test_index_beyond_the_workers(pair):
    result = pair.call("init-data", "--workers", "2", "--worker-index", "2")
    assert result.code == 64 and "expected 0 to 1" in result.output, str(result)


def test_a_ledger_of_version_1_is_brought_up_to_date(shop):
    shop.sink.execute("DROP TABLE kubeferry.share; UPDATE kubeferry.version SET version = 1")
    helper = start(shop, 1, 2)
    helper.until_output("waiting for the process that coordinates")
    assert start(shop, 0, 2).wait().code == 0
    assert helper.wait().code == 0
    assert shop.sink.value("SELECT version FROM kubeferry.version") > 1
    finish(shop)


@pytest.mark.parametrize("end", ["source", "sink"])
def test_a_server_restarts(make_server, make_pair, end):
    server = make_server()
    pair = make_pair(**{end: server})
    pair.source.execute(SCHEMA)
    pair.run("init-struct")
    engines = [start(pair, index, listen=True) for index in range(3)]
    for engine in engines[1:]:
        engine.until(lambda d: d["copy"]["rowsDone"] > 0, "the first rows of each")
    for database in (pair.source, pair.sink):
        database.close()
    server.crash() if end == "sink" else server.stop()
    server.start()
    for engine in engines:
        result = engine.wait(120)
        assert result.code == 0, str(result)
    pair.run("cdc", "--until", "caught-up")
    pair.assert_equal()
