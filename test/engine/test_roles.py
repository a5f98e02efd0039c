# SPDX-License-Identifier: Apache-2.0
"""Roles with no more rights than the documents ask for."""

import re

import pytest

TABLES = """CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE);
INSERT INTO a SELECT i, 'v' FROM generate_series(1, 1000) i; INSERT INTO b SELECT i, i FROM generate_series(1, 1000) i"""
CHANGES = ["UPDATE a SET v = 'u' WHERE id < 10", "DELETE FROM a WHERE id = 1", "INSERT INTO a VALUES (2000, 'n')", "INSERT INTO b VALUES (2000, 2000)",
           "UPDATE b SET a = 2000 WHERE id = 5", "DELETE FROM a WHERE id = 5"]


def reader(pair, extra=""):
    """A source role with LOGIN, REPLICATION and read rights, and nothing else."""
    name = f"reader_{pair.slot}"
    text = pair.source.role(name, "LOGIN REPLICATION " + extra)
    pair.source.execute(f"GRANT USAGE ON SCHEMA public TO {name}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    pair.source_text = text()
    return name


def test_source_role_that_owns_the_tables_but_is_no_superuser(pair):
    pair.source.execute(TABLES)
    name = reader(pair)
    pair.source.execute(f"GRANT CREATE ON DATABASE {pair.source.name} TO {name}; ALTER TABLE a OWNER TO {name}; ALTER TABLE b OWNER TO {name}")
    pair.migrate()
    for change in CHANGES:
        pair.source.execute(change)
    pair.migrate()
    pair.assert_equal()
    pair.run("cleanup")
    assert pair.leftovers() == []


def test_role_that_may_not_publish_gets_the_exact_statements(pair):
    pair.source.execute(TABLES)
    reader(pair)
    result = pair.call("run", "--until", "caught-up")
    assert result.code == 78, str(result)
    assert pair.leftovers() == []
    statement = re.search(r"CREATE PUBLICATION [^;]*;", result.output, re.S)
    assert statement, str(result)
    # What precheck prints is all that the DBA must run.
    pair.source.execute(statement.group(0))
    pair.migrate()
    for change in CHANGES:
        pair.source.execute(change)
    pair.migrate()
    pair.assert_equal()
    pair.run("cleanup")
    assert pair.leftovers() == [pair.publication], "a publication that we did not make stays"


@pytest.mark.parametrize("publication", ["FOR ALL TABLES", "FOR TABLE a, b, settle_marker"])
def test_publication_prepared_by_the_dba(pair, publication):
    pair.source.execute(TABLES)
    pair.marker_table()
    pair.source.execute(f"CREATE PUBLICATION {pair.publication} {publication}")
    reader(pair)
    with pair.following() as engine:
        for change in CHANGES:
            pair.source.execute(change)
        pair.settle(engine)
        pair.assert_equal()


@pytest.mark.parametrize("publication", ["FOR TABLE a", "FOR TABLE a, b WITH (publish = 'insert, update')"])
def test_prepared_publication_that_does_not_cover_the_tables(pair, publication):
    pair.source.execute(TABLES)
    pair.source.execute(f"CREATE PUBLICATION {pair.publication} {publication}")
    reader(pair)
    result = pair.call("run", "--until", "caught-up")
    assert result.code == 78 and pair.publication in result.output, str(result)


def test_sink_role_without_the_right_to_replicate(pair):
    """It may not set session_replication_role: foreign keys and user triggers wait for the cutover."""
    pair.source.execute(TABLES + """; CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v = NEW.v || ''!''; RETURN NEW; END';
        CREATE TRIGGER touching BEFORE INSERT OR UPDATE ON a FOR EACH ROW EXECUTE FUNCTION touch()""")
    name = f"plain_{pair.slot}"
    pair.sink_text = pair.sink.role(name)()
    pair.sink.execute(f"GRANT CREATE ON DATABASE {pair.sink.name} TO {name}; GRANT ALL ON SCHEMA public TO {name}")
    pair.migrate()
    for change in CHANGES:
        pair.source.execute(change)
    result = pair.migrate()
    pair.assert_equal()
    assert pair.sink.value("SELECT count(*) FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype = 'f'") == 0, str(result)
    assert pair.sink.value("SELECT count(*) FROM pg_trigger WHERE tgname = 'touching'") == 0, str(result)


def test_sink_role_without_that_right_and_without_cdc_gets_everything(pair):
    pair.source.execute(TABLES)
    name = f"plain_{pair.slot}"
    pair.sink_text = pair.sink.role(name)()
    pair.sink.execute(f"GRANT CREATE ON DATABASE {pair.sink.name} TO {name}; GRANT ALL ON SCHEMA public TO {name}")
    pair.run("run", "--steps", "cdc=false")
    pair.assert_equal()
    assert pair.sink.value("SELECT count(*) FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype = 'f' AND convalidated") == 1


def test_sink_role_that_was_granted_the_parameter(make_pair, debian_server):
    """From PostgreSQL 15 on the right can be given to a role."""
    pair = make_pair(sink=debian_server)
    pair.source.execute(TABLES)
    name = f"granted_{pair.slot}"
    pair.sink_text = pair.sink.role(name)()
    pair.sink.execute(f"GRANT SET ON PARAMETER session_replication_role TO {name}")
    pair.sink.execute(f"GRANT CREATE ON DATABASE {pair.sink.name} TO {name}; GRANT ALL ON SCHEMA public TO {name}")
    pair.migrate()
    for change in CHANGES:
        pair.source.execute(change)
    pair.migrate()
    pair.assert_equal()
    assert pair.sink.value("SELECT count(*) FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype = 'f'") == 1


@pytest.mark.parametrize("revoke, words", [
    ("ALTER ROLE {role} NOREPLICATION", ["REPLICATION"]),
    ("REVOKE SELECT ON b FROM {role}", ["b", "SELECT"]),
    ("REVOKE SELECT ON b FROM {role}; GRANT SELECT (id) ON b TO {role}", ["b", "SELECT"]),
])
def test_missing_rights_on_the_source(pair, revoke, words):
    pair.source.execute(TABLES)
    role = reader(pair)
    pair.source.execute(f"CREATE PUBLICATION {pair.publication} FOR ALL TABLES")
    pair.source.execute(revoke.format(role=role))
    result = pair.call("run", "--until", "caught-up")
    assert result.code == 78, str(result)
    assert all(word in result.output for word in words), str(result)


def test_row_security_that_hides_rows_from_the_role(pair):
    pair.source.execute(TABLES + "; ALTER TABLE a ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON a USING (id < 10)")
    pair.source.execute(f"CREATE PUBLICATION {pair.publication} FOR ALL TABLES")
    reader(pair)
    result = pair.call("run", "--until", "caught-up")
    assert result.code == 78 and "row" in result.output.lower() and "BYPASSRLS" in result.output, str(result)


def test_missing_rights_on_the_sink(pair):
    pair.source.execute(TABLES)
    name = f"powerless_{pair.slot}"
    pair.sink_text = pair.sink.role(name)()
    pair.sink.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    result = pair.call("run", "--until", "caught-up")
    assert result.code == 78 and "CREATE" in result.output, str(result)
    assert pair.leftovers() == []
