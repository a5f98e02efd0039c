// SPDX-License-Identifier: Apache-2.0
// An item exists for a key while there is anything to do with it: it waits for a time, is ready, or is processed.
// Must not know what a key stands for.
#include "controller/queue.h"

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "controller/key_table.h"

#include <string.h>

enum {
    BACKOFF_FIRST_MS = 5,
    BACKOFF_MAX_MS = 1000 * 1000,
    BACKOFF_DOUBLINGS = 18, // 5 ms x 2^18 is beyond the maximum
    TURN_MS = 20,           // keys that are answered at once: so long at most until others get their turn
};

typedef struct Item Item;
struct Item {
    Queue *queue;
    Item *next;      // among the ready ones
    K8sTimer *timer; // to become ready, at `due`; or NULL
    double due;
    double since; // ready or being processed
    unsigned failures;
    bool ready, processing;
    bool again; // was added while it is being processed
    char key[];
};

struct Queue {
    K8sLoop *loop;
    size_t workers_max;
    void (*process)(void *context, const char *key);
    void *context;
    bool paused;
    K8sTimer *dispatch;
    KeyTable items;
    Item *first, *last; // ready
    QueueStats stats;
};

static void plan_dispatch(Queue *queue);

static Item *item_of(Queue *queue, const char *key)
{
    Item *item = key_table_get(&queue->items, key);
    size_t size = strlen(key) + 1;

    if (item)
        return item;
    item = memory_zalloc(sizeof *item + size);
    item->queue = queue;
    memcpy(item->key, key, size);
    key_table_put(&queue->items, item->key, item);
    return item;
}

static void drop(Item *item)
{
    key_table_remove(&item->queue->items, item->key);
    free(item);
}

static void no_timer(Item *item)
{
    k8s_timer_cancel(item->timer);
    item->timer = NULL;
}

// ---- becoming ready ------------------------------------------------------------------------------------------------

static void make_ready(Item *item)
{
    Queue *queue = item->queue;

    no_timer(item);
    item->ready = true;
    item->since = clock_monotonic();
    item->next = NULL;
    if (queue->last)
        queue->last->next = item;
    else
        queue->first = item;
    queue->last = item;
    queue->stats.depth++;
    plan_dispatch(queue);
}

static void add(Item *item)
{
    if (item->ready || item->again)
        return;
    item->queue->stats.adds++;
    if (item->processing)
        item->again = true;
    else
        make_ready(item);
}

static void on_due(void *context)
{
    Item *item = context;

    item->timer = NULL;
    add(item);
}

static void add_after(Item *item, int64_t delay_ms)
{
    double due = clock_monotonic() + (double)delay_ms / 1000.0;

    if (item->ready || item->again || (item->timer && item->due <= due))
        return;
    no_timer(item);
    item->due = due;
    item->timer = k8s_timer_start(item->queue->loop, delay_ms, on_due, item);
}

void queue_add(Queue *queue, const char *key)
{
    add(item_of(queue, key));
}

void queue_add_after(Queue *queue, const char *key, int64_t delay_ms)
{
    if (delay_ms > 0)
        add_after(item_of(queue, key), delay_ms);
    else
        queue_add(queue, key);
}

// ---- being processed -----------------------------------------------------------------------------------------------

static Item *take_first(Queue *queue)
{
    Item *item = queue->first;
    double now = clock_monotonic();

    queue->first = item->next;
    if (!queue->first)
        queue->last = NULL;
    queue->stats.depth--;
    queue->stats.processing++;
    histogram_observe(&queue->stats.waited, now - item->since);
    item->ready = false;
    item->processing = true;
    item->since = now;
    return item;
}

static bool may_begin(const Queue *queue)
{
    return !queue->paused && queue->first && queue->stats.processing < queue->workers_max;
}

static void on_dispatch(void *context)
{
    Queue *queue = context;
    double end = clock_monotonic() + TURN_MS / 1000.0;

    queue->dispatch = NULL;
    while (may_begin(queue) && clock_monotonic() < end)
        queue->process(queue->context, take_first(queue)->key);
    plan_dispatch(queue);
}

static void plan_dispatch(Queue *queue)
{
    if (!queue->dispatch && may_begin(queue))
        queue->dispatch = k8s_timer_start(queue->loop, 0, on_dispatch, queue);
}

static int64_t next_backoff_ms(Item *item)
{
    int64_t ms = (int64_t)BACKOFF_FIRST_MS << (item->failures < BACKOFF_DOUBLINGS ? item->failures : BACKOFF_DOUBLINGS);

    item->failures++;
    return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}

void queue_finished(Queue *queue, const char *key, QueueResult result, int64_t delay_ms)
{
    Item *item = key_table_get(&queue->items, key);

    if (!item || !item->processing)
        return;
    item->processing = false;
    queue->stats.processing--;
    histogram_observe(&queue->stats.worked, clock_monotonic() - item->since);
    if (result == QUEUE_RETRY) {
        queue->stats.retries++;
        int64_t backoff_ms = next_backoff_ms(item);
        delay_ms = delay_ms > 0 && delay_ms < backoff_ms ? delay_ms : backoff_ms;
    } else {
        item->failures = 0;
    }
    if (item->again) {
        item->again = false;
        make_ready(item);
    } else if (result != QUEUE_DONE && delay_ms > 0) {
        add_after(item, delay_ms);
    } else if (result != QUEUE_DONE) {
        add(item);
    } else if (!item->timer) {
        drop(item);
    }
    plan_dispatch(queue);
}

// ---- the queue -----------------------------------------------------------------------------------------------------

void queue_pause(Queue *queue, bool paused)
{
    queue->paused = paused;
    plan_dispatch(queue);
}

size_t queue_processing(const Queue *queue)
{
    return queue->stats.processing;
}

QueueStats queue_stats(const Queue *queue)
{
    return queue->stats;
}

Queue *queue_new(K8sLoop *loop, size_t workers_max, void (*process)(void *context, const char *key), void *context)
{
    Queue *queue = memory_zalloc(sizeof *queue);

    *queue = (Queue){.loop = loop, .workers_max = workers_max, .process = process, .context = context};
    return queue;
}

void queue_free(Queue *queue)
{
    if (!queue)
        return;
    k8s_timer_cancel(queue->dispatch);
    for (Item *item; (item = key_table_oldest(&queue->items));) {
        no_timer(item);
        drop(item);
    }
    key_table_free(&queue->items);
    free(queue);
}
