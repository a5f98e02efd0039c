// SPDX-License-Identifier: Apache-2.0
// The procedure: steps in order, and all of them undone when one fails. The switch itself is one transaction of the
// sink, so it took place as a whole or not at all.
#include "engine/cutover/cutover.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/lsn.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/copy/sequences.h"
#include "engine/pg/array.h"
#include "engine/pg/quote.h"
#include "engine/stream/publication.h"
#include "engine/stream/slot.h"
#include "engine/verify/verify_compare.h"
#include "sql.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { LOCK_TRIES = 40, LOCK_PAUSE_MS = 100, RETRY_MS = 500, END_SECONDS = 30 };
static const double RESOLVE_SECONDS = 60, GRACE_SECONDS = 1;
static const char LOGGER[] = "cutover";

static double seconds_left(const Cutover *c)
{
    double left = c->deadline - clock_monotonic();
    return left > 0 ? left : 0;
}

// ---- before ------------------------------------------------------------------------------------------------------

// Tables that nobody has analyzed would be read by the worst of plans from the first second on.
static int analyze(Cutover *c, Error *err)
{
    const char *values[] = {buffer_text(&c->schemas), buffer_text(&c->names)};
    auto_pgresult PGresult *res = NULL;

    if (pg_query(c->ledger.conn, sql_cutover_unanalyzed, 2, values, &res, err))
        return -1;
    for (int i = 0; i < PQntuples(res); i++) {
        auto_buffer Buffer sql = {0};
        buffer_puts(&sql, "ANALYZE ");
        quote_relation(&sql, PQgetvalue(res, i, 0), PQgetvalue(res, i, 1));
        progress_phase(c->ctx->progress, "analyzing table %d of %d", i + 1, PQntuples(res));
        if (pg_exec(c->ledger.conn, sql.data, err))
            return -1;
    }
    return 0;
}

static int set_sequences(Cutover *c, Error *err)
{
    return sequences_sync(c->ctx, c->source, c->ledger.conn, err);
}

// Once before writes are kept away, so that little is left to be done while they are.
static int prepare(Cutover *c, Error *err)
{
    if (cutover_note_reopen(c, err) || analyze(c, err) || set_sequences(c, err) || cutover_reverse_make(c, err) ||
        context_connect_sink(c->ctx, &c->sink, err))
        return -1;
    return cutover_ask(c, CUTOVER_PREPARING, c->ctx->task->cutover.max_lag_seconds, NULL, err);
}

// ---- while writes are kept away ----------------------------------------------------------------------------------

static int block(Cutover *c, Error *err)
{
    c->deadline = clock_monotonic() + c->ctx->task->cutover.timeout_seconds;
    pg_deadline(c->deadline + GRACE_SECONDS); // who waits for an answer says what is missing
    return cutover_block(c, err);
}

static int drain(Cutover *c, Error *err)
{
    return cutover_ask(c, CUTOVER_DRAINING, seconds_left(c), NULL, err) || cutover_block_is_calm(c, err) ? -1 : 0;
}

static int verify_both(Cutover *c, Error *err)
{
    Progress *p = c->ctx->progress;
    VerifyPoint point;
    bool equal = false;

    if (c->ctx->task->cutover.verification != VERIFICATION_FINAL)
        return 0;
    if (verify_point_take_still(c->ctx, p, c->deadline, &point, err))
        return -1;
    int rc = verify_compare(c->ctx, p, &point, NULL, &equal, err);
    verify_point_release(&point);
    if (rc || equal)
        return rc;
    return error_set(err, ERROR_DIVERGED, "both ends differ: %lld differences (the log names the first of them)",
                     (long long)p->differences);
}

// Held objects first, the last look at the source as late as can be, then the commit that is the switch.
static int switch_over(Cutover *c, Error *err)
{
    CutoverRow row;

    if (pg_exec(c->sink, "BEGIN; SET LOCAL synchronous_commit = on", err) || cutover_held_make(c, err) ||
        cutover_block_holds(c, err) || cutover_ask(c, CUTOVER_CHECKING, seconds_left(c), &row, err))
        return -1;
    if (row.late_changes > 0) {
        error_set(err, ERROR_CONDITION,
                  "%lld changes were committed on the source while writes were to be kept away, the first on %s",
                  (long long)row.late_changes, row.late_relation);
        return error_hint(
            err, c->ctx->task->cutover.block == BLOCK_NONE
                     ? "stop the applications that write to the source, or use another --block"
                     : "a session switched default_transaction_read_only off for itself (see ALTER ROLE … SET), "
                       "or a background worker writes: stop it");
    }
    // What is open now would be committed after the switch.
    if (cutover_block_no_writers(c, err) || cutover_reverse_arm(c, err) ||
        ledger_cutover_done(c->sink, c->ledger.task.id, c->owner, err))
        return -1;
    c->committing = true;
    return pg_exec(c->sink, "COMMIT", err);
}

static const struct {
    const char *name, *phase;
    int (*run)(Cutover *c, Error *err);
} STEPS[] = {
    {"the preparation", "preparing", prepare},
    {"keeping writes away", "keeping writes from the source", block},
    {"the drain", "applying the last changes", drain},
    {"the final verification", "comparing both ends", verify_both},
    {"closing the source", "closing the source", cutover_block_rest},
    {"setting the sequences", "setting sequences", set_sequences},
    {"the switch", "switching", switch_over},
};

// ---- undoing -----------------------------------------------------------------------------------------------------

static int lock_cutover(Cutover *c, Error *err)
{
    bool taken = false;

    for (int i = 0; i < LOCK_TRIES; i++) {
        if (ledger_cutover_lock(c->ledger.conn, c->ledger.task.id, &taken, err))
            return -1;
        if (taken)
            return 0;
        if (stop_sleep_ms(LOCK_PAUSE_MS)) // a cdc process holds it for a moment when it undoes
            return stop_check(err);
    }
    error_set(err, ERROR_BUSY, "another cutover of task \"%s\" is under way", c->ctx->task->name);
    return error_hint(err, "wait for its end; there is one at a time");
}

static int reopen_ledger(Cutover *c, Error *err)
{
    bool found = false;

    ledger_close(&c->ledger);
    if (ledger_open_shared(c->ctx, &c->ledger, &found, err))
        return -1;
    return found ? 0 : error_set(err, ERROR_CONDITION, "the task is gone from the ledger");
}

// After a commit whose answer did not come. *known false: the sink does not tell.
static void resolve(Cutover *c, bool *known)
{
    double until = clock_monotonic() + RESOLVE_SECONDS;
    CutoverRow row;

    for (*known = false; !*known && clock_monotonic() < until; stop_sleep_ms(RETRY_MS)) {
        Error err = {0};
        if (reopen_ledger(c, &err) || ledger_cutover_get(c->ledger.conn, c->ledger.task.id, &row, &err)) {
            log_warn(LOGGER, "the sink does not say whether the switch took place, trying again: %s", err.message);
            continue;
        }
        *known = true;
        c->done = row.state == CUTOVER_DONE && strcmp(row.owner, c->owner) == 0;
    }
}

// A failure to note it is no failure to undo: the cdc process notices that we are gone, and notes it.
static void note_undone(Cutover *c)
{
    Error err = {0};

    if (cutover_reverse_remove(c, &err)) {
        log_warn(LOGGER, "the way back that was made is not removed yet; the next cutover, or cleanup, does it: %s",
                 err.message);
        error_clear(&err);
    }
    if (c->begun && (reopen_ledger(c, &err) || ledger_cutover_undone(c->ledger.conn, c->ledger.task.id, &err)))
        log_warn(LOGGER, "the ledger does not know yet that the cutover was undone; the cdc process will notice: %s",
                 err.message);
    progress_cutover(c->ctx->progress, ledger_cutover_state_name(CUTOVER_UNDONE));
}

static void close_sink(Cutover *c)
{
    if (c->sink)
        PQfinish(c->sink); // an open transaction is rolled back
    c->sink = NULL;
}

// *err: why; gets what became of it.
static int undo(Cutover *c, Error *err)
{
    Error failure = {0};
    bool known = true;

    stop_shield(true);
    pg_deadline(0);
    if (c->committing)
        resolve(c, &known);
    if (c->done) {
        stop_shield(false);
        error_clear(err);
        return 0;
    }
    if (!known) {
        error_wrap(err, "whether the switch took place is not known, since the sink does not answer; the source is "
                        "left as it is, without writes");
        error_hint(err, "once the sink answers, run the cutover again, which finishes or undoes it");
        stop_shield(false);
        return -1;
    }
    close_sink(c);
    if (cutover_unblock(c, &failure)) {
        error_wrap(err, "%s; and then: %s", failure.message, c->step);
        error_hint(err, "%s", failure.hint);
    } else {
        note_undone(c);
        error_wrap(err, "the cutover was undone, the source takes writes and cdc goes on: %s failed", c->step);
    }
    stop_shield(false);
    return -1;
}

// ---- after the switch --------------------------------------------------------------------------------------------

// The cdc process ends by itself; then slot and publication go, or they would keep the source's WAL.
static int drop_slot(Cutover *c, Error *err)
{
    Ledger own = {0};
    bool dropped, left;
    double until = clock_monotonic() + END_SECONDS;

    while (ledger_open(c->ctx, &own, err)) {
        if (err->code != ERROR_BUSY || clock_monotonic() > until)
            return error_wrap(err, "waiting for the end of the cdc process");
        error_clear(err);
        if (stop_sleep_ms(LOCK_PAUSE_MS))
            return stop_check(err);
    }
    int rc = own.task.slot_state == SLOT_NONE ? 0
             : slot_drop(c->ctx, c->source, NULL, err) ||
                     publication_drop(c->ctx, c->source, false, &dropped, &left, err) || ledger_slot_dropped(&own, err)
                 ? -1
                 : 0;
    ledger_close(&own);
    return rc;
}

static int finish(Cutover *c, Error *err)
{
    pg_deadline(0);
    close_sink(c);
    progress_cutover(c->ctx->progress, ledger_cutover_state_name(CUTOVER_DONE));
    if (c->locks)
        PQfinish(c->locks);
    c->locks = NULL;
    if (c->reverse)
        ledger_close(&c->reverse->ledger); // so that it can be followed from now on
    log_info(LOGGER, "the switch is done: the sink has everything that was committed on the source");
    progress_phase(c->ctx->progress, "done, tidying up");
    if (cutover_reopen(c, err) || drop_slot(c, err) || cutover_held_validate(c, err) ||
        ledger_cutover_finished(c->ledger.conn, c->ledger.task.id, err)) {
        error_wrap(err, "THE SWITCH IS DONE, but what comes after it is not");
        return -1;
    }
    if (c->source_changed) {
        auto_free char *remedy = source_gate_remedy(c->source, c->restore);
        progress_note(
            c->ctx->progress,
            "the source's database stays read-only; to take writes there again (they would not come to the sink): %s",
            remedy);
    }
    progress_phase(c->ctx->progress, "cut over");
    return 0;
}

// ---- the whole ---------------------------------------------------------------------------------------------------

static void new_owner(char owner[40])
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        memset(bytes, 0, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(owner + 2 * i, 3, "%02x", bytes[i]);
}

static int load_tables(Cutover *c, Error *err)
{
    const TaskDocument *task = c->ctx->task;

    if (relations_load(c->source, &task->objects, &task->excluded, &c->relations, err))
        return -1;
    array_begin(&c->schemas), array_begin(&c->names);
    for (size_t i = 0; i < c->relations.count; i++) {
        array_put(&c->schemas, c->relations.items[i].schema);
        array_put(&c->names, c->relations.items[i].name);
    }
    array_end(&c->schemas), array_end(&c->names);
    return 0;
}

static int open_all(Cutover *c, const Context *ctx, Error *err)
{
    bool found = false;

    *c = (Cutover){.ctx = ctx, .step = "the beginning"};
    new_owner(c->owner);
    if (ledger_open_shared(ctx, &c->ledger, &found, err))
        return -1;
    if (!found) {
        error_set(err, ERROR_CONDITION, "there is no task \"%s\" in the sink's ledger", ctx->task->name);
        return error_hint(err, "start the migration first: kubeferry-engine run --name %s …", ctx->task->name);
    }
    return lock_cutover(c, err) || context_connect_source(ctx, PG_ORDINARY, &c->source, err) ? -1 : 0;
}

static void close_all(Cutover *c)
{
    pg_deadline(0);
    close_sink(c);
    if (c->locks)
        PQfinish(c->locks);
    if (c->source)
        PQfinish(c->source);
    ledger_close(&c->ledger);
    if (c->reverse)
        reverse_close(c->reverse);
    free(c->reverse);
    relations_free(&c->relations);
    buffer_free(&c->schemas);
    buffer_free(&c->names);
}

// What a process left that died; its locks are gone with it.
static int undo_left(Cutover *c, const CutoverRow *row, Error *err)
{
    log_warn(LOGGER, "an earlier cutover ended while it was %s: undoing it", ledger_cutover_state_name(row->state));
    c->source_changed = row->source_changed;
    memcpy(c->restore, row->restore, sizeof c->restore);
    c->made_reverse = row->reverse;
    return cutover_unblock(c, err) || cutover_reverse_remove(c, err) ||
                   ledger_cutover_undone(c->ledger.conn, c->ledger.task.id, err)
               ? -1
               : 0;
}

static bool is_active(const CutoverRow *row)
{
    return row->state >= CUTOVER_PREPARING && row->state <= CUTOVER_CHECKING;
}

static int run_steps(Cutover *c, Error *err)
{
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++) {
        c->step = STEPS[i].name;
        progress_phase(c->ctx->progress, "%s", STEPS[i].phase);
        if (STEPS[i].run(c, err) || stop_check(err))
            return -1;
    }
    c->done = true;
    return 0;
}

static int begin(Cutover *c, bool check, Error *err)
{
    CutoverRow row;

    if (ledger_cutover_get(c->ledger.conn, c->ledger.task.id, &row, err) ||
        (is_active(&row) && undo_left(c, &row, err)))
        return -1;
    if (row.state == CUTOVER_DONE) {
        log_info(LOGGER, "the switch took place at %s already", row.done_at);
        c->source_changed = row.source_changed;
        memcpy(c->restore, row.restore, sizeof c->restore);
        return row.finished || check ? 0 : finish(c, err);
    }
    if (load_tables(c, err))
        return -1;
    c->step = "the check before it";
    int rc = cutover_checks(c, err);
    if (rc || check) {
        if (c->begun)
            note_undone(c);
        return rc;
    }
    if (run_steps(c, err) && undo(c, err))
        return -1;
    return finish(c, err);
}

int cutover_run(const Context *ctx, bool check, Error *err)
{
    Cutover c;
    int rc = open_all(&c, ctx, err) || begin(&c, check, err) ? -1 : 0;

    close_all(&c);
    return rc;
}

int cutover_abort(const Context *ctx, Error *err)
{
    Cutover c;
    CutoverRow row;
    int rc = open_all(&c, ctx, err) || ledger_cutover_get(c.ledger.conn, c.ledger.task.id, &row, err) ? -1 : 0;

    if (rc == 0 && row.state == CUTOVER_DONE) {
        rc = error_set(err, ERROR_CONDITION, "the switch took place at %s: there is nothing to abort", row.done_at);
    } else if (rc == 0 && is_active(&row)) {
        rc = undo_left(&c, &row, err);
        progress_cutover(ctx->progress, ledger_cutover_state_name(CUTOVER_UNDONE));
    } else if (rc == 0) {
        log_info(LOGGER, "no cutover is under way, nothing is to be undone");
    }
    close_all(&c);
    return rc;
}
