// SPDX-License-Identifier: Apache-2.0
// The coordinator of one copy: starts the workers, gets the structure meanwhile, watches, lets the snapshot go.
#include "engine/copy/copy_run.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/copy/copy_worker.h"
#include "engine/ledger/ledger_share.h"

#include <time.h>

enum { TICK_MS = 250, READ_TICKS = 4, OWNER_CHECK_TICKS = 20 };

static void queue_relations(CopyJob *job, const LedgerRelations *relations)
{
    for (size_t i = 0; i < relations->count; i++) {
        const LedgerRelation *r = &relations->items[i];
        if (r->state == RELATION_WAITING)
            job->parts_left++;
        else if (r->state == RELATION_COPIED)
            build_queue_add(&job->queue, r->id, r->source_oid);
    }
}

static void count_indexes(const CopyRun *run)
{
    const StructureItem *items;
    Progress *p = run->ctx->progress;

    if (run->structure)
        progress_set_totals(p, p->tables_total, p->rows_total, p->bytes_total,
                            (int64_t)structure_items(run->structure, &items));
}

// While the workers copy already: a dump of a large catalogue takes its time.
static void load_structure(CopyRun *run, CopyJob *job)
{
    Error err = {0};

    const bool *steps = run->ctx->task->steps;
    bool wanted = steps[STEP_INIT_STRUCT] || steps[STEP_INIT_STRUCT_LATER];

    if (wanted && structure_open(run->ctx, run->list, NULL, &run->structure, &err)) {
        copy_job_fail(job, &err, false);
        return;
    }
    count_indexes(run);
    pthread_mutex_lock(&job->lock);
    job->structure = run->structure;
    build_queue_open(&job->queue, run->structure);
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->lock);
}

// ---- the workers -------------------------------------------------------------------------------------------------

typedef struct Crew {
    CopyWorker *workers[TASK_JOBS_MAX];
    int count;
} Crew;

static int hire(CopyJob *job, Crew *crew, int count, Error *err)
{
    while (crew->count < count && crew->count < TASK_JOBS_MAX) {
        if (copy_worker_start(job, crew->count, &crew->workers[crew->count], err))
            return -1;
        crew->count++;
    }
    return 0;
}

static int workers_left(CopyJob *job)
{
    pthread_mutex_lock(&job->lock);
    int left = job->workers;
    pthread_mutex_unlock(&job->lock);
    return left;
}

// What the ledger knows and our workers may not: rows that other processes copied, and those of a commit whose answer
// was lost.
static int read_ledger(CopyRun *run, CopyJob *job, bool final, Error *err)
{
    CopiedRows copied;

    if (ledger_copied(run->ledger->conn, job->task_id, &copied, err))
        return -1;
    for (size_t i = 0; i < copied.complete_count; i++)
        copy_job_relation_complete(job, copied.complete[i]);
    free(copied.complete);
    progress_copied(run->ctx->progress, copied.rows, copied.bytes, final);
    return 0;
}

static int end_copying(CopyRun *run, CopyJob *job, Error *err)
{
    if (!copy_job_rows_complete(job) || !run->snapshot->conn)
        return 0;
    slot_release(run->snapshot);
    if (read_ledger(run, job, true, err))
        return -1;
    log_info("copy", "all rows are in; the snapshot is released");
    progress_phase(run->ctx->progress, "building indexes");
    return ledger_share_put(run->ledger, SHARE_COPIED, "", err);
}

static int watch_once(CopyRun *run, CopyJob *job, Crew *crew, int tick, Error *err)
{
    const TaskDocument *task = run->ctx->task;

    if (end_copying(run, job, err))
        return -1;
    // The other processes have ended: their connections may build.
    if (copy_job_rows_complete(job) && hire(job, crew, task->jobs * task->workers, err))
        return -1;
    if (tick % READ_TICKS == 0 && read_ledger(run, job, false, err))
        return -1;
    return tick % OWNER_CHECK_TICKS == 0 ? ledger_check_owner(run->ledger, err) : 0;
}

static void watch(CopyRun *run, CopyJob *job, Crew *crew)
{
    for (int tick = 1; workers_left(job) > 0; tick++) {
        Error err = {0};
        copy_job_wait(job, TICK_MS);
        if (copy_job_failed(job))
            for (int i = 0; i < crew->count; i++)
                copy_worker_cancel(crew->workers[i]);
        else if (watch_once(run, job, crew, tick, &err))
            copy_job_fail(job, &err, false);
    }
}

static int run_workers(CopyRun *run, CopyJob *job, Error *err)
{
    Crew crew = {.count = 0};
    int rc = hire(job, &crew, run->ctx->task->jobs, err);

    if (rc)
        copy_job_fail(job, err, false);
    else
        load_structure(run, job);
    watch(run, job, &crew);
    for (int i = 0; i < crew.count; i++)
        copy_worker_join(crew.workers[i]);
    if (!job->failed)
        return end_copying(run, job, err) || read_ledger(run, job, true, err) ? -1 : 0;
    *err = job->error;
    run->snapshot_lost = job->snapshot_lost;
    return -1;
}

int copy_run(CopyRun *run, Error *err)
{
    CopyJob job;

    run->structure = NULL;
    run->snapshot_lost = false;
    if (copy_job_init(&job, run->relations, err))
        return -1;
    job.ctx = run->ctx;
    job.task_id = run->ledger->task.id;
    job.owner = run->ledger->task.owner;
    job.snapshot = run->snapshot->name;
    job.replica_role = run->replica_role;
    job.same_encoding = run->same_encoding;
    job.large_objects_waiting = run->large_objects;
    job.parts_left = run->large_objects ? 1 : 0;
    queue_relations(&job, run->relations);
    progress_phase(run->ctx->progress, job.parts_left ? "copying rows" : "building indexes");
    int rc = ledger_share_put(run->ledger, job.parts_left ? SHARE_COPYING : SHARE_COPIED, job.snapshot, err);
    if (rc == 0)
        rc = run_workers(run, &job, err);
    copy_job_free(&job);
    return rc;
}
