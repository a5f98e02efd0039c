// SPDX-License-Identifier: Apache-2.0
// Replication slots on the source. Must not know the ledger: whose slot it is decides the caller.
#include "engine/stream/slot.h"

#include "common/base/buffer.h"
#include "common/base/log.h"
#include "common/base/lsn.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/pg/query.h"
#include "engine/pg/quote.h"
#include "sql.h"

#include <stdio.h>
#include <string.h>

enum {
    REPORT_MS = 5000,    // between two lines about what slot creation waits for
    POLL_MS = 500,       // between two looks at a slot in use
    PATIENCE_POLLS = 20, // 10 s before our own walsender is ended
    GIVE_UP_POLLS = 40
};

int slot_look(PGconn *source, const char *slot, SlotInfo *out, Error *err)
{
    const char *values[] = {slot};
    auto_pgresult PGresult *res = NULL;

    *out = (SlotInfo){0};
    if (pg_query(source, sql_slot, 1, values, &res, err))
        return error_wrap(err, "looking for slot %s on the source", slot);
    if (PQntuples(res) == 0)
        return 0;
    out->exists = true;
    out->logical = strcmp(PQgetvalue(res, 0, 0), "logical") == 0;
    out->temporary = pg_get_bool(res, 0, 1);
    snprintf(out->plugin, sizeof out->plugin, "%s", PQgetvalue(res, 0, 2));
    snprintf(out->database, sizeof out->database, "%s", PQgetvalue(res, 0, 3));
    snprintf(out->wal_status, sizeof out->wal_status, "%s", PQgetvalue(res, 0, 4));
    snprintf(out->reason, sizeof out->reason, "%s", PQgetvalue(res, 0, 5));
    out->retained_bytes = pg_get_int64(res, 0, 6);
    out->confirmed = pg_get_lsn(res, 0, 7);
    out->active_pid = (int)pg_get_int64(res, 0, 8);
    snprintf(out->application, sizeof out->application, "%s", PQgetvalue(res, 0, 9));
    return 0;
}

int slot_check_usable(const Context *ctx, PGconn *source, Error *err)
{
    SlotInfo info;

    if (slot_look(source, ctx->slot, &info, err))
        return -1;
    if (!info.exists)
        error_set(err, ERROR_CONDITION, "replication slot %s is gone from the source: changes were lost since",
                  ctx->slot);
    else if (strcmp(info.wal_status, "lost") == 0 || info.reason[0])
        error_set(err, ERROR_CONDITION, "replication slot %s was invalidated by the source (%s): changes were lost",
                  ctx->slot, info.reason[0] ? info.reason : "its WAL was removed, see max_slot_wal_keep_size");
    else if (!info.logical || strcmp(info.plugin, "pgoutput") != 0 || strcmp(info.database, PQdb(source)) != 0)
        error_set(err, ERROR_CONDITION, "replication slot %s is not ours any more (plugin %s, database %s)", ctx->slot,
                  info.plugin, info.database);
    else
        return 0;
    return error_hint(
        err,
        "what is missing cannot be had back: run kubeferry-engine cleanup --name %s, empty the tables in the "
        "sink and start again",
        ctx->task->name);
}

// Who keeps slot creation waiting: a transaction that was open when it began.
static void report_blockers(const Context *ctx, PGconn *source, int walsender_pid, int waited_s)
{
    char pid[16];
    const char *values[] = {pid};
    auto_pgresult PGresult *res = NULL;
    Error ignored = {0};

    snprintf(pid, sizeof pid, "%d", walsender_pid);
    if (pg_query(source, sql_slot_blockers, 1, values, &res, &ignored))
        return;
    if (PQntuples(res) > 0)
        progress_phase(ctx->progress, "the slot waits for %s (%.20s)", PQgetvalue(res, 0, 0), PQgetvalue(res, 0, 1));
    else
        log_info("slot", "the source has been making the slot for %d s", waited_s);
    for (int i = 0; i < PQntuples(res); i++)
        log_warn(
            "slot",
            "the slot waits for an older transaction of the source (%d s so far): %s, user %s, application \"%s\", "
            "open since %s, %s: %s",
            waited_s, PQgetvalue(res, i, 0), PQgetvalue(res, i, 1), PQgetvalue(res, i, 2), PQgetvalue(res, i, 3),
            PQgetvalue(res, i, 4), PQgetvalue(res, i, 5));
}

static void cancel(PGconn *conn)
{
    char ignored[256];
    PGcancel *c = PQgetCancel(conn);
    if (c)
        PQcancel(c, ignored, sizeof ignored);
    PQfreeCancel(c);
}

static int wait_for_slot(const Context *ctx, PGconn *conn, PGconn *source, Error *err)
{
    int waited_ms = 0;

    while (PQisBusy(conn)) {
        int ready = pg_wait(conn, false, REPORT_MS, err);
        if (ready < 0) {
            cancel(conn);
            return -1;
        }
        if (ready == 0) {
            waited_ms += REPORT_MS;
            report_blockers(ctx, source, PQbackendPID(conn), waited_ms / 1000);
        } else if (!PQconsumeInput(conn)) {
            return pg_error(conn, NULL, err, "waiting for the slot");
        }
    }
    return 0;
}

static int slot_refused(PGconn *conn, const PGresult *res, const char *slot, Error *err)
{
    pg_error(conn, res, err, "making replication slot %s on the source", slot);
    if (strcmp(err->sqlstate, "53400") == 0) {
        err->code = ERROR_CONDITION;
        error_hint(err, "drop a slot that nobody needs (pg_replication_slots), or raise max_replication_slots and "
                        "restart the source");
    } else if (strcmp(err->sqlstate, "55000") == 0) {
        err->code = ERROR_CONDITION;
        error_hint(err, "set wal_level = logical on the source and restart it");
    } else if (strcmp(err->sqlstate, "42501") == 0) {
        err->code = ERROR_CONDITION;
        error_hint(err, "ALTER ROLE … REPLICATION for the role that kubeferry connects to the source as");
    }
    return -1;
}

static int create(const Context *ctx, PGconn *source, const char *slot, bool temporary, SlotSnapshot *out, Error *err)
{
    auto_buffer Buffer sql = {0};
    auto_pgconn PGconn *conn = NULL;

    *out = (SlotSnapshot){0};
    if (context_connect_source(ctx, PG_REPLICATION, &conn, err))
        return -1;
    buffer_puts(&sql, "CREATE_REPLICATION_SLOT ");
    quote_ident(&sql, slot);
    // The older spelling of SNAPSHOT 'export': every version from 10 on takes it.
    buffer_printf(&sql, "%s LOGICAL pgoutput EXPORT_SNAPSHOT", temporary ? " TEMPORARY" : "");
    if (!PQsendQuery(conn, sql.data))
        return pg_error(conn, NULL, err, "making replication slot %s on the source", slot);
    if (wait_for_slot(ctx, conn, source, err))
        return error_wrap(err, "making replication slot %s on the source", slot);
    auto_pgresult PGresult *res = PQgetResult(conn);
    if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) != 1 || PQnfields(res) < 3)
        return slot_refused(conn, res, slot, err);
    int lsn_column = PQfnumber(res, "consistent_point"), name_column = PQfnumber(res, "snapshot_name");
    if (lsn_column < 0 || name_column < 0 || !lsn_parse(PQgetvalue(res, 0, lsn_column), &out->lsn))
        return error_set(err, ERROR_PROTOCOL, "the source's answer about slot %s makes no sense", slot);
    snprintf(out->name, sizeof out->name, "%s", PQgetvalue(res, 0, name_column));
    for (PGresult *rest; (rest = PQgetResult(conn));)
        PQclear(rest);
    out->conn = conn;
    conn = NULL;
    return 0;
}

int slot_create_temporary(const Context *ctx, PGconn *source, SlotSnapshot *out, Error *err)
{
    // The server's pid of our session makes it unique; 63 bytes are room for a slot's name.
    auto_free char *name = memory_printf("%.40s_copy_%d", ctx->slot, PQbackendPID(source));
    return create(ctx, source, name, true, out, err);
}

// A change of the catalog that leaves nothing, needs no rights, and may be made by a role that is read-only by default.
static int change_catalog(PGconn *source, Error *err)
{
    if (pg_exec(source, "SET LOCAL transaction_read_only = off; SELECT pg_catalog.lo_unlink(pg_catalog.lo_create(0))",
                err) == 0)
        return 0;
    if (strcmp(err->sqlstate, "42501") == 0)
        error_hint(err,
                   "GRANT EXECUTE ON FUNCTION pg_catalog.lo_create(oid), pg_catalog.lo_unlink(oid) to the role that "
                   "kubeferry connects to the source as");
    return error_wrap(err, "changing the source's catalog for a moment");
}

// While transactions are open, PostgreSQL (10 to 18) begins to decode in two steps: it waits for those that are open,
// then for those that began meanwhile. A transaction that began between the steps, or after them but before the next
// change of the catalog, is decoded with a view of the catalog that may lack what was committed before the first step
// was over: a TRUNCATE then ends the stream ("could not map filenode"), each time it is begun, and the rows after an
// ALTER TABLE are read by the old columns. So the view is renewed by a change of the catalog, and nothing is taken from
// the slot that was committed before a second one has waited for all who were open then.
int slot_create(const Context *ctx, PGconn *source, SlotSnapshot *out, Error *err)
{
    Error left = {0};

    if (create(ctx, source, ctx->slot, false, out, err))
        return -1;
    slot_release(out);
    if (change_catalog(source, err) == 0 && slot_create_temporary(ctx, source, out, err) == 0)
        return 0;
    stop_shield(true); // also when asked to stop
    if (slot_drop(ctx, source, NULL, &left))
        log_warn("slot", "replication slot %s is left on the source until the next start, or cleanup: %s", ctx->slot,
                 left.message);
    stop_shield(false);
    return -1;
}

int slot_export_plain(const Context *ctx, SlotSnapshot *out, Error *err)
{
    auto_pgconn PGconn *conn = NULL;
    auto_free char *name = NULL;

    *out = (SlotSnapshot){0};
    if (context_connect_source(ctx, PG_ORDINARY, &conn, err) ||
        pg_exec(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err) ||
        pg_text(conn, "SELECT pg_catalog.pg_export_snapshot()", &name, err))
        return error_wrap(err, "exporting a snapshot on the source");
    snprintf(out->name, sizeof out->name, "%s", name ? name : "");
    out->conn = conn;
    conn = NULL;
    return 0;
}

void slot_release(SlotSnapshot *snapshot)
{
    if (snapshot->conn)
        PQfinish(snapshot->conn);
    *snapshot = (SlotSnapshot){0};
}

static bool is_ours(const Context *ctx, const SlotInfo *info)
{
    // The server cuts application_name at 63 bytes.
    return info->application[0] && strncmp(info->application, ctx->application, sizeof info->application - 1) == 0;
}

static int end_walsender(PGconn *source, const SlotInfo *info, Error *err)
{
    char pid[16];
    const char *values[] = {pid};

    snprintf(pid, sizeof pid, "%d", info->active_pid);
    return pg_run(source, "SELECT pg_catalog.pg_terminate_backend($1::integer)", 1, values, NULL, err);
}

int slot_drop(const Context *ctx, PGconn *source, bool *dropped, Error *err)
{
    const char *values[] = {ctx->slot};
    SlotInfo info;
    Error refused = {0};

    if (dropped)
        *dropped = false;
    for (int polls = 0;; polls++) {
        if (slot_look(source, ctx->slot, &info, err))
            return -1;
        if (!info.exists)
            return 0;
        if (!info.active_pid) {
            if (pg_run(source, "SELECT pg_catalog.pg_drop_replication_slot($1)", 1, values, NULL, &refused) == 0)
                break;
            if (strcmp(refused.sqlstate, "42704") == 0) // somebody else was faster
                return 0;
            if (strcmp(refused.sqlstate, "55006") != 0) {
                *err = refused;
                return error_wrap(err, "dropping replication slot %s on the source", ctx->slot);
            }
        }
        if (polls == 0)
            log_info("slot", "replication slot %s is in use (pid %d); waiting for its end", ctx->slot, info.active_pid);
        if (polls >= PATIENCE_POLLS && info.active_pid && is_ours(ctx, &info) && end_walsender(source, &info, err))
            return error_wrap(err, "ending the walsender of slot %s", ctx->slot);
        if (polls >= GIVE_UP_POLLS) {
            error_set(err, ERROR_TRANSIENT, "replication slot %s is still in use by pid %d (application \"%s\")",
                      ctx->slot, info.active_pid, info.application);
            return error_hint(err, "end that session, then start again");
        }
        if (stop_sleep_ms(POLL_MS))
            return stop_check(err);
    }
    if (dropped)
        *dropped = true;
    log_info("slot", "dropped replication slot %s on the source", ctx->slot);
    return 0;
}
