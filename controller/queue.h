// SPDX-License-Identifier: Apache-2.0
// The work queue: keys ("namespace/name") that wait to be reconciled. A key is processed by one worker at a time; added
// while it is being processed, it is processed once more. Failures back off for each key, 5 ms doubling to 1000 s.
// Ready keys are taken in the order in which they became ready.
#pragma once

#include "common/k8s/k8s_loop.h"
#include "controller/histogram.h"

#include <stddef.h>

typedef struct Queue Queue;

typedef enum QueueResult {
    QUEUE_DONE,  // forget the failures
    QUEUE_RETRY, // once more after the key's back-off, or after delay_ms (0: none) if that is sooner
    QUEUE_AFTER, // forget the failures, once more after delay_ms
} QueueResult;

typedef struct QueueStats {
    size_t depth, processing; // ready and not begun yet; begun
    uint64_t adds, retries;   // keys that became ready; that failed and are to be tried again
    Histogram waited, worked; // ready until begun; begun until answered
} QueueStats;

// process is called from the loop with at most workers_max keys at a time; each must be answered by queue_finished,
// at once or from a later callback. key is borrowed until then. Never called from within the functions below.
Queue *queue_new(K8sLoop *loop, size_t workers_max, void (*process)(void *context, const char *key), void *context);
void queue_free(Queue *queue); // NULL is fine; process is not called again
// Ready at once, whatever was planned for later: the answer (or queue_add_after) plans anew.
void queue_add(Queue *queue, const char *key);
// The earlier of two times holds. What is added for later while the key is being processed stays, whatever the answer.
void queue_add_after(Queue *queue, const char *key, int64_t delay_ms);
// key must be one that is being processed; else nothing happens.
void queue_finished(Queue *queue, const char *key, QueueResult result, int64_t delay_ms);
void queue_pause(Queue *queue, bool paused); // paused: nothing new is begun (no longer the leader)
size_t queue_processing(const Queue *queue); // keys that are not answered yet
QueueStats queue_stats(const Queue *queue);
