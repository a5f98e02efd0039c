// SPDX-License-Identifier: Apache-2.0
// A MigrationTask as a person looks at it: read once from its JSON.
#pragma once

#include "cli/style.h"

#include <json-c/json.h>
#include <stdint.h>

typedef struct TaskView { // texts are borrowed from the object; "" when absent
    const char *name, *namespace_name, *uid;
    const char *template_name;
    const char *state; // what to show: Failed, Terminating, else status.taskStatus; "" before the controller saw it
    Colour colour;     // of state
    bool terminating, stalled, ready, suspended;
    const char *reason, *message; // of the condition that matters now
    double created, started, finished;
    const char *step, *phase;
    int64_t percent, rows, rows_total, bytes, bytes_total, tables, tables_total, indexes,
        indexes_total; // -1: not known
    int64_t rows_per_second, seconds_left, lag_bytes, slot_retained_bytes;
    const char *lag_seconds, *lsn_applied, *lsn_source;
} TaskView;

void task_view_read(json_object *task, TaskView *view);
// Nothing more will happen by itself: done, followed, or stuck until a person acts. *good: the first two.
bool task_view_settled(const TaskView *view, bool *good);
// "3m", "2d4h", as kubectl writes ages.
void task_view_age(double seconds, char text[32]);
// "[######----]  56 %", as wide as `width` characters between the brackets.
void task_view_bar(const Style *style, int64_t percent, int width, Buffer *out);
