// SPDX-License-Identifier: Apache-2.0
// Makes the temporary slot of verify. Reads no changes from it. Unlike the slots of engine/stream it does not wait for
// old transactions as long as they last: a cdc process may be held meanwhile.
#include "engine/verify/verify_slot.h"

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "engine/pg/query.h"
#include "engine/pg/quote.h"
#include "sql.h"

#include <stdio.h>
#include <string.h>

enum { WAIT_SECONDS = 30, SLOT_NAME_MAX = 63 };

// The error says whom the walsender waits for.
static int name_blocker(const Context *ctx, int waiting_pid, Error *err)
{
    auto_pgconn PGconn *conn = NULL;
    auto_pgresult PGresult *res = NULL;
    char pid[16];
    const char *values[] = {pid};
    Error ignored = {0};

    snprintf(pid, sizeof pid, "%d", waiting_pid);
    error_set(err, ERROR_CONDITION, "an old transaction of the source held up the snapshot for %d s", WAIT_SECONDS);
    error_hint(err, "let the long transactions of the source end, or end them, then start verify again");
    if (context_connect_source(ctx, PG_ORDINARY, &conn, &ignored) ||
        pg_query(conn, sql_slot_blockers, 1, values, &res, &ignored) || PQntuples(res) == 0)
        return -1;
    error_set(
        err, ERROR_CONDITION,
        "an old transaction of the source held up the snapshot for %d s: %s, user %s, application \"%s\", open since "
        "%s, %s: %s",
        WAIT_SECONDS, PQgetvalue(res, 0, 0), PQgetvalue(res, 0, 1), PQgetvalue(res, 0, 2), PQgetvalue(res, 0, 3),
        PQgetvalue(res, 0, 4), PQgetvalue(res, 0, 5));
    return error_hint(err, "let it end, or end it (pg_terminate_backend), then start verify again");
}

static void cancel(PGconn *conn)
{
    char ignored[256];
    PGcancel *c = PQgetCancel(conn);

    if (!c)
        return;
    PQcancel(c, ignored, sizeof ignored);
    PQfreeCancel(c);
}

static int wait_for_slot(const Context *ctx, PGconn *conn, Error *err)
{
    double deadline = clock_monotonic() + WAIT_SECONDS;

    for (;;) {
        int pending = PQflush(conn);
        if (pending < 0)
            return pg_error(conn, NULL, err, "sending a statement");
        if (!pending && !PQisBusy(conn))
            return 0;
        int ready = pg_wait(conn, pending > 0, 1000, err);
        if (ready < 0 || clock_monotonic() > deadline) {
            int rc = ready < 0 ? -1 : name_blocker(ctx, PQbackendPID(conn), err);
            cancel(conn);
            return rc;
        }
        if (!PQconsumeInput(conn))
            return pg_error(conn, NULL, err, "waiting for the slot");
    }
}

static int create(const Context *ctx, VerifySlot *out, Error *err)
{
    char suffix[32];
    int suffix_len = snprintf(suffix, sizeof suffix, "_verify_%d", PQbackendPID(out->conn));
    auto_free char *name = memory_printf("%.*s%s", SLOT_NAME_MAX - suffix_len, ctx->slot, suffix);
    auto_buffer Buffer sql = {0};
    auto_pgresult PGresult *res = NULL;

    buffer_puts(&sql, "CREATE_REPLICATION_SLOT ");
    quote_ident(&sql, name);
    buffer_puts(&sql, " TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT");
    if (!PQsendQuery(out->conn, sql.data))
        return pg_error(out->conn, NULL, err, "sending a statement");
    if (wait_for_slot(ctx, out->conn, err) || pg_finish_query(out->conn, sql.data, &res, err))
        return -1;
    if (PQntuples(res) != 1 || PQnfields(res) < 3)
        return error_set(err, ERROR_PROTOCOL, "CREATE_REPLICATION_SLOT gave no slot");
    out->consistent_point = pg_get_lsn(res, 0, 1);
    snprintf(out->snapshot, sizeof out->snapshot, "%s", PQgetvalue(res, 0, 2));
    return 0;
}

int verify_slot_open(const Context *ctx, VerifySlot *out, Error *err)
{
    *out = (VerifySlot){0};
    if (context_connect_source(ctx, PG_REPLICATION, &out->conn, err))
        return -1;
    if (create(ctx, out, err) == 0)
        return 0;
    verify_slot_close(out);
    if (strcmp(err->sqlstate, "53400") == 0)
        error_hint(err, "verify needs one free replication slot and walsender on the source for a moment: raise "
                        "max_replication_slots and max_wal_senders, or drop a slot that nobody uses");
    return error_wrap(err, "taking a snapshot of the source at an exact LSN");
}

void verify_slot_close(VerifySlot *slot)
{
    if (slot->conn)
        PQfinish(slot->conn);
    slot->conn = NULL;
}
