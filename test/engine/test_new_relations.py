# SPDX-License-Identifier: Apache-2.0
"""What appears on the source after the copy: a partition of a migrated table, a table that nobody asked for."""

PARTITIONED = """CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
    INSERT INTO p SELECT i, 'old' FROM generate_series(0, 99) i"""


def test_new_partition_stops_the_stream_and_is_taken_in_by_the_same_command(pair):
    pair.source.execute(PARTITIONED)
    pair.migrate()
    pair.source.execute("UPDATE p SET v = 'before' WHERE id < 10")
    pair.source.execute("CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200); INSERT INTO p SELECT i, 'new' FROM generate_series(100, 149) i")
    result = pair.call("run", "--until", "caught-up")
    assert result.code == 78, str(result)
    assert '"public"."p2"' in result.output and "init-data" in result.output, str(result)
    # What committed before the new partition is in the sink already.
    assert pair.sink.rows("SELECT count(*) FROM p WHERE v = 'before'") == [(10,)]
    pair.source.execute("INSERT INTO p VALUES (150, 'later'); DELETE FROM p WHERE id = 120")
    pair.migrate()
    pair.source.execute("UPDATE p SET v = 'after' WHERE id IN (5, 105)")
    pair.migrate()
    pair.assert_equal()


def test_attached_partition_with_rows_is_copied(pair):
    pair.source.execute(PARTITIONED)
    pair.migrate()
    pair.source.execute("CREATE TABLE p2 (id int PRIMARY KEY, v text); INSERT INTO p2 SELECT i, 'filled before' FROM generate_series(100, 149) i;"
                        "ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (100) TO (200); UPDATE p SET v = 'x' WHERE id = 100")
    assert pair.call("run", "--until", "caught-up").code == 78
    pair.migrate()
    pair.assert_equal()


def test_new_table_outside_the_publication_does_not_stop_a_resumed_run(pair):
    pair.source.execute(PARTITIONED)
    pair.migrate()
    pair.source.execute("CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1); UPDATE p SET v = 'x' WHERE id = 1")
    pair.migrate()
    assert pair.sink.rows("SELECT v FROM p WHERE id = 1") == [("x",)]


def test_cdc_refuses_a_task_whose_rows_are_not_in(pair):
    pair.source.execute(PARTITIONED)
    pair.run("init-struct")
    result = pair.call("cdc", "--until", "caught-up")
    assert result.code == 78 and "init-data" in result.output, str(result)
    pair.run("init-data")
    pair.run("cdc", "--until", "caught-up")
    pair.assert_equal()
