// SPDX-License-Identifier: Apache-2.0
// Follows the source: one session after the other, from the position that the sink has stored.
#include "engine/apply/apply.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/lsn.h"
#include "common/base/stop.h"
#include "engine/apply/monitor.h"
#include "engine/apply/new_relation.h"
#include "engine/apply/reader.h"

#include <stdlib.h>
#include <string.h>

enum { BACKOFF_FIRST_MS = 500, BACKOFF_MAX_MS = 30000, HEALTHY_S = 30, INTERNAL_TRIES = 6 };

static int slot_gone(const Context *ctx, const char *what, Error *err)
{
    error_set(err, ERROR_CONDITION, "slot \"%s\" on the source %s: changes since the copy are lost", ctx->slot, what);
    return error_hint(
        err,
        "run \"kubeferry-engine cleanup --name %s\", empty the sink's tables and start again; to keep a slot longer, "
        "raise max_slot_wal_keep_size on the source",
        ctx->task->name);
}

// The position in the sink counts only for the slot that it was reached with. We confirm no more than what the sink has
// stored, so a slot that is ahead of the sink was made again, or moved, by somebody else.
static int check_slot(const Context *ctx, const LedgerPosition *position, Error *err)
{
    const char *values[] = {ctx->slot};
    auto_pgconn PGconn *source = NULL;
    auto_pgresult PGresult *res = NULL;

    if (context_connect_source(ctx, PG_ORDINARY, &source, err))
        return -1;
    if (pg_query(source,
                 "SELECT s.confirmed_flush_lsn, coalesce(pg_catalog.to_jsonb(s) ->> 'wal_status', ''), "
                 "pg_catalog.pg_current_wal_lsn()"
                 "  FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = $1",
                 1, values, &res, err))
        return error_wrap(err, "looking at the slot");
    if (PQntuples(res) == 0)
        return slot_gone(ctx, "does not exist", err);
    if (strcmp(PQgetvalue(res, 0, 1), "lost") == 0)
        return slot_gone(ctx, "was invalidated (wal_status lost)", err);
    if (pg_get_lsn(res, 0, 0) > position->lsn) {
        error_set(
            err, ERROR_CONDITION,
            "slot \"%s\" stands at %s, beyond the %s that the sink has: it was made again or moved by somebody else",
            ctx->slot, PQgetvalue(res, 0, 0), lsn_format(position->lsn).text);
        return error_hint(err,
                          "the changes between are lost: run \"kubeferry-engine cleanup --name %s\", empty the sink's "
                          "tables and start again",
                          ctx->task->name);
    }
    if (pg_get_lsn(res, 0, 2) < position->lsn) {
        error_set(err, ERROR_CONDITION,
                  "the source stands at %s, before the %s that the sink has applied: it was restored from a backup, or "
                  "is another server",
                  PQgetvalue(res, 0, 2), lsn_format(position->lsn).text);
        return error_hint(
            err, "check --source; if the source was restored, run cleanup, empty the sink's tables and start again");
    }
    return 0;
}

// The stored position; on the first start the slot's consistent point becomes it.
static int load_position(Ledger *ledger, LedgerPosition *position, Error *err)
{
    if (ledger->task.slot_state != SLOT_READY) {
        error_set(err, ERROR_CONDITION, "there is no slot of this task to follow: its rows have not been copied");
        return error_hint(err, "run init-data first, with the same --name (or \"run\", which does all steps)");
    }
    if (ledger_position_load(ledger->conn, ledger->task.id, position, err))
        return -1;
    if (position->lsn)
        return 0;
    position->lsn = ledger->task.consistent_point;
    return ledger_position_move(ledger->conn, ledger->task.id, ledger->task.owner, 0, position, err);
}

static void show_position(const Context *ctx, const LedgerPosition *position)
{
    Progress *p = ctx->progress;

    pthread_mutex_lock(&p->lock);
    if (position->lsn > p->lsn_applied)
        p->lsn_applied = position->lsn;
    p->commit_time = position->commit_time;
    pthread_mutex_unlock(&p->lock);
}

// The ledger's connection holds the lock: when it is gone, another process may have taken over, and only a new one with
// the lock may go on.
static int reopen_ledger(const Context *ctx, Ledger *ledger, Error *err)
{
    Error lost = {0};
    Ledger again;

    if (ledger_check_owner(ledger, &lost) == 0)
        return 0;
    if (lost.code == ERROR_BUSY) {
        *err = lost;
        return -1;
    }
    if (ledger_open(ctx, &again, err))
        return -1;
    ledger_close(ledger);
    *ledger = again;
    return 0;
}

static int one_session(const Context *ctx, Ledger *ledger, const ReaderGoal *goal, ReaderEnd *end, Error *err)
{
    LedgerPosition position;

    if (reopen_ledger(ctx, ledger, err) || load_position(ledger, &position, err) || check_slot(ctx, &position, err))
        return -1;
    show_position(ctx, &position);
    return reader_session(ctx, ledger, &position, goal, end, err);
}

// A lock that a connection of ours held until a moment ago may not be free yet on the server.
static bool may_pass(const Error *err, int failures)
{
    return error_is_retryable(err) || (err->code == ERROR_BUSY && failures > 0 && failures < 5);
}

// Internal errors of the source's server (XX000) at one place of the stream.
typedef struct InternalErrors {
    uint64_t place;
    int count;
} InternalErrors;

// What the source fails to decode again and again it will never decode.
static int check_decoding(const Context *ctx, InternalErrors *errors, Error *err)
{
    if (strcmp(err->sqlstate, "XX000") != 0)
        return 0;
    pthread_mutex_lock(&ctx->progress->lock);
    uint64_t place = ctx->progress->lsn_applied;
    pthread_mutex_unlock(&ctx->progress->lock);
    errors->count = place == errors->place ? errors->count + 1 : 1;
    errors->place = place;
    if (errors->count < INTERNAL_TRIES)
        return 0;
    err->code = ERROR_CONDITION;
    error_wrap(err, "the source's server fails each time it decodes the changes of slot %s", ctx->slot);
    return error_hint(err,
                      "see the source's log and bring its server to the newest minor release; if that does not help, "
                      "run \"kubeferry-engine cleanup --name %s\", empty the sink's tables and start again",
                      ctx->task->name);
}

static int follow(const Context *ctx, Ledger *ledger, const ReaderGoal *goal, ReaderEnd *end, Error *err)
{
    int wait_ms = BACKOFF_FIRST_MS, failures = 0;
    InternalErrors internal = {0};

    for (;;) {
        double started = clock_monotonic();

        error_clear(err);
        int rc = one_session(ctx, ledger, goal, end, err);
        if (rc == 0 && *end == READER_AGAIN)
            continue;
        if (rc == 0)
            return *end == READER_STOPPED && goal->until_lsn ? stop_check(err) : 0;
        if (stop_requested() || err->code == ERROR_STOPPED)
            return *end = READER_STOPPED, goal->until_lsn ? stop_check(err) : 0;
        if (!may_pass(err, failures) || check_decoding(ctx, &internal, err))
            return -1;
        if (clock_monotonic() - started > HEALTHY_S)
            wait_ms = BACKOFF_FIRST_MS, failures = 0;
        failures++;
        pthread_mutex_lock(&ctx->progress->lock);
        ctx->progress->reconnects++;
        pthread_mutex_unlock(&ctx->progress->lock);
        int jitter = (int)(random() % (wait_ms / 4 + 1));
        log_warn("apply", "%s; trying again in %.1f s", err->message, (wait_ms + jitter) / 1000.0);
        if (stop_sleep_ms(wait_ms + jitter))
            continue; // the next session sees the stop and ends
        wait_ms = wait_ms * 2 < BACKOFF_MAX_MS ? wait_ms * 2 : BACKOFF_MAX_MS;
    }
}

int apply_until(const Context *ctx, Ledger *ledger, uint64_t lsn, Error *err)
{
    ReaderGoal goal = {.until_lsn = lsn};
    ReaderEnd end;
    return follow(ctx, ledger, &goal, &end, err);
}

int apply_follow(const Context *ctx, Ledger *ledger, uint64_t caught_up_lsn, bool *cut_over, Error *err)
{
    ReaderGoal goal = {.until_lsn = caught_up_lsn, .serve_verify = true};
    Monitor *monitor = NULL;
    ReaderEnd end = READER_REACHED;

    *cut_over = false;
    if (target_note_columns(ctx, ledger, err))
        return -1;
    goal.sequences = sequence_watch_new(ctx);
    int rc = monitor_start(ctx, goal.sequences, &monitor, err) || follow(ctx, ledger, &goal, &end, err) ? -1 : 0;
    monitor_stop(monitor);
    sequence_watch_free(goal.sequences);
    *cut_over = rc == 0 && end == READER_CUT_OVER;
    if (rc == 0 && caught_up_lsn && !*cut_over && !stop_requested())
        rc = new_relation_check(ctx, ledger, err);
    return rc;
}
