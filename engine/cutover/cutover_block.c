// SPDX-License-Identifier: Apache-2.0
// Writes are kept away from the source, and let in again.
#include "engine/cutover/cutover.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/pg/quote.h"
#include "sql.h"

#include <string.h>

enum { LOCK_TRY_MS = 2000, LOCK_PAUSE_MS = 200, CALM_MS = 1000, RETRY_MS = 500 };
static const double UNBLOCK_SECONDS = 60;
static const char LOGGER[] = "cutover";

static double seconds_left(const Cutover *c)
{
    double left = c->deadline - clock_monotonic();
    return left > 0 ? left : 0;
}

// ---- the database ------------------------------------------------------------------------------------------------

// The ledger knows what to give back before anything is changed.
static int close_database(Cutover *c, Error *err)
{
    if (source_gate_setting(c->source, c->restore, sizeof c->restore, err) ||
        ledger_cutover_blocking(c->ledger.conn, c->ledger.task.id, c->owner, c->restore, err))
        return -1;
    c->source_changed = true;
    if (source_gate_close(c->source, err) ||
        source_gate_end_sessions(c->ctx, c->source, seconds_left(c), &c->sweep, err))
        return -1;
    log_info(LOGGER, "the source's database is read-only by default; ended %d session%s", c->sweep.ended,
             c->sweep.ended == 1 ? "" : "s");
    return 0;
}

// ---- tables ------------------------------------------------------------------------------------------------------

// Fails when somebody has written to the tables and may still do so; lockers: or keeps the lock for it.
static int name_writers(Cutover *c, const char *what, bool lockers, Error *err)
{
    const char *values[] = {buffer_text(&c->schemas), buffer_text(&c->names), lockers ? "t" : "f"};
    auto_pgresult PGresult *res = NULL;

    if (pg_query(c->source, sql_cutover_writers, 3, values, &res, err))
        return -1;
    if (PQntuples(res) == 0)
        return 0;
    error_set(err, ERROR_TRANSIENT, "%s: %s has an open transaction that has written to %s%s", what,
              PQgetvalue(res, 0, 1), PQgetvalue(res, 0, 2), PQntuples(res) > 1 ? ", and there are others" : "");
    return error_hint(err, "let it end, or end it (pg_terminate_backend, ROLLBACK PREPARED), then start again");
}

static void put_lock(Buffer *sql, const RelationList *relations)
{
    bool first = true;

    buffer_printf(sql, "BEGIN; SET LOCAL lock_timeout = %d; LOCK TABLE ", LOCK_TRY_MS);
    for (size_t i = 0; i < relations->count; i++) {
        if (relations->items[i].kind != 'r')
            continue;
        buffer_puts(sql, first ? "ONLY " : ", ONLY ");
        quote_relation(sql, relations->items[i].schema, relations->items[i].name);
        first = false;
    }
    buffer_puts(sql, " IN SHARE MODE");
}

// Who waits for a lock holds up everybody behind it: each try is short, with a pause for them between.
static int lock_tables(Cutover *c, Error *err)
{
    auto_buffer Buffer sql = {0};

    put_lock(&sql, &c->relations);
    if (context_connect_source(c->ctx, PG_ORDINARY, &c->locks, err))
        return -1;
    while (pg_exec(c->locks, sql.data, err)) {
        bool waited = strcmp(err->sqlstate, "55P03") == 0 || strcmp(err->sqlstate, "40P01") == 0;
        if (!waited)
            return error_wrap(err, "locking the tables of the source");
        if (seconds_left(c) * 1000 < LOCK_TRY_MS) {
            Error writers = {0};
            if (name_writers(c, "the tables of the source could not be locked", true, &writers))
                *err = writers;
            return -1;
        }
        error_clear(err);
        if (pg_exec(c->locks, "ROLLBACK", err))
            return -1;
        if (stop_sleep_ms(LOCK_PAUSE_MS))
            return stop_check(err);
    }
    log_info(LOGGER, "the tables of the source are locked: writers wait");
    return ledger_cutover_blocking(c->ledger.conn, c->ledger.task.id, c->owner, NULL, err);
}

// ---- as the task wants -------------------------------------------------------------------------------------------

int cutover_block(Cutover *c, Error *err)
{
    TaskBlock how = c->ctx->task->cutover.block;

    progress_cutover_blocked(c->ctx->progress, TASK_BLOCKS[how]);
    if (how == BLOCK_LOCK)
        return lock_tables(c, err);
    if (how == BLOCK_READ_ONLY)
        return close_database(c, err);
    return ledger_cutover_blocking(c->ledger.conn, c->ledger.task.id, c->owner, NULL, err);
}

int cutover_block_rest(Cutover *c, Error *err)
{
    auto_pgresult PGresult *res = NULL;
    const char *values[] = {c->ctx->application};

    if (c->ctx->task->cutover.block != BLOCK_LOCK)
        return 0;
    if (pg_query(c->source, sql_cutover_block_right, 1, values, &res, err))
        return -1;
    if (PQntuples(res) > 0 && pg_get_bool(res, 0, 0) && pg_get_bool(res, 0, 1))
        return close_database(c, err);
    progress_note(c->ctx->progress,
                  "the source takes writes again, since our role may not make its database read-only or "
                  "end its sessions: they do not come to the sink");
    return 0;
}

int cutover_block_no_writers(Cutover *c, Error *err)
{
    // Behind our own locks nobody can have written; the writers that wait hold the weaker lock only once they have it.
    if (c->ctx->task->cutover.block == BLOCK_LOCK)
        return 0;
    // In a closed database a lock alone says nothing: whoever held one before is ended, and who came since is refused.
    return name_writers(c, "the source still takes writes", c->ctx->task->cutover.block == BLOCK_NONE, err);
}

int cutover_block_is_calm(Cutover *c, Error *err)
{
    if (cutover_block_no_writers(c, err))
        return -1;
    if (c->ctx->task->cutover.block != BLOCK_NONE)
        return 0;
    return stop_sleep_ms(CALM_MS) ? stop_check(err) : cutover_block_no_writers(c, err);
}

int cutover_block_holds(Cutover *c, Error *err)
{
    int before = c->sweep.ended;

    if (source_gate_end_late(c->ctx, c->source, seconds_left(c), &c->sweep, err))
        return -1;
    if (c->sweep.ended > before)
        log_info(LOGGER, "ended %d more that were being made when the database was closed", c->sweep.ended - before);
    return 0;
}

// ---- back --------------------------------------------------------------------------------------------------------

static int open_database(const Cutover *c, char **remedy, Error *err)
{
    auto_pgconn PGconn *source = NULL;

    if (context_connect_source(c->ctx, PG_ORDINARY, &source, err))
        return -1;
    free(*remedy);
    *remedy = source_gate_remedy(source, c->restore);
    return source_gate_open(c->ctx, source, c->restore, err);
}

int cutover_unblock(Cutover *c, Error *err)
{
    double until = clock_monotonic() + UNBLOCK_SECONDS;
    auto_free char *remedy = NULL;

    if (c->locks)
        PQfinish(c->locks);
    c->locks = NULL;
    if (!c->source_changed)
        return 0;
    while (open_database(c, &remedy, err)) {
        if (clock_monotonic() > until || !error_is_retryable(err)) {
            error_hint(
                err,
                "THE SOURCE'S DATABASE STAYS READ-ONLY. A cdc process that runs lets writes in again as soon as it "
                "can; else run \"kubeferry-engine cutover --abort --name %s\", or on the source: %s",
                c->ctx->task->name, remedy ? remedy : "ALTER DATABASE … RESET default_transaction_read_only;");
            return -1;
        }
        log_warn(LOGGER, "the source's database is still read-only, trying again: %s", err->message);
        error_clear(err);
        stop_sleep_ms(RETRY_MS);
    }
    c->source_changed = false;
    log_info(LOGGER, "the source's database takes writes again");
    return 0;
}
