# SPDX-License-Identifier: Apache-2.0
"""Which tables --migration-object chooses, and what comes along because they need it."""

import pytest
from psycopg import sql

from comparison import tables

NAMES = ["public.a", "public.b", "public.A", "public.with.dot", 'public.with"quote', "public.with,comma", "public.ünï", "public. blank ",
         "other.a", "other.c", "Other.a"]


def create(database):

    for name in ("other", "Other"):
        database.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    for name in NAMES:
        schema, table = name.split(".", 1)
        database.execute(sql.SQL("CREATE TABLE {} (id int PRIMARY KEY); INSERT INTO {} VALUES (1), (2)").format(
            *[sql.Identifier(schema, table)] * 2))


@pytest.mark.parametrize("text, expected", [
    ('"public.a","public.b"', ["public.a", "public.b"]),
    ('"public.a"', ["public.a"]),
    ("public.a,public.b", ["public.a", "public.b"]),
    ('"public"', [name for name in NAMES if name.startswith("public.")]),
    ('public,"other.c"', [name for name in NAMES if name.startswith("public.")] + ["other.c"]),
    ('"public.A"', ["public.A"]),
    ('"Other"', ["Other.a"]),
    ('"public.""with.dot"""', ["public.with.dot"]),
    ('"public.""with""""quote"""', ['public.with"quote']),
    ('"public.with,comma"', ["public.with,comma"]),
    ('"public.ünï"', ["public.ünï"]),
    ('"public.a","public.a","public"', [name for name in NAMES if name.startswith("public.")]),
    (None, NAMES),
])
def test_forms(pair, text, expected):
    create(pair.source)
    arguments = ["--migration-object", text] if text else []
    pair.migrate(*arguments)
    names = [tuple(name.split(".", 1)) for name in expected]
    assert sorted(tables(pair.sink)) == sorted(names)
    pair.assert_equal(names)
    published = pair.source.rows("SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = %s", [pair.publication])
    assert sorted(published) == sorted(names)
    for schema, table in names:
        pair.source.execute(f'INSERT INTO "{schema}"."{table}" VALUES (3)'.replace('with"quote', 'with""quote'))
    pair.migrate(*arguments)
    pair.assert_equal(names)


def test_what_a_table_needs_comes_along(pair):
    pair.source.execute("""
        CREATE SCHEMA types; CREATE SCHEMA data; CREATE SCHEMA untouched; CREATE EXTENSION hstore; CREATE EXTENSION pg_trgm SCHEMA types;
        CREATE TYPE types.mood AS ENUM ('sad', 'ok'); CREATE TYPE types.pair AS (a types.mood, b int);
        CREATE DOMAIN types.small AS int CHECK (VALUE < 1000);
        CREATE FUNCTION types.double(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2';
        CREATE FUNCTION types.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.touched = now(); RETURN NEW; END';
        CREATE COLLATION types.german (provider = libc, locale = 'C');
        CREATE SEQUENCE types.numbers START 100;
        CREATE TABLE data.referenced (id int PRIMARY KEY);
        CREATE TABLE data.t (id int PRIMARY KEY DEFAULT nextval('types.numbers'), m types.mood[], p types.pair, s types.small, h hstore,
            g int GENERATED ALWAYS AS (types.double(5)) STORED, name text COLLATE types.german, touched timestamptz,
            r int REFERENCES data.referenced, CHECK (types.double(s) < 100));
        CREATE INDEX ON data.t (types.double(s)); CREATE INDEX ON data.t USING gin (name types.gin_trgm_ops);
        CREATE TRIGGER stamp BEFORE UPDATE ON data.t FOR EACH ROW EXECUTE FUNCTION types.stamp();
        CREATE TABLE untouched.x (id int PRIMARY KEY); CREATE TYPE untouched.unused AS ENUM ('x');
        INSERT INTO data.referenced VALUES (1); INSERT INTO data.t (m, p, s, h, r) VALUES ('{sad,NULL}', ROW('ok', 1), 7, 'a=>1', 1)""")
    result = pair.migrate("--migration-object", '"data.t"')
    pair.assert_equal([("data", "t")])
    assert pair.sink.value("SELECT to_regclass('untouched.x') IS NULL AND to_regtype('untouched.unused') IS NULL")
    assert pair.sink.value("SELECT to_regclass('data.referenced') IS NULL"), "a foreign key's other table is no dependency of the rows"
    assert "t_r_fkey" in result.output, "what was left out is told"
    assert pair.sink.value("SELECT count(*) FROM pg_trigger WHERE tgname = 'stamp'") == 1
    assert pair.sink.value("SELECT count(*) FROM pg_index WHERE indrelid = 'data.t'::regclass") == 3
    assert pair.sink.value("SELECT nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'pg_trgm'") == "types"


def test_a_partitioned_table_brings_its_partitions(pair):
    pair.source.execute("""CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
        CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20); CREATE TABLE other (id int PRIMARY KEY);
        INSERT INTO p SELECT generate_series(0, 19)""")
    pair.migrate("--migration-object", '"public.p"')
    assert tables(pair.sink) == [("public", "p1"), ("public", "p2")]
    pair.source.execute("DELETE FROM p WHERE id = 15; UPDATE p SET id = 5 + 10 WHERE id = 5")
    pair.migrate("--migration-object", '"public.p"')
    pair.assert_equal([("public", "p1"), ("public", "p2")])


@pytest.mark.parametrize("text, words", [
    ('"public.nothing"', ["public", "nothing"]),
    ('"nowhere"', ["nowhere"]),
    ('"public.a","public.b"," public.x"', ["x"]),
])
def test_no_table_matches(pair, text, words):
    create(pair.source)
    result = pair.call("run", "--until", "caught-up", "--migration-object", text)
    assert result.code == 78, str(result)
    assert all(word in result.output for word in words), str(result)
    assert pair.leftovers() == [] and tables(pair.sink) == []


def test_an_empty_source(pair):
    result = pair.call("run", "--until", "caught-up")
    assert result.code == 78, str(result)
    assert "no table" in result.output.lower(), str(result)


@pytest.mark.parametrize("text", ['"public.a', 'public.a,', '"public.a""', ',', 'a.b.c', '""', '"public."'])
def test_malformed_lists(pair, text):
    result = pair.call("run", "--migration-object", text)
    assert result.code == 64, str(result)
    assert "object list" in result.output, str(result)
