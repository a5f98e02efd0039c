// SPDX-License-Identifier: Apache-2.0
// The life of a task as one table: which row is true says what is done next and what the status shows. The rows are
// looked at from the top; the first whose guard holds is the one. docs/task-states.md is made from it, and
// test/unit/controller/test_task_states.c has a case for every row.
#pragma once

#include "controller/task_facts.h"

typedef enum TaskAction { // each does nothing when it is done already
    ACTION_NONE,
    ACTION_ADD_FINALIZER,
    ACTION_REMOVE_FINALIZER,
    ACTION_LET_GO,          // remove the finalizer although slot and publication may be left
    ACTION_CREATE_JOBS,     // those that are absent; the first work's runs, the others wait
    ACTION_DELETE_OUTDATED, // Jobs that were made from another spec and can be made anew
    ACTION_DELETE_CURRENT,  // the current work's Job, to be made anew
    ACTION_RESUME_CURRENT,
    ACTION_SUSPEND_ALL,
    ACTION_DELETE_WORKERS, // all but the one that cleans up
    ACTION_CREATE_CLEANUP,
    ACTION_DELETE_CLEANUP,
    ACTION_CREATE_VERIFY,
    ACTION_DELETE_VERIFY,
    ACTION_CREATE_CUTOVER,
    ACTION_DELETE_CUTOVER,
    ACTION_CREATE_ROLLBACK,
    ACTION_DELETE_ROLLBACK,
    ACTION_SERVICE_TO_SINK, // makes the Service of a switch lead to where it went
    ACTION_SERVICE_TO_SOURCE,
    ACTION_COUNT
} TaskAction;

typedef enum TaskOutcome { // what the conditions say
    OUTCOME_KEEP,          // a passing row: the status stays as it is
    OUTCOME_WORKING,       // Reconciling
    OUTCOME_STALLED,       // a person must do something
    OUTCOME_READY,
} TaskOutcome;

typedef struct TaskRow {
    const char *id;
    bool (*when)(const TaskFacts *facts);
    TaskAction action;
    TaskOutcome outcome;
    const char *status; // taskStatus
    const char *reason; // of the condition; NULL: the current work's, or its failure's
    const char *why;    // one sentence: for the docs, and the message when nothing better can be said
} TaskRow;

const TaskRow *task_states_rows(size_t *count);
const TaskRow *task_states_decide(const TaskFacts *facts); // never NULL
const char *task_action_name(TaskAction action);
void task_states_markdown(Buffer *out); // docs/task-states.md
