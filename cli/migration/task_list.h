// SPDX-License-Identifier: Apache-2.0
// Tasks as a table, and a collection of them that changes.
#pragma once

#include "cli/cli.h"

typedef struct TaskList { // zero-initialised; by namespace and name
    json_object **items;
    size_t count;
} TaskList;

void task_list_change(TaskList *list, json_object *task, bool deleted);
json_object *task_list_items(const TaskList *list); // an array; a new reference
void task_list_free(TaskList *list);

// NAME TEMPLATE STATUS AGE, with NAMESPACE in front for all namespaces; then PROGRESS ROWS LAG REASON, and with `wide`
// RATE and MESSAGE. now: seconds since 1970. Cut to the terminal's width, if there is one.
void task_list_table(json_object *items, const Cli *cli, double now, bool wide, Buffer *out);
// The same in columns of fixed width, for rows that come one by one.
void task_list_rows(json_object *items, const Cli *cli, double now, bool wide, bool headers, Buffer *out);
