// SPDX-License-Identifier: Apache-2.0
// The life of a worker: connect, take, relay, note, commit; build; begin again after a lost connection.
#include "engine/copy/copy_worker.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/copy/copy_statement.h"
#include "engine/copy/large_objects.h"
#include "engine/copy/relay.h"
#include "engine/ledger/ledger_share.h"
#include "engine/pg/quote.h"

#include <string.h>
#include <time.h>

enum {
    TRIES = 8, // of one piece of work, with a growing pause between
    FIRST_PAUSE_MS = 250,
    IDLE_MS = 200,
    GROUP_MAX = 50, // small relations copied in one transaction of the sink
    GROUP_SECONDS = 1,
    LOCKS_MAX = 200, // tables that a transaction of the source may have read, and so keeps locked
    PARALLEL_BUILD_SINCE = 110000,
    GENERIC_PLAN_SINCE = 120000
};
static const int64_t GROUP_BYTES = 1024 * 1024;

struct CopyWorker {
    CopyJob *job;
    int number;
    pthread_t thread;
    PGconn *source, *sink;
    bool in_snapshot; // the source's transaction is open
    int locked;       // tables that it has read
    int32_t table_id; // whose columns `table` describes; 0: none
    CopyTable table;
    Relay relay;
    pthread_mutex_t cancel_lock;
    PGcancel *cancels[2];
    bool prepared[2]; // the columns' query, on source and sink
};

// ---- connections -------------------------------------------------------------------------------------------------

static void set_cancel(CopyWorker *w, int which, PGconn *conn)
{
    pthread_mutex_lock(&w->cancel_lock);
    PQfreeCancel(w->cancels[which]);
    w->cancels[which] = conn ? PQgetCancel(conn) : NULL;
    pthread_mutex_unlock(&w->cancel_lock);
}

static void disconnect(CopyWorker *w)
{
    set_cancel(w, 0, NULL);
    set_cancel(w, 1, NULL);
    if (w->source)
        PQfinish(w->source);
    if (w->sink)
        PQfinish(w->sink);
    w->source = w->sink = NULL;
    w->in_snapshot = w->prepared[0] = w->prepared[1] = false;
    w->table_id = 0;
}

static int connect_sink(CopyWorker *w, Error *err)
{
    if (w->sink)
        return 0;
    if (context_connect_sink(w->job->ctx, &w->sink, err))
        return -1;
    set_cancel(w, 1, w->sink);
    if (pg_exec(w->sink, "SET synchronous_commit = off; SET maintenance_work_mem = '256MB'", err) ||
        (w->job->ctx->sink_version >= GENERIC_PLAN_SINCE &&
         pg_exec(w->sink, "SET plan_cache_mode = force_generic_plan", err)) ||
        (w->job->ctx->sink_version >= PARALLEL_BUILD_SINCE &&
         pg_exec(w->sink, "SET max_parallel_maintenance_workers = 2", err)))
        return -1;
    return w->job->replica_role ? pg_exec(w->sink, "SET session_replication_role = replica", err) : 0;
}

// An exported snapshot that cannot be imported any more: another one is needed, a new try of the same does not help.
static bool is_lost_snapshot(const Error *err)
{
    return strcmp(err->sqlstate, "22023") == 0 || strcmp(err->sqlstate, "55000") == 0 ||
           strcmp(err->sqlstate, "42704") == 0;
}

static int enter_snapshot(CopyWorker *w, bool *lost, Error *err)
{
    auto_buffer Buffer sql = {0};

    if (w->in_snapshot)
        return 0;
    if (!w->source) {
        if (context_connect_source(w->job->ctx, PG_ORDINARY, &w->source, err))
            return -1;
        set_cancel(w, 0, w->source);
        if (w->job->ctx->source_version >= GENERIC_PLAN_SINCE &&
            pg_exec(w->source, "SET plan_cache_mode = force_generic_plan", err))
            return -1;
    }
    buffer_puts(&sql, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT ");
    quote_literal(&sql, w->job->snapshot);
    if (pg_exec(w->source, sql.data, err)) {
        *lost = is_lost_snapshot(err);
        if (*lost)
            err->code = ERROR_TRANSIENT;
        return error_wrap(err, "importing the snapshot on the source");
    }
    w->in_snapshot = true;
    w->locked = 0;
    return 0;
}

// A build may take hours: the source must not keep dead rows for it.
static void leave_snapshot(CopyWorker *w)
{
    Error ignored = {0};

    if (w->in_snapshot && pg_exec(w->source, "COMMIT", &ignored)) {
        set_cancel(w, 0, NULL);
        PQfinish(w->source);
        w->source = NULL;
        w->prepared[0] = false;
    }
    w->in_snapshot = false;
}

// ---- copying -----------------------------------------------------------------------------------------------------

static int load_table(CopyWorker *w, const LedgerRelation *relation, Error *err)
{
    Arena arena = {0};
    ColumnList source, sink;

    if (w->table_id == relation->id)
        return 0;
    copy_table_free(&w->table);
    w->table_id = 0;
    int rc = columns_load_again(w->source, &w->prepared[0], relation->schema, relation->name, &arena, &source, err) ||
             columns_load_again(w->sink, &w->prepared[1], relation->schema, relation->name, &arena, &sink, err) ||
             copy_table_match(relation->schema, relation->name, &source, &sink, w->job->same_encoding, &w->table, err);
    arena_free(&arena);
    if (rc)
        return -1;
    w->table_id = relation->id;
    w->locked++;
    return 0;
}

static int copy_chunk(CopyWorker *w, const Chunk *chunk, int64_t *left, Error *err)
{
    const LedgerRelation *relation = copy_job_relation(w->job, chunk->relation);
    auto_buffer Buffer source_sql = {0};
    auto_buffer Buffer sink_sql = {0};
    int64_t rows = 0, bytes = 0;

    if (!relation)
        return error_set(err, ERROR_BUSY, "the ledger holds a chunk of a relation that this process does not know");
    if (load_table(w, relation, err))
        return -1;
    copy_statement_source(&w->table, chunk, &source_sql);
    copy_statement_sink(&w->table, &sink_sql);
    w->relay.source = w->source;
    w->relay.sink = w->sink;
    w->relay.source_sql = source_sql.data;
    w->relay.sink_sql = sink_sql.data;
    w->relay.label = w->table.source;
    w->relay.binary = w->table.binary;
    progress_worker_start(w->job->ctx->progress, w->number, w->table.source, "copy", chunk->bytes);
    int rc = relay_run(&w->relay, &rows, &bytes, err);
    progress_worker_end(w->job->ctx->progress, w->number);
    return rc ? -1 : ledger_chunk_done(w->sink, w->job->task_id, chunk, rows, bytes, left, err);
}

static int64_t now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

// One transaction of the sink: one chunk, or several small relations that are a chunk each (only those: a worker that
// holds the rows of many large relations in the ledger would make the others wait, in a circle at worst).
static int copy_some(CopyWorker *w, bool *found, bool *lost, Error *err)
{
    int32_t complete[GROUP_MAX];
    size_t complete_count = 0;
    int64_t bytes = 0, started = now_s();
    bool more = true;

    *found = false;
    if (connect_sink(w, err) || pg_exec(w->sink, "BEGIN", err))
        return -1;
    for (int n = 0; more && n < GROUP_MAX && bytes < GROUP_BYTES && now_s() - started <= GROUP_SECONDS; n++) {
        Chunk chunk;
        int64_t left = 0;
        if (ledger_chunk_take(w->sink, w->job->task_id, &chunk, &more, err))
            return -1;
        if (!more)
            break;
        *found = true;
        if (enter_snapshot(w, lost, err) || copy_chunk(w, &chunk, &left, err))
            return -1;
        bytes += chunk.bytes;
        more = chunk.whole;
        if (left == 0)
            complete[complete_count++] = chunk.relation;
    }
    if (*found && ledger_fence(w->sink, w->job->task_id, w->job->owner, err))
        return -1;
    // When the answer is lost, the coordinator learns from the ledger what it was.
    if (pg_exec(w->sink, "COMMIT", err))
        return error_wrap(err, "committing copied rows on the sink");
    for (size_t i = 0; i < complete_count; i++)
        copy_job_relation_complete(w->job, complete[i]);
    return 0;
}

// ---- building ----------------------------------------------------------------------------------------------------

static int finish_relation(CopyWorker *w, const LedgerRelation *relation, Error *err)
{
    auto_buffer Buffer sql = {0};

    buffer_puts(&sql, "ANALYZE ");
    quote_relation(&sql, relation->schema, relation->name);
    if (pg_exec(w->sink, sql.data, err))
        return error_wrap(err, "analyzing %s.%s on the sink", relation->schema, relation->name);
    if (ledger_relation_state(w->sink, w->job->task_id, relation->id, RELATION_DONE, err))
        return -1;
    progress_table_done(w->job->ctx->progress, 1);
    return 0;
}

static int build(CopyWorker *w, const BuildWork *work, Error *err)
{
    const LedgerRelation *relation = copy_job_relation(w->job, work->id);
    Progress *progress = w->job->ctx->progress;
    StructureOutcome outcome;

    leave_snapshot(w);
    if (!relation)
        return error_set(err, ERROR_BUSY, "relation %d is not in the ledger", work->id);
    if (connect_sink(w, err))
        return -1;
    if (!work->item)
        return finish_relation(w, relation, err);
    auto_free char *label = quote_relation_text(relation->schema, relation->name);
    progress_worker_start(progress, w->number, label, "index", 0);
    int rc = structure_execute(w->job->structure, w->job->ctx, w->sink, w->job->task_id, work->item, &outcome, err);
    progress_worker_end(progress, w->number);
    if (rc)
        return error_wrap(err, "making %s in the sink", work->item->identity);
    progress_index_done(progress);
    return 0;
}

// ---- the thread --------------------------------------------------------------------------------------------------

// After a failure: whether the same piece may be tried again, after a pause and with new connections.
static bool may_try_again(CopyWorker *w, const Error *err, bool lost, int *tries)
{
    disconnect(w);
    // Out of disk, memory or connections does not pass within seconds; a person should hear of it.
    bool resources = strncmp(err->sqlstate, "53", 2) == 0;
    if (lost || resources || !error_is_retryable(err) || copy_job_failed(w->job) || ++*tries >= TRIES)
        return false;
    log_warn("copy", "worker %d tries again (%d of %d): %s", w->number + 1, *tries, TRIES - 1, err->message);
    return !stop_sleep_ms(FIRST_PAUSE_MS << (*tries < 5 ? *tries : 5));
}

static int copy_step(CopyWorker *w, bool *found, bool *lost, int *tries, Error *err)
{
    do {
        if (copy_some(w, found, lost, err) == 0) {
            *tries = 0;
            return 0;
        }
    } while (may_try_again(w, err, *lost, tries));
    return -1;
}

static int large_objects_step(CopyWorker *w, bool *lost, int *tries, Error *err)
{
    do {
        if (connect_sink(w, err) == 0 && enter_snapshot(w, lost, err) == 0 &&
            large_objects_copy(w->job->ctx, w->job->task_id, w->source, w->sink, err) == 0) {
            copy_job_large_objects_complete(w->job);
            return 0;
        }
    } while (may_try_again(w, err, *lost, tries));
    return -1;
}

static int build_step(CopyWorker *w, BuildWork work, int *tries, Error *err)
{
    do {
        *tries = 0;
        while (build(w, &work, err))
            if (!may_try_again(w, err, false, tries))
                return -1;
    } while (copy_job_built(w->job, &work, &work));
    return 0;
}

static int work_on(CopyWorker *w, bool *lost, Error *err)
{
    bool may_copy = true;
    int tries = 0;

    for (;;) {
        BuildWork work;
        bool found = false;
        int rc = stop_check(err);
        if (rc)
            return rc;
        switch (copy_job_next(w->job, may_copy, &work)) {
        case JOB_COPY:
            rc = copy_step(w, &found, lost, &tries, err);
            may_copy = found;
            if (w->locked >= LOCKS_MAX) // the source's lock table is small, and pg_dump fills it, too
                leave_snapshot(w);
            break;
        case JOB_BUILD:
            rc = build_step(w, work, &tries, err);
            may_copy = true;
            break;
        case JOB_LARGE_OBJECTS:
            rc = large_objects_step(w, lost, &tries, err);
            break;
        case JOB_WAIT:
            leave_snapshot(w);
            copy_job_wait(w->job, IDLE_MS);
            may_copy = true;
            break;
        case JOB_END:
            return 0;
        }
        if (rc)
            return rc;
    }
}

static void *run(void *arg)
{
    CopyWorker *w = arg;
    Error err = {0};
    bool lost = false;

    if (work_on(w, &lost, &err))
        copy_job_fail(w->job, &err, lost);
    disconnect(w);
    pthread_mutex_lock(&w->job->lock);
    w->job->workers--;
    pthread_cond_broadcast(&w->job->changed);
    pthread_mutex_unlock(&w->job->lock);
    return NULL;
}

int copy_worker_start(CopyJob *job, int number, CopyWorker **out, Error *err)
{
    CopyWorker *w = memory_zalloc(sizeof *w);

    w->job = job;
    w->number = number;
    w->relay.abort_fd = job->abort_fd;
    w->relay.progress = job->ctx->progress;
    w->relay.worker = number;
    pthread_mutex_init(&w->cancel_lock, NULL);
    pthread_mutex_lock(&job->lock);
    job->workers++;
    pthread_mutex_unlock(&job->lock);
    int rc = pthread_create(&w->thread, NULL, run, w);
    if (rc == 0) {
        *out = w;
        return 0;
    }
    pthread_mutex_lock(&job->lock);
    job->workers--;
    pthread_mutex_unlock(&job->lock);
    free(w);
    return error_set(err, ERROR_SYSTEM, "could not start a worker thread: %s", strerror(rc));
}

void copy_worker_cancel(CopyWorker *w)
{
    char ignored[256];

    pthread_mutex_lock(&w->cancel_lock);
    for (int i = 0; i < 2; i++)
        if (w->cancels[i])
            PQcancel(w->cancels[i], ignored, sizeof ignored);
    pthread_mutex_unlock(&w->cancel_lock);
}

void copy_worker_join(CopyWorker *w)
{
    pthread_join(w->thread, NULL);
    copy_table_free(&w->table);
    buffer_free(&w->relay.batch);
    pthread_mutex_destroy(&w->cancel_lock);
    free(w);
}
