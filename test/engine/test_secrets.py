# SPDX-License-Identifier: Apache-2.0
"""Passwords come in every way that libpq knows, and show up nowhere."""

import glob
import os
import threading
import urllib.parse

import psycopg
import pytest

from servers import SUPERUSER_PASSWORD, eventually

TABLE = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000)"
# Distinct parts of the password, so that a piece of it is found too.
PIECES = [SUPERUSER_PASSWORD, "s3cr", "o#rd", urllib.parse.quote(SUPERUSER_PASSWORD, safe=""), "pa/ss"]


def forms(database):
    port, name = database.server.port, database.name
    return {
        "conninfo": database.conninfo(),
        "encoded uri": f"postgresql://postgres:{urllib.parse.quote(SUPERUSER_PASSWORD, safe='')}@127.0.0.1:{port}/{name}",
        "uri as typed": f"postgresql://postgres:{SUPERUSER_PASSWORD}@127.0.0.1:{port}/{name}",
        "kubeblocks": f"postgres:{SUPERUSER_PASSWORD}@127.0.0.1:{port}/{name}",
    }


@pytest.mark.parametrize("form", ["conninfo", "encoded uri", "uri as typed", "kubeblocks"])
def test_every_form_of_address(pair, form):
    if form in ("uri as typed", "kubeblocks"):
        # As typed, a valid percent sequence would be decoded: this password has none.
        for database in (pair.source, pair.sink):
            database.role(f"typed_{pair.slot}", "LOGIN SUPERUSER", "a:b@c/d?e#f%zz'\" \\")
        texts = {
            "uri as typed": "postgresql://typed_{s}:a:b@c/d?e#f%zz'\" \\@127.0.0.1:{p}/{d}",
            "kubeblocks": "typed_{s}:a:b@c/d?e#f%zz'\" \\@127.0.0.1:{p}/{d}",
        }
        pair.source_text, pair.sink_text = (texts[form].format(s=pair.slot, p=d.server.port, d=d.name) for d in (pair.source, pair.sink))
    else:
        pair.source_text, pair.sink_text = forms(pair.source)[form], forms(pair.sink)[form]
    pair.source.execute(TABLE)
    pair.migrate()
    pair.assert_equal()


def without_password(pair):
    pair.source_text = psycopg.conninfo.make_conninfo(pair.source_text, password="")
    pair.sink_text = psycopg.conninfo.make_conninfo(pair.sink_text, password="")
    pair.source_text = pair.source_text.replace(" password=''", "").replace("password='' ", "")
    pair.sink_text = pair.sink_text.replace(" password=''", "").replace("password='' ", "")


def test_pgpassword(pair):
    pair.source.execute(TABLE)
    without_password(pair)
    pair.migrate(environment={"PGPASSWORD": SUPERUSER_PASSWORD})
    pair.assert_equal()


def test_pgpassfile(pair, tmp_path):
    pair.source.execute(TABLE)
    without_password(pair)
    path = tmp_path / "pgpass"
    escaped = SUPERUSER_PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    path.write_text(f"127.0.0.1:*:*:postgres:{escaped}\n")
    path.chmod(0o600)
    result = pair.migrate(environment={"PGPASSFILE": str(path)})
    assert not any(piece in result.output for piece in PIECES), str(result)
    pair.assert_equal()


def test_service_file(pair, tmp_path):
    pair.source.execute(TABLE)
    path = tmp_path / "services.conf"
    text = ""
    for name, database in (("from", pair.source), ("to", pair.sink)):
        text += f"[{name}]\nhost=127.0.0.1\nport={database.server.port}\ndbname={database.name}\nuser=postgres\npassword={SUPERUSER_PASSWORD}\n"
    path.write_text(text)
    pair.source_text, pair.sink_text = "service=from", "service=to"
    pair.migrate(environment={"PGSERVICEFILE": str(path)})
    pair.assert_equal()


def test_nothing_shows_the_password(pair):
    """Not the output, the documents, the arguments of child processes, the ledger, the servers' logs."""
    pair.source.execute(TABLE + "; DO $$ BEGIN FOR i IN 1..150 LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY)', i); END LOOP; END $$")
    pair.marker_table()
    seen, stop = set(), threading.Event()
    engine = pair.start("run", listen=True)

    def watch():
        while not stop.is_set():
            seen.update(arguments_of_descendants(engine.pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        pair.wait_for_stream(engine)
        documents = [engine.get(path)[1] for path in ("/progress", "/metrics", "/healthz")]
    finally:
        stop.set()
        thread.join()
    result = engine.terminate()
    assert any("pg_dump" in line for line in seen), f"the watcher saw no pg_dump: {seen}"
    ledger = [row[0] for (name,) in pair.sink.rows("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'kubeferry'::regnamespace")
              for row in pair.sink.rows(f"SELECT t::text FROM kubeferry.{name} t")]
    for text in [result.output, *documents, *seen, *ledger]:
        assert not any(piece in text for piece in PIECES), text


def arguments_of_descendants(parent):
    found = []
    for path in glob.glob(f"/proc/{parent}/task/*/children"):
        try:
            with open(path, encoding="ascii") as file:
                pids = file.read().split()
        except OSError:
            continue
        for pid in pids:
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    line = file.read().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            # Between fork and exec a child still shows the engine's own arguments, which the user gave.
            if "kubeferry-engine" not in line.split(" ")[0]:
                found.append(line)
            found += arguments_of_descendants(int(pid))
    return found


@pytest.mark.parametrize("text", [
    "postgresql://postgres:hush-hush@127.0.0.1:1/x",
    "postgres:hush-hush@127.0.0.1:1/x",
    "host=127.0.0.1 port=1 password=hush-hush dbname=x",
    "host=127.0.0.1 port=1 password='hush-hush dbname=x",
    "postgresql://postgres:hush-hush@[::1/x",
    "postgres:hush-hush@:/",
    "passwrod=hush-hush host=x",
    "postgresql://127.0.0.1:1/x?password=hush-hush&nonsense=1",
])
def test_errors_about_an_address_do_not_show_it(pair, text):
    pair.source_text = text
    result = pair.call("precheck", timeout=60)
    assert result.code in (64, 69), str(result)
    assert "hush" not in result.output, str(result)


def test_a_statement_that_fails_with_the_password_in_it(pair):
    """A value that equals the password is data; but a conninfo in an error of libpq is not shown."""
    pair.sink_text = pair.sink.server.conninfo(pair.sink.name, options="-c nonsense=1")
    pair.source.execute(TABLE)
    result = pair.call("precheck")
    assert result.code in (64, 78), str(result)
    assert not any(piece in result.output for piece in PIECES), str(result)


def test_engine_keeps_its_dump_private(pair, tmp_path):
    """The work directory is made for the owner alone, and is gone at the end."""
    os.chmod(tmp_path, 0o755)
    pair.source.execute(TABLE + "; DO $$ BEGIN FOR i IN 1..150 LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY)', i); END LOOP; END $$")
    engine = pair.start("run", "--until", "caught-up", environment={"TMPDIR": str(tmp_path)})
    modes = set()

    def look():
        for path in tmp_path.iterdir():
            try:
                modes.add(oct(path.stat().st_mode & 0o777))
            except OSError:
                continue
        return not engine.running()
    eventually(look, 60, "the end", 0.005)
    assert engine.wait().code == 0
    assert modes <= {"0o700", "0o600"}, modes
    assert list(tmp_path.iterdir()) == []
