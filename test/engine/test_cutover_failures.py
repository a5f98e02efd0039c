# SPDX-License-Identifier: Apache-2.0
"""A cutover that is killed, or meets a failure, at each of its steps: the source takes writes again, cdc goes on, nothing is
lost; or, after the switch, it is finished by the next one."""

import contextlib
import os
import signal
import threading
import time

import psycopg
import pytest

import switch_gate
from held_stream import HeldStream
from servers import eventually
from test_cutover import (TABLES, assert_goes_on, assert_nothing_lost, assert_takes_writes, clients, cut, cut_over, cutover_state, end_on_the_sink, hold_back,
                          settings)

STATES = ["preparing", "draining", "checking", "done"]


def gate(pair, condition, action=switch_gate.WAIT):
    """The cutover's row cannot reach this condition (or raises, or waits for the lock, as the action says)."""
    pair.sink.execute(switch_gate.make(condition, action))


def ungate(pair):
    pair.sink.execute(switch_gate.REMOVE)


def waits_at_gate(pair):
    return pair.sink.value(switch_gate.COUNT_WAITING)


def begin_held_at_the_switch(pair, *options):
    """A cutover that waits in the last step of all, with everything drained, until the gate is released."""
    pair.sink.execute(switch_gate.HOLD)
    hold_back(pair, "SELECT pg_advisory_xact_lock(77)")
    cutover = pair.start("cutover", *options)
    eventually(lambda: waits_at_gate(pair), 30, "the cutover at the gate")
    return cutover


def end_waiting(pair):
    """The session of the killed process: its server process does not know yet that nobody listens."""
    pair.sink.execute(switch_gate.END_WAITING)


@pytest.mark.parametrize("block", ["read-only", "lock"])
@pytest.mark.parametrize("state", STATES)
def test_killed_on_the_way_to_each_state(pair, state, block):
    """The cdc process undoes what was done, by itself, within seconds; the next cutover goes through."""
    pair.source.execute(TABLES)
    with pair.following() as engine, clients(pair) as writers:
        pair.sink.execute(switch_gate.HOLD)
        gate(pair, f"NEW.state = '{state}' AND NEW.answered_lsn IS NULL" if state != "done" else "NEW.state = 'done'")
        cutover = pair.start("cutover", "--block", block)
        eventually(lambda: waits_at_gate(pair), 30, "the cutover at the gate")
        cutover.kill()
        pair.source.close()
        end_waiting(pair)
        pair.sink.execute(switch_gate.RELEASE)
        ungate(pair)
        eventually(lambda: cutover_state(pair) in (None, "undone"), 20, "the end of what was left")
        assert settings(pair) == []
        assert_takes_writes(pair)
        before = sum(len(writer.acknowledged) for writer in writers)
        eventually(lambda: sum(len(writer.acknowledged) for writer in writers) > before, 20, "clients that write again")
        cut_over(pair, "--block", block)
        assert engine.wait().code == 0
        end_on_the_sink(writers)
        assert_nothing_lost(pair, writers)


@pytest.mark.parametrize("finish", ["--abort", "again"])
def test_killed_with_no_cdc_process_left(pair, finish):
    """Nobody is there to undo it: the ledger knows, and the next cutover or --abort does it and says so."""
    pair.source.execute(TABLES)
    with pair.following() as engine:
        cutover = begin_held_at_the_switch(pair)
        engine.kill()
        cutover.kill()
        pair.source.close()
        end_waiting(pair)
        assert settings(pair) == [(["default_transaction_read_only=on"],)]
        pair.sink.execute(switch_gate.RELEASE)
    if finish == "--abort":
        result = pair.run("cutover", "--abort")
        assert "takes writes again" in result.output, result
        assert "nothing is to be undone" in pair.run("cutover", "--abort").output
    else:
        result = cut(pair)
        assert result.code == 75 and "takes writes again" in result.output and "cdc_running" in result.output, result
    pair.source.close()
    assert settings(pair) == []
    assert_takes_writes(pair)
    with pair.following() as engine:
        assert_goes_on(pair, engine)


def test_cdc_killed_meanwhile_comes_back(pair):
    """The cutover waits for a new cdc process, which finds in the ledger what is asked of it."""
    pair.source.execute(TABLES)
    with pair.following() as first, clients(pair) as writers:
        cutover = begin_held_at_the_switch(pair, "--timeout", "60")
        pair.source.close()
        first.kill()
        second = pair.start("cdc")
        second.until_output("following the changes")
        pair.sink.execute(switch_gate.RELEASE)
        assert cutover.wait().code == 0, cutover.output()
        assert second.wait().code == 0 and "cut over" in second.output(), second.output()
        end_on_the_sink(writers)
        assert_nothing_lost(pair, writers)


def test_cdc_that_comes_back_between_the_drain_and_the_last_check(pair):
    """It has seen that it is to pause, and has not paused yet, when it is asked whether anything came after the mark."""
    pair.source.execute(TABLES)
    way = HeldStream(pair.source.server.address, pair.source.server.port)
    with contextlib.closing(way), pair.following() as first, clients(pair) as writers:
        cutover = begin_held_at_the_switch(pair, "--timeout", "60")
        pair.source.close()
        first.kill()
        # A mark after what the first may have stored while nothing was written.
        mark = pair.source.value("SELECT pg_logical_emit_message(true, 'test', '')")
        pair.sink.execute("UPDATE kubeferry.cutover SET target_lsn = %s, answered_lsn = %s", [mark, mark])
        pair.source_text = pair.source.conninfo(port=way.port, sslmode="disable")
        second = pair.start("cdc", listen=True)
        second.until(lambda d: d["cutover"] and d["cutover"]["state"] == "draining", "that it sees the drain")
        pair.sink.execute(switch_gate.RELEASE)
        second.until(lambda d: d["cutover"]["state"] == "checking", "that it sees the last check")
        way.release()
        assert cutover.wait().code == 0, cutover.output()
        assert second.wait().code == 0 and "cut over" in second.output(), second.output()
        end_on_the_sink(writers)
        assert_nothing_lost(pair, writers)


@pytest.mark.parametrize("block", ["read-only", "lock", "none"])
def test_a_drain_that_never_ends(pair, block):
    pair.source.execute(TABLES)
    with pair.following() as engine:
        cutover = begin_held_at_the_switch(pair, "--block", block, "--timeout", "6")
        engine.signal(signal.SIGSTOP)
        pair.sink.execute(switch_gate.RELEASE)
        result = cutover.wait()
        pair.source.close()
        engine.signal(signal.SIGCONT)
        assert result.code == 75 and "was undone" in result.output and "MB before" in result.output, result
        pair.sink.execute("DELETE FROM kubeferry.object WHERE identity = 'TRIGGER injected'")
        assert_goes_on(pair, engine)


@pytest.mark.parametrize("what", ["the sink refuses", "SIGTERM", "the ledger refuses"])
def test_a_failure_undoes_all(pair, what):
    pair.source.execute(TABLES)
    with pair.following() as engine, clients(pair) as writers:
        if what == "the sink refuses":
            hold_back(pair, "SELECT 1 / 0")
            result = cut(pair)
            assert result.code == 78 and "division by zero" in result.output and "TRIGGER injected" in result.output, result
        elif what == "the ledger refuses":
            gate(pair, "NEW.state = 'done'", "RAISE EXCEPTION 'no'")
            result = cut(pair)
            assert result.code == 78, result
            ungate(pair)
        else:
            hold_back(pair, "SELECT pg_sleep(100)")
            cutover = pair.start("cutover", listen=True)
            cutover.until(lambda d: d["phase"] == "switching", "the switch")
            result = cutover.terminate()
            pair.source.close()
            assert result.code == 75, result
        assert "takes writes" in result.output and cutover_state(pair) == "undone", result
        pair.sink.execute("DELETE FROM kubeferry.object WHERE identity = 'TRIGGER injected'")
        for writer in writers:
            writer.end()
        assert_nothing_lost(pair, writers, moved=False)
        assert_goes_on(pair, engine)


def test_a_session_that_does_not_end(pair):
    """A server process that is stopped does not answer to pg_terminate_backend."""
    pair.source.execute(TABLES)
    with pair.following() as engine:
        with pair.source.connect() as stuck:
            pid = stuck.info.backend_pid
            os.kill(pid, signal.SIGSTOP)
            try:
                result = cut(pair, "--timeout", "3")
            finally:
                os.kill(pid, signal.SIGCONT)
        assert result.code == 75 and f"pid {pid}" in result.output and "was undone" in result.output, result
        assert_goes_on(pair, engine)


def test_a_writer_that_keeps_its_lock(pair):
    """lock: an open transaction is in the way; it is named, and nobody is ended."""
    pair.source.execute(TABLES)
    with pair.following() as engine:
        with pair.source.connect(autocommit=False) as writer:
            writer.execute("UPDATE child SET parent = 3 WHERE id = 1")
            result = cut(pair, "--block", "lock", "--timeout", "5")
            assert result.code == 75 and f"pid {writer.info.backend_pid}" in result.output, result
            writer.commit()
        assert_goes_on(pair, engine)


@pytest.mark.parametrize("commits", [True, False])
def test_a_session_that_writes_all_the_same(pair, commits):
    """Read-only by default is no wall: who switches it off is seen before the switch."""
    pair.source.execute(TABLES)
    with pair.following() as engine:
        cutover = begin_held_at_the_switch(pair)
        pair.source.close()
        stubborn = pair.source.connect(autocommit=False, options="-c default_transaction_read_only=off")
        pid = stubborn.info.backend_pid
        stubborn.execute("INSERT INTO ledger (client, n) VALUES (7, 7)")
        if commits:
            stubborn.commit()
        pair.sink.execute(switch_gate.RELEASE)
        result = cutover.wait()
        stubborn.close()  # it was ended, as all that began while the database was closed
        pair.source.close()
        if commits:
            assert result.code == 78 and "1 changes were committed" in result.output and '"public"."ledger"' in result.output, result
        else:
            assert result.code == 75 and f"pid {pid}" in result.output and "public.ledger" in result.output, result
        pair.sink.execute("DELETE FROM kubeferry.object WHERE identity = 'TRIGGER injected'")
        assert_goes_on(pair, engine)


KEEPS_TRYING = """DO $$ BEGIN LOOP BEGIN INSERT INTO parent VALUES (-7); DELETE FROM parent WHERE id = -7;
                               EXCEPTION WHEN read_only_sql_transaction THEN NULL; END; COMMIT; END LOOP; END $$"""


def test_applications_that_are_refused_do_not_undo_it(pair):
    """They take the lock of a writer before they are told that the database is read-only, and try again at once."""
    pair.source.execute(TABLES)
    over = threading.Event()

    def keep_trying():
        while not over.is_set():
            with contextlib.suppress(psycopg.OperationalError), pair.source.connect(application_name="keeps trying") as connection:
                connection.execute(KEEPS_TRYING)

    with pair.following() as engine, contextlib.ExitStack() as stack:
        threads = [threading.Thread(target=keep_trying) for _ in range(4)]
        stack.callback(lambda: [thread.join() for thread in threads])
        stack.callback(pair.source.execute, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'keeps trying'")
        stack.callback(over.set)
        stack.callback(pair.source.close)
        for thread in threads:
            thread.start()
        cut_over(pair)
        assert engine.wait().code == 0


def test_a_session_that_was_being_made_when_the_database_was_closed(pair):
    """It has read the settings of before and shows itself later: it would write to the source after the switch."""
    pair.source.execute(TABLES)
    sessions = []
    slow = threading.Thread(target=lambda: sessions.append(pair.source.connect(options="-c post_auth_delay=3")))
    with pair.following() as engine:
        gate(pair, "NEW.state = 'draining'")
        pair.sink.execute(switch_gate.HOLD)
        slow.start()
        time.sleep(1)  # it sleeps between the settings and its entry in pg_stat_activity
        cutover = pair.start("cutover")
        eventually(lambda: waits_at_gate(pair), 30, "the cutover at the gate")
        pair.source.close()
        assert not sessions, "it was made too early for this test"
        slow.join(30)
        with sessions[0] as late:
            assert late.execute("SHOW default_transaction_read_only").fetchone()[0] == "off"
            pair.sink.execute(switch_gate.RELEASE)
            result = cutover.wait()
            assert result.code == 0 and "ended 1 more" in result.output, result
            with pytest.raises(psycopg.OperationalError):
                late.execute("INSERT INTO parent VALUES (-8)")
        assert engine.wait().code == 0


def test_sessions_of_the_closed_time_can_write_afterwards(pair):
    """A pool that connected again while the source was closed got sessions that are read-only for good: they are ended."""
    pair.source.execute(TABLES)
    with pair.following() as engine:
        cutover = begin_held_at_the_switch(pair)
        with pair.source.connect() as pooled:
            assert pooled.execute("SHOW default_transaction_read_only").fetchone()[0] == "on"
            cutover.signal(signal.SIGTERM)
            assert cutover.wait().code == 75
            with pytest.raises(psycopg.OperationalError):
                pooled.execute("SELECT 1")
        pair.source.close()
        pair.sink.execute(switch_gate.RELEASE)
        assert_goes_on(pair, engine)


def test_two_at_once(pair):
    pair.source.execute(TABLES)
    with pair.following() as engine:
        first = begin_held_at_the_switch(pair)
        pair.source.close()
        for option in ([], ["--abort"]):
            second = pair.call("cutover", *option)
            assert second.code == 75 and "another cutover" in second.output, second
        pair.sink.execute(switch_gate.RELEASE)
        assert first.wait().code == 0, first.output()
        assert engine.wait().code == 0


def test_killed_after_the_switch(pair):
    """The next one finishes: foreign keys are looked at, the slot is dropped."""
    pair.source.execute(TABLES)
    with pair.following() as engine, clients(pair) as writers:
        gate(pair, "NEW.finished")
        pair.sink.execute(switch_gate.HOLD)
        cutover = pair.start("cutover")
        eventually(lambda: waits_at_gate(pair), 60, "the cutover at the gate")
        cutover.kill()
        pair.source.close()
        end_waiting(pair)
        ungate(pair)
        pair.sink.execute(switch_gate.RELEASE)
        assert engine.wait().code == 0
        assert settings(pair) == [(["default_transaction_read_only=on"],)], "the sink has taken over: no way back by itself"
        result = pair.call("cutover", "--abort")
        assert result.code == 78 and "nothing to abort" in result.output, result
        pair.run("cutover")
        assert pair.sink.value("SELECT finished FROM kubeferry.cutover") and pair.leftovers() == []
        end_on_the_sink(writers)
        assert_nothing_lost(pair, writers)


@pytest.fixture
def own_pair(make_pair, make_server):
    """On servers of its own, which may be restarted."""
    return make_pair(source=make_server(), sink=make_server())


@pytest.mark.parametrize("end, how", [("source", "restart"), ("sink", "restart"), ("source", "crash"), ("sink", "crash")])
def test_a_server_restarts_in_the_middle(own_pair, end, how):
    """Undone, or gone through, but one of both; the source is never left closed without the sink having taken over."""
    pair = own_pair
    pair.source.execute(TABLES)
    server = pair.source.server if end == "source" else pair.sink.server
    with pair.following() as engine, clients(pair) as writers:
        hold_back(pair, "SELECT pg_sleep(3)")
        cutover = pair.start("cutover", "--timeout", "60", listen=True)
        cutover.until(lambda d: d["phase"] == "switching", "the switch")
        pair.source.close()
        pair.sink.close()
        if how == "restart":
            server.restart()
        else:
            server.crash()
            server.start()
        result = cutover.wait(150)
        pair.source.close()
        pair.sink.close()
        if result.code != 0:
            eventually(lambda: cutover_state(pair) == "undone", 60, "the end of the cutover")
            assert settings(pair) == [], result
            pair.sink.execute("DELETE FROM kubeferry.object WHERE identity = 'TRIGGER injected'")
            assert_takes_writes(pair)
            pair.settle(engine, 90)
            cut_over(pair, "--timeout", "60")
        assert engine.wait(60).code == 0, engine.output()
        end_on_the_sink(writers)
        assert_nothing_lost(pair, writers)


def test_killed_at_random_moments(pair):
    """Whatever it was doing: within seconds the source takes writes or the sink has taken over."""
    pair.source.execute(TABLES)
    with pair.following() as engine, clients(pair) as writers:
        for milliseconds in range(150, 900, 75):
            cutover = pair.start("cutover")
            time.sleep(milliseconds / 1000)
            cutover.kill()
            pair.source.close()
            eventually(lambda: cutover_state(pair) in (None, "undone", "done"), 20, f"an end after {milliseconds} ms")
            if cutover_state(pair) == "done":
                break
            assert settings(pair) == []
        result = pair.call("cutover")
        pair.source.close()
        assert result.code == 0, result
        assert engine.wait().code == 0
        time.sleep(0.5)
        end_on_the_sink(writers)
        assert_nothing_lost(pair, writers)
        print("longest gaps", [round(writer.longest_gap, 3) for writer in writers])
