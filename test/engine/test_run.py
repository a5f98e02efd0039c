# SPDX-License-Identifier: Apache-2.0
"""A whole migration while applications write; what it shows; stopping and going on; steps."""

import datetime
import json
import os
import pty
import re
import signal
import subprocess
import time

import pytest

from comparison import assert_same_definitions
from conftest import Pair
from engine_process import ENGINE, Engine
from servers import Pgbench, eventually, pgbench_initialize


def prepare_bank(pair, scale=2):
    pgbench_initialize(pair.source, scale)
    pair.source.execute("ALTER TABLE pgbench_history ADD id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY")


def test_whole_run_while_pgbench_writes(pair):
    prepare_bank(pair)
    with Pgbench(pair.source, rate=300) as bench:
        with pair.following("--jobs", "2") as engine:
            count = "SELECT count(*) FROM pgbench_history"
            before = pair.source.value(count)
            eventually(lambda: pair.source.value(count) > before + 300, 120, "more transactions")
            bench.stop()
            pair.settle(engine)
    pair.assert_equal()
    assert_same_definitions(pair.source, pair.sink)
    assert sorted(pair.leftovers()) == sorted([pair.slot, pair.publication]), "they stay for the next start, until cleanup"
    pair.run("cleanup")
    assert pair.leftovers() == []


def test_until_caught_up_ends_while_writes_go_on(pair):
    prepare_bank(pair, 1)
    with Pgbench(pair.source, rate=200):
        result = pair.migrate()
        assert "error" not in result.output.lower(), str(result)
    pair.migrate()
    pair.assert_equal()


@pytest.mark.parametrize("moment", ["copying", "streaming"])
def test_sigterm_ends_cleanly_and_the_same_command_goes_on(pair, moment):
    prepare_bank(pair, 5)
    pair.marker_table()
    with Pgbench(pair.source, rate=100):
        engine = pair.start("run", "--jobs", "1", listen=True)
        if moment == "streaming":
            pair.wait_for_stream(engine)
        else:
            engine.until(lambda d: d["copy"]["rowsDone"] > 1000 or d["step"] == "cdc", "the first rows")
        engine.signal(signal.SIGTERM)
        result = engine.wait(20)
        assert result.code in ((0,) if moment == "streaming" else (0, 75)), str(result)
        eventually(lambda: not pair.source.value(f"SELECT active FROM pg_replication_slots WHERE slot_name = '{pair.slot}'"),
                   what="the slot's release")
        with pair.following() as engine:
            pair.settle(engine)
    pair.migrate()
    pair.assert_equal()


def test_run_twice_changes_nothing(pair):
    prepare_bank(pair, 1)
    pair.migrate()
    pair.assert_equal()
    before = pair.sink.rows("SELECT relname, relfilenode FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1")
    pair.migrate()
    assert pair.sink.rows("SELECT relname, relfilenode FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1") == before
    pair.assert_equal()


def test_progress_metrics_and_health(pair):
    prepare_bank(pair, 1)
    with pair.following() as engine:
        pair.source.execute("UPDATE pgbench_branches SET filler = 'x'")
        pair.settle(engine)
        target = pair.source.value("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
        document = engine.until(lambda d: number(d["stream"]["lsnApplied"]) >= target, "the applied position in the document")
        assert document["version"] == 1 and document["task"] == pair.name and document["verb"] == "run"
        assert document["step"] == "cdc" and document["state"] == "running" and document["error"] is None
        assert [step["state"] for step in document["steps"]] == ["done", "done", "done", "off", "running"]
        assert document["copy"]["tablesDone"] == document["copy"]["tablesTotal"] == 5
        assert document["copy"]["rowsDone"] == document["copy"]["rowsTotalEstimate"] == 100011
        assert document["copy"]["bytesDone"] == document["copy"]["bytesTotal"] > 0 and document["copy"]["secondsLeft"] is None
        assert document["stream"]["changes"] >= 2 and document["stream"]["lagBytes"] >= 0
        assert document["stream"]["lagP50Seconds"] < 5
        assert document["slot"]["name"] == pair.slot
        assert document["checks"] and all(check["verdict"] in ("pass", "warn") for check in document["checks"])
        status, metrics = engine.get("/metrics")
        assert status == 200 and re.search(r'^kubeferry_changes_total\{task="%s"\} \d+$' % pair.name, metrics, re.M)
        for line in metrics.splitlines():
            assert re.fullmatch(r'# (HELP|TYPE) \S+ .+|[a-z_]+(\{[^}]*\})? [-+0-9.eInfNa]+', line), line
        assert engine.get("/healthz")[0] == 200
        assert engine.get("/nothing")[0] == 404


def number(lsn):
    high, low = (lsn or "0/0").split("/")
    return (int(high, 16) << 32) + int(low, 16)


def test_position_and_metrics_lines_every_ten_seconds(pair):
    prepare_bank(pair, 1)
    with pair.following() as engine:
        pair.source.execute("UPDATE pgbench_branches SET filler = 'x'")
        committed = pair.source.value("SELECT date_trunc('second', now() AT TIME ZONE 'UTC')")
        form = r"INFO position_logger - current_position \| lsn:[0-9A-F]+/[0-9A-F]+,timestamp:(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.\d{3} UTC-0000"
        line = engine.until_output(form, 25)
        shown = datetime.datetime.strptime(line.group(1), "%Y-%m-%d %H:%M:%S")
        assert abs((shown - committed).total_seconds()) < 15, "the time of a commit on the source"
        engine.until_output(r"INFO metrics - transactions:\d+,changes:\d+,changes_per_second:\d+,lag_bytes:\d+,"
                            r"lag_seconds:\d+\.\d+,slot_retained_bytes:\d+\n", 5)
        engine.until_output("(?s)" + form + ".*" + form, 25)


def test_plain_lines_where_no_terminal_is(pair):
    prepare_bank(pair, 1)
    result = pair.migrate()
    assert "\x1b" not in result.output and "\r" not in result.output, str(result)


def test_live_view_on_a_terminal(pair):
    prepare_bank(pair, 3)
    main, side = pty.openpty()
    process = subprocess.Popen([ENGINE, *pair.arguments("run", "--until", "caught-up")], stdin=subprocess.DEVNULL, stdout=side,
                               stderr=side, env={**os.environ, "TERM": "xterm"})
    os.close(side)
    shown = b""
    try:
        while True:
            block = os.read(main, 65536)
            if not block:
                break
            shown += block
    except OSError:
        pass  # the other side is closed
    assert process.wait(60) == 0, shown.decode(errors="replace")
    assert b"\x1b[" in shown, "no live view"
    pair.assert_equal()


def test_json_log(pair):
    prepare_bank(pair, 1)
    result = pair.migrate("--log-format", "json")
    for line in filter(None, result.output.splitlines()):
        json.loads(line)


def test_steps_one_by_one(pair):
    prepare_bank(pair, 1)
    steps = ("precheck", "init-struct", "init-data", "cdc")
    for wanted in ({"precheck"}, {"init-struct"}, {"init-data", "cdc"}):
        flags = ",".join(f"{step}={'true' if step in wanted else 'false'}" for step in steps)
        pair.run("run", "--until", "caught-up", "--steps", flags)
    pair.source.execute("UPDATE pgbench_branches SET filler = 'x'")
    pair.run("cdc", "--until", "caught-up")
    pair.assert_equal()


def test_cdc_without_a_slot_says_what_to_run(pair):
    prepare_bank(pair, 1)
    pair.run("run", "--steps", "cdc=false")
    result = pair.call("cdc")
    assert result.code == 78 and "init-data" in result.output, str(result)


def test_verbs_one_by_one(pair):
    prepare_bank(pair, 1)
    pair.run("precheck")
    assert pair.leftovers() == []
    pair.run("init-struct")
    pair.run("init-struct")
    assert pair.sink.value("SELECT count(*) FROM pgbench_accounts") == 0
    pair.run("init-data")
    pair.source.execute("DELETE FROM pgbench_accounts WHERE aid < 100")
    engine = pair.start("cdc", listen=True)
    eventually(lambda: pair.sink.value("SELECT count(*) FROM pgbench_accounts") == 99901, what="the deletes")
    result = engine.terminate()
    assert result.code == 0, str(result)
    pair.assert_equal()
    assert_same_definitions(pair.source, pair.sink)


def test_without_cdc_nothing_is_left_on_the_source(pair):
    prepare_bank(pair, 1)
    pair.run("run", "--steps", "cdc=false")
    pair.assert_equal()
    assert_same_definitions(pair.source, pair.sink)
    pair.run("cleanup")
    assert pair.leftovers() == []


def test_task_document_in_place_of_the_options(pair, tmp_path):
    prepare_bank(pair, 1)
    pair.source.execute("CREATE TABLE unwanted (id int PRIMARY KEY)")
    document = {"version": 1, "name": pair.name, "source": {"conninfo": pair.source_text}, "sink": {"conninfo": pair.sink_text},
                "objects": [{"schema": "public"}], "excluded": [{"schema": "public", "table": "unwanted"}],
                "jobs": 3, "until": "caught-up"}
    path = tmp_path / "task.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    engine = Engine("run", "--task", path)
    result = engine.wait()
    assert result.code == 0, str(result)
    assert pair.sink.value("SELECT to_regclass('unwanted') IS NULL")
    pair.assert_equal([("public", f"pgbench_{table}") for table in ("accounts", "branches", "tellers", "history")])


def test_two_tasks_between_the_same_databases(make_pair):
    first = make_pair()
    first.source.execute("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)")
    second = Pair(first.source, first.sink)
    first.migrate("--migration-object", '"public.a"')
    second.migrate("--migration-object", '"public.b"')
    first.source.execute("INSERT INTO a VALUES (2); INSERT INTO b VALUES (2)")
    first.migrate("--migration-object", '"public.a"')
    second.migrate("--migration-object", '"public.b"')
    first.assert_equal()
    first.run("cleanup")
    assert sorted(first.leftovers()) == sorted([second.slot, second.publication])
    second.run("cleanup")
    assert first.leftovers() == []


def test_servers_of_debians_package(make_pair, debian_server):
    pair = make_pair(source=debian_server, sink=debian_server)
    prepare_bank(pair, 1)
    with Pgbench(pair.source, rate=200) as bench, pair.following() as engine:
        time.sleep(1)
        bench.stop()
        pair.settle(engine)
    pair.assert_equal()
    assert_same_definitions(pair.source, pair.sink)


def test_from_14_into_a_newer_server(make_pair, debian_server):
    pair = make_pair(sink=debian_server)
    prepare_bank(pair, 1)
    pair.migrate()
    pair.source.execute("UPDATE pgbench_tellers SET filler = 'x'")
    pair.migrate()
    pair.assert_equal()
