# SPDX-License-Identifier: Apache-2.0
"""Locks that keep a step at work for as long as a test wants: no step is so slow by itself that a test could hit it."""

import contextlib

import psycopg
import switch_gate


class Hold:
    """A transaction of another session that others wait for, until it is rolled back: with Hold(database, "LOCK TABLE …"): …

    It bears that its server is restarted meanwhile, which ends it."""

    def __init__(self, database, statement):
        self._connection = database.connect(autocommit=False)
        self._connection.execute(statement)

    def release(self):
        with contextlib.suppress(psycopg.Error):
            self._connection.rollback()
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()


class SwitchGate:
    """Holds a switch at a moment: whoever is to bring its row in the ledger there waits until the gate is opened.

    blocked: writes are kept away, the drain is about to begin. draining: the worker that follows changes is about to say that
    it has applied the last one. switching: all but the commit is done. tidying: it has taken place, the slot is gone."""

    MOMENTS = {"blocked": "NEW.state = 'draining' AND NEW.answered_lsn IS NULL", "draining": "NEW.state = 'draining' AND NEW.answered_lsn IS NOT NULL",
               "switching": "NEW.state = 'done' AND NOT NEW.finished", "tidying": "NEW.finished"}
    def __init__(self, ledger):
        """ledger: the database that holds it; the sink, and for the way back the source."""
        self._ledger, self._holder = ledger, None

    def _connect(self):
        return self._ledger.connect(options="-c default_transaction_read_only=off")  # it may be closed by an earlier switch

    def close(self, moment):
        self._ledger.close()  # a switch may have ended its session
        self._holder = self._connect()
        self._holder.execute(switch_gate.HOLD)
        self._holder.execute(switch_gate.make(self.MOMENTS[moment]))

    def open(self):
        """It bears that the server was restarted meanwhile."""
        self._holder.close()
        self._ledger.close()
        with self._connect() as connection:
            connection.execute(switch_gate.REMOVE)

    def waits(self):
        """Whether somebody stands at it."""
        return self._ledger.value(switch_gate.COUNT_WAITING) > 0

    def break_off(self):
        """Ends the session that stands at it."""
        self._ledger.execute(switch_gate.END_WAITING)


class HeldSteps:
    """A migration of pgbench's tables whose steps can be held one by one; order is the step's serial_job_order.

    precheck waits for the source's catalog, init-struct for somebody else who is making a table of the same name in the
    sink, and init-data for rows of a table there that is locked for writers: the slot is made then, and other tables are
    copied. None of the locks stops a step before its own."""

    ORDERS = {"preCheck": 0, "initStruct": 1, "initData": 2}
    ACCOUNTS = "CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84)) WITH (fillfactor = 100)"

    def __init__(self, migration):
        """The source has pgbench's tables."""
        self.migration = migration
        migration.sink.execute(self.ACCOUNTS)  # init-struct leaves it

    def hold(self, step):
        if step == "preCheck":
            return Hold(self.migration.source, "LOCK TABLE pg_catalog.pg_publication IN ACCESS EXCLUSIVE MODE")
        if step == "initStruct":
            return Hold(self.migration.sink, "CREATE TABLE public.pgbench_tellers (id int)")
        return Hold(self.migration.sink, "LOCK TABLE public.pgbench_accounts IN EXCLUSIVE MODE")

    def worker(self, step):
        """The running pod of the step; None while there is none."""
        pod = self.migration.pod(step="cdc") if step == "cdc" else self.migration.pod(order=self.ORDERS[step])
        return pod if pod and pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"] else None
