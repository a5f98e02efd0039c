# SPDX-License-Identifier: Apache-2.0
"""precheck runs every check, reports them all at once, changes nothing."""

import json

from comparison import tables

TABLE = "CREATE TABLE t (id int PRIMARY KEY)"


def test_good_ends(pair):
    pair.source.execute(TABLE)
    result = pair.run("precheck")
    assert "wal_level" in result.output, str(result)
    assert pair.leftovers() == [] and tables(pair.sink) == []
    assert pair.sink.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'kubeferry'") == 0, "precheck writes nothing"


def test_all_failures_at_once(make_server, make_pair):
    source = make_server(settings={"wal_level": "replica", "max_replication_slots": "1", "max_wal_senders": "1"})
    pair = make_pair(source=source)
    pair.source.execute(TABLE + "; CREATE TABLE nokey (a int); CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING")
    pair.sink.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    result = pair.call("precheck")
    assert result.code == 78, str(result)
    for word in ("wal_level", "nokey", "nothing", "rows", "ALTER TABLE", "REPLICA IDENTITY"):
        assert word in result.output, f"{word} is missing: {result}"


def test_json(pair):
    pair.source.execute(TABLE + "; CREATE TABLE nokey (a int)")
    result = pair.call("precheck", "--log-format", "json")
    assert result.code == 78, str(result)
    document = next(d for d in map(json.loads, filter(None, result.output.splitlines())) if "checks" in d)
    failed = [check for check in document["checks"] if check["verdict"] == "fail"]
    assert failed and all(check["remedy"] for check in failed), document
    assert len(document["checks"]) >= 15, "design.md lists more"
    assert any("nokey" in check["message"] for check in failed), document


def test_warnings_do_not_stop(pair):
    pair.source.execute(TABLE + "; CREATE UNLOGGED TABLE u (id int PRIMARY KEY); CREATE EXTENSION postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;"
                        "CREATE FOREIGN TABLE f (id int) SERVER s; SELECT lo_create(0)")
    result = pair.run("precheck")
    for word in ("u", "f"):
        assert f'"public"."{word}"' in result.output or f"public.{word}" in result.output, str(result)


def test_old_transaction_is_told(pair):
    pair.source.execute(TABLE)
    with pair.source.connect(autocommit=False) as other:
        other.execute("INSERT INTO t VALUES (1)")
        result = pair.run("precheck")
        assert str(other.info.backend_pid) in result.output, str(result)


def test_too_few_connections(make_server, make_pair):
    pair = make_pair(sink=make_server(settings={"max_connections": "8", "superuser_reserved_connections": "3", "max_wal_senders": "2"}))
    pair.source.execute(TABLE)
    result = pair.call("precheck", "--jobs", "16")
    assert "max_connections" in result.output and result.code in (0, 78), str(result)


def test_both_ends_unreachable_are_told_at_once(pair):
    pair.source_text = "host=127.0.0.1 port=1 dbname=x user=x"
    pair.sink_text = "host=127.0.0.1 port=2 dbname=x user=x"
    result = pair.call("precheck")
    assert result.code in (69, 78), str(result)
    assert "source" in result.output and "sink" in result.output, str(result)
