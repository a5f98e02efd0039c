// SPDX-License-Identifier: Apache-2.0
// The coordinator of one copy: starts the workers, gets the structure meanwhile, watches, lets the snapshot go.
#include "engine/copy/copy_run.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/copy/copy_worker.h"

#include <time.h>

enum { TICK_MS = 250, OWNER_CHECK_TICKS = 20 };

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

static int workers_left(CopyJob *job)
{
    pthread_mutex_lock(&job->lock);
    int left = job->workers;
    pthread_mutex_unlock(&job->lock);
    return left;
}

// A commit whose answer was lost may have completed relations that no worker knows of.
static int find_completed(CopyRun *run, CopyJob *job, Error *err)
{
    Arena arena = {0};
    LedgerRelations now;

    pthread_mutex_lock(&job->lock);
    bool unsure = job->unsure;
    pthread_mutex_unlock(&job->lock);
    if (!unsure)
        return 0;
    int rc = ledger_relations_load(run->ledger->conn, job->task_id, &arena, &now, err);
    for (size_t i = 0; rc == 0 && i < now.count; i++)
        if (now.items[i].state == RELATION_COPIED)
            copy_job_relation_complete(job, now.items[i].id);
    arena_free(&arena);
    return rc;
}

static void watch(CopyRun *run, CopyJob *job, CopyWorker **workers, int count)
{
    for (int tick = 1; workers_left(job) > 0; tick++) {
        Error err = {0};
        copy_job_wait(job, TICK_MS);
        if (copy_job_rows_complete(job) && run->snapshot->conn) {
            slot_release(run->snapshot);
            log_info("copy", "all rows are in; the snapshot is released");
            progress_phase(run->ctx->progress, "building indexes");
        }
        if (copy_job_failed(job))
            for (int i = 0; i < count; i++)
                copy_worker_cancel(workers[i]);
        else if (tick % OWNER_CHECK_TICKS == 0 &&
                 (ledger_check_owner(run->ledger, &err) || find_completed(run, job, &err)))
            copy_job_fail(job, &err, false);
    }
}

static int run_workers(CopyRun *run, CopyJob *job, Error *err)
{
    CopyWorker *workers[TASK_JOBS_MAX];
    int count = 0, rc = 0;

    while (rc == 0 && count < run->ctx->task->jobs) {
        rc = copy_worker_start(job, count, &workers[count], err);
        count += rc == 0;
    }
    if (rc)
        copy_job_fail(job, err, false);
    else
        load_structure(run, job);
    watch(run, job, workers, count);
    for (int i = 0; i < count; i++)
        copy_worker_join(workers[i]);
    if (!job->failed)
        return 0;
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
    job.snapshot = run->snapshot->name;
    job.replica_role = run->replica_role;
    job.same_encoding = run->same_encoding;
    job.large_objects_waiting = run->large_objects;
    job.parts_left = run->large_objects ? 1 : 0;
    queue_relations(&job, run->relations);
    progress_phase(run->ctx->progress, job.parts_left ? "copying rows" : "building indexes");
    int rc = run_workers(run, &job, err);
    copy_job_free(&job);
    return rc;
}
