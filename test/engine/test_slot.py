# SPDX-License-Identifier: Apache-2.0
"""What the slot must survive: transactions that change the catalog while it is made, and a server that cannot decode it."""

import functools
import threading

import psycopg
import pytest

from servers import debian_bin, embedded_bin, eventually

TABLES = """CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT i FROM generate_series(1000, 1010) i;
    CREATE TABLE other (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY)"""
WRITE = "INSERT INTO other DEFAULT VALUES"


class Transactions:
    """Open transactions of the source, by name."""

    def __init__(self, database):
        self._database, self._open = database, {}

    def do(self, name, statement):
        if name not in self._open:
            self._open[name] = self._database.connect(autocommit=False)
        self._open[name].execute(statement)

    def commit(self, *names):
        for name in names:
            self._open[name].commit()

    def wait_until_slot_waits_for(self, name):
        self._database.wait_for_waiter(self._open[name])

    def close(self):
        for connection in self._open.values():
            connection.close()


@pytest.fixture
def transactions():
    """Makes them for a database; what is still open ends with the test."""
    made = []

    def make(database):
        made.append(Transactions(database))
        return made[-1]

    yield make
    for each in made:
        each.close()


def change_the_catalog_while_the_slot_is_made(open_now, change):
    """Until the slot is made by "late": the change is committed in the first of PostgreSQL's two steps, and "between" and
    "late" begin in the second, with a view of the catalog that lacks it."""
    open_now.wait_until_slot_waits_for("first")
    open_now.do("second", WRITE)
    open_now.do("change", change)
    open_now.commit("change", "first")
    open_now.wait_until_slot_waits_for("second")
    open_now.do("between", "INSERT INTO t VALUES (1)")
    open_now.commit("second")


@pytest.mark.parametrize("change", ["TRUNCATE t", "SAVEPOINT s; TRUNCATE t; RELEASE s"], ids=["truncate", "in a subtransaction"])
@pytest.mark.parametrize("server", [functools.partial(embedded_bin, 10), embedded_bin, debian_bin], ids=["10", "14", "Debian's"])
def test_truncated_while_the_slot_is_made(make_server, make_pair, transactions, server, change):
    """PostgreSQL cannot decode such a slot from its beginning: "could not map filenode", each time it is tried."""
    pair = make_pair(source=make_server(server()))
    pair.source.execute(TABLES)
    pair.marker_table()
    open_now = transactions(pair.source)
    open_now.do("first", WRITE)
    engine = pair.start("run", listen=True)
    change_the_catalog_while_the_slot_is_made(open_now, change)
    open_now.wait_until_slot_waits_for("between")
    open_now.do("late", "INSERT INTO t VALUES (2)")
    open_now.commit("late", "between")
    pair.wait_for_stream(engine)
    pair.source.execute("INSERT INTO t VALUES (3)")
    pair.settle(engine)
    pair.assert_equal()
    assert engine.terminate().code == 0


def test_slot_that_the_source_cannot_decode(pair, transactions):
    """Made as PostgreSQL makes it: the engine tries some times, then says what is to be done."""
    pair.source.execute(TABLES)
    for verb in ("init-struct", "init-data"):
        pair.run(verb)
    pair.source.execute(f"SELECT pg_drop_replication_slot('{pair.slot}')")
    open_now = transactions(pair.source)
    open_now.do("first", WRITE)
    maker = threading.Thread(target=make_slot, args=(pair.source, pair.slot))
    maker.start()
    change_the_catalog_while_the_slot_is_made(open_now, "TRUNCATE t")
    maker.join()
    open_now.commit("between")
    pair.sink.execute("UPDATE kubeferry.task SET consistent_point = %s",
                      [pair.source.value("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = %s", [pair.slot])])
    result = pair.call("cdc", "--until", "caught-up")
    assert result.code == 78 and "could not map file" in result.output, result
    assert f"fails each time it decodes the changes of slot {pair.slot}" in result.output, result
    assert f"cleanup --name {pair.name}" in result.output and result.output.count("trying again") > 3, result


def make_slot(database, name):
    with psycopg.connect(database.conninfo(replication="database"), autocommit=True) as connection:
        connection.execute(f"CREATE_REPLICATION_SLOT {name} LOGICAL pgoutput")


def test_stopped_while_the_second_snapshot_is_waited_for(pair, transactions):
    """Nothing is left, though the slot was there already."""
    pair.source.execute(TABLES)
    pair.run("init-struct")
    open_now = transactions(pair.source)
    open_now.do("first", WRITE)
    engine = pair.start("init-data")
    open_now.wait_until_slot_waits_for("first")
    open_now.do("second", WRITE)
    open_now.commit("first")
    open_now.wait_until_slot_waits_for("second")
    open_now.do("third", WRITE)
    open_now.commit("second")
    open_now.wait_until_slot_waits_for("third")
    assert pair.source.value("SELECT count(*) FROM pg_replication_slots WHERE NOT temporary AND slot_name = %s", [pair.slot]) == 1
    assert engine.terminate().code == 75
    eventually(lambda: pair.source.value("SELECT count(*) FROM pg_replication_slots") == 0, what="no slot")
    open_now.commit("third")
    pair.run("init-data")
    pair.run("cdc", "--until", "caught-up")
    pair.assert_equal()
