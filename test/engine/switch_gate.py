# SPDX-License-Identifier: Apache-2.0
"""A gate in the ledger's row of a cutover: whoever is to bring the row into a condition waits there for an advisory lock, or
fails. Statements for the database that holds the ledger."""

LOCK = 77
HOLD = f"SELECT pg_advisory_lock({LOCK})"
RELEASE = f"SELECT pg_advisory_unlock({LOCK})"
WAIT = f"PERFORM pg_advisory_xact_lock({LOCK})"
REMOVE = "DROP TRIGGER gate ON kubeferry.cutover; DROP FUNCTION public.gate()"
_WAITING = (f"FROM pg_locks WHERE locktype = 'advisory' AND objid = {LOCK} AND NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
COUNT_WAITING = f"SELECT count(*) {_WAITING}"
END_WAITING = f"SELECT pg_terminate_backend(pid) {_WAITING}"


def make(condition, action=WAIT):
    """condition: on NEW, the row as it is to be. action: what happens there, in PL/pgSQL."""
    return f"""CREATE FUNCTION public.gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {action}; RETURN NEW; END $$;
        CREATE TRIGGER gate BEFORE INSERT OR UPDATE ON kubeferry.cutover FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION public.gate()"""
