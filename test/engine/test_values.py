# SPDX-License-Identifier: Apache-2.0
"""Every kind of value arrives unaltered, by the copy and by the changes."""

import pytest

TYPES = """
CREATE EXTENSION hstore; CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'a "quoted", label');
CREATE TYPE point3 AS (x int, y text, z numeric[]);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN located AS point3;
CREATE TYPE textrange AS RANGE (subtype = text);
"""

# (name, type, values as SQL)
COLUMNS = [
    ("bool", "bool", ["true", "false"]),
    ("int2", "int2", ["-32768", "32767"]),
    ("int4", "int4", ["-2147483648", "2147483647"]),
    ("int8", "int8", ["-9223372036854775808", "9223372036854775807"]),
    ("float4", "float4", ["'NaN'", "'Infinity'", "'-Infinity'", "1.1755e-38", "'-0'", "0.1"]),
    ("float8", "float8", ["'NaN'", "'-Infinity'", "2.2250738585072014e-308", "0.1::float8 + 0.2", "1e308"]),
    ("numeric", "numeric", ["'NaN'", "'Infinity'", "1e-16383", "123456789012345678901234567890.0123456789000", "0.000"]),
    ("numeric_scaled", "numeric(10,2)", ["'NaN'", "99999999.99", "-0.01"]),
    ("money", "money", ["'-92233720368547758.08'", "'12.34'"]),
    ("text", "text", ["''", "'null'", "'NULL'", r"E'tab\tnewline\nreturn\rback\\slash'", r"'\N'", r"'\.'", "'ünï 漢字 😀'", "repeat('x', 200000)"]),
    ("varchar", "varchar(8)", ["'  a  '"]),
    ("bpchar", "char(8)", ["'a'", "''"]),
    ("one_char", '"char"', ["'x'", "''", r"'\200'::\"char\"".replace('\\"', '"')]),
    ("name", "name", ["'a name'"]),
    ("bytea", "bytea", [r"'\x'", r"'\x00ff5c27'", "decode(repeat('00ff', 100000), 'hex')"]),
    ("json", "json", ["'{\"a\":  1, \"a\": 2}'", "'null'", r"""'"\u00e9 \\ \" \n"'"""]),
    ("jsonb", "jsonb", ["'{\"b\": [1, null, \"\\\\ \\\"\"], \"a\": 1.10}'", "'null'", "'\"\\u00e9\"'"]),
    ("xml", "xml", ["'<a b=\"1\">x &amp; y</a>'"]),
    ("uuid", "uuid", ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"]),
    ("date", "date", ["'4713-01-01 BC'", "'5874897-12-31'", "'infinity'", "'-infinity'", "'2000-02-29'"]),
    ("time", "time", ["'24:00:00'", "'00:00:00.000001'"]),
    ("timetz", "timetz", ["'23:59:59.999999+15:59:59'", "'00:00-08'"]),
    ("timestamp", "timestamp", ["'4713-01-01 00:00:00 BC'", "'294276-12-31 23:59:59.999999'", "'infinity'", "'-infinity'"]),
    ("timestamptz", "timestamptz", ["'0044-03-15 12:00 BC'", "'infinity'", "'-infinity'", "'2020-10-25 02:30:00 Europe/Berlin'"]),
    ("interval", "interval", ["'-178000000 years'", "'1 mon -1 day +00:00:00.000001'", "'-1 year +3 days -04:05:06.789'"]),
    ("bit", "bit(5)", ["B'10101'"]),
    ("bit_unbounded", "bit varying", ["B''", "B'1'", "repeat('10', 100)::bit varying"]),
    ("inet", "inet", ["'192.168.0.1/24'", "'::1'", "'2001:db8::/32'"]),
    ("cidr", "cidr", ["'10.0.0.0/8'"]),
    ("macaddr", "macaddr", ["'08:00:2b:01:02:03'"]),
    ("point", "point", ["'(1e-300,-0)'", "'(NaN,Infinity)'"]),
    ("circle", "circle", ["'<(1,2),3>'"]),
    ("polygon", "polygon", ["'((0,0),(1,1),(2,0))'"]),
    ("path", "path", ["'[(0,0),(1,1)]'"]),
    ("box", "box", ["'(1,1),(0,0)'"]),
    ("line", "line", ["'{1,2,3}'"]),
    ("tsvector", "tsvector", ["to_tsvector('english', 'The quick ''brown'' fox:1')", "''", "'a:1A b:2B,3'"]),
    ("tsquery", "tsquery", ["'fat & (rat | !cat:*)'"]),
    ("int4range", "int4range", ["'empty'", "'[1,10)'", "'(,)'"]),
    ("tstzrange", "tstzrange", ["'[2020-01-01, infinity)'", "'[,2020-01-01 00:00:01)'"]),
    ("textrange", "textrange", ["textrange('a,\"b', 'z', '[]')"]),
    ("multirange", "nummultirange", ["'{}'", "'{[1,2), [3.5,)}'"]),
    ("ints", "int[]", ["'{}'", "'{NULL,1}'", "'[-2:0]={1,2,3}'", "'{{1,2},{3,NULL}}'", "'[0:1][5:6]={{1,2},{3,4}}'"]),
    ("texts", "text[]", ["ARRAY['NULL', NULL, '', 'a,b', '{}', '\"', E'\\\\', E'new\\nline', ' padded ']",
                         "ARRAY(SELECT md5(i::text) FROM generate_series(1, 5000) i)"]),
    ("byteas", "bytea[]", [r"ARRAY['\x00'::bytea, NULL, '\x5c22']"]),
    ("stamps", "timestamptz[]", ["'{infinity,NULL,\"0044-03-15 12:00 BC\"}'"]),
    ("mood", "mood", ["'ok'", "'a \"quoted\", label'"]),
    ("moods", "mood[]", ["ARRAY['sad', NULL, 'a \"quoted\", label']::mood[]"]),
    ("composite", "point3", ["ROW(1, 'a, (b) \"c\"', '{1.10,NULL}')", "ROW(NULL, NULL, NULL)", "ROW(1, '', '{}')"]),
    ("composites", "point3[]", ["ARRAY[ROW(1, 'x', '{}')::point3, NULL]"]),
    ("domain", "positive", ["1"]),
    ("domains", "positive[]", ["'{1,2}'"]),
    ("located", "located", ["ROW(1, 'domain over a composite', NULL)"]),
    ("hstore", "hstore", ["'a=>1, \"b c\"=>NULL'"]),
    ("citext", "citext", ["'MiXeD'"]),
    ("oid", "oid", ["4294967295"]),
    ("regclass", "regclass", ["'pg_class'"]),
    ("regtype", "regtype", ["'int4'"]),
    ("pg_lsn", "pg_lsn", ["'FFFFFFFF/FFFFFFFF'"]),
    ("xid8", "xid8", ["'18446744073709551615'"]),
    ("jsonpath", "jsonpath", ["'$.a[*] ? (@ > 1)'"]),
]


def rows(first):
    """One row a value; all other columns NULL. Keys from first on."""
    statements, key = [], first
    for name, _, values in COLUMNS:
        for value in values:
            statements.append(f'INSERT INTO every_type (id, "{name}") VALUES ({key}, {value});')
            key += 1
    return "\n".join(statements), key


def create(identity=""):
    columns = ", ".join(f'"{name}" {kind}' for name, kind, _ in COLUMNS)
    return f"{TYPES} CREATE TABLE every_type (id int PRIMARY KEY, {columns}); {identity}"


@pytest.mark.parametrize("identity", ["", "ALTER TABLE every_type DROP CONSTRAINT every_type_pkey, REPLICA IDENTITY FULL"],
                         ids=["by key", "identity full"])
def test_every_type(pair, identity):
    pair.source.execute(create(identity))
    statements, copied = rows(1)
    pair.source.execute(statements)
    with pair.following() as engine:
        pair.source.execute(rows(copied)[0])
        # Every column of one row moves to another: each type in an UPDATE, found by its key or by its whole image.
        for name, _, _ in COLUMNS:
            pair.source.execute(f'UPDATE every_type a SET "{name}" = b."{name}" FROM every_type b '
                                f'WHERE a.id = 1 AND b."{name}" IS NOT NULL')
        pair.source.execute(f"DELETE FROM every_type WHERE id % 3 = 0 AND id < {copied}")
        pair.settle(engine)
        pair.assert_equal()


def test_session_settings_of_a_role_or_database_alter_no_value(pair):
    for database in (pair.source, pair.sink):
        database.each(f"""ALTER DATABASE {database.name} SET DateStyle = 'SQL, DMY';
            ALTER DATABASE {database.name} SET IntervalStyle = 'sql_standard';
            ALTER DATABASE {database.name} SET extra_float_digits = -15;
            ALTER DATABASE {database.name} SET bytea_output = 'escape';
            ALTER DATABASE {database.name} SET xmloption = 'document';
            ALTER DATABASE {database.name} SET search_path = 'nowhere';
            ALTER DATABASE {database.name} SET standard_conforming_strings = off;
            """)
    pair.sink.execute(f"ALTER DATABASE {pair.sink.name} SET TimeZone = 'Asia/Tokyo'")
    pair.source.execute(f"ALTER DATABASE {pair.source.name} SET TimeZone = 'America/New_York'")
    create_and_fill = r"""CREATE TABLE public.t (id int PRIMARY KEY, d date, i interval, f float8, b bytea, ts timestamptz, z timestamp, s text);
        INSERT INTO public.t VALUES
        ({0}, '2001-02-03', '-1 year 2 mons -3 days', 0.1::float8 + 0.2, '\x00ff5c', '2001-02-03 04:05:06+07', '2001-02-03 04:05', 'a\b');"""
    pair.source.close()
    create_table, insert = create_and_fill.split(";", 1)
    pair.source.execute(create_table)
    pair.source.execute("SET standard_conforming_strings = on; SET DateStyle = 'ISO, YMD'")
    pair.source.execute(insert.format(1))
    with pair.following() as engine:
        pair.source.execute(insert.format(2))
        pair.source.execute("UPDATE public.t SET d = d + 30, i = i * 3, f = f / 3 WHERE id = 1")
        pair.settle(engine)
        pair.assert_equal()


@pytest.mark.parametrize("encoding, text", [
    ("LATIN1", "convert_from('\\xe9e8fc', 'LATIN1')"),
    ("SQL_ASCII", "convert_from('\\xff20e9', 'SQL_ASCII')"),
    ("EUC_JP", "convert_from('\\xa4a2', 'EUC_JP')"),
])
def test_databases_of_other_encodings(make_pair, encoding, text):
    pair = make_pair(source_options={"encoding": encoding}, sink_options={"encoding": encoding})
    pair.source.execute("CREATE TABLE t (id int PRIMARY KEY, v text, a text[])")
    pair.source.execute(f"INSERT INTO t SELECT 1, {text}, ARRAY[{text}]")
    with pair.following() as engine:
        pair.source.execute(f"INSERT INTO t SELECT 2, {text}, ARRAY[{text}]")
        pair.source.execute("UPDATE t SET v = v || v WHERE id = 1")
        pair.settle(engine)
        pair.assert_equal()


def test_large_values(pair):
    pair.source.execute("CREATE TABLE large (id int PRIMARY KEY, v text, b bytea)")
    pair.source.execute("INSERT INTO large VALUES (1, repeat('ü', 20 << 20), decode(repeat('00', 10 << 20), 'hex'))")
    with pair.following() as engine:
        pair.source.execute("INSERT INTO large VALUES (2, repeat('\\', 20 << 20), NULL), (3, NULL, decode(repeat('5c', 20 << 20), 'hex'))")
        pair.source.execute("UPDATE large SET id = 10 WHERE id = 1")
        pair.settle(engine)
        pair.assert_equal()


def test_large_objects(pair):
    pair.source.execute("CREATE TABLE documents (id int PRIMARY KEY, content oid)")
    pair.source.execute("INSERT INTO documents SELECT i, lo_from_bytea(0, convert_to(repeat('x' || i, i * 1000), 'UTF8')) FROM generate_series(1, 20) i")
    pair.migrate()
    pair.assert_equal()
    query = "SELECT oid::bigint, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY 1"
    assert pair.source.rows(query) == pair.sink.rows(query)
