// SPDX-License-Identifier: Apache-2.0
// The state that the workers share. Knows no SQL.
#include "engine/copy/copy_job.h"

#include "common/base/memory.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

int copy_job_init(CopyJob *job, const LedgerRelations *relations, Error *err)
{
    *job = (CopyJob){.relations = relations, .abort_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (job->abort_fd < 0)
        return error_errno(err, "could not create an event descriptor");
    job->complete = memory_alloc(relations->count + 1);
    for (size_t i = 0; i < relations->count; i++)
        job->complete[i] = relations->items[i].state != RELATION_WAITING;
    pthread_mutex_init(&job->lock, NULL);
    pthread_cond_init(&job->changed, NULL);
    return 0;
}

void copy_job_free(CopyJob *job)
{
    build_queue_free(&job->queue);
    pthread_cond_destroy(&job->changed);
    pthread_mutex_destroy(&job->lock);
    free(job->complete);
    close(job->abort_fd);
}

void copy_job_fail(CopyJob *job, const Error *err, bool snapshot_lost)
{
    const unsigned long long one = 1;

    pthread_mutex_lock(&job->lock);
    if (!job->failed) {
        job->failed = true;
        job->snapshot_lost = snapshot_lost;
        job->error = *err;
        ssize_t ignored = write(job->abort_fd, &one, sizeof one);
        (void)ignored;
    }
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->lock);
}

bool copy_job_failed(CopyJob *job)
{
    pthread_mutex_lock(&job->lock);
    bool failed = job->failed;
    pthread_mutex_unlock(&job->lock);
    return failed;
}

const LedgerRelation *copy_job_relation(const CopyJob *job, int32_t id)
{
    size_t low = 0, high = job->relations->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (job->relations->items[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < job->relations->count && job->relations->items[low].id == id ? &job->relations->items[low] : NULL;
}

static int builders_while_copying(const CopyJob *job)
{
    int half = job->ctx->task->jobs / 2;
    return half > 0 ? half : 1;
}

JobStep copy_job_next(CopyJob *job, bool may_copy, BuildWork *work)
{
    JobStep step = JOB_WAIT;

    pthread_mutex_lock(&job->lock);
    bool rows_left = job->parts_left > 0;
    if (job->failed)
        step = JOB_END;
    else if (job->large_objects_waiting) {
        job->large_objects_waiting = false;
        step = JOB_LARGE_OBJECTS;
    } else if ((!rows_left || !may_copy || job->building < builders_while_copying(job)) &&
               build_queue_take(&job->queue, work)) {
        job->building++;
        step = JOB_BUILD;
    } else if (rows_left && may_copy)
        step = JOB_COPY;
    else if (!rows_left && build_queue_is_empty(&job->queue))
        step = JOB_END;
    pthread_mutex_unlock(&job->lock);
    return step;
}

void copy_job_wait(CopyJob *job, int ms)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&job->lock);
    pthread_cond_timedwait(&job->changed, &job->lock, &until);
    pthread_mutex_unlock(&job->lock);
}

void copy_job_relation_complete(CopyJob *job, int32_t id)
{
    const LedgerRelation *relation = copy_job_relation(job, id);

    if (!relation)
        return;
    bool *complete = &job->complete[relation - job->relations->items];
    pthread_mutex_lock(&job->lock);
    if (!*complete && !job->helper) {
        *complete = true;
        job->parts_left--;
        build_queue_add(&job->queue, id, relation->source_oid);
    }
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->lock);
}

void copy_job_all_complete(CopyJob *job)
{
    pthread_mutex_lock(&job->lock);
    job->parts_left = 0;
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->lock);
}

void copy_job_large_objects_complete(CopyJob *job)
{
    pthread_mutex_lock(&job->lock);
    job->parts_left--;
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->lock);
}

bool copy_job_rows_complete(CopyJob *job)
{
    pthread_mutex_lock(&job->lock);
    bool complete = job->parts_left == 0;
    pthread_mutex_unlock(&job->lock);
    return complete;
}

bool copy_job_built(CopyJob *job, const BuildWork *work, BuildWork *next)
{
    pthread_mutex_lock(&job->lock);
    bool more = build_queue_done(&job->queue, work, next);
    if (!more)
        job->building--;
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->lock);
    return more;
}
