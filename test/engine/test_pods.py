# SPDX-License-Identifier: Apache-2.0
"""As a container's runtime runs the engine: the first process, a user without a name, a root that cannot be written, one
task document, SIGTERM, and a file for the last word."""

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import tempfile
import time

import psycopg
import pytest

from engine_process import Engine
from servers import eventually

USER = 65532
VERBS = ("precheck", "init-struct", "init-data", "init-struct-later", "cdc", "cleanup")
SANDBOX = f"""
mount --bind "$WORK" "$WORK" && mount -o remount,bind,ro / && ! touch /kubeferry-test 2>/dev/null &&
exec setpriv --reuid={USER} --regid={USER} --clear-groups --bounding-set=-all --no-new-privs "$@"
"""
AS_A_CONTAINER = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", SANDBOX, "sh")
ROOT = () if os.getuid() == 0 else ("sudo", "-nE")


class Pod:
    """Runs verbs of one task in containers that share a folder."""

    def __init__(self, pair, **fields):
        self.work = tempfile.mkdtemp(prefix="kubeferry-pod-")
        os.chmod(self.work, 0o777)
        self.document = {"version": 1, "name": pair.name, "source": self.endpoint(pair.source), "sink": self.endpoint(pair.sink),
                         "jobs": 1, "logFormat": "json", "workDir": os.path.join(self.work, "data"), "until": "forever", **fields}
        self.engines = []

    @staticmethod
    def endpoint(database):
        info = psycopg.conninfo.conninfo_to_dict(database.conninfo())
        return {"address": f"{info['host']}:{info['port']}", "database": info["dbname"], "user": info["user"], "password": info["password"]}

    @property
    def message_file(self):
        return os.path.join(self.work, "termination")

    def start(self, verb, *more, **options):
        with open(os.path.join(self.work, "task.json"), "w", encoding="utf-8") as file:
            json.dump(self.document, file)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.message_file)
        environment = {"WORK": self.work, "HOME": self.work, "TMPDIR": self.work, "KUBEFERRY_TERMINATION_FILE": self.message_file}
        engine = Engine(verb, "--task", os.path.join(self.work, "task.json"), *more, wrapper=(*ROOT, *AS_A_CONTAINER),
                        environment=environment, **options)
        self.engines.append(engine)
        return engine

    def message(self):
        """The termination message: what a kubelet would take."""
        with open(self.message_file, encoding="utf-8") as file:
            text = file.read()
        assert len(text.encode()) <= 4096
        return json.loads(text)

    def run(self, verb, *more):
        result = self.start(verb, *more).wait()
        assert result.code == 0, str(result)
        message = self.message()
        assert message["state"] == "done" and message["verb"] == verb and message["error"] is None
        return message

    def stop(self, engine, seconds=5):
        """SIGTERM to the container's first process: its code, within so many seconds."""
        (pid,) = first_process(engine)
        started = time.monotonic()
        os.kill(pid, signal.SIGTERM) if not ROOT else os.system(f"sudo -n kill -TERM {pid}")
        result = engine.wait(30)
        assert time.monotonic() - started < seconds, str(result)
        return result

    def close(self):
        for engine in self.engines:
            engine.destroy()
        shutil.rmtree(self.work, ignore_errors=True)


def first_process(engine):
    """The engine itself, below unshare."""
    pids = [engine.pid]
    while True:
        with open(f"/proc/{pids[0]}/task/{pids[0]}/children", encoding="ascii") as file:
            children = [int(word) for word in file.read().split()]
        with open(f"/proc/{pids[0]}/comm", encoding="ascii") as file:
            if file.read().startswith("kubeferry-engin") or not children:
                return [pids[0]]
        pids = children


@pytest.fixture
def make_pod():
    pods = []

    def make(pair, **fields):
        with pytest.raises(KeyError):
            pwd.getpwuid(USER)
        pods.append(Pod(pair, **fields))
        return pods[-1]

    yield make
    for pod in pods:
        pod.close()


def fill(pair):
    pair.source.execute("""
        CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a SELECT n, md5(n::text) FROM generate_series(1, 2000) n;
        CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a); INSERT INTO b SELECT n, n FROM generate_series(1, 2000) n;
        CREATE INDEX ON b (a)""")


def test_all_steps_of_a_task(pair, make_pod):
    fill(pair)
    pair.marker_table()
    pod = make_pod(pair)
    assert all(check["verdict"] != "fail" for check in pod.run("precheck")["checks"])
    pod.run("init-struct")
    assert pod.run("init-data")["copy"]["rowsDone"] == 4000
    pod.run("init-struct-later")
    cdc = pod.start("cdc", listen=True)
    pair.wait_for_stream(cdc)
    result = pod.stop(cdc)
    assert result.code == 75, "an eviction must not read as the end of the task"
    message = pod.message()
    assert message["state"] == "stopped" and message["stream"]["lsnApplied"]
    pair.assert_equal()
    pod.run("cleanup")
    assert pair.leftovers() == []


@contextlib.contextmanager
def nobody_answers():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("verb", VERBS)
def test_stopped_while_it_waits_for_an_end(pair, make_pod, verb):
    with nobody_answers() as address:
        pod = make_pod(pair, waitSeconds=300)
        pod.document["source"]["address"] = pod.document["sink"]["address"] = address
        engine = pod.start(verb)
        eventually(lambda: os.path.exists(os.path.join(pod.work, "data")) or verb in ("precheck", "cleanup"), what="the start")
        time.sleep(1)
        result = pod.stop(engine)
    assert result.code == 75, str(result)
    assert pod.message()["state"] == "stopped"


@contextlib.contextmanager
def locked(database, table):
    with database.connect(autocommit=False) as other:
        other.execute(f"LOCK TABLE {table}")
        yield


def waits_for_lock(database):
    return lambda: database.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")


def test_stopped_in_init_struct(pair, make_pod):
    fill(pair)
    pod = make_pod(pair)
    with locked(pair.source, "a"):
        engine = pod.start("init-struct")
        eventually(waits_for_lock(pair.source), what="pg_dump's wait")
        assert pod.stop(engine).code == 75
    pod.run("init-struct")


def test_stopped_in_init_data(pair, make_pod):
    fill(pair)
    pod = make_pod(pair)
    pod.run("init-struct")
    with pair.source.connect(autocommit=False) as other:
        other.execute("INSERT INTO a VALUES (-1, 'the slot waits for this')")
        engine = pod.start("init-data")
        eventually(lambda: pair.source.value("SELECT count(*) FROM pg_stat_replication"), what="the slot's making")
        assert pod.stop(engine).code == 75
        assert pod.message()["state"] == "stopped"
    with locked(pair.sink, "a"):
        engine = pod.start("init-data")
        eventually(waits_for_lock(pair.sink), what="a wait in the sink")
        assert pod.stop(engine).code == 75
    pod.run("init-data")
    pair.assert_equal()


def test_stopped_in_cdc_with_the_sink_blocked(pair, make_pod):
    fill(pair)
    pair.marker_table()
    pod = make_pod(pair)
    for verb in ("init-struct", "init-data"):
        pod.run(verb)
    engine = pod.start("cdc", listen=True)
    pair.wait_for_stream(engine)
    with locked(pair.sink, "a"):
        pair.source.execute("UPDATE a SET v = 'blocked'")
        eventually(waits_for_lock(pair.sink), what="the applier's wait")
        assert pod.stop(engine).code == 75
    pod.run("cdc", "--until", "caught-up")
    pair.assert_equal()


def test_last_words_of_a_refused_document(pair, make_pod):
    pod = make_pod(pair, jobs=0)
    result = pod.start("init-data").wait()
    assert result.code == 64, str(result)
    message = pod.message()
    assert message["state"] == "failed" and message["error"]["exitCode"] == 64 and "$.jobs" in message["error"]["message"]


def test_a_variable_that_is_missing(pair, make_pod):
    pod = make_pod(pair)
    del pod.document["source"]["password"]
    pod.document["source"]["passwordEnv"] = "SOURCE_PASSWORD"
    assert pod.start("precheck").wait().code == 64
    assert "no variable 'SOURCE_PASSWORD'" in pod.message()["error"]["message"]


def test_the_port_is_taken(pair, make_pod):
    with nobody_answers() as address:
        pod = make_pod(pair, listen=address)
        assert pod.start("init-data").wait().code == 64
    error = pod.message()["error"]
    assert "could not listen" in error["message"] and "another address or port" in error["hint"]


def test_cdc_before_the_rows_are_in(pair, make_pod):
    fill(pair)
    pod = make_pod(pair)
    pod.run("init-struct")
    assert pod.start("cdc").wait().code == 78
    assert "run init-data first" in pod.message()["error"]["hint"]


def test_cdc_alone_follows_from_its_start(pair, make_pod):
    """Without a step init-data: the rows came by other means."""
    fill(pair)
    pair.source.execute("CREATE TABLE settle_marker (id int PRIMARY KEY)")
    pair.run("init-struct")
    pair.sink.execute("INSERT INTO a SELECT n, md5(n::text) FROM generate_series(1, 2000) n; INSERT INTO b SELECT n, n FROM generate_series(1, 2000) n")
    pod = make_pod(pair, steps={"precheck": False, "init-struct": False, "init-data": False, "cdc": True})
    for attempt in range(2):
        engine = pod.start("cdc", listen=True)
        pair.wait_for_stream(engine)
        pair.source.execute(f"UPDATE a SET v = 'followed {attempt}' WHERE id % 2 = 0; DELETE FROM b WHERE id % 10 = {attempt}")
        pair.settle(engine)
        assert pod.stop(engine).code == 75
        pair.assert_equal()
    pod.run("cleanup")
    assert pair.leftovers() == []


def test_cdc_alone_is_begun_again_after_a_kill(pair, make_pod):
    """The slot waits for an open transaction; killed there, the next one makes it anew."""
    fill(pair)
    pair.run("init-struct")
    pair.sink.execute("INSERT INTO a SELECT n, md5(n::text) FROM generate_series(1, 2000) n; INSERT INTO b SELECT n, n FROM generate_series(1, 2000) n")
    steps = ["--steps", "init-data=false"]
    with pair.source.connect(autocommit=False) as other:
        other.execute("INSERT INTO a VALUES (-1, 'open')")
        engine = pair.start("cdc", *steps)
        eventually(lambda: pair.source.value("SELECT count(*) FROM pg_stat_replication"), what="the slot's making")
        engine.kill()
        other.rollback()
    pair.source.execute("INSERT INTO a VALUES (3000, 'before the slot')")
    pair.sink.execute("INSERT INTO a VALUES (3000, 'before the slot')")
    pair.run("cdc", *steps, "--until", "caught-up")
    pair.source.execute("UPDATE a SET v = 'after' WHERE id = 3000")
    pair.run("cdc", *steps, "--until", "caught-up")
    pair.assert_equal()


def test_cdc_alone_needs_the_tables(pair, make_pod):
    fill(pair)
    result = pair.call("cdc", "--steps", "init-data=false")
    assert result.code == 78 and "init-struct" in result.output, str(result)
    assert pair.leftovers() == []
