// SPDX-License-Identifier: Apache-2.0
// Spreads the tables over threads.
#include "engine/verify/verify_workers.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/verify/verify_table.h"

#include <string.h>

// A table larger than this is compared alone; smaller ones share statements, or 20,000 of them would be 80,000 round
// trips.
static const int64_t ALONE_BYTES = 1024 * 1024;
static const int64_t BATCH_BYTES = 8 * 1024 * 1024;

typedef struct Queue {
    pthread_mutex_t lock;
    const Relation **tables;
    size_t count, next;
    VerifyPoint *point;
    VerifyReport *report;
    VerifyResume *resume;
    Progress *progress;
    bool failed;
    Error error; // the first one
} Queue;

typedef struct Thread {
    Queue *queue;
    int number;
    pthread_t id;
} Thread;

// The next batch; 0 when there is none, or when somebody failed.
static size_t take(Queue *queue, const Relation *const **batch)
{
    size_t count = 0;
    int64_t bytes = 0;

    pthread_mutex_lock(&queue->lock);
    *batch = (const Relation *const *)queue->tables + queue->next;
    while (!queue->failed && queue->next < queue->count && count < VERIFY_BATCH_TABLES) {
        int64_t more = queue->tables[queue->next]->bytes;
        if (count > 0 && (more > ALONE_BYTES || bytes + more > BATCH_BYTES))
            break;
        queue->next++;
        count++;
        bytes += more;
        if (more > ALONE_BYTES)
            break;
    }
    pthread_mutex_unlock(&queue->lock);
    return count;
}

static void fail(Queue *queue, const Error *err)
{
    pthread_mutex_lock(&queue->lock);
    bool first = !queue->failed;
    if (first)
        queue->error = *err;
    queue->failed = true;
    pthread_mutex_unlock(&queue->lock);
    if (first)
        verify_point_cancel(queue->point);
}

static void *work(void *arg)
{
    const Thread *thread = arg;
    Queue *queue = thread->queue;
    const VerifyWorker worker = {.pair = &queue->point->pairs[thread->number],
                                 .dialect = queue->point->dialect,
                                 .report = queue->report,
                                 .progress = queue->progress,
                                 .resume = queue->resume,
                                 .number = thread->number};
    const Relation *const *batch;
    Error err = {0};

    pg_deadline(queue->point->deadline);
    for (size_t count; (count = take(queue, &batch)) > 0;)
        if (stop_check(&err) || verify_table_batch(&worker, batch, count, &err)) {
            fail(queue, &err);
            break;
        }
    return NULL;
}

static void run_threads(Queue *queue)
{
    Thread threads[TASK_JOBS_MAX];
    int started = 0;

    for (; started < queue->point->count; started++) {
        threads[started] = (Thread){.queue = queue, .number = started};
        int rc = pthread_create(&threads[started].id, NULL, work, &threads[started]);
        if (rc) {
            Error err = {0};
            error_set(&err, ERROR_SYSTEM, "could not start a thread: %s", strerror(rc));
            fail(queue, &err);
            break;
        }
    }
    for (int i = 0; i < started; i++)
        pthread_join(threads[i].id, NULL);
}

int verify_workers_run(VerifyPoint *point, const RelationList *relations, VerifyReport *report, VerifyResume *resume,
                       Progress *progress, Error *err)
{
    Queue queue = {.point = point, .report = report, .resume = resume, .progress = progress};
    int64_t rows;
    size_t known = 0;

    pthread_mutex_init(&queue.lock, NULL);
    queue.tables = memory_alloc((relations->count + 1) * sizeof *queue.tables);
    for (size_t i = 0; i < relations->count; i++)
        if (relations->items[i].kind == 'r' && resume && verify_resume_knows(resume, &relations->items[i], &rows)) {
            verify_report_table(report, rows, relations->items[i].bytes);
            known++;
        } else if (relations->items[i].kind == 'r') {
            queue.tables[queue.count++] = &relations->items[i];
        }
    if (known) {
        log_info("verify", "%zu tables were found equal by the verification before, which was interrupted", known);
        progress_note(progress, "%zu tables were compared by an earlier verification, which was interrupted: they were equal then", known);
    }
    run_threads(&queue);
    free(queue.tables);
    pthread_mutex_destroy(&queue.lock);
    if (!queue.failed)
        return 0;
    *err = queue.error;
    return -1;
}
