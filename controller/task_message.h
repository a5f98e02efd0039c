// SPDX-License-Identifier: Apache-2.0
// Why a task is as it is, for conditions and Events: one word for programs, and sentences for people that say what to
// do.
#pragma once

#include "controller/task_states.h"

// Of conditions while the API server refuses what the controller asks.
#define REASON_TROUBLE "WaitingForCluster"

typedef struct TaskMessage {
    char reason[64];
    Buffer text;
} TaskMessage;

// trouble: what the row's action met, or NULL.
void task_message(const TaskFacts *facts, const TaskRow *row, const Error *trouble, TaskMessage *out);
void task_message_free(TaskMessage *message);
