# SPDX-License-Identifier: Apache-2.0
"""The sink takes over while clients write: nothing is lost, and what is not ready is refused with numbers."""

import contextlib
import threading
import time

import psycopg
import pytest

import switch_gate
from servers import eventually

TABLES = """CREATE TABLE ledger (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, client int NOT NULL, n bigint NOT NULL, UNIQUE (client, n));
CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 50);
CREATE TABLE child (id serial PRIMARY KEY, parent int REFERENCES parent); INSERT INTO child (parent) SELECT generate_series(1, 50)"""
READ_ONLY = """SELECT setconfig FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database() AND setrole = 0"""
DONE = "SELECT count(*) FROM kubeferry.cutover WHERE state = 'done'"


class Client(threading.Thread):
    """Writes numbered rows to the source; once it can no longer, to the sink, as soon as the switch is done. Remembers what
    was acknowledged and the longest time between two commits."""

    def __init__(self, pair, number):
        super().__init__(daemon=True)
        self.pair, self.number = pair, number
        self.acknowledged, self.unsure = [], []
        self.longest_gap, self.moved = 0.0, False
        self.stop_now = threading.Event()
        self.failure = None
        self.start()

    def run(self):
        try:
            self.write()
        except Exception as error:  # noqa: BLE001 - shown by the test
            self.failure = error

    def connection(self):
        while not self.stop_now.is_set():
            with contextlib.suppress(psycopg.OperationalError):
                if self.pair.sink.connect().execute("SELECT to_regclass('kubeferry.cutover') IS NOT NULL").fetchone()[0]:
                    with self.pair.sink.connect() as sink:
                        self.moved = sink.execute(DONE).fetchone()[0] > 0
                return (self.pair.sink if self.moved else self.pair.source).connect()
            time.sleep(0.002)
        return None

    def write(self):
        connection, n, last = self.connection(), 0, time.monotonic()
        while not self.stop_now.is_set():
            n += 1
            try:
                connection.execute("INSERT INTO ledger (client, n) VALUES (%s, %s)", [self.number, n])
            except psycopg.errors.ReadOnlySqlTransaction:
                connection.close()
                connection = self.connection()
            except psycopg.OperationalError:
                self.unsure.append(n)  # the answer was lost: it may have been committed
                connection = self.connection()
            else:
                now = time.monotonic()
                self.longest_gap, last = max(self.longest_gap, now - last), now
                self.acknowledged.append(n)

    def end(self):
        self.stop_now.set()
        self.join(30)
        assert self.failure is None, repr(self.failure)


@contextlib.contextmanager
def clients(pair, count=2):
    """Writers; ended at the end, and all that they were told was committed must be where they ended."""
    writers = [Client(pair, number) for number in range(count)]
    try:
        yield writers
    finally:
        for writer in writers:
            writer.end()


def end_on_the_sink(writers):
    """Not before each has noticed that the sink took over."""
    eventually(lambda: all(writer.moved for writer in writers), 30, "clients on the sink")
    for writer in writers:
        writer.end()


def assert_nothing_lost(pair, writers, moved=True):
    home = pair.sink if moved else pair.source
    for writer in writers:
        assert writer.moved == moved
        there = {row[0] for row in home.rows(f"SELECT n FROM ledger WHERE client = {writer.number}")}
        missing = set(writer.acknowledged) - there
        assert not missing, f"client {writer.number} lost {len(missing)} acknowledged rows: {sorted(missing)[:10]}"
        doubt = there - set(writer.acknowledged) - set(writer.unsure)
        assert not doubt, f"rows that nobody wrote: {doubt}"


def settings(pair):
    return pair.source.rows(READ_ONLY)


def cut(pair, *more, **options):
    """The cutover to its end; it may have ended our own session on the source."""
    result = pair.call("cutover", *more, **options)
    pair.source.close()
    return result


def cut_over(pair, *more, **options):
    result = cut(pair, *more, **options)
    assert result.code == 0, result
    return result


def hold_back(pair, statement):
    """Something that is to be made at the switch, as init-data would have noted it."""
    pair.sink.execute("INSERT INTO kubeferry.object SELECT id, 'TRIGGER injected', 'held', NULL, %s FROM kubeferry.task", [statement])


def cutover_state(pair):
    return pair.sink.value("SELECT state FROM kubeferry.cutover")


def assert_takes_writes(pair):
    with pair.source.connect() as connection:
        connection.execute("CREATE TEMP TABLE x (a int); INSERT INTO parent VALUES (-1); DELETE FROM parent WHERE id = -1")


def assert_goes_on(pair, engine):
    """An undone cutover leaves everything as it was."""
    assert settings(pair) == []
    assert_takes_writes(pair)
    pair.settle(engine)
    pair.assert_equal()


@pytest.mark.parametrize("block", ["read-only", "lock"])
def test_clients_write_through_it(pair, block):
    pair.source.execute(TABLES)
    with pair.following() as engine, clients(pair) as writers:
        time.sleep(1)
        result = cut_over(pair, "--block", block, listen=True)
        assert engine.wait().code == 0 and "cut over" in engine.output(), engine.output()
        time.sleep(1)
        end_on_the_sink(writers)
        assert_nothing_lost(pair, writers)
        print(block, "longest gap", max(w.longest_gap for w in writers), "rows", sum(len(w.acknowledged) for w in writers))
        assert all(len(w.acknowledged) > 50 for w in writers)
        # The source says no, the sink's sequences go on.
        with pair.source.connect() as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("INSERT INTO parent VALUES (1000)")
        assert "stays read-only" in result.output and "ALTER DATABASE" in result.output, result
        assert pair.leftovers() == []
    # Once more: it is done.
    again = cut_over(pair, "--block", block)
    assert "already" in again.output, again
    assert "cut over" in pair.run("cdc").output
    pair.run("cleanup")


def test_the_user_blocks(pair):
    pair.source.execute(TABLES)
    with pair.following() as engine:
        pair.source.execute("INSERT INTO ledger (client, n) SELECT 1, generate_series(1, 100)")
        cut_over(pair, "--block", "none")
        assert engine.wait().code == 0
    assert settings(pair) == []
    assert pair.sink.value("SELECT nextval('ledger_id_seq')") == 101
    pair.assert_equal()


def test_the_user_does_not_block(pair):
    pair.source.execute(TABLES)
    with pair.following() as engine:
        # They begin after the look for open transactions, or it might meet one of theirs, which is the other refusal.
        pair.sink.execute(switch_gate.HOLD)
        pair.sink.execute(switch_gate.make("NEW.state = 'checking'"))
        cutover = pair.start("cutover", "--block", "none")
        eventually(lambda: pair.sink.value(switch_gate.COUNT_WAITING), 30, "the cutover at the gate")
        with clients(pair, 1) as writers:
            eventually(lambda: writers[0].acknowledged, 30, "a commit")
            pair.sink.execute(switch_gate.RELEASE)
            result = cutover.wait()
            pair.sink.execute(switch_gate.REMOVE)
            pair.source.close()
            assert result.code == 78 and "ledger" in result.output and "stop the applications" in result.output, result
            writers[0].end()
            assert_nothing_lost(pair, writers, moved=False)
        assert_goes_on(pair, engine)
        # An open transaction that has written is one, too, and is named.
        with pair.source.connect(autocommit=False) as open_one:
            open_one.execute("UPDATE child SET parent = 2 WHERE id = 1")
            result = cut(pair, "--block", "none")
            assert result.code == 75 and f"pid {open_one.info.backend_pid}" in result.output and "public.child" in result.output, result
            open_one.rollback()
        assert_goes_on(pair, engine)


def test_sequences_are_exact(pair):
    pair.source.execute(TABLES + """; CREATE SEQUENCE down INCREMENT -2; CREATE SEQUENCE fresh START 50; SELECT nextval('down'), nextval('down');
        CREATE TABLE i (id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT 10), PRIMARY KEY (id))""")
    with pair.following() as engine:
        pair.source.execute("INSERT INTO i DEFAULT VALUES; INSERT INTO i DEFAULT VALUES; SELECT nextval('down'); SELECT setval('child_id_seq', 7, false)")
        cut_over(pair)
        engine.wait()
    for name in ("down", "fresh", "i_id_seq", "child_id_seq", "ledger_id_seq"):
        query = f"SELECT last_value, is_called FROM {name}"
        assert pair.sink.rows(query) == pair.source.rows(query), name
    assert pair.sink.value("INSERT INTO i DEFAULT VALUES RETURNING id") == 21


def test_the_margin_at_the_switch(pair):
    pair.source.execute(TABLES)
    with pair.following() as engine:
        cut_over(pair, "--sequence-margin", "1000")
        engine.wait()
    assert pair.sink.value("SELECT nextval('child_id_seq')") == 1051


def test_a_setting_of_before_is_given_back(pair):
    """Exactly what the user had set, also when it was said to be off."""
    pair.source.execute(TABLES)
    name = pair.source.name
    pair.source.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = 'off'; ALTER DATABASE {name} SET work_mem = '5MB'")
    before = settings(pair)
    with pair.following() as engine:
        hold_back(pair, "SELECT pg_sleep(100)")
        result = cut(pair, "--timeout", "2")
        assert result.code == 75 and "the time limit was reached" in result.output, result
        assert "was undone" in result.output and settings(pair) == before, result
        pair.settle(engine)


def test_final_verification(pair):
    pair.source.execute(TABLES)
    with pair.following() as engine:
        pair.sink.execute("UPDATE child SET parent = 1 WHERE id = 7")
        result = cut(pair, "--verification", "final")
        assert result.code == 78 and "both ends differ" in result.output and "was undone" in result.output, result
        pair.sink.execute("UPDATE child SET parent = 7 WHERE id = 7")
        assert_goes_on(pair, engine)
        result = cut_over(pair, "--verification", "final")
        assert "no difference" in result.output or "differences: 0" in result.output, result
        assert engine.wait().code == 0


def test_a_difference_that_is_known_refuses(pair):
    pair.source.execute(TABLES)
    with pair.following() as engine:
        assert "not been compared" in pair.run("cutover", "--check").output
        result = cut(pair, "--verification", "required")
        assert result.code == 78 and "verification: there was none yet" in result.output, result
        pair.sink.execute("DELETE FROM child WHERE id = 9")
        assert pair.call("verify").code == 1
        result = cut(pair)
        assert result.code == 78 and "found 1 differences" in result.output, result
        assert pair.sink.value("SELECT blocked_at FROM kubeferry.cutover") is None, "nothing was begun"
        pair.sink.execute("INSERT INTO child VALUES (9, 9)")
        pair.run("verify")
        cut_over(pair, "--verification", "required")
        assert engine.wait().code == 0


def test_not_ready_says_why_with_numbers(pair):
    pair.source.execute(TABLES)
    pair.marker_table()
    result = cut(pair)
    assert result.code == 78 and "no task" in result.output, result
    pair.migrate()
    result = cut(pair)
    assert result.code == 75 and "cdc_running: no process follows" in result.output, result
    with pair.following() as engine:
        pair.sink.execute("BEGIN; LOCK TABLE parent IN SHARE MODE")
        pair.source.execute("INSERT INTO parent VALUES (1000); INSERT INTO ledger (client, n) SELECT 1, generate_series(1, 20000)")
        result = cut(pair, "--max-lag", "2")
        assert result.code == 75 and "MB before" in result.output and "within 2.0 s" in result.output, result
        pair.sink.execute("ROLLBACK")
        pair.source.execute("CREATE SEQUENCE later; ALTER SEQUENCE child_id_seq INCREMENT 5")
        pair.settle(engine)
        result = pair.call("cutover", "--check")
        assert result.code == 78 and "the sink lacks: public.later" in result.output and "INCREMENT 5" in result.output, result
        pair.source.execute("DROP SEQUENCE later; ALTER SEQUENCE child_id_seq INCREMENT 1")
        assert_goes_on(pair, engine)


def test_a_role_that_a_read_only_database_does_not_bind_refuses(pair):
    pair.source.execute(TABLES)
    role, database = f"stubborn_{pair.source.name}", pair.source.name
    setting = f"{role} IN DATABASE {database}"
    pair.source.execute(f"CREATE ROLE {role}; ALTER ROLE {setting} SET default_transaction_read_only = 'False'")
    try:
        with pair.following() as engine:
            result = cut(pair)
            assert result.code == 78 and f"ALTER ROLE {setting} RESET default_transaction_read_only" in result.output, result
            assert_goes_on(pair, engine)
            assert pair.call("cutover", "--check", "--block", "lock").code == 0
            pair.source.execute(f"ALTER ROLE {setting} SET default_transaction_read_only = on")
            assert pair.call("cutover", "--check").code == 0
    finally:
        pair.source.close()
        pair.source.execute(f"DROP ROLE {role}")


def test_the_check_names_invalid_indexes_and_other_versions_of_extensions(make_pair, debian_server):
    pair = make_pair(source=debian_server, sink=debian_server)
    pair.source.execute(TABLES + "; CREATE EXTENSION pg_trgm VERSION '1.4'")
    with pair.following() as engine:
        there = pair.sink.value("SELECT extversion FROM pg_extension WHERE extname = 'pg_trgm'")
        assert there != "1.4"
        result = pair.run("cutover", "--check")  # a warning is none of the reasons against it
        assert f"pg_trgm is 1.4 on the source and {there} on the sink" in result.output and "ALTER EXTENSION" in result.output, result
        with pytest.raises(psycopg.errors.UniqueViolation):
            pair.sink.execute("CREATE UNIQUE INDEX CONCURRENTLY half_made ON child ((parent % 2))")
        for option in (["--check"], []):
            result = cut(pair, *option)
            assert result.code == 78 and "not valid: public.half_made" in result.output and "REINDEX" in result.output, result
        assert pair.sink.value("SELECT blocked_at FROM kubeferry.cutover") is None, "nothing was begun"
        pair.sink.execute("DROP INDEX half_made")
        pair.source.execute("ALTER EXTENSION pg_trgm UPDATE")
        result = pair.run("cutover", "--check")
        assert "half_made" not in result.output and "pg_trgm" not in result.output, result
        assert_goes_on(pair, engine)


def test_what_was_held_back_is_turned_on(make_pair, source_server, sink_server):
    """A sink whose role may not set session_replication_role: foreign keys and triggers wait for the switch."""
    pair = make_pair()
    pair.source.execute(TABLES + """; CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := NEW.n + 1; RETURN NEW; END $$;
        CREATE TRIGGER stamp BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION stamp();
        CREATE TABLE parted (id int PRIMARY KEY, parent int REFERENCES parent) PARTITION BY RANGE (id);
        CREATE TABLE parted1 PARTITION OF parted FOR VALUES FROM (0) TO (100); INSERT INTO parted VALUES (1, 1);
        CREATE TABLE secret (id int PRIMARY KEY); ALTER TABLE secret ENABLE ROW LEVEL SECURITY; ALTER TABLE secret FORCE ROW LEVEL SECURITY;
        CREATE POLICY none ON secret USING (false)""")
    role = pair.sink.role("ferry_" + pair.slot)
    pair.sink.execute(f'GRANT ALL ON DATABASE {pair.sink.name} TO "ferry_{pair.slot}"; GRANT ALL ON SCHEMA public TO "ferry_{pair.slot}"')
    pair.sink_text = role()
    with pair.following() as engine:
        held = {row[0].split()[0] for row in pair.sink.rows("SELECT identity FROM kubeferry.object WHERE state = 'held'")}
        assert held == {"FK", "TRIGGER", "ROW"}, held
        pair.source.execute("INSERT INTO secret VALUES (1); INSERT INTO ledger (client, n) VALUES (5, 5)")
        pair.settle(engine)
        cut_over(pair)
        assert engine.wait().code == 0
    assert pair.sink.value("SELECT count(*) FROM kubeferry.object WHERE state = 'held'") == 0
    assert pair.sink.value("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated") == 0
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        pair.sink.execute("INSERT INTO child (parent) VALUES (4711)")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        pair.sink.execute("INSERT INTO parted VALUES (2, 4711)")
    assert pair.sink.value("INSERT INTO ledger (client, n) VALUES (9, 9) RETURNING n") == 10
    assert pair.sink.value("SELECT relrowsecurity FROM pg_class WHERE relname = 'secret'")


def test_progress_and_states(pair):
    pair.source.execute(TABLES)
    with pair.following() as engine:
        hold_back(pair, "SELECT pg_advisory_xact_lock(99)")
        pair.sink.execute("SELECT pg_advisory_lock(99)")
        cutover = pair.start("cutover", listen=True)
        engine.until(lambda d: (d["cutover"] or {}).get("state") == "draining", "the drain")
        document = cutover.until(lambda d: d["phase"] == "switching", "the switch")
        assert document["cutover"]["block"] == "read-only" and document["cutover"]["blockedSeconds"] > 0
        assert {check["id"]: check["verdict"] for check in document["checks"]}["lag"] == "pass"
        pair.source.close()
        pair.sink.execute("SELECT pg_advisory_unlock(99)")
        assert cutover.wait().code == 0, cutover.output()
        assert engine.wait().code == 0
