# SPDX-License-Identifier: Apache-2.0
"""Each kind of bad input ends with a message that names it, the right exit code, and nothing lost or left behind."""

import os
import shutil
import socket
import subprocess

import psycopg
import pytest

from comparison import tables
from engine_process import Engine
from servers import embedded_bin, eventually, free_port

TABLE = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 1000) i"


def refused(pair, code, words, *more, verb="run", **options):
    """Runs it: that exit code, these words in the output, no word of an internal failure."""
    result = pair.call(verb, "--until", "caught-up", *more, **options) if verb == "run" else pair.call(verb, *more, **options)
    assert result.code == code, str(result)
    for word in words:
        assert word.lower() in result.output.lower(), f"{word!r} is not in: {result}"
    return result


# --- Endpoints

@pytest.mark.parametrize("end", ["source", "sink"])
@pytest.mark.parametrize("change, code, words", [
    ({"password": "wrong"}, 64, ["password"]),
    ({"user": "nobody_here"}, 64, ["nobody_here"]),
    ({"database": "nothing_here"}, 64, ["nothing_here", "does not exist"]),
    ({"host": "no-such-host.invalid"}, 69, ["no-such-host.invalid"]),
    ({"port": 1}, 69, ["refused"]),
    ({"sslmode": "verify-full", "sslrootcert": "/nonexistent"}, 64, ["/nonexistent"]),
    ({"sslmode": "verify-full", "sslrootcert": "own"}, 64, ["certificate"]),
    ({"user": "tls_only", "password": "pw of a role", "sslmode": "disable"}, 64, ["tls_only"]),
    ({"sslmode": "nonsense"}, 64, ["sslmode"]),
], ids=lambda value: ",".join(map(str, value)) if isinstance(value, dict) else None)
def test_endpoint(pair, end, change, code, words):
    pair.source.execute(TABLE)
    database = getattr(pair, end)
    make_tls_only_role(database)
    change = dict(change)
    if change.get("sslrootcert") == "own":
        change["sslrootcert"] = other_certificate(database.server)
    values = {"database": database.name, **change}
    setattr(pair, end + "_text", database.server.conninfo(**values))
    result = refused(pair, code, [end, *words])
    assert "wrong" not in result.output.replace("wrong password", ""), "the password is shown"
    assert pair.leftovers() == [] and tables(pair.sink) == []


def make_tls_only_role(database):
    """The servers let this one in over TLS alone."""
    if not database.value("SELECT 1 FROM pg_roles WHERE rolname = 'tls_only'"):
        database.role("tls_only", "LOGIN SUPERUSER")


def other_certificate(server):
    path = os.path.join(server.directory, "other.crt")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=other",
                    "-keyout", path + ".key", "-out", path], check=True, capture_output=True)
    return path


def test_tls_is_demanded_and_the_server_has_none(make_server, make_pair):
    pair = make_pair(sink=make_server(tls=False))
    pair.source.execute(TABLE)
    pair.sink_text = pair.sink.conninfo(sslmode="require")
    refused(pair, 64, ["sink", "SSL"])


def test_tls_that_is_demanded_and_there(pair):
    pair.source.execute(TABLE)
    make_tls_only_role(pair.source)
    pair.source_text = pair.source.conninfo(user="tls_only", password="pw of a role", sslmode="require")
    pair.sink_text = pair.sink.conninfo(sslmode="verify-ca", sslrootcert=os.path.join(pair.sink.server.directory, "server.crt"))
    pair.migrate()
    pair.assert_equal()


def test_a_host_that_does_not_answer(pair):
    """A port that accepts and says nothing: the engine must not wait for ever."""
    with socket.socket() as silent:
        port = free_port()
        silent.bind(("127.0.0.1", port))
        silent.listen()
        pair.source_text = f"host=127.0.0.1 port={port} dbname=x user=x password=x connect_timeout=3"
        refused(pair, 69, ["source"], timeout=60)


def test_source_and_sink_are_the_same_database(pair):
    pair.source.execute(TABLE)
    pair.sink_text = pair.source_text
    result = pair.call("run", "--until", "caught-up")
    assert result.code in (64, 78) and "same" in result.output, str(result)
    assert pair.leftovers() == []


# --- What the source lacks

def test_wal_level_replica(make_server, make_pair):
    pair = make_pair(source=make_server(settings={"wal_level": "replica"}))
    pair.source.execute(TABLE)
    refused(pair, 78, ["wal_level", "logical"])
    assert tables(pair.sink) == []


def test_no_free_slot(make_server, make_pair):
    pair = make_pair(source=make_server(settings={"max_replication_slots": "2"}))
    pair.source.execute(TABLE)
    pair.source.execute("SELECT pg_create_logical_replication_slot('one_of_two', 'pgoutput')")
    refused(pair, 78, ["max_replication_slots", "one_of_two"])
    pair.source.execute("SELECT pg_drop_replication_slot('one_of_two')")
    pair.migrate()
    pair.assert_equal()


def test_no_free_walsender(make_server, make_pair):
    pair = make_pair(source=make_server(settings={"max_wal_senders": "0"}))
    pair.source.execute(TABLE)
    refused(pair, 78, ["max_wal_senders"])


@pytest.mark.parametrize("table", [
    "CREATE TABLE keyless (a int, b text)",
    "CREATE TABLE keyless (id int PRIMARY KEY); ALTER TABLE keyless REPLICA IDENTITY NOTHING",
    "CREATE TABLE keyless (id int PRIMARY KEY DEFERRABLE)",
    "CREATE TABLE keyless (id int PRIMARY KEY, k int NOT NULL); CREATE UNIQUE INDEX ki ON keyless (k); ALTER TABLE keyless REPLICA IDENTITY USING INDEX ki; DROP INDEX ki",
])
def test_table_without_a_usable_identity(pair, table):
    pair.source.execute(TABLE)
    pair.source.execute(table)
    refused(pair, 78, ["keyless", "REPLICA IDENTITY"])
    refused(pair, 78, ["keyless"], verb="precheck")
    assert pair.leftovers() == [] and tables(pair.sink) == []
    pair.run("run", "--steps", "cdc=false")
    pair.assert_equal()


def test_slot_of_that_name_belongs_to_somebody_else(pair):
    pair.source.execute(TABLE)
    pair.source.execute(f"SELECT pg_create_logical_replication_slot('{pair.slot}', 'test_decoding')")
    refused(pair, 78, [pair.slot])
    assert pair.leftovers() == [pair.slot], "it is not ours to drop"


# --- What the sink lacks

def test_missing_extension(make_server, make_pair, tmp_path_factory):
    home = tmp_path_factory.mktemp("server")
    os.chmod(home.parent, 0o755)
    os.chmod(home, 0o755)
    copy = os.path.join(home, "postgres")
    shutil.copytree(os.path.dirname(embedded_bin(14)), copy, symlinks=True)
    extensions = os.path.join(copy, "share", "postgresql", "extension")
    with open(os.path.join(extensions, "only_there.control"), "w", encoding="ascii") as file:
        file.write("default_version = '1.0'\n")
    with open(os.path.join(extensions, "only_there--1.0.sql"), "w", encoding="ascii") as file:
        file.write("CREATE DOMAIN only_there_type AS int;\n")
    open_to_the_server(home)
    pair = make_pair(source=make_server(os.path.join(copy, "bin")))
    pair.source.execute("CREATE EXTENSION only_there; CREATE TABLE t (id int PRIMARY KEY, v only_there_type)")
    refused(pair, 78, ["only_there", "extension"])
    assert pair.leftovers() == [] and tables(pair.sink) == []


def open_to_the_server(path):
    """The account postgres must reach it: every directory above is opened for passing through."""
    path = str(path)
    while path not in ("/", "/tmp"):
        os.chmod(path, os.stat(path).st_mode | 0o755)
        path = os.path.dirname(path)


def test_encoding_that_cannot_hold_the_data(make_pair):
    pair = make_pair(sink_options={"encoding": "LATIN1"})
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, '漢字')")
    refused(pair, 78, ["encoding", "LATIN1"])
    assert tables(pair.sink) == []


def test_sink_table_with_rows_of_somebody_else(pair):
    pair.source.execute(TABLE + "; CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1)")
    pair.sink.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (-1, 'mine')")
    for verb in ("precheck", "run"):
        refused(pair, 78, ["t", "rows"], verb=verb)
    refused(pair, 78, ["rows"], "--steps", "precheck=false")
    assert pair.sink.rows("SELECT * FROM t") == [(-1, "mine")]
    assert pair.sink.value("SELECT COALESCE((SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'other'), 0)") == 0


@pytest.mark.parametrize("sink_table, word", [
    ("CREATE TABLE t (id int PRIMARY KEY)", "v"),
    ("CREATE TABLE t (id int PRIMARY KEY, v int)", "v"),
    ("CREATE VIEW t AS SELECT 1 AS id, ''::text AS v", "t"),
])
def test_sink_table_of_another_shape(pair, sink_table, word):
    pair.source.execute(TABLE)
    pair.sink.execute(sink_table)
    result = refused(pair, 78, [word])
    assert "public" in result.output, str(result)


@pytest.fixture
def small_disk(make_server, make_pair):
    """A pair whose sink lies on a file system of 40 MB, and a function that makes that larger."""
    server = make_server()
    path = os.path.join(server.directory, "small")
    prefix = [] if os.getuid() == 0 else ["sudo"]
    os.makedirs(path)
    account = os.stat(server.directory)
    mode = f"size=40m,mode=700,uid={account.st_uid},gid={account.st_gid}"
    subprocess.run([*prefix, "mount", "-t", "tmpfs", "-o", mode, "none", path], check=True)
    try:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{path}'")
        pair = make_pair(sink=server, sink_options={"tablespace": "small"})
        yield pair, lambda: subprocess.run([*prefix, "mount", "-o", "remount,size=400m", path], check=True)
    finally:
        server.stop()
        subprocess.run([*prefix, "umount", path], check=True)


@pytest.mark.parametrize("moment", ["copy", "cdc"])
def test_disk_of_the_sink_is_full(small_disk, moment):
    pair, enlarge = small_disk
    fill = "INSERT INTO t SELECT i, repeat('v', 400) FROM generate_series(10000, 140000) i"
    pair.source.execute(TABLE)
    if moment == "copy":
        pair.source.execute(fill)
    else:
        pair.migrate()
        pair.source.execute(fill)
    if moment == "copy":
        result = refused(pair, 75, ["could not extend file", "sink", "space"])
        enlarge()
        pair.migrate()
    else:  # it tells, and goes on by itself when there is room
        engine = pair.start("run", "--until", "caught-up")
        engine.until_output("could not extend file")
        assert pair.sink.value("SELECT count(*) FROM t") == 1000, "a part of a transaction is visible"
        enlarge()
        result = engine.wait()
    assert result.code in (0, 75), str(result)
    pair.assert_equal()


# --- What happens on the way

@pytest.mark.parametrize("change, words", [
    ("ALTER TABLE t ADD more int; INSERT INTO t VALUES (2000, 'n', 1)", ['column "more"', 'ADD COLUMN "more" integer']),
    ("ALTER TABLE t RENAME v TO renamed; INSERT INTO t VALUES (2000, 'n')", ['column "renamed"', 'TO "renamed"']),
    ("ALTER TABLE t ALTER v TYPE int USING 7; INSERT INTO t VALUES (2000, 1)", ['column "v"', "(integer)", "(text)", 'ALTER COLUMN "v" TYPE integer']),
    ("ALTER TABLE t ALTER v TYPE varchar(9); INSERT INTO t VALUES (2000, 'n')", ['column "v"', 'TYPE character varying(9)']),
    ("ALTER TABLE t DROP v; INSERT INTO t VALUES (2000)", ['column "v"', 'DROP COLUMN "v"']),
])
def test_schema_of_the_source_changes_in_the_stream(pair, change, words):
    pair.source.execute(TABLE)
    pair.migrate()
    pair.source.execute("UPDATE t SET v = 'before' WHERE id < 10")
    alter, insert = change.split(";")
    pair.source.execute(alter)
    pair.source.execute(insert)
    result = refused(pair, 78, ['relation "public"."t"', "the same command", *words])
    # What committed before the change is applied: it would not fit the changed sink any more.
    assert pair.sink.value("SELECT count(*) FROM t WHERE v = 'before'") == 9, str(result)
    # What to do: the same change on the sink, then the same command.
    pair.sink.execute(alter)
    pair.migrate()
    pair.assert_equal()


# Type on the sink, wider type on the source, a value that the sink's would cut or round.
WIDER = [
    ("varchar(10)", "varchar(20)", "'0123456789abcde'"),
    ("char(3)", "char(5)", "'abcde'"),
    ("numeric(6,2)", "numeric(10,4)", "1.2345"),
    ("timestamp(0)", "timestamp(3)", "'2020-01-01 00:00:00.777'"),
    ("interval(0)", "interval(3)", "'1.777 s'"),
    ("bit(3)", "bit(5)", "B'10101'"),
    ("varchar(3)[]", "varchar(9)[]", "'{abcdef}'"),
]


@pytest.mark.parametrize("narrow, wide, value", WIDER)
def test_a_column_that_grows_on_the_source_is_not_cut_on_the_sink(pair, narrow, wide, value):
    pair.source.execute(f"CREATE TABLE t (id int PRIMARY KEY, v {narrow})")
    pair.migrate()
    alter = f"ALTER TABLE t ALTER v TYPE {wide}"
    pair.source.execute(alter)
    pair.source.execute(f"INSERT INTO t VALUES (1, {value}); UPDATE t SET id = 2")
    refused(pair, 78, ['relation "public"."t"', 'column "v"', 'ALTER TABLE "public"."t" ALTER COLUMN "v" TYPE'])
    assert pair.sink.value("SELECT count(*) FROM t") == 0
    pair.sink.execute(alter)
    pair.migrate()
    pair.assert_equal()


@pytest.mark.parametrize("narrow, wide, value", WIDER)
def test_a_narrower_table_of_the_sink_cuts_nothing(pair, narrow, wide, value):
    """Even if nobody asks the prechecks."""
    pair.source.execute(f"CREATE TABLE t (id int PRIMARY KEY, v {wide}); INSERT INTO t VALUES (1, {value})")
    pair.sink.execute(f"CREATE TABLE t (id int PRIMARY KEY, v {narrow})")
    refused(pair, 78, ['"v"', '"public"."t"', "on the sink"], "--steps", "precheck=false")
    assert pair.sink.value("SELECT count(*) FROM t") == 0


def test_a_wider_table_of_the_sink_is_filled(pair):
    """The prechecks name it, since the ends differ; nothing is lost by it."""
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY, v varchar(3), n numeric(6,2), s timestamp(0)); INSERT INTO t VALUES (1, 'abc', 1.25, '2020-01-01')")
    pair.sink.execute("CREATE TABLE t (id int PRIMARY KEY, v varchar(9), n numeric, s timestamp)")
    refused(pair, 78, ["public.t.v", "character varying(9) on the sink"])
    pair.migrate("--steps", "precheck=false")
    pair.source.execute("UPDATE t SET v = 'x', n = 2.50; INSERT INTO t VALUES (2, 'abc', 9999.99, '2020-01-01 01:00')")
    pair.migrate("--steps", "precheck=false")
    pair.assert_equal()


def test_a_table_that_was_renamed_in_the_stream(pair):
    pair.source.execute(TABLE)
    pair.migrate()
    pair.source.execute("ALTER TABLE t RENAME TO renamed")
    pair.source.execute("DELETE FROM renamed WHERE id = 1")
    rename = 'ALTER TABLE "public"."t" RENAME TO "renamed"'
    refused(pair, 78, ['relation "public"."renamed"', 'it was called "public"."t"', rename])
    assert pair.sink.value("SELECT count(*) FROM t") == 1000
    pair.sink.execute(rename)
    pair.source.execute("UPDATE renamed SET v = 'after' WHERE id = 2")
    pair.migrate()
    pair.assert_equal()
    pair.run("verify")


def test_a_table_that_moved_to_another_schema_and_back(pair):
    pair.source.execute(TABLE + "; CREATE SCHEMA other")
    pair.migrate()
    pair.source.execute("ALTER TABLE t SET SCHEMA other; DELETE FROM other.t WHERE id = 1")
    pair.source.execute("ALTER TABLE other.t SET SCHEMA public; DELETE FROM t WHERE id = 2")
    for there in ("other", "public"):
        refused(pair, 78, [f'relation "{there}"."t"', f"SET SCHEMA {chr(34)}{there}{chr(34)}"])
        pair.sink.execute(f"CREATE SCHEMA IF NOT EXISTS {there}; ALTER TABLE {'public' if there == 'other' else 'other'}.t SET SCHEMA {there}")
    pair.migrate()
    pair.assert_equal()


def test_slot_dropped(pair):
    pair.source.execute(TABLE)
    pair.migrate()
    pair.source.execute(f"SELECT pg_drop_replication_slot('{pair.slot}')")
    pair.source.execute("DELETE FROM t WHERE id = 1")
    refused(pair, 78, [pair.slot])


def test_slot_dropped_and_made_again(pair):
    pair.source.execute(TABLE)
    pair.migrate()
    pair.source.execute(f"SELECT pg_drop_replication_slot('{pair.slot}')")
    pair.source.execute("DELETE FROM t WHERE id = 1")
    pair.source.execute(f"SELECT pg_create_logical_replication_slot('{pair.slot}', 'pgoutput')")
    refused(pair, 78, [pair.slot])


def test_slot_invalidated(make_server, make_pair):
    pair = make_pair(source=make_server(settings={"max_slot_wal_keep_size": "1MB", "max_wal_size": "40MB", "min_wal_size": "32MB"}))
    pair.source.execute(TABLE)
    pair.migrate()

    def lost():
        pair.source.execute("INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series((SELECT max(id) + 1 FROM t), (SELECT max(id) + 20000 FROM t)) i")
        pair.source.execute("SELECT pg_switch_wal()")
        pair.source.execute("CHECKPOINT")
        return pair.source.value(f"SELECT wal_status = 'lost' FROM pg_replication_slots WHERE slot_name = '{pair.slot}'")
    eventually(lost, 60, "the slot's invalidation")
    refused(pair, 78, [pair.slot, "max_slot_wal_keep_size"])
    pair.run("cleanup")
    assert pair.leftovers() == []


def test_publication_dropped(pair):
    pair.source.execute(TABLE)
    pair.migrate()
    pair.source.execute(f"DROP PUBLICATION {pair.publication}")
    pair.source.execute("DELETE FROM t WHERE id = 1")
    refused(pair, 78, [pair.publication])


def test_sink_table_dropped_in_the_stream(pair):
    pair.source.execute(TABLE)
    pair.migrate()
    pair.sink.execute("DROP TABLE t")
    pair.source.execute("DELETE FROM t WHERE id = 1")
    refused(pair, 78, ["t"])


def test_ledger_of_another_version(pair):
    pair.source.execute(TABLE)
    pair.migrate()
    pair.sink.execute("UPDATE kubeferry.version SET version = 999")
    refused(pair, 78, ["999"])


@pytest.mark.parametrize("verb", ["run", "cdc", "init-data"])
def test_the_same_name_twice(pair, verb):
    pair.source.execute(TABLE)
    pair.marker_table()
    engine = pair.start("run", listen=True)
    pair.wait_for_stream(engine)
    result = pair.call(verb, timeout=60)
    assert result.code == 75 and pair.name in result.output, str(result)
    assert engine.running()
    pair.source.execute("DELETE FROM t WHERE id = 1")
    pair.settle(engine)
    pair.assert_equal()


def test_another_task_of_the_same_name_with_another_source(make_pair):
    """The ledger is bound to its source: the same name may not go on from elsewhere."""
    first = make_pair()
    second = make_pair()
    for pair in (first, second):
        pair.source.execute(TABLE)
    first.migrate()
    second.name, second.slot, second.sink_text = first.name, first.slot, first.sink_text
    result = second.call("run", "--until", "caught-up")
    assert result.code == 78 and first.name in result.output, str(result)


# --- Options

SAMPLES = ["--source", "host=x dbname=x", "--sink", "host=y dbname=y"]


@pytest.mark.parametrize("arguments, words", [
    ([], ["--help"]),
    (["fly"], ["fly"]),
    (["run"], ["--source"]),
    (["run", "--source", "host=x"], ["--sink"]),
    (["run", *SAMPLES, "--jobs", "0"], ["--jobs"]),
    (["run", *SAMPLES, "--jobs", "many"], ["--jobs", "many"]),
    (["run", *SAMPLES, "--jobs", "100000"], ["--jobs"]),
    (["run", *SAMPLES, "--jobs"], ["--jobs"]),
    (["run", *SAMPLES, "--jbos", "2"], ["--jbos"]),
    (["run", *SAMPLES, "--until", "tomorrow"], ["--until", "tomorrow"]),
    (["run", *SAMPLES, "--steps", "precheck=maybe"], ["--steps", "maybe"]),
    (["run", *SAMPLES, "--steps", "presto=true"], ["presto"]),
    (["run", *SAMPLES, "--log-format", "xml"], ["--log-format", "xml"]),
    (["run", *SAMPLES, "--listen", "nowhere"], ["--listen"]),
    (["run", *SAMPLES, "--listen", "127.0.0.1:99999999"], ["--listen"]),
    (["run", *SAMPLES, "--name", "No Such Name!"], ["--name"]),
    (["run", *SAMPLES, "--name", "n" * 64], ["--name"]),
    (["run", *SAMPLES, "--name", ""], ["--name"]),
    (["run", *SAMPLES, "surplus"], ["surplus"]),
    (["run", "--source", "postgresql://[::1", "--sink", "host=x"], ["source"]),
    (["run", "--source", "hots=x", "--sink", "host=x"], ["host="]),
    (["run", "--source", "no sense", "--sink", "host=x"], ["source"]),
    (["run", "--source", "", "--sink", "host=x"], ["source"]),
    (["run", "--task", "/nonexistent/task.json"], ["/nonexistent/task.json"]),
])
def test_malformed_options(arguments, words):
    result = Engine(*arguments).wait()
    assert result.code == 64, str(result)
    for word in words:  # the option is named, with or without its dashes
        assert word.lstrip("-") in result.output, str(result)


@pytest.mark.parametrize("text, word", [
    ("{", "task.json"),
    ("[]", "task.json"),
    ('{"name": "x", "nmae": "y"}', "nmae"),
    ('{"version": 1, "name": 7}', "name"),
    ('{"version": 1, "name": "x", "jobs": "two"}', "jobs"),
    ("\x00", "task.json"),
])
def test_malformed_task_document(tmp_path, text, word):
    path = tmp_path / "task.json"
    path.write_text(text, encoding="utf-8")
    result = Engine("run", "--task", path).wait()
    assert result.code == 64 and word in result.output, str(result)


def test_the_listening_port_is_taken(pair):
    pair.source.execute(TABLE)
    with socket.socket() as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        result = pair.call("run", "--until", "caught-up", "--listen", f"127.0.0.1:{port}")
    assert result.code in (64, 75, 78) and str(port) in result.output, str(result)


def test_help_and_version():
    result = Engine("--help").wait()
    assert result.code == 0 and "--migration-object" in result.output and "init-struct" in result.output, str(result)
    result = Engine("run", "--help").wait()
    assert result.code == 0 and "--until" in result.output, str(result)
    result = Engine("--version").wait()
    assert result.code == 0 and "kubeferry" in result.output, str(result)

