# SPDX-License-Identifier: Apache-2.0
"""The comparison that every other test trusts sees each kind of difference."""

import pytest

from comparison import assert_same_definitions, definitions, differences, leftovers

TABLE = """CREATE TABLE public.t (id int PRIMARY KEY, v float8, j json, a text[]);
INSERT INTO public.t VALUES (1, 'NaN', '{"a": 1}', '[0:1]={x,NULL}'), (2, NULL, NULL, NULL)"""


@pytest.mark.parametrize("change, missing, extra", [
    ("SELECT 1", 0, 0),
    ("DELETE FROM t WHERE id = 2", 1, 0),
    ("INSERT INTO t VALUES (3)", 0, 1),
    ("UPDATE t SET v = 1 WHERE id = 1", 1, 1),
    ("UPDATE t SET a = '{x,NULL}' WHERE id = 1", 1, 1),
    ("UPDATE t SET j = '{\"a\":1}' WHERE id = 1", 1, 1),
    ("UPDATE t SET a = '{}' WHERE id = 2", 1, 1),
])
def test_row_differences_are_seen(pair, change, missing, extra):
    for database in (pair.source, pair.sink):
        database.execute(TABLE)
    pair.sink.execute(change)
    found = differences(pair.source, pair.sink)
    assert [(len(d.missing), len(d.extra)) for d in found] == ([(missing, extra)] if missing or extra else [])


def test_tables_and_definitions_that_only_one_end_has_are_seen(pair):
    pair.source.execute(TABLE)
    assert len(differences(pair.source, pair.sink)) == 1
    assert any(line.startswith("constraint") for line in definitions(pair.source))
    pair.sink.execute(TABLE + "; CREATE TABLE more (x int)")
    assert len(differences(pair.source, pair.sink)) == 1
    with pytest.raises(AssertionError, match="extra:\ncolumn public.more.x"):
        assert_same_definitions(pair.source, pair.sink)


def test_leftovers_on_the_source_are_seen(pair):
    assert leftovers(pair.source) == []
    pair.source.execute("SELECT pg_create_logical_replication_slot('left_over', 'pgoutput')")
    pair.source.execute("CREATE PUBLICATION left_pub FOR ALL TABLES")
    assert leftovers(pair.source) == ["left_over", "left_pub"]
