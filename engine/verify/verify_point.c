// SPDX-License-Identifier: Apache-2.0
// Brings both ends to one LSN and opens the transactions that show it. Compares nothing.
#include "engine/verify/verify_point.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/lsn.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/apply/apply.h"
#include "engine/ledger/ledger_relation.h"
#include "engine/pg/quote.h"
#include "engine/verify/verify_slot.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char LOGGER[] = "verify";
#define SAVEPOINT "kubeferry_verify" // before the first statement that touches a table
enum { POLL_MS = 200, HOLD_SECONDS = 60, SAY_SECONDS = 10 };

// ---- transactions ------------------------------------------------------------------------------------------------

// --jobs says how many statements run at once, so each runs alone; work_mem for 16,384 groups.
static int settle(PGconn *conn, Error *err)
{
    bool has_jit = PQserverVersion(conn) >= 110000;
    return pg_execf(
        conn, err,
        "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL work_mem = '16MB'; %s SAVEPOINT " SAVEPOINT,
        has_jit ? "SET LOCAL jit = off;" : "");
}

static int begin_at(PGconn *conn, const char *snapshot, const char *role, Error *err)
{
    auto_buffer Buffer sql = {0};

    buffer_puts(&sql, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT ");
    quote_literal(&sql, snapshot);
    if (pg_exec(conn, sql.data, err) || settle(conn, err))
        return error_wrap(err, "opening the snapshot %s on the %s", snapshot, role);
    return 0;
}

static PGconn *connection_of(const VerifyPoint *point, int i, bool sink)
{
    return sink ? point->pairs[i].sink : point->pairs[i].source;
}

// All connections of one end see what is there now: the first one's snapshot.
static int begin_now(VerifyPoint *point, bool sink, Error *err)
{
    const char *role = sink ? "sink" : "source";
    auto_free char *snapshot = NULL;

    if (pg_exec(connection_of(point, 0, sink), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err) ||
        pg_text(connection_of(point, 0, sink), "SELECT pg_catalog.pg_export_snapshot()", &snapshot, err) ||
        settle(connection_of(point, 0, sink), err))
        return error_wrap(err, "taking a snapshot of the %s", role);
    for (int i = 1; i < point->count; i++)
        if (begin_at(connection_of(point, i, sink), snapshot, role, err))
            return -1;
    return 0;
}

static int begin_all(VerifyPoint *point, bool sink, const char *snapshot, Error *err)
{
    for (int i = 0; i < point->count; i++)
        if (begin_at(connection_of(point, i, sink), snapshot, sink ? "sink" : "source", err))
            return -1;
    return 0;
}

// The slot is closed as soon as the source's transactions stand: from then on it retains nothing.
static int take_source(const Context *ctx, VerifyPoint *point, Error *err)
{
    VerifySlot slot;

    if (verify_slot_open(ctx, &slot, err))
        return -1;
    int rc = begin_all(point, false, slot.snapshot, err);
    point->lsn = slot.consistent_point;
    point->exact = true;
    verify_slot_close(&slot);
    return rc;
}

// ---- meeting a running cdc process -------------------------------------------------------------------------------

typedef struct Meeting {
    const Context *ctx;
    Progress *progress;
    Ledger ledger;
    PGconn *release; // kept unused until the end: works after a stop, when the ledger's connection does not
    VerifyPoint *point;
} Meeting;

// Blocking and without a look at the stop: a held applier must go on whatever happened here.
static void give_back(Meeting *m)
{
    char id[24];
    const char *values[] = {id};

    snprintf(id, sizeof id, "%" PRId64, m->ledger.task.id);
    PGresult *res = PQexecParams(m->release,
                                 "UPDATE kubeferry.barrier SET state = 'none', target_lsn = NULL, snapshot = NULL,"
                                 " changed_at = pg_catalog.clock_timestamp() WHERE task = $1",
                                 1, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(res) != PGRES_COMMAND_OK)
        log_warn(LOGGER, "could not tell the cdc process to go on (it does so by itself after a while): %s",
                 PQerrorMessage(m->release));
    PQclear(res);
}

static int check_still_running(Meeting *m, Error *err)
{
    bool running = false;

    if (ledger_is_running(m->ctx, m->ledger.conn, &running, err))
        return -1;
    return running ? 0
                   : error_set(err, ERROR_TRANSIENT,
                               "the cdc process ended while verify waited for it; start verify again");
}

static int wait_for_holding(Meeting *m, Error *err)
{
    double deadline = clock_monotonic() + HOLD_SECONDS;
    Barrier barrier = {0};

    progress_phase(m->progress, "waiting for the cdc process to pause");
    for (;;) {
        if (ledger_barrier_get(m->ledger.conn, m->ledger.task.id, &barrier, err) || check_still_running(m, err))
            return -1;
        if (barrier.state == BARRIER_HOLDING)
            return 0;
        if (clock_monotonic() > deadline) {
            error_set(err, ERROR_TRANSIENT, "the running process of the task did not pause within %d s", HOLD_SECONDS);
            return error_hint(err,
                              "it may be reconnecting, or not be streaming yet: see its log, then start verify again");
        }
        if (stop_sleep_ms(POLL_MS))
            return stop_check(err);
    }
}

static void say_distance(Meeting *m)
{
    LedgerPosition position = {0};
    Error ignored = {0};

    if (ledger_position_load(m->ledger.conn, m->ledger.task.id, &position, &ignored))
        return;
    log_info(LOGGER, "waiting for cdc to apply up to LSN %s; it is at %s, %.1f MB before it",
             lsn_format(m->point->lsn).text, lsn_format(position.lsn).text,
             m->point->lsn > position.lsn ? (double)(m->point->lsn - position.lsn) / 1e6 : 0.0);
}

// As long as it takes: a backlog may be large, and the applier works on it.
static int wait_for_reached(Meeting *m, Barrier *barrier, Error *err)
{
    double say = clock_monotonic() + SAY_SECONDS;

    progress_phase(m->progress, "waiting for cdc to apply up to %s", lsn_format(m->point->lsn).text);
    for (;;) {
        if (ledger_barrier_get(m->ledger.conn, m->ledger.task.id, barrier, err) || check_still_running(m, err))
            return -1;
        if (barrier->state == BARRIER_REACHED)
            return 0;
        if (barrier->state != BARRIER_TARGET)
            return error_set(err, ERROR_TRANSIENT, "the cdc process gave up waiting for verify; start verify again");
        if (clock_monotonic() > say) {
            say_distance(m);
            say = clock_monotonic() + SAY_SECONDS;
        }
        if (stop_sleep_ms(POLL_MS))
            return stop_check(err);
    }
}

static int hold_and_take(Meeting *m, Error *err)
{
    int64_t id = m->ledger.task.id;
    Barrier barrier = {0};

    if (ledger_barrier_set(m->ledger.conn, id, BARRIER_HOLD, 0, NULL, err) || wait_for_holding(m, err) ||
        take_source(m->ctx, m->point, err) ||
        ledger_barrier_set(m->ledger.conn, id, BARRIER_TARGET, m->point->lsn, NULL, err) ||
        wait_for_reached(m, &barrier, err))
        return -1;
    return begin_all(m->point, true, barrier.snapshot, err);
}

// Two verifies would take each other's barrier away.
static int lock_barrier(Meeting *m, Error *err)
{
    char id[24];
    const char *values[] = {id};
    auto_pgresult PGresult *res = NULL;

    snprintf(id, sizeof id, "%" PRId64, m->ledger.task.id);
    if (pg_query(m->ledger.conn,
                 "SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtext('kubeferry verify'), $1::bigint::int)", 1,
                 values, &res, err))
        return error_wrap(err, "locking the barrier of verify");
    if (pg_get_bool(res, 0, 0))
        return 0;
    return error_set(err, ERROR_BUSY, "another verify of task \"%s\" is under way", m->ctx->task->name);
}

static int meet(Meeting *m, Error *err)
{
    if (lock_barrier(m, err) || context_connect_sink(m->ctx, &m->release, err))
        return -1;
    int rc = hold_and_take(m, err);
    give_back(m);
    PQfinish(m->release);
    return rc;
}

// ---- without a running process -----------------------------------------------------------------------------------

// The lock is kept until the sink's snapshots stand, so that nobody applies in between.
static int apply_and_take(const Context *ctx, Progress *progress, VerifyPoint *point, Error *err)
{
    Ledger ledger;

    if (ledger_open(ctx, &ledger, err))
        return -1;
    int rc = take_source(ctx, point, err);
    if (rc == 0) {
        progress_phase(progress, "applying up to %s", lsn_format(point->lsn).text);
        log_info(LOGGER, "no cdc process runs: applying up to LSN %s", lsn_format(point->lsn).text);
        rc = apply_until(ctx, &ledger, point->lsn, err);
    }
    if (rc == 0)
        rc = begin_now(point, true, err);
    ledger_close(&ledger);
    return rc;
}

// ---- the way to the point ----------------------------------------------------------------------------------------

static int check_copied(Ledger *ledger, Error *err)
{
    Arena arena = {0};
    LedgerRelations relations = {0};
    size_t waiting = 0;
    const LedgerRelation *first = NULL;
    int rc = ledger_relations_load(ledger->conn, ledger->task.id, &arena, &relations, err);

    for (size_t i = 0; rc == 0 && i < relations.count; i++) {
        if (relations.items[i].state == RELATION_DONE)
            continue;
        waiting++;
        first = first ? first : &relations.items[i];
    }
    if (rc == 0 && waiting) {
        rc = error_set(err, ERROR_CONDITION, "%zu of %zu tables are still being copied (the first: \"%s\".\"%s\")",
                       waiting, relations.count, first->schema, first->name);
        error_hint(err, "wait until init-data has ended, then start verify again");
    }
    arena_free(&arena);
    return rc;
}

static int take(const Context *ctx, Progress *progress, VerifyPoint *point, Error *err)
{
    Meeting m = {.ctx = ctx, .progress = progress, .point = point};
    bool found = false, running = false;

    if (ledger_open_shared(ctx, &m.ledger, &found, err))
        return -1;
    int rc = found ? check_copied(&m.ledger, err) : 0;
    bool has_slot = found && m.ledger.task.slot_state == SLOT_READY;
    if (rc == 0 && has_slot)
        rc = ledger_is_running(ctx, m.ledger.conn, &running, err);
    if (rc == 0 && has_slot && running)
        rc = meet(&m, err);
    ledger_close(&m.ledger);
    if (rc || running)
        return rc;
    if (has_slot)
        return apply_and_take(ctx, progress, point, err);
    return begin_now(point, false, err) || begin_now(point, true, err) ? -1 : 0;
}

static int connect_pairs(const Context *ctx, VerifyPoint *point, Error *err)
{
    for (int i = 0; i < point->count; i++) {
        VerifyPair *pair = &point->pairs[i];
        if (context_connect_source(ctx, PG_ORDINARY, &pair->source, err) || context_connect_sink(ctx, &pair->sink, err))
            return -1;
        pair->cancel_source = PQgetCancel(pair->source);
        pair->cancel_sink = PQgetCancel(pair->sink);
    }
    return 0;
}

// Whether the same bytes give the same hash: not so between byte orders or encodings.
static int choose_dialect(const Context *ctx, VerifyPoint *point, Error *err)
{
    PGconn *source = point->pairs[0].source, *sink = point->pairs[0].sink;
    const char *source_encoding = PQparameterStatus(source, "server_encoding");
    const char *sink_encoding = PQparameterStatus(sink, "server_encoding");
    bool same = source_encoding && sink_encoding && strcmp(source_encoding, sink_encoding) == 0;

    if (same && verify_dialect(ctx->source_version, ctx->sink_version, true).extended) {
        auto_free char *a = NULL;
        auto_free char *b = NULL;
        if (pg_text(source, verify_sql_probe, &a, err) || pg_text(sink, verify_sql_probe, &b, err))
            return error_wrap(err, "comparing the hash functions of both ends");
        same = a && b && strcmp(a, b) == 0;
    }
    point->dialect = verify_dialect(ctx->source_version, ctx->sink_version, same);
    int sample = ctx->task->verify_sample;
    point->dialect.sample = sample < 100 ? (uint32_t)(sample * 1024 + 99) / 100 : 0;
    return 0;
}

int verify_point_take(const Context *ctx, Progress *progress, VerifyPoint *out, Error *err)
{
    *out = (VerifyPoint){.count = ctx->task->jobs};
    progress_phase(progress, "taking a snapshot of both ends");
    if (connect_pairs(ctx, out, err) || choose_dialect(ctx, out, err) || take(ctx, progress, out, err)) {
        verify_point_release(out);
        return -1;
    }
    return 0;
}

int verify_point_take_still(const Context *ctx, Progress *progress, double deadline, VerifyPoint *out, Error *err)
{
    *out = (VerifyPoint){.count = ctx->task->jobs, .still = true, .deadline = deadline};
    progress_phase(progress, "taking a snapshot of both ends");
    if (connect_pairs(ctx, out, err) || choose_dialect(ctx, out, err) || begin_now(out, false, err) ||
        begin_now(out, true, err)) {
        verify_point_release(out);
        return -1;
    }
    out->dialect.sample = 0;
    return 0;
}

int verify_pair_unlock(const VerifyPair *pair, Error *err)
{
    return pg_exec(pair->source, "ROLLBACK TO SAVEPOINT " SAVEPOINT, err) ||
                   pg_exec(pair->sink, "ROLLBACK TO SAVEPOINT " SAVEPOINT, err)
               ? -1
               : 0;
}

static void cancel_one(PGcancel *cancel)
{
    char ignored[256];
    if (cancel)
        PQcancel(cancel, ignored, sizeof ignored);
}

void verify_point_cancel(VerifyPoint *point)
{
    for (int i = 0; i < point->count; i++) {
        cancel_one(point->pairs[i].cancel_source);
        cancel_one(point->pairs[i].cancel_sink);
    }
}

static void finish(PGconn *conn, PGcancel *cancel)
{
    // A server does not notice that its client is gone until it sends: a scan of hours would go on.
    if (conn && PQtransactionStatus(conn) == PQTRANS_ACTIVE)
        cancel_one(cancel);
    PQfreeCancel(cancel);
    PQfinish(conn);
}

void verify_point_release(VerifyPoint *point)
{
    for (int i = 0; i < point->count; i++) {
        finish(point->pairs[i].source, point->pairs[i].cancel_source);
        finish(point->pairs[i].sink, point->pairs[i].cancel_sink);
        point->pairs[i] = (VerifyPair){0};
    }
}
