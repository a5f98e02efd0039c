// SPDX-License-Identifier: Apache-2.0
// The thread that applies batches in the sink. Reads nothing from the source.
#include "engine/apply/applier.h"

#include "common/base/clock.h"
#include "common/base/lsn.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/apply/apply_batch.h"
#include "engine/apply/feedback.h"

#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { FLUSH_POLL_MS = 100 };

struct Applier {
    const Context *ctx;
    int64_t task_id;
    char owner[40];
    PGconn *sink;
    bool replica;
    pthread_t thread;
    bool thread_runs;
    int fd;

    // the thread's own
    StatementRunner runner;
    Fold fold;
    bool in_transaction; // a part of a long transaction was applied and not committed
    LedgerPosition position;
    int64_t open_transactions; // whole ones that share the sink's open transaction with a part
    ApplyCounts uncommitted;   // of the parts; shown while they are applied, taken back if they are not committed

    pthread_mutex_t lock;
    pthread_cond_t wake;
    Batch *batch; // NULL: idle
    bool quit;
    Error failure;
    Feedback feedback;
    uint64_t applied;
};

// ---- one batch ---------------------------------------------------------------------------------------------------

static int commit(Applier *a, const Batch *b, Error *err)
{
    auto_pgresult PGresult *res = NULL;
    LedgerPosition next = a->position;
    static const char COMMIT[] =
        "COMMIT; SELECT pg_catalog.pg_current_wal_insert_lsn(), pg_catalog.pg_current_wal_flush_lsn()";

    next.lsn = b->end_lsn;
    next.transactions += b->transactions + a->open_transactions;
    if (b->commit_time > 0)
        next.commit_time = b->commit_time;
    if (ledger_position_move(a->sink, a->task_id, a->owner, a->position.lsn, &next, err))
        return -1;
    if (!PQsendQuery(a->sink, COMMIT))
        return pg_error(a->sink, NULL, err, "committing");
    if (pg_finish_query(a->sink, COMMIT, &res, err))
        return error_wrap(err, "committing the changes up to %s", lsn_format(b->end_lsn).text);
    a->in_transaction = false;
    a->position = next;

    pthread_mutex_lock(&a->lock);
    feedback_committed(&a->feedback, b->end_lsn, pg_get_lsn(res, 0, 0));
    feedback_flushed(&a->feedback, pg_get_lsn(res, 0, 1));
    a->applied = b->end_lsn;
    pthread_mutex_unlock(&a->lock);
    return 0;
}

// Adds counts to what people see, or (sign -1) takes them back.
static void show_counts(Progress *p, const ApplyCounts *counts, int sign)
{
    p->inserts += sign * counts->inserts;
    p->updates += sign * counts->updates;
    p->deletes += sign * counts->deletes;
    p->truncates += sign * counts->truncates;
    p->changes += sign * (counts->inserts + counts->updates + counts->deletes + counts->truncates);
}

static void report(Applier *a, const Batch *b, const ApplyCounts *counts)
{
    Progress *p = a->ctx->progress;
    double now = clock_now();

    pthread_mutex_lock(&p->lock);
    show_counts(p, counts, 1);
    p->replays += counts->replays;
    p->batches += b->count > 0;
    if (b->ends_at_commit) {
        p->lsn_applied = b->end_lsn;
        // Until the monitor looks again the source stands where it stood.
        p->lag_bytes = p->lsn_source > p->lsn_applied ? (int64_t)(p->lsn_source - p->lsn_applied) : 0;
        if (p->lag_bytes == 0)
            p->lag_seconds = 0;
        if (b->commit_time > 0)
            p->commit_time = b->commit_time;
        p->transactions += b->transactions + a->open_transactions;
    }
    pthread_mutex_unlock(&p->lock);
    if (!b->ends_at_commit) {
        a->uncommitted.inserts += counts->inserts;
        a->uncommitted.updates += counts->updates;
        a->uncommitted.deletes += counts->deletes;
        a->uncommitted.truncates += counts->truncates;
        a->open_transactions += b->transactions;
        return;
    }
    a->uncommitted = (ApplyCounts){0};
    a->open_transactions = 0;
    for (size_t i = 0; i < b->commit_count; i++)
        progress_lag(p, now - b->commit_times[i]);
}

static void take_back_uncommitted(Applier *a)
{
    Progress *p = a->ctx->progress;

    pthread_mutex_lock(&p->lock);
    show_counts(p, &a->uncommitted, -1);
    pthread_mutex_unlock(&p->lock);
}

static int apply_run(Applier *a, const Batch *b, Error *err)
{
    ApplyCounts counts = {0};

    // A position alone (nothing of ours happened on the source) needs no savepoint.
    const char *begin = a->in_transaction ? "SAVEPOINT kubeferry"
                        : b->count        ? "BEGIN; SET CONSTRAINTS ALL DEFERRED; SAVEPOINT kubeferry"
                                          : "BEGIN";
    if (pg_exec(a->sink, begin, err))
        return -1;
    a->in_transaction = true;
    if (apply_batch(&a->runner, &a->fold, b, &counts, err))
        return -1;
    a->position.changes += (int64_t)b->count;
    if (b->ends_at_commit ? commit(a, b, err) : pg_exec(a->sink, "RELEASE SAVEPOINT kubeferry", err))
        return -1;
    report(a, b, &counts);
    return 0;
}

// A full batch mostly ends within a transaction. What is complete before it is committed by itself: else a long backlog
// would become one transaction of the sink, which a failure undoes as a whole.
static int apply_one(Applier *a, const Batch *b, Error *err)
{
    if (b->ends_at_commit || b->transactions == 0)
        return apply_run(a, b, err);

    Batch complete = *b, rest = *b;
    complete.count = b->committed;
    complete.ends_at_commit = true;
    rest.changes += b->committed;
    rest.count -= b->committed;
    rest.transactions = 0;
    rest.commit_count = 0;
    if (apply_run(a, &complete, err))
        return -1;
    return rest.count ? apply_run(a, &rest, err) : 0;
}

// ---- thread ------------------------------------------------------------------------------------------------------

static void signal_reader(Applier *a)
{
    const uint64_t one = 1;
    ssize_t ignored = write(a->fd, &one, sizeof one);
    (void)ignored;
}

// Commits that are not on the sink's disk yet: look again, so that the source may let its WAL go.
static int poll_flush(Applier *a, Error *err)
{
    auto_free char *text = NULL;
    uint64_t flushed = 0;

    if (pg_text(a->sink, "SELECT pg_catalog.pg_current_wal_flush_lsn()", &text, err))
        return -1;
    if (text && lsn_parse(text, &flushed)) {
        pthread_mutex_lock(&a->lock);
        feedback_flushed(&a->feedback, flushed);
        pthread_mutex_unlock(&a->lock);
    }
    return 0;
}

// Waits for a batch; NULL after FLUSH_POLL_MS when commits wait for the sink's disk. False: the thread is to end.
static bool wait_for_batch(Applier *a, Batch **batch)
{
    struct timespec until;

    pthread_mutex_lock(&a->lock);
    while (!a->batch && !a->quit) {
        if (!feedback_is_pending(&a->feedback)) {
            pthread_cond_wait(&a->wake, &a->lock);
            continue;
        }
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += FLUSH_POLL_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (pthread_cond_timedwait(&a->wake, &a->lock, &until))
            break;
    }
    bool go_on = !a->quit;
    *batch = a->batch;
    pthread_mutex_unlock(&a->lock);
    return go_on;
}

static void *run(void *arg)
{
    Applier *a = arg;
    Error err = {0};
    Batch *batch;

    while (wait_for_batch(a, &batch)) {
        int rc = batch ? apply_one(a, batch, &err) : poll_flush(a, &err);
        pthread_mutex_lock(&a->lock);
        if (rc)
            a->failure = err;
        else if (batch)
            a->batch = NULL;
        pthread_mutex_unlock(&a->lock);
        if (rc || batch)
            signal_reader(a);
        if (rc)
            break;
    }
    return NULL;
}

// ---- set-up ------------------------------------------------------------------------------------------------------

static int prepare_session(Applier *a, Error *err)
{
    // Each row is found through its index, whatever the statistics of a new table say; a table without a usable index
    // is scanned all the same.
    if (pg_exec(a->sink,
                "SET synchronous_commit = off; SET enable_hashjoin = off; SET enable_mergejoin = off;"
                " SET enable_seqscan = off; SET enable_material = off",
                err))
        return -1;
    if (PQserverVersion(a->sink) >= 110000 && pg_exec(a->sink, "SET jit = off", err))
        return -1;
    if (PQserverVersion(a->sink) >= 120000 && pg_exec(a->sink, "SET plan_cache_mode = force_generic_plan", err))
        return -1;
    if (context_can_set_replication_role(a->sink, &a->replica, err))
        return -1;
    return a->replica ? pg_exec(a->sink, "SET session_replication_role = replica", err) : 0;
}

// The session before committed asynchronously, too: the position that was read here may not be on the sink's disk yet.
// Nothing is told to the source until it is.
static int await_start(Applier *a, Error *err)
{
    auto_free char *text = NULL;
    uint64_t written = 0;

    if (pg_text(a->sink, "SELECT pg_catalog.pg_current_wal_insert_lsn()", &text, err))
        return -1;
    if (!text || !lsn_parse(text, &written))
        return error_set(err, ERROR_PROTOCOL, "the sink gave no LSN");
    feedback_committed(&a->feedback, a->position.lsn, written);
    return 0;
}

int applier_start(const Context *ctx, const Ledger *ledger, const LedgerPosition *start, Applier **out, Error *err)
{
    Applier *a = memory_zalloc(sizeof *a);

    *a = (Applier){.ctx = ctx, .task_id = ledger->task.id, .position = *start, .applied = start->lsn, .fd = -1};
    memcpy(a->owner, ledger->task.owner, sizeof a->owner);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->wake, NULL);
    a->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->fd < 0) {
        error_errno(err, "could not create an event descriptor");
        goto failed;
    }
    if (context_connect_sink(ctx, &a->sink, err) || prepare_session(a, err) || await_start(a, err))
        goto failed;
    a->runner.sink = a->sink;
    if (pthread_create(&a->thread, NULL, run, a)) {
        error_set(err, ERROR_SYSTEM, "could not start the applying thread");
        goto failed;
    }
    a->thread_runs = true;
    *out = a;
    return 0;
failed:
    applier_stop(a);
    return -1;
}

void applier_stop(Applier *a)
{
    if (!a)
        return;
    if (a->thread_runs) {
        pthread_mutex_lock(&a->lock);
        a->quit = true;
        pthread_cond_signal(&a->wake);
        pthread_mutex_unlock(&a->lock);
        pthread_join(a->thread, NULL);
        take_back_uncommitted(a);
    }
    if (a->sink)
        PQfinish(a->sink);
    if (a->fd >= 0)
        close(a->fd);
    statement_runner_free(&a->runner);
    fold_free(&a->fold);
    feedback_free(&a->feedback);
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->wake);
    free(a);
}

// ---- the reader's side -------------------------------------------------------------------------------------------

bool applier_is_replica(const Applier *a)
{
    return a->replica;
}

int applier_fd(const Applier *a)
{
    return a->fd;
}

void applier_clear_fd(Applier *a)
{
    uint64_t ignored;
    ssize_t n = read(a->fd, &ignored, sizeof ignored);
    (void)n;
}

bool applier_is_idle(Applier *a)
{
    pthread_mutex_lock(&a->lock);
    bool idle = a->batch == NULL && a->failure.code == ERROR_NONE;
    pthread_mutex_unlock(&a->lock);
    return idle;
}

void applier_give(Applier *a, Batch *batch)
{
    pthread_mutex_lock(&a->lock);
    a->batch = batch;
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->lock);
}

int applier_check(Applier *a, Error *err)
{
    pthread_mutex_lock(&a->lock);
    bool failed = a->failure.code != ERROR_NONE;
    if (failed)
        *err = a->failure;
    pthread_mutex_unlock(&a->lock);
    return failed ? -1 : 0;
}

uint64_t applier_flushed(Applier *a)
{
    pthread_mutex_lock(&a->lock);
    uint64_t lsn = a->feedback.flushed;
    pthread_mutex_unlock(&a->lock);
    return lsn;
}

uint64_t applier_applied(Applier *a)
{
    pthread_mutex_lock(&a->lock);
    uint64_t lsn = a->applied;
    pthread_mutex_unlock(&a->lock);
    return lsn;
}
