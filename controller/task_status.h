// SPDX-License-Identifier: Apache-2.0
// status of a MigrationTask as it should be, and the merge patch from what it is to that: only what differs, nothing
// when nothing does.
#pragma once

#include "controller/task_message.h"

typedef struct StatusDue { // what changes all the time is written now and then
    bool progress, metrics;
} StatusDue;

// NULL: the status is as it should be. Caller frees.
char *task_status_patch(const TaskFacts *facts, const TaskRow *row, const TaskMessage *message, StatusDue due);
// taskStatus of the row, or the one that the facts tell.
const char *task_status_name(const TaskFacts *facts, const TaskRow *row);
// A failed step that is being tried again: the conditions go on to say what a person must mend.
bool task_status_still_stalled(const TaskFacts *facts, const TaskRow *row);
