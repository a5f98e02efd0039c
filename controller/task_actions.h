// SPDX-License-Identifier: Apache-2.0
// The writes that a row of the table asks for. Each is idempotent: names are deterministic, deletions and suspensions
// name the uid that they mean, so that doing it twice, or on a cache that is behind, does no harm. Must not decide.
#pragma once

#include "controller/events.h"
#include "controller/task_states.h"

typedef struct ActionTools { // borrowed
    K8sClient *client;
    Store *store; // takes what the writes give back
    Events *events;
    const WorkerSettings *settings;
    bool (*leading)(void *context); // whether it may still write, by the clock; NULL: always
    void *context;
} ActionTools;

// Starts the action's writes. done: called exactly once, when all have been answered; err: the first failure, or NULL;
// maybe before the function returns when there is nothing to write. facts: needed for the call only.
void task_action_start(const ActionTools *tools, const TaskFacts *facts, TaskAction action,
                       void (*done)(void *context, const Error *err), void *context);
// A task as the subject of an Event; borrows from it.
EventObject task_event_object(const Task *task);
