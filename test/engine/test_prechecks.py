# SPDX-License-Identifier: Apache-2.0
"""Each row of the table of prechecks: what it finds, what it says, and that its remedy helps."""

import json
import os
import re

import pytest

TABLE = "CREATE TABLE t (id int PRIMARY KEY, v text)"


def checks(pair, *more):
    """(exit code, {id: check}) of one precheck."""
    result = pair.call("precheck", "--log-format", "json", *more)
    for line in result.output.splitlines():
        if line.startswith("{") and "checks" in json.loads(line):
            return result.code, {check["id"]: check for check in json.loads(line)["checks"]}
    raise AssertionError(result)


def expect(pair, name, verdict, words, *more):
    """One check's verdict, and words in its message and remedy; gives the check."""
    code, found = checks(pair, *more)
    assert name in found, found
    check = found[name]
    assert check["verdict"] == verdict, check
    text = check["message"] + "\n" + check.get("remedy", "")
    for word in words:
        assert word in text, f"{word!r} is missing in {check}"
    assert (code == 78) == any(c["verdict"] == "fail" for c in found.values()), found
    assert verdict == "pass" or check["remedy"], check
    return check


# --- Tables of either end: (check, verdict, source, sink, words)

CASES = {
    "keyless": ("identity", "fail", "CREATE TABLE k (a int)", "", ["public.k (no primary key)", "ADD PRIMARY KEY", "REPLICA IDENTITY FULL"]),
    "unique index": ("identity", "fail", "CREATE TABLE k (a int NOT NULL UNIQUE)", "", ["ALTER TABLE public.k REPLICA IDENTITY USING INDEX k_a_key;"]),
    "identity nothing": ("identity", "fail", "CREATE TABLE k (a int PRIMARY KEY); ALTER TABLE k REPLICA IDENTITY NOTHING", "",
                         ["replica identity nothing", "ALTER TABLE public.k REPLICA IDENTITY DEFAULT;"]),
    "deferrable key": ("identity", "fail", "CREATE TABLE k (a int PRIMARY KEY DEFERRABLE)", "", ["deferrable", "ALTER TABLE public.k REPLICA IDENTITY FULL;"]),
    "identity full": ("identity", "pass", "CREATE TABLE k (a int); ALTER TABLE k REPLICA IDENTITY FULL", "", []),
    "odd name": ("identity", "fail", 'CREATE SCHEMA "S p"; CREATE TABLE "S p"."T""x" (a int)', "", ['"S p"."T""x"']),
    "unlogged": ("unlogged_tables", "warn", "CREATE UNLOGGED TABLE k (a int PRIMARY KEY)", "", ["public.k", "SET LOGGED"]),
    "unlogged keyless": ("identity", "pass", "CREATE UNLOGGED TABLE k (a int)", "", []),
    "foreign table": ("foreign_tables", "warn", "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE f (a int) SERVER s", "", ["public.f"]),
    "large object": ("large_objects", "warn", "SELECT lo_create(0)", "", ["1 large objects", "not followed"]),
    "rows of others": ("sink_empty", "fail", "", TABLE + "; INSERT INTO t VALUES (1)", ["public.t", "TRUNCATE public.t;"]),
    "empty table": ("sink_empty", "pass", "", TABLE, []),
    "rows in a partition": ("sink_empty", "fail", "", "CREATE TABLE t (id int, v text) PARTITION BY LIST (id); CREATE TABLE tx PARTITION OF t DEFAULT; INSERT INTO t VALUES (1)", ["public.t"]),
    "deleted rows": ("sink_empty", "pass", "", TABLE + "; INSERT INTO t VALUES (1); DELETE FROM t", []),
    "missing column": ("sink_columns", "fail", "", "CREATE TABLE t (id int PRIMARY KEY)", ["public.t.v (missing on the sink, text)", "ADD COLUMN v text"]),
    "other type": ("sink_columns", "fail", "", "CREATE TABLE t (id int PRIMARY KEY, v varchar(3))", ["public.t.v", "text on the source", "character varying(3) on the sink"]),
    "extra column": ("sink_columns", "fail", "", "CREATE TABLE t (id int PRIMARY KEY, v text, x int NOT NULL)", ["public.t.x", "DROP NOT NULL"]),
    "harmless column": ("sink_columns", "pass", "", "CREATE TABLE t (x int NOT NULL DEFAULT 1, v text, id bigint GENERATED ALWAYS AS IDENTITY, y int)".replace("bigint", "int"), []),
    "generated": ("sink_columns", "fail", "", "CREATE TABLE t (id int PRIMARY KEY, v text GENERATED ALWAYS AS ('x') STORED)", ["generated on the sink only"]),
    "view": ("sink_rights", "fail", "", "CREATE VIEW t AS SELECT 1 AS id, ''::text AS v", ["public.t (view)"]),
    "always trigger": ("sink_triggers", "warn", "", TABLE + "; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
                       "CREATE TRIGGER loud BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t ENABLE ALWAYS TRIGGER loud", ["loud on public.t"]),
    "quiet trigger": ("sink_triggers", "pass", "", TABLE + "; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
                      "CREATE TRIGGER quiet BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", []),
    "event trigger": ("event_triggers", "warn", "", "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER et ON ddl_command_end EXECUTE FUNCTION f()", ["et (on ddl_command_end)"]),
    "enum labels": ("enums", "fail", "CREATE TYPE e AS ENUM ('a', 'it''s'); CREATE TABLE k (a e[] PRIMARY KEY)", "CREATE TYPE e AS ENUM ('a')", ["public.e", "ADD VALUE 'it''s';"]),
    "more enum labels": ("enums", "pass", "CREATE TYPE e AS ENUM ('a'); CREATE TABLE k (a e PRIMARY KEY)", "CREATE TYPE e AS ENUM ('a', 'b')", []),
    "extension there": ("extensions", "pass", "CREATE EXTENSION citext; CREATE TABLE k (a citext PRIMARY KEY)", "", []),
    "extension elsewhere": ("sink_columns", "pass", "CREATE EXTENSION citext; CREATE TABLE k (a citext PRIMARY KEY, b citext[])",
                            "CREATE SCHEMA x; CREATE EXTENSION citext SCHEMA x; CREATE TABLE k (a x.citext PRIMARY KEY, b x.citext[])", []),
}


@pytest.mark.parametrize("name", CASES)
def test_tables(pair, name):
    check, verdict, source, sink, words = CASES[name]
    for database, script in ((pair.source, TABLE + ";" + source), (pair.sink, sink)):
        if script:
            database.execute(script)
    expect(pair, check, verdict, words)


def test_no_object_matches(pair):
    pair.source.execute(TABLE)
    expect(pair, "tables", "fail", ["public.nowhere", "--migration-object"], "--migration-object", '"public.nowhere"')
    code, found = checks(pair, "--migration-object", '"public.nowhere"')
    assert "identity" not in found and "wal_level" in found and "sink_empty" not in found, found


def test_changes_nothing(pair):
    pair.source.execute(TABLE)
    count = "SELECT count(*) FROM pg_class", "SELECT count(*) FROM pg_namespace"
    before = [database.value(query) for database in (pair.source, pair.sink) for query in count]
    for _ in range(2):
        pair.run("precheck")
    assert before == [database.value(query) for database in (pair.source, pair.sink) for query in count]
    assert pair.leftovers() == []


def test_without_cdc_its_checks_are_left_out(pair):
    pair.source.execute("CREATE TABLE keyless (a int)")
    result = pair.run("precheck", "--steps", "cdc=false")
    assert re.search(r"\d+ checks .* left out", result.output), str(result)
    _, found = checks(pair, "--steps", "cdc=false")
    assert not {"identity", "wal_level", "slot", "publication"} & set(found)


def test_init_struct_switched_off(pair):
    pair.source.execute(TABLE)
    expect(pair, "sink_create", "fail", ["public.t", "init-struct"], "--steps", "init-struct=false")
    pair.sink.execute(TABLE)
    expect(pair, "sink_create", "pass", [], "--steps", "init-struct=false")


# --- One end is missing

@pytest.mark.parametrize("end, other", [("source", "sink"), ("sink", "source")])
def test_the_other_end_is_checked(pair, end, other):
    pair.source.execute(TABLE)
    setattr(pair, end + "_text", "host=127.0.0.1 port=1 dbname=x user=x")
    code, found = checks(pair)
    assert code == 69, found
    assert found[end + "_connection"]["verdict"] == "fail" and found[other + "_connection"]["verdict"] == "pass"
    assert ("wal_level" in found) == (other == "source") and ("sink_create" in found) == (other == "sink"), found


def test_wrong_password_is_64(pair):
    pair.source_text = pair.source.conninfo(password="wrong")
    code, found = checks(pair)
    assert code == 64 and "28P01" in found["source_connection"]["message"], found


def test_source_is_sink(pair):
    pair.source.execute(TABLE)
    pair.sink_text = pair.source_text
    expect(pair, "same_database", "fail", [pair.source.name])


# --- Rights

def test_poor_source_role(pair):
    pair.source.execute(TABLE + "; CREATE SCHEMA closed; CREATE TABLE closed.c (id serial PRIMARY KEY); CREATE TABLE r (id int PRIMARY KEY);"
                        "ALTER TABLE r ENABLE ROW LEVEL SECURITY")
    name = f"poor_{pair.slot}"
    pair.source_text = pair.source.role(name)()
    pair.source.execute(f"GRANT SELECT (id) ON t TO {name}; GRANT SELECT ON r TO {name}")
    expect(pair, "replication_right", "fail", [f"ALTER ROLE {name} REPLICATION;"])
    expect(pair, "row_security", "fail", ["public.r", "BYPASSRLS"])
    remedy = expect(pair, "source_read", "fail", ["public.t (columns v)", "closed.c", "closed.c_id_seq"])["remedy"]
    pair.source.execute(remedy)
    pair.source.execute(f"ALTER ROLE {name} REPLICATION; ALTER TABLE r DISABLE ROW LEVEL SECURITY")
    remedy = expect(pair, "publication", "fail", ["public.t", "CREATE"])["remedy"]
    pair.source.execute(remedy[remedy.index("CREATE PUBLICATION"):])
    code, found = checks(pair)
    assert code == 0, found


def test_poor_sink_role(pair):
    pair.source.execute(TABLE + "; CREATE SCHEMA s; CREATE TABLE s.x (id int PRIMARY KEY)")
    pair.sink.execute(TABLE + "; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    pair.source.execute("CREATE TABLE more (id int PRIMARY KEY)")
    name = f"poor_{pair.slot}"
    pair.sink_text = pair.sink.role(name)()
    expect(pair, "replication_role", "warn", ["session_replication_role"])
    create = expect(pair, "sink_create", "fail", ["schema kubeferry", "schema: s", "schema: public"])["remedy"]
    rights = expect(pair, "sink_rights", "fail", ["public.t (SELECT, INSERT, UPDATE, DELETE, TRUNCATE)"])["remedy"]
    for line in (create + "\n" + rights).splitlines():
        pair.sink.execute(line.split(" or, ")[0])
    code, found = checks(pair)
    assert code == 0, found


def test_triggers_and_keys_without_the_right_to_silence_them(pair):
    pair.source.execute(TABLE + "; CREATE TABLE c (id int PRIMARY KEY REFERENCES t ON DELETE CASCADE)")
    name = f"plain_{pair.slot}"
    pair.sink_text = pair.sink.role(name)()
    pair.sink.execute(f"GRANT CREATE ON DATABASE {pair.sink.name} TO {name}; GRANT ALL ON SCHEMA public TO {name}; {TABLE};"
                      "CREATE TABLE c (id int PRIMARY KEY REFERENCES t ON DELETE CASCADE);"
                      "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
                      f"CREATE TRIGGER loud BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); GRANT ALL ON t, c TO {name}")
    expect(pair, "sink_triggers", "fail", ["loud on public.t", "c_id_fkey on public.c", "change rows on their own"])


# --- What the ledger knows

LEDGER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "engine", "sql", "ledger_schema.sql")


def ledger(pair, database=None, slot_state="none", relation=None):
    """The ledger of an earlier run of the task; relation: the columns state and snapshot_lsn of table t."""
    with open(LEDGER, encoding="utf-8") as file:
        pair.sink.execute(file.read())
    system = pair.source.value("SELECT system_identifier FROM pg_control_system()")
    pair.sink.execute("INSERT INTO kubeferry.task (name, source_system, source_database, slot, slot_state, publication, owner)"
                      f"VALUES ('{pair.name}', '{system}', '{database or pair.source.name}', '{pair.slot}', '{slot_state}', '{pair.publication}', 'x')")
    if relation:
        oid = pair.source.value("SELECT 't'::regclass::oid")
        pair.sink.execute("INSERT INTO kubeferry.relation (task, relation, source_oid, schema_name, table_name, state, snapshot_lsn)"
                          f"SELECT id, 1, {oid}, 'public', 't', {relation} FROM kubeferry.task")


@pytest.mark.parametrize("relation, verdict", [("'done', '0/1'", "pass"), ("'waiting', '0/1'", "pass"), ("'waiting', NULL", "fail"), (None, "fail")])
def test_rows_of_an_earlier_run(pair, relation, verdict):
    pair.source.execute(TABLE)
    pair.sink.execute(TABLE + "; INSERT INTO t VALUES (1)")
    ledger(pair, relation=relation)
    expect(pair, "sink_empty", verdict, ["public.t"] if verdict == "fail" else [])
    expect(pair, "sink_task", "pass", ["resumed"])


def test_task_of_another_source(pair):
    pair.source.execute(TABLE)
    ledger(pair, database="elsewhere")
    expect(pair, "sink_task", "fail", ["elsewhere", "--name", "cleanup"])


def test_ledger_of_another_role(pair):
    pair.source.execute(TABLE)
    ledger(pair)
    name = f"other_{pair.slot}"
    pair.sink_text = pair.sink.role(name)()
    pair.sink.execute(f"GRANT CREATE ON DATABASE {pair.sink.name} TO {name}")
    pair.sink.execute(expect(pair, "sink_create", "fail", ["schema kubeferry"])["remedy"])
    expect(pair, "sink_task", "pass", ["resumed"])


def test_own_slot(pair):
    pair.source.execute(TABLE)
    ledger(pair, slot_state="ready")
    pair.source.execute(f"SELECT pg_create_logical_replication_slot('{pair.slot}', 'pgoutput')")
    expect(pair, "slot", "pass", ["ours"])
    expect(pair, "replication_slots", "pass", ["ours exists"])


def test_slot_needs_a_second_one_while_it_is_made(make_server, make_pair):
    pair = make_pair(source=make_server(settings={"max_replication_slots": "1"}))
    pair.source.execute(TABLE)
    expect(pair, "replication_slots", "fail", ["one is free", "a second one"])
    ledger(pair, slot_state="ready")
    pair.source.execute(f"SELECT pg_create_logical_replication_slot('{pair.slot}', 'pgoutput')")
    expect(pair, "replication_slots", "warn", ["ours exists", "no other is free"])


def test_own_slot_was_invalidated(make_server, make_pair):
    pair = make_pair(source=make_server(settings={"max_slot_wal_keep_size": "16MB"}))
    pair.source.execute(TABLE)
    ledger(pair, slot_state="ready")
    pair.source.execute(f"SELECT pg_create_logical_replication_slot('{pair.slot}', 'pgoutput')")
    for number in range(4):
        pair.source.execute(f"INSERT INTO t VALUES ({number})")
        pair.source.execute("SELECT pg_switch_wal()")
    pair.source.execute("CHECKPOINT")
    expect(pair, "slot", "fail", ["wal_status lost", "cleanup"])


# --- Slot and publication

def test_slot_of_somebody_else(pair):
    pair.source.execute(TABLE)
    pair.source.execute(f"SELECT pg_create_logical_replication_slot('{pair.slot}', 'test_decoding')")
    expect(pair, "slot", "fail", [pair.slot, "test_decoding", "pg_drop_replication_slot", "--name"])


def test_slot_of_an_earlier_run(pair):
    pair.source.execute(TABLE)
    pair.source.execute(f"CREATE PUBLICATION {pair.publication} FOR TABLE t; COMMENT ON PUBLICATION {pair.publication} IS 'kubeferry task {pair.name}'")
    pair.source.execute(f"SELECT pg_create_logical_replication_slot('{pair.slot}', 'pgoutput')")
    expect(pair, "slot", "warn", ["earlier run", "cleanup"])


@pytest.mark.parametrize("publication, words", [
    ("FOR TABLE t", ["lacks: public.p1", "ADD TABLE ONLY public.p1;"]),
    ("FOR TABLE t, p WITH (publish = 'insert, update')", ["leaves out operations", "SET (publish ="]),
    ("FOR ALL TABLES WITH (publish_via_partition_root = true)", ["root", "publish_via_partition_root = false"]),
    ("FOR ALL TABLES", None),
    ("FOR TABLE t, p", None),
])
def test_publication_of_somebody_else(pair, publication, words):
    pair.source.execute(TABLE + "; CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p DEFAULT")
    pair.source.execute(f"CREATE PUBLICATION {pair.publication} {publication}")
    if words is None:
        expect(pair, "publication", "pass", [pair.publication])
        return
    remedy = expect(pair, "publication", "fail", words)["remedy"]
    pair.source.execute(remedy.splitlines()[0])
    expect(pair, "publication", "pass", [])


def test_filtered_publication(make_pair, debian_server):
    pair = make_pair(source=debian_server)
    pair.source.execute(TABLE + f"; CREATE PUBLICATION {pair.publication} FOR TABLE t WHERE (id > 3)")
    remedy = expect(pair, "publication", "fail", ["row filter", "public.t"])["remedy"]
    pair.source.execute(remedy.splitlines()[0])
    expect(pair, "publication", "pass", [])


# --- Servers

def test_encoding_and_collation(make_pair):
    pair = make_pair(source_options={"encoding": "LATIN1"})
    pair.source.execute(TABLE)
    expect(pair, "encoding", "pass", ["LATIN1", "UTF8"])
    expect(pair, "collation", "warn", ["C.UTF-8"])
    pair = make_pair(source_options={"encoding": "SQL_ASCII"})
    pair.source.execute(TABLE)
    expect(pair, "encoding", "fail", ["SQL_ASCII", "CREATE DATABASE"])


def test_older_sink(make_pair, debian_server):
    pair = make_pair(source=debian_server)
    pair.source.execute(TABLE)
    expect(pair, "version_order", "warn", ["14"])


def test_prepared_transaction(make_server, make_pair):
    pair = make_pair(source=make_server(settings={"max_prepared_transactions": "2", "max_slot_wal_keep_size": "64MB"}))
    pair.source.execute(TABLE)
    with pair.source.connect(autocommit=False) as other:
        other.execute("INSERT INTO t VALUES (1); PREPARE TRANSACTION 'left over'")
    expect(pair, "prepared_transactions", "warn", ["'left over'", "ROLLBACK PREPARED 'left over';"])
    expect(pair, "slot_wal_limit", "warn", ["64MB", "max_slot_wal_keep_size"])
    pair.source.execute("ROLLBACK PREPARED 'left over'")


def test_sink_is_read_only(pair):
    pair.source.execute(TABLE)
    pair.sink.execute(f"ALTER DATABASE {pair.sink.name} SET default_transaction_read_only = on")
    remedy = expect(pair, "sink_writable", "fail", ["default_transaction_read_only"])["remedy"]
    with pair.sink.server.database("other_" + pair.slot).connect() as other:
        other.execute(remedy)
    expect(pair, "sink_writable", "pass", [])


def test_no_tls_beyond_this_machine_only_warns(pair):
    """On the loopback a clear connection is no news."""
    pair.source.execute(TABLE)
    pair.source_text = pair.source.conninfo(sslmode="disable")
    expect(pair, "source_tls", "pass", ["does not leave this machine"])
    pair.source_text = pair.source.conninfo(sslmode="require")
    expect(pair, "source_tls", "pass", ["TLS", "require"])


def test_connection_limits(pair):
    pair.source.execute(TABLE)
    name = f"few_{pair.slot}"
    text = pair.source.role(name, "LOGIN REPLICATION CONNECTION LIMIT 3")
    pair.source_text = text()
    expect(pair, "source_connections", "fail", [name, "CONNECTION LIMIT -1"])
