// SPDX-License-Identifier: Apache-2.0
// Spreads the tables over threads.
#include "engine/verify/verify_workers.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/verify/verify_large.h"
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
    VerifyLarge **large; // begun; the last one may have chunks that nobody took
    size_t large_count;
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

typedef struct Piece {             // of work
    const Relation *const *tables; // `count` of them
    size_t count;
    VerifyLarge *large; // or this, and its chunk
    size_t chunk;
} Piece;

static bool take_chunk(Queue *queue, Piece *piece)
{
    VerifyLarge *last = queue->large_count ? queue->large[queue->large_count - 1] : NULL;

    if (!last || !verify_large_take(last, &piece->chunk))
        return false;
    piece->large = last;
    return true;
}

// Whether the next table is one to be cut: then it is begun.
static bool open_large(Queue *queue)
{
    const Relation *next = queue->tables[queue->next];
    // One worker reads it in one go: a whole scan is what a server keeps out of its cache.
    size_t chunks = queue->point->count > 1 ? verify_large_chunks(&queue->point->pairs[0], next) : 1;

    if (chunks == 1)
        return false;
    queue->large = memory_realloc(queue->large, (queue->large_count + 1) * sizeof(VerifyLarge *));
    queue->large[queue->large_count++] = verify_large_new(next, chunks);
    queue->next++;
    return true;
}

static void take_tables(Queue *queue, Piece *piece)
{
    int64_t bytes = 0;

    piece->tables = (const Relation *const *)queue->tables + queue->next;
    while (queue->next < queue->count && piece->count < VERIFY_BATCH_TABLES) {
        int64_t more = queue->tables[queue->next]->bytes;
        if (piece->count > 0 && (more > ALONE_BYTES || bytes + more > BATCH_BYTES))
            break;
        queue->next++;
        piece->count++;
        bytes += more;
        if (more > ALONE_BYTES)
            break;
    }
}

// false when there is none, or when somebody failed.
static bool take(Queue *queue, Piece *piece)
{
    *piece = (Piece){0};
    pthread_mutex_lock(&queue->lock);
    bool any = !queue->failed;
    if (any && !take_chunk(queue, piece)) {
        any = queue->next < queue->count;
        if (any && open_large(queue))
            any = take_chunk(queue, piece);
        else if (any)
            take_tables(queue, piece);
    }
    pthread_mutex_unlock(&queue->lock);
    return any;
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
    Piece piece;
    Error err = {0};

    pg_deadline(queue->point->deadline);
    while (take(queue, &piece)) {
        int rc = stop_check(&err);
        if (rc == 0)
            rc = piece.large ? verify_large_chunk(piece.large, &worker, piece.chunk, &err)
                             : verify_table_batch(&worker, piece.tables, piece.count, &err);
        if (rc) {
            fail(queue, &err);
            break;
        }
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
        progress_note(
            progress,
            "%zu tables were compared by an earlier verification, which was interrupted: they were equal then", known);
    }
    run_threads(&queue);
    for (size_t i = 0; i < queue.large_count; i++)
        verify_large_free(queue.large[i]);
    free(queue.large);
    free(queue.tables);
    pthread_mutex_destroy(&queue.lock);
    if (!queue.failed)
        return 0;
    *err = queue.error;
    return -1;
}
