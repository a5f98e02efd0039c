// SPDX-License-Identifier: Apache-2.0
// A helper's part of a copy. What it may commit is decided by the fence of each transaction (ledger_share.h); the looks
// at the ledger here only end its work early.
#include "engine/copy/copy_help.h"

#include "common/base/clock.h"
#include "engine/copy/copy_worker.h"

#include <string.h>

enum { TICK_MS = 250, LOOK_TICKS = 4 };

static int workers_left(CopyJob *job)
{
    pthread_mutex_lock(&job->lock);
    int left = job->workers;
    pthread_mutex_unlock(&job->lock);
    return left;
}

// -1: the workers are to give up.
static int look(CopyHelp *help, CopyJob *job, Error *err)
{
    Share now;

    if (ledger_share_get(help->ctx, help->sink, &now, err))
        return -1;
    if (!now.known || strcmp(now.owner, help->share->owner) != 0)
        return error_set(err, ERROR_TRANSIENT, "another process has taken the copy over");
    if (now.data_done || now.state == SHARE_COPIED)
        copy_job_all_complete(job);
    if (now.coordinated)
        *help->seen = clock_monotonic();
    if (clock_monotonic() - *help->seen <= help->patience)
        return 0;
    return error_set(err, ERROR_TRANSIENT, "no process has coordinated the copy for %.0f s", help->patience);
}

static void watch(CopyHelp *help, CopyJob *job, CopyWorker *const *workers, int count)
{
    for (int tick = 1; workers_left(job) > 0; tick++) {
        Error err = {0};
        copy_job_wait(job, TICK_MS);
        if (copy_job_failed(job))
            for (int i = 0; i < count; i++)
                copy_worker_cancel(workers[i]);
        else if (tick % LOOK_TICKS == 0 && look(help, job, &err))
            copy_job_fail(job, &err, false);
    }
}

static int run_workers(CopyHelp *help, CopyJob *job, Error *err)
{
    CopyWorker *workers[TASK_JOBS_MAX];
    int count = 0, rc = 0;

    while (rc == 0 && count < help->ctx->task->jobs) {
        rc = copy_worker_start(job, count, &workers[count], err);
        count += rc == 0;
    }
    if (rc)
        copy_job_fail(job, err, false);
    watch(help, job, workers, count);
    for (int i = 0; i < count; i++)
        copy_worker_join(workers[i]);
    if (!job->failed)
        return 0;
    *err = job->error;
    help->snapshot_lost = job->snapshot_lost;
    return -1;
}

int copy_help(CopyHelp *help, Error *err)
{
    CopyJob job;

    help->snapshot_lost = false;
    if (copy_job_init(&job, help->relations, err))
        return -1;
    job.ctx = help->ctx;
    job.helper = true;
    job.task_id = help->share->task_id;
    job.owner = help->share->owner;
    job.snapshot = help->share->snapshot;
    job.replica_role = help->replica_role;
    job.same_encoding = help->same_encoding;
    job.parts_left = 1;
    build_queue_open(&job.queue, NULL);
    int rc = run_workers(help, &job, err);
    copy_job_free(&job);
    return rc;
}
