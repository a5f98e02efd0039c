# SPDX-License-Identifier: Apache-2.0
"""Definitions arrive whole: indexes, constraints, triggers, rules, policies, comments, statistics; and twice is once."""

import os
import stat

import pytest

from comparison import assert_same_definitions, definitions
from servers import embedded_bin

WIDE = r"""
CREATE EXTENSION btree_gist; CREATE EXTENSION citext;
CREATE SCHEMA app; COMMENT ON SCHEMA app IS 'a schema';
CREATE TYPE app.mood AS ENUM ('sad', 'ok'); COMMENT ON TYPE app.mood IS 'a type';
CREATE DOMAIN app.email AS citext CONSTRAINT has_at CHECK (VALUE ~ '@') NOT NULL;
CREATE TYPE app.span AS RANGE (subtype = float8);
CREATE FUNCTION app.area(a float8, b float8 DEFAULT 1) RETURNS float8 IMMUTABLE LANGUAGE sql AS 'SELECT a * b'; COMMENT ON FUNCTION app.area IS 'a function';
CREATE PROCEDURE app.work() LANGUAGE plpgsql AS 'BEGIN NULL; END';
CREATE AGGREGATE app.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE OPERATOR app.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
CREATE SEQUENCE app.odd AS smallint INCREMENT -3 MINVALUE -300 MAXVALUE 3 START 3 CACHE 7 CYCLE;
CREATE TABLE app.a (id bigserial PRIMARY KEY, mail app.email UNIQUE, m app.mood DEFAULT 'ok', v text COLLATE "C" NOT NULL DEFAULT 'x''y', n int CHECK (n > 0),
    old int, CONSTRAINT late CHECK (old > 0) NOT VALID);
COMMENT ON TABLE app.a IS E'multi\nline'; COMMENT ON COLUMN app.a.mail IS 'a column';
CREATE TABLE app.b (id int, a bigint CONSTRAINT to_a REFERENCES app.a DEFERRABLE INITIALLY DEFERRED, during int4range, room int,
    CONSTRAINT no_overlap EXCLUDE USING gist (room WITH =, during WITH &&), PRIMARY KEY (id) INCLUDE (room));
ALTER TABLE app.b ADD CONSTRAINT unproven FOREIGN KEY (room) REFERENCES app.b (id) ON DELETE SET NULL NOT VALID;
CREATE INDEX partial ON app.a (lower(v)) WHERE n IS NOT NULL; CREATE INDEX brin ON app.a USING brin (n) WITH (pages_per_range = 4);
CREATE INDEX sorted ON app.a (n DESC NULLS LAST, v text_pattern_ops) INCLUDE (m); ALTER TABLE app.a CLUSTER ON sorted;
CREATE INDEX "Odd ""name" ON app.b (a); COMMENT ON INDEX app."Odd ""name" IS 'an index';
CREATE STATISTICS app.stats (dependencies, mcv) ON n, v FROM app.a; ALTER TABLE app.a ALTER n SET STATISTICS 500;
CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER one BEFORE INSERT ON app.a FOR EACH ROW WHEN (NEW.n > 5) EXECUTE FUNCTION app.note();
CREATE TRIGGER off AFTER UPDATE ON app.a FOR EACH STATEMENT EXECUTE FUNCTION app.note(); ALTER TABLE app.a DISABLE TRIGGER off;
CREATE TRIGGER always AFTER DELETE ON app.a FOR EACH ROW EXECUTE FUNCTION app.note(); ALTER TABLE app.a ENABLE ALWAYS TRIGGER always;
CREATE RULE quiet AS ON DELETE TO app.b WHERE (OLD.id < 0) DO INSTEAD NOTHING;
CREATE POLICY mine ON app.a FOR SELECT USING (n < 100); ALTER TABLE app.a ENABLE ROW LEVEL SECURITY;
CREATE VIEW app.v WITH (security_barrier) AS SELECT a.id, b.id AS b FROM app.a JOIN app.b ON b.a = a.id; CREATE VIEW app.vv AS SELECT count(*) FROM app.v;
COMMENT ON VIEW app.v IS 'a view';
CREATE MATERIALIZED VIEW app.m AS SELECT n, count(*) FROM app.a GROUP BY n; CREATE UNIQUE INDEX ON app.m (n);
CREATE TABLE app.p (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY LIST (id);
CREATE TABLE app.p1a PARTITION OF app.p1 FOR VALUES IN (1, 2) WITH (fillfactor = 70); CREATE TABLE app.pd PARTITION OF app.p DEFAULT;
CREATE INDEX on_p ON app.p (v); CREATE TABLE app.q (p int, at date, FOREIGN KEY (p, at) REFERENCES app.p, id int PRIMARY KEY);
CREATE TABLE app.parent (id int PRIMARY KEY, v text); CREATE TABLE app.child (more int, PRIMARY KEY (id)) INHERITS (app.parent) WITH (autovacuum_enabled = off);
CREATE UNLOGGED TABLE app.u (id int PRIMARY KEY);
INSERT INTO app.a (mail, v, n) SELECT 'm' || i || '@x', 'v' || i, i FROM generate_series(1, 500) i;
INSERT INTO app.b SELECT i, i, int4range(i, i + 1), 1 FROM generate_series(1, 100) i;
INSERT INTO app.p VALUES (1, '2020-05-05', 'v'), (9, '2030-01-01', 'd'); INSERT INTO app.q VALUES (1, '2020-05-05', 1); REFRESH MATERIALIZED VIEW app.m
"""


@pytest.mark.parametrize("steps", ["whole run", "without cdc"])
def test_everything_arrives(pair, steps):
    pair.source.execute(WIDE)
    pair.source.execute("INSERT INTO app.u VALUES (1)")
    if steps == "whole run":
        pair.migrate()
    else:
        pair.run("run", "--steps", "cdc=false")
    assert_same_definitions(pair.source, pair.sink)
    pair.assert_equal([t for t in [("app", name) for name in ("a", "b", "p1a", "pd", "q", "parent", "child")]])
    assert pair.sink.value("SELECT count(*) FROM app.m") == 500
    assert pair.sink.value("SELECT count(*) FROM pg_stats WHERE schemaname = 'app' AND tablename = 'a'") > 0, "not analyzed"


def test_init_struct_twice_changes_nothing(pair):
    pair.source.execute(WIDE)
    pair.run("init-struct")
    query = "SELECT oid, relfilenode, relname FROM pg_class WHERE relnamespace = 'app'::regnamespace ORDER BY 1"
    before, lines = pair.sink.rows(query), definitions(pair.sink)
    pair.run("init-struct")
    assert (pair.sink.rows(query), definitions(pair.sink)) == (before, lines)


def test_what_exists_on_the_sink_is_left(pair):
    pair.source.execute(WIDE)
    pair.sink.execute("""CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'more');
        CREATE FUNCTION app.area(a float8, b float8 DEFAULT 1) RETURNS float8 IMMUTABLE LANGUAGE sql AS 'SELECT a * b + 0'""")
    pair.migrate()
    pair.assert_equal([("app", name) for name in ("a", "b", "p1a", "pd", "q", "parent", "child")])
    assert pair.sink.value("SELECT count(*) FROM pg_enum WHERE enumtypid = 'app.mood'::regtype") == 3


def test_owners_and_rights_that_the_sink_does_not_know(make_pair, make_server):
    pair = make_pair(source=make_server())
    pair.source.execute("""CREATE ROLE only_here; CREATE SCHEMA s AUTHORIZATION only_here; CREATE TABLE s.t (id int PRIMARY KEY);
        ALTER TABLE s.t OWNER TO only_here; GRANT SELECT ON s.t TO only_here; INSERT INTO s.t VALUES (1);
        CREATE POLICY p ON s.t TO only_here USING (true); ALTER DEFAULT PRIVILEGES FOR ROLE only_here GRANT SELECT ON TABLES TO PUBLIC""")
    result = pair.migrate()
    pair.assert_equal()
    assert "only_here" in result.output, str(result)


def test_other_names_of_the_database_are_not_restored(pair):
    """Event triggers, publications and subscriptions of the source do not come along."""
    pair.source.execute("""CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION theirs FOR TABLE t;
        CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER et ON ddl_command_end EXECUTE FUNCTION e()""")
    pair.migrate()
    assert pair.sink.rows("SELECT pubname::text FROM pg_publication UNION ALL SELECT evtname FROM pg_event_trigger") == []


def test_names_with_newlines_and_quotes(pair):
    pair.source.execute('''CREATE SCHEMA "a
b"; CREATE TABLE "a
b"."t""; DROP TABLE x; --
c" (id int PRIMARY KEY, "c
""d" text DEFAULT '-- TOC entry 5'); CREATE INDEX "i
x" ON "a
b"."t""; DROP TABLE x; --
c" ("c
""d"); COMMENT ON TABLE "a
b"."t""; DROP TABLE x; --
c" IS E'--\\n-- TOC entry 3000 (class 1259 OID 1)\\n--'; CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$SELECT E'\\n-- TOC entry 1\\n'$$;
INSERT INTO "a
b"."t""; DROP TABLE x; --
c" VALUES (1)''')
    pair.migrate()
    pair.assert_equal()
    assert_same_definitions(pair.source, pair.sink)


def test_source_newer_than_pg_dump(make_server, make_pair):
    source = make_server(embedded_bin(18))
    pair = make_pair(source=source)
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    result = pair.call("run", "--until", "caught-up")
    assert result.code == 78, str(result)
    assert "pg_dump" in result.output and "postgresql-client-18" in result.output, str(result)


def test_pg_dump_not_installed(pair, tmp_path):
    """The engine looks along PATH and in Debian's directories; a pg_dump that is broken is told as such."""
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY)")
    fake = tmp_path / "pg_dump"
    fake.write_text("#!/bin/sh\necho 'pg_dump: error: something broke' >&2\nexit 1\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    result = pair.call("init-struct", environment={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert result.code in (0, 75, 78), str(result)
    if result.code:
        assert "pg_dump" in result.output, str(result)


def test_source_of_version_10(make_server, make_pair):
    """Too old for none of the steps: a move from 10 is why many people come."""
    source = make_server(embedded_bin(10))
    pair = make_pair(source=source)
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i")
    pair.migrate()
    pair.source.execute("UPDATE t SET v = 'x' WHERE id < 10")
    pair.migrate()
    assert pair.source.rows("SELECT * FROM t ORDER BY 1") == pair.sink.rows("SELECT * FROM t ORDER BY 1")
