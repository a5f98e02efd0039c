# SPDX-License-Identifier: Apache-2.0
"""Everything at once, at random: writers of every kind on the source, while engine, servers and sessions are killed.

KUBEFERRY_CHAOS_SECONDS and KUBEFERRY_CHAOS_SEED make a run longer, or choose its course (as far as the timing allows).
"""

import contextlib
import os
import random
import re
import signal
import threading
import time

import psycopg
import pytest

from comparison import assert_same_definitions
from servers import eventually

SECONDS = float(os.environ.get("KUBEFERRY_CHAOS_SECONDS", "12"))
SEED = int(os.environ.get("KUBEFERRY_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
# fsync on and a lazy WAL writer: a crash of the sink loses the engine's asynchronous commits.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "wal_writer_delay": "2s"}
MAY_PASS = (0, 69, 75)

SCHEMA = """
CREATE TABLE account (id bigint PRIMARY KEY, code text UNIQUE NOT NULL, place int UNIQUE, balance numeric(12,2), note text);
INSERT INTO account SELECT i, 'c' || i, i, i, NULL FROM generate_series(1, 2000) i;
CREATE TABLE ranked (id int PRIMARY KEY, rank int UNIQUE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO ranked SELECT i, i FROM generate_series(1, 200) i;
CREATE TABLE document (id int PRIMARY KEY, version int NOT NULL, body text, attachment bytea);
ALTER TABLE document ALTER body SET STORAGE EXTERNAL, ALTER attachment SET STORAGE EXTERNAL;
INSERT INTO document SELECT i, 0, repeat(md5(i::text), 100), decode(repeat(md5(i::text), 90), 'hex') FROM generate_series(1, 300) i;
CREATE TABLE document_full (LIKE document INCLUDING ALL);
ALTER TABLE document_full REPLICA IDENTITY FULL;
INSERT INTO document_full SELECT * FROM document;
CREATE TABLE bag (a int, b text);
ALTER TABLE bag REPLICA IDENTITY FULL;
INSERT INTO bag SELECT i % 20, NULLIF(i % 3, 0) FROM generate_series(1, 200) i;
CREATE TABLE parent (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int);
CREATE TABLE child (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent bigint REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE, v int);
INSERT INTO parent (v) SELECT i FROM generate_series(1, 500) i;
INSERT INTO child (parent, v) SELECT 1 + i % 500, i FROM generate_series(1, 2000) i;
CREATE TABLE wiped (id int PRIMARY KEY, v text);
CREATE TABLE wiped_child (id int PRIMARY KEY, wiped int REFERENCES wiped);
CREATE TABLE parted (region text, id int, v text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a');
CREATE TABLE parted_b PARTITION OF parted FOR VALUES IN ('b') PARTITION BY HASH (id);
CREATE TABLE parted_b0 PARTITION OF parted_b FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parted_b1 PARTITION OF parted_b FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
INSERT INTO parted SELECT substr('abc', 1 + i % 3, 1), i, 'p' FROM generate_series(1, 1500) i;
CREATE TABLE by_index (a int NOT NULL, b text NOT NULL, c int, d int GENERATED ALWAYS AS (c * 2) STORED);
CREATE UNIQUE INDEX by_index_key ON by_index (b, a);
ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_key;
INSERT INTO by_index SELECT i, 'b' || i, i FROM generate_series(1, 500) i;
CREATE TABLE bulk (id bigint PRIMARY KEY, v text, tags text[], doc jsonb);
INSERT INTO bulk SELECT i, repeat(md5(i::text), 4), ARRAY['x', NULL, i::text], jsonb_build_object('i', i) FROM generate_series(1, 250000) i;
CREATE INDEX ON bulk (v);
CREATE TABLE settle_marker (id int PRIMARY KEY);
"""


class Writer(threading.Thread):
    """One client that writes at random until it is told to stop; a lost connection is made again."""

    def __init__(self, database, seed, stop):
        super().__init__(daemon=True)
        self.database, self.random, self.stop_event = database, random.Random(seed), stop
        self.committed, self.failure = 0, None
        self.number = seed % 1000

    def run(self):
        while not self.stop_event.is_set():
            try:
                with self.database.connect(autocommit=False, application_name="writer") as connection:
                    while not self.stop_event.is_set():
                        self.transaction(connection)
            except psycopg.OperationalError:
                time.sleep(0.05)
            except Exception as error:  # shown by the test
                self.failure = error
                return

    def transaction(self, connection):
        try:
            for _ in range(self.random.choice([1, 1, 2, 3, 8])):
                if self.random.random() < 0.2:
                    self.savepoint(connection)
                else:
                    self.something(connection)
            if self.random.random() < 0.05:
                connection.rollback()
            else:
                connection.commit()
                self.committed += 1
        except (psycopg.errors.IntegrityError, psycopg.errors.DeadlockDetected):
            connection.rollback()
        time.sleep(self.random.random() * 0.01)

    def savepoint(self, connection):
        connection.execute("SAVEPOINT s")
        try:
            self.something(connection)
            connection.execute(self.random.choice(["RELEASE s", "ROLLBACK TO s"]))
        except psycopg.errors.IntegrityError:
            connection.execute("ROLLBACK TO s")

    def something(self, connection):
        name = self.random.choices(["account", "swap", "rank", "document", "bag", "family", "wipe", "parted", "by_index", "bulk", "many"],
                                   [6, 2, 2, 4, 3, 4, 0.4, 4, 3, 4, 0.25])[0]
        for statement in getattr(self, "do_" + name)(self.random.randrange, self.random.choice):
            connection.execute(statement)

    def do_account(self, number, choose):
        i = number(1, 2500)
        return [choose([f"UPDATE account SET balance = balance + 1.5 WHERE id BETWEEN {i} AND {i} + 5",
                        f"UPDATE account SET note = 'n{number(9)}', balance = NULL WHERE id = {i}",
                        f"DELETE FROM account WHERE id = {i}",
                        f"INSERT INTO account VALUES ({i}, 'c{i}', {i}, {number(1000)}, repeat('ü', {number(50)}))",
                        f"UPDATE account SET id = {number(1, 5000)} WHERE id = {i}",
                        f"INSERT INTO account VALUES ({i}, 'c{i}', {i}, 0, '') ON CONFLICT (id) DO UPDATE SET note = 'again'"])]

    def do_swap(self, number, _):
        a, b = sorted((number(1, 2000), number(1, 2000)))
        return [f"SELECT 1 FROM account WHERE place IN ({a}, {b}) ORDER BY id FOR UPDATE",
                f"UPDATE account SET place = -{a}, code = 'x' || id WHERE place = {a}",
                f"UPDATE account SET place = {a} WHERE place = {b}", f"UPDATE account SET place = {b} WHERE place = -{a}"]

    def do_rank(self, number, _):
        return [f"LOCK ranked IN SHARE ROW EXCLUSIVE MODE; UPDATE ranked SET rank = 201 - rank WHERE rank BETWEEN {number(1, 100)} AND 100",
                "UPDATE ranked SET rank = r.n FROM (SELECT id, row_number() OVER (ORDER BY rank, id) AS n FROM ranked) r WHERE r.id = ranked.id AND rank <> r.n"]

    def do_document(self, number, choose):
        i, table = number(1, 350), choose(["document", "document_full"])
        return [choose([f"UPDATE {table} SET version = version + 1 WHERE id = {i}",
                        f"UPDATE {table} SET version = version + 1, body = repeat('b{number(99)}', 2000) WHERE id = {i}",
                        f"UPDATE {table} SET id = id + {number(1, 400)} WHERE id = {i}",
                        f"UPDATE {table} SET attachment = NULL WHERE id = {i}",
                        f"DELETE FROM {table} WHERE id = {i}",
                        f"INSERT INTO {table} VALUES ({i}, 0, repeat('z', {number(30000)}), '\\x00ff') ON CONFLICT DO NOTHING"])]

    def do_bag(self, number, choose):
        a = number(20)
        return [choose([f"INSERT INTO bag VALUES ({a}, {choose(['NULL', 1, 2])})", f"INSERT INTO bag SELECT {a}, 'd' FROM generate_series(1, 3)",
                        f"DELETE FROM bag WHERE ctid = (SELECT ctid FROM bag WHERE a = {a} LIMIT 1)",
                        f"UPDATE bag SET b = 'u' WHERE ctid = (SELECT ctid FROM bag WHERE a = {a} LIMIT 1)"])]

    def do_family(self, number, choose):
        i = number(1, 600)
        return [choose([f"DELETE FROM parent WHERE id = {i}", f"WITH p AS (INSERT INTO parent (v) VALUES ({i}) RETURNING id) INSERT INTO child (parent, v) VALUES (NULL, {i})",
                        f"INSERT INTO child (parent, v) SELECT id, v FROM parent WHERE id BETWEEN {i} AND {i} + 3",
                        f"UPDATE child SET v = v + 1 WHERE parent = {i}", f"UPDATE child SET parent = (SELECT max(id) FROM parent) WHERE id = {i}"])]

    def do_wipe(self, number, choose):
        i = number(1000)
        fill = [f"INSERT INTO wiped SELECT i, 'w' FROM generate_series({i}, {i} + 50) i ON CONFLICT DO NOTHING",
                f"INSERT INTO wiped_child SELECT id, id FROM wiped WHERE id BETWEEN {i} AND {i} + 20 ON CONFLICT DO NOTHING"]
        return choose([fill, ["TRUNCATE wiped, wiped_child"], ["TRUNCATE wiped_child", *fill], fill + ["TRUNCATE wiped CASCADE", *fill]])

    def do_parted(self, number, choose):
        i, region = number(1, 2000), choose("abcd")
        return [choose([f"UPDATE parted SET v = v || '.' WHERE id = {i}", f"UPDATE parted SET region = '{region}' WHERE id = {i}",
                        f"DELETE FROM parted WHERE id = {i}", f"INSERT INTO parted VALUES ('{region}', {i}, 'new') ON CONFLICT DO NOTHING",
                        f"UPDATE parted SET id = id + 1 WHERE id = {i} AND region = '{region}'"])]

    def do_by_index(self, number, choose):
        i = number(1, 600)
        return [choose([f"UPDATE by_index SET c = {i} WHERE a = {i}", f"UPDATE by_index SET a = a + 1 WHERE a = {i}",
                        f"UPDATE by_index SET b = b || '1' WHERE a = {i}", f"DELETE FROM by_index WHERE a = {i}",
                        f"INSERT INTO by_index VALUES ({i}, 'b{i}', NULL) ON CONFLICT DO NOTHING"])]

    def do_bulk(self, number, choose):
        i = number(1, 260000)
        return [choose([f"UPDATE bulk SET v = 'seen', doc = doc || '{{\"u\": [1, null]}}' WHERE id = {i}",
                        f"UPDATE bulk SET tags = tags || '{{\"a b\",NULL}}' WHERE id BETWEEN {i} AND {i} + 20",
                        f"DELETE FROM bulk WHERE id BETWEEN {i} AND {i} + 10", f"UPDATE bulk SET id = -id WHERE id = {i}",
                        f"INSERT INTO bulk VALUES ({i}, 'new', '{{}}', 'null') ON CONFLICT DO NOTHING"])]

    def do_many(self, number, choose):
        i = number(1, 200000)
        return [choose([f"UPDATE bulk SET v = v || 'm' WHERE id BETWEEN {i} AND {i} + 20000",
                        f"INSERT INTO bulk SELECT -i, repeat('i', 300), NULL, NULL FROM generate_series({i}, {i} + 15000) i ON CONFLICT DO NOTHING",
                        f"DELETE FROM bulk WHERE id BETWEEN -{i} - 15000 AND -{i}"])]


class Chaos:
    def __init__(self, pair, seed):
        self.pair, self.random, self.engine = pair, random.Random(seed), None
        self.started, self.counts = 0, {}

    def ensure_engine(self):
        if self.engine is None or not self.engine.running():
            if self.engine is not None:
                result = self.engine.wait(5)
                assert result.code in (*MAY_PASS, -signal.SIGKILL), str(result)
            self.engine = self.pair.start("run", "--jobs", "2", listen=True)
            self.started += 1

    def disturb(self):
        copied = self.engine is not None and self.engine.running() and (self.engine.progress() or {}).get("step") == "cdc"
        what = self.random.choices(
            ["kill", "terminate", "freeze", "end_source", "end_sink", "end_one_sink", "freeze_sink", "restart", "crash", "verify"],
            [6, 2, 2, 3, 3, 2, 2, 1.5, 2.5, 4 if copied else 0])[0]
        self.counts[what] = self.counts.get(what, 0) + 1
        getattr(self, what)()

    def kill(self):
        self.engine.kill()

    def terminate(self):
        result = self.engine.terminate(40)
        assert result.code in MAY_PASS, str(result)

    def freeze(self):
        self.engine.signal(signal.SIGSTOP)
        time.sleep(self.random.random() * 3)
        self.engine.signal(signal.SIGCONT)

    def end(self, database, condition):
        with contextlib.suppress(psycopg.OperationalError):
            database.rows(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'kubeferry%' AND {condition}")

    def end_source(self):
        self.end(self.pair.source, self.random.choice(["true", "backend_type = 'walsender'"]))

    def end_sink(self):
        self.end(self.pair.sink, "true")

    def end_one_sink(self):
        self.end(self.pair.sink, "pid = (SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'kubeferry%' ORDER BY random() LIMIT 1)")

    def freeze_sink(self):
        pids = self.pair.sink.rows("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'kubeferry%' AND random() < 0.5")
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid, in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            time.sleep(self.random.random() * 2)

    def server(self):
        database = self.random.choice([self.pair.source, self.pair.sink])
        database.close()
        return database.server

    def restart(self):
        self.server().restart()

    def crash(self):
        server = self.server()
        server.crash()
        time.sleep(self.random.random())
        server.start()

    def verify(self):
        verify = self.pair.start("verify")
        if self.random.random() < 0.5:
            time.sleep(self.random.random() * 2)
            verify.kill()
            return
        result = verify.wait(180)
        # A table that is truncated while verify looks shows no rows to it, and verify says so.
        named = set(re.findall(r'WARN verify - "public"\."(\w+)"', result.output))
        assert result.code in MAY_PASS or (result.code == 1 and named <= {"wiped", "wiped_child"}), str(result)
        self.counts["verified"] = self.counts.get("verified", 0) + (result.code == 0)

    def go_on(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.ensure_engine()
            # Long enough, now and then, for the copy to come through.
            time.sleep(self.random.random() * self.random.choice([0.3, 1, 3, 6]))
            self.disturb()


@pytest.mark.parametrize("sink_settings", [{}, DURABLE], ids=["ordinary", "durable"])
def test_chaos(make_server, make_pair, sink_settings):
    seed = SEED
    print(f"KUBEFERRY_CHAOS_SEED={seed}")
    pair = make_pair(source=make_server(settings={"wal_sender_timeout": "10s"}), sink=make_server(settings=sink_settings))
    pair.source.execute(SCHEMA)
    stop = threading.Event()
    writers = [Writer(pair.source, seed + i, stop) for i in range(4)]
    for writer in writers:
        writer.start()
    chaos = Chaos(pair, seed)
    try:
        chaos.go_on(SECONDS)
    finally:
        stop.set()
        for writer in writers:
            writer.join(60)
    assert [w.failure for w in writers if w.failure] == []
    if chaos.engine.running():
        chaos.engine.kill()
    finish(pair)
    print(f"{chaos.started} starts, {sum(w.committed for w in writers)} transactions, {chaos.counts}")


def finish(pair):
    # A server that was killed may have left a transaction of a writer open until it notices.
    eventually(lambda: not pair.source.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'writer'"), what="the writers' end")
    for _ in range(6):
        result = pair.call("run", "--until", "caught-up", "--jobs", "2", timeout=180)
        if result.code not in (69, 75):
            break
        time.sleep(1)
    assert result.code == 0, str(result)
    pair.assert_equal()
    assert pair.call("verify").code == 0
    assert_same_definitions(pair.source, pair.sink)


# ---- what it found -----------------------------------------------------------------------------------------------

def test_sink_crash_after_a_reconnection_loses_nothing(make_server, make_pair):
    """The second session must not confirm what the first one committed asynchronously until the sink has flushed it."""
    pair = make_pair(source=make_server(), sink=make_server(settings={**DURABLE, "wal_writer_delay": "10s", "bgwriter_delay": "10s"}))
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    walsender = "SELECT pid FROM pg_stat_replication WHERE application_name LIKE 'kubeferry%'"
    with pair.following() as engine:
        # Flushed by the settling before; what comes now waits in the sink's memory for the WAL writer.
        time.sleep(1)
        pair.source.execute("INSERT INTO t SELECT i, 'v' FROM generate_series(1, 10) i")
        eventually(lambda: pair.sink.value("SELECT count(*) FROM t") == 10, what="the rows")
        old = pair.source.value(walsender)
        pair.source.execute(f"SELECT pg_terminate_backend({old})")
        eventually(lambda: pair.source.value(walsender) not in (None, old), what="the next session")
        time.sleep(1)
        pair.sink.close()
        pair.sink.server.crash()
        pair.sink.server.start()
        pair.settle(engine)
        pair.assert_equal()


def test_backlog_is_committed_as_it_is_worked_off(pair):
    """Batches that end within a transaction, one after the other: what is complete must not wait for the end of all."""
    pair.source.execute("CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text)")
    pair.migrate()
    for _ in range(40):
        pair.source.execute("INSERT INTO t (v) SELECT repeat('v', 1000) FROM generate_series(1, 2000) i")
    engine = pair.start("cdc", "--until", "caught-up")
    positions = set()
    eventually(lambda: positions.add(pair.sink.value("SELECT lsn::text FROM kubeferry.progress")) or not engine.running(), 90, "the end", 0.005)
    assert engine.wait().code == 0
    assert len(positions) > 6
    pair.assert_equal()


@pytest.mark.parametrize("way", ["detached", "taken out"])
def test_table_whose_changes_are_no_longer_sent(pair, way):
    """The stream says nothing of it, but the sink would miss rows: the engine stops, and the next run copies the table again."""
    pair.source.execute("""CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
        CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200); CREATE TABLE t (id int PRIMARY KEY, v text);
        INSERT INTO p SELECT i, 'v' FROM generate_series(1, 199) i; INSERT INTO t SELECT * FROM p""")
    name = "p2" if way == "detached" else "t"
    with pair.following() as engine:
        pair.source.execute("ALTER TABLE p DETACH PARTITION p2" if way == "detached" else f"ALTER PUBLICATION {pair.publication} DROP TABLE t")
        pair.source.execute(f"UPDATE {name} SET v = 'not sent'; DELETE FROM {name} WHERE id % 2 = 0; UPDATE p SET v = 'sent'")
        result = engine.wait(60)
        assert result.code == 78 and name in result.output, str(result)
    with pair.following() as engine:
        pair.source.execute(f"UPDATE {name} SET v = v || '!'; INSERT INTO {name} VALUES (150, 'new')" if way == "detached" else "UPDATE t SET v = v || '!'")
        pair.settle(engine)
        pair.assert_equal()
    pair.migrate()


def test_sink_that_is_a_standby_for_a_while(make_server, make_pair):
    """As in a failover: every write is refused, and then not any more."""
    pair = make_pair(sink=make_server(settings={"hot_standby": "on"}))
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    with pair.following() as engine:
        pair.sink.close()
        server = pair.sink.server
        server.stop()
        signal_file = os.path.join(server.data, "standby.signal")
        with open(signal_file, "w", encoding="ascii"):
            pass
        server.start()
        pair.source.execute("INSERT INTO t VALUES (1, 'v')")
        time.sleep(4)
        assert engine.running(), engine.output()
        assert pair.sink.value("SELECT pg_is_in_recovery()")
        pair.sink.execute("SELECT pg_promote()")
        pair.settle(engine)
        pair.assert_equal()
