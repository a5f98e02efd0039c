# SPDX-License-Identifier: Apache-2.0
"""Compares two databases from outside: the rows of every table, and the definitions. Uses nothing of the engine.

Rows travel as COPY's text with pinned session settings and are compared as multisets, so that tables without a key and
types without an equality count as well.
"""

import collections

from psycopg import sql

PINNED = """SET extra_float_digits = 3; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET bytea_output = hex;
SET TimeZone = 'UTC'; SET client_encoding = 'UTF8'; SET statement_timeout = 0; SET row_security = off"""

TABLES = """
SELECT n.nspname, c.relname
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'kubeferry')
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY 1, 2"""

COLUMNS = """
SELECT a.attname FROM pg_attribute a
 WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname"""

Difference = collections.namedtuple("Difference", "table source_rows sink_rows missing extra")


def tables(database):
    """(schema, name) of every table with rows of its own: partitions and children each by themselves."""
    return [tuple(row) for row in database.rows(TABLES)]


def _qualified(connection, table):
    return sql.Identifier(*table).as_string(connection)


def _lines(connection, table, columns):
    query = sql.SQL("COPY (SELECT {} FROM ONLY {}) TO STDOUT").format(
        sql.SQL(", ").join(sql.Identifier(column) for column in columns), sql.Identifier(*table))
    # Bytes as they are stored; any other encoding is compared as text.
    stored_as_bytes = connection.info.parameter_status("server_encoding") == "SQL_ASCII"
    if stored_as_bytes:
        connection.execute("SET client_encoding = 'SQL_ASCII'")
    count = collections.Counter()
    rest = b""
    with connection.cursor().copy(query) as copy:
        for block in copy:
            lines = (rest + bytes(block)).split(b"\n")
            rest = lines.pop()
            count.update(lines)
    if stored_as_bytes:
        connection.execute("SET client_encoding = 'UTF8'")
    return count


def compare_table(source, sink, table):
    """source, sink: connections. None when equal."""
    name = _qualified(source, table)
    columns = [row[0] for row in source.execute(COLUMNS, [name])]
    exists = sink.execute("SELECT to_regclass(%s) IS NOT NULL", [name]).fetchone()[0]
    theirs = [row[0] for row in sink.execute(COLUMNS, [name])] if exists else None
    if theirs != columns:
        return Difference(name, columns, theirs, ["columns differ"], [])
    left, right = _lines(source, table, columns), _lines(sink, table, columns)
    if left == right:
        return None
    return Difference(name, sum(left.values()), sum(right.values()), list((left - right).elements())[:5],
                      list((right - left).elements())[:5])


def differences(source, sink, only=None):
    """source, sink: Database. only: (schema, name) pairs, else all tables of the source and of the sink."""
    found = []
    with source.connect() as left, sink.connect() as right:
        for connection in (left, right):
            connection.execute(PINNED)
        names = only if only is not None else tables(source)
        for table in names:
            difference = compare_table(left, right, table)
            if difference:
                found.append(difference)
        if only is None:
            found += [Difference(".".join(t), None, "?", [], ["a table that the source does not have"])
                      for t in tables(sink) if t not in names]
    return found


def assert_equal(source, sink, only=None):
    found = differences(source, sink, only)
    assert not found, "\n".join(str(difference) for difference in found)


# Definitions, one line each; oids, owners and rights left out.
DEFINITIONS = r"""
WITH schemas AS (
    SELECT oid, nspname FROM pg_namespace
     WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'kubeferry')
), relations AS (
    SELECT c.*, s.nspname FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
     WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
)
SELECT format('column %I.%I.%I %s notnull=%s default=%s identity=%s generated=%s collation=%s', r.nspname, r.relname, a.attname,
              format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated,
              (SELECT collname FROM pg_collation WHERE oid = a.attcollation))
  FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
 WHERE r.relkind IN ('r', 'p', 'v', 'm', 'c', 'f') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT format('relation %I.%I kind=%s identity=%s persistence=%s rls=%s,%s bound=%s key=%s options=%s parents=%s', r.nspname, r.relname,
              r.relkind, r.relreplident, r.relpersistence, r.relrowsecurity, r.relforcerowsecurity,
              pg_get_expr(r.relpartbound, r.oid), CASE WHEN r.relkind = 'p' THEN pg_get_partkeydef(r.oid) END, r.reloptions,
              (SELECT array_agg(inhparent::regclass::text ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = r.oid))
  FROM relations r
UNION ALL
SELECT format('constraint %s.%I %s valid=%s', COALESCE(conrelid::regclass::text, contypid::regtype::text), conname, pg_get_constraintdef(c.oid),
              convalidated)
  FROM pg_constraint c JOIN schemas s ON s.oid = c.connamespace WHERE contype <> 'n'
UNION ALL
SELECT format('index %s valid=%s clustered=%s identity=%s', pg_get_indexdef(indexrelid), indisvalid, indisclustered, indisreplident)
  FROM pg_index JOIN relations r ON r.oid = indexrelid
UNION ALL
SELECT format('trigger %s enabled=%s', pg_get_triggerdef(t.oid), tgenabled)
  FROM pg_trigger t JOIN relations r ON r.oid = tgrelid WHERE NOT tgisinternal
UNION ALL
SELECT format('rule %s', pg_get_ruledef(w.oid)) FROM pg_rewrite w JOIN relations r ON r.oid = ev_class
UNION ALL
SELECT format('policy %I on %s %s using=%s check=%s', polname, polrelid::regclass, polcmd, pg_get_expr(polqual, polrelid),
              pg_get_expr(polwithcheck, polrelid))
  FROM pg_policy p JOIN relations r ON r.oid = polrelid
UNION ALL
SELECT format('function %s', CASE prokind WHEN 'a' THEN 'aggregate ' || p.oid::regprocedure ELSE pg_get_functiondef(p.oid) END)
  FROM pg_proc p JOIN schemas s ON s.oid = pronamespace
 WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT format('type %s %s labels=%s base=%s', t.oid::regtype, typtype,
              (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid), format_type(typbasetype, typtypmod))
  FROM pg_type t JOIN schemas s ON s.oid = typnamespace
 WHERE typtype IN ('e', 'd', 'r', 'm')
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
UNION ALL
SELECT format('sequence %s type=%s start=%s by=%s min=%s max=%s cache=%s cycle=%s', seqrelid::regclass, seqtypid::regtype, seqstart,
              seqincrement, seqmin, seqmax, seqcache, seqcycle)
  FROM pg_sequence JOIN relations r ON r.oid = seqrelid
UNION ALL
SELECT format('statistics %s', pg_get_statisticsobjdef(e.oid)) FROM pg_statistic_ext e JOIN schemas s ON s.oid = stxnamespace
UNION ALL
SELECT format('extension %I', extname) FROM pg_extension
UNION ALL
SELECT format('comment on %s: %s', pg_describe_object(classoid, objoid, objsubid), description)
  FROM pg_description WHERE classoid = 'pg_class'::regclass AND objoid IN (SELECT oid FROM relations)
     OR classoid = 'pg_proc'::regclass AND objoid >= 16384 AND objoid IN (SELECT p.oid FROM pg_proc p JOIN schemas s ON s.oid = pronamespace
        WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'))
     OR classoid = 'pg_type'::regclass AND objoid IN (SELECT t.oid FROM pg_type t JOIN schemas s ON s.oid = typnamespace
        WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'))
"""


def definitions(database):
    with database.connect() as connection:
        connection.execute("SET search_path = pg_catalog")
        return sorted(row[0] for row in connection.execute(DEFINITIONS))


def assert_same_definitions(source, sink, except_for=()):
    """except_for: beginnings of lines that may be missing in the sink."""
    left, right = definitions(source), definitions(sink)
    missing = [line for line in left if line not in right and not line.startswith(tuple(except_for))]
    extra = [line for line in right if line not in left]
    assert (missing, extra) == ([], []), "missing:\n" + "\n".join(missing) + "\nextra:\n" + "\n".join(extra)


def leftovers(source):
    """Slots of the database and publications in it."""
    slots = [row[0] for row in source.rows("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()")]
    return slots + [row[0] for row in source.rows("SELECT pubname FROM pg_publication")]
