// SPDX-License-Identifier: Apache-2.0
// Brings one task after the other to where it should be: facts, row, action, status. Does nothing while it is not
// leading.
#pragma once

#include "controller/events.h"
#include "controller/queue.h"
#include "controller/task_states.h"

typedef struct Reconciler Reconciler;

typedef struct ReconcilerHooks {
    // Asked before each pass and between the writes of one: it knows from the clock alone, before reconciler_lead is
    // told, that a process which was stopped for a while leads no more. NULL: always.
    bool (*leading)(void *context);
    void (*reconciled)(void *context, bool failed, bool later, double seconds); // for metrics
    void *context;
} ReconcilerHooks;

// All are borrowed. Listens to no watch itself: reconciler_enqueue is to be called for what changed.
Reconciler *reconciler_new(K8sClient *client, const WorkerSettings *settings, Events *events,
                           const ReconcilerHooks *hooks);
void reconciler_free(Reconciler *reconciler);
void reconciler_start(Reconciler *reconciler, Store *store); // once the caches are complete
void reconciler_lead(Reconciler *reconciler, bool leading);
void reconciler_enqueue(Reconciler *reconciler, const char *key);
bool reconciler_idle(const Reconciler *reconciler); // no key is being worked on
QueueStats reconciler_stats(const Reconciler *reconciler);
