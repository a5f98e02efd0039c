// SPDX-License-Identifier: Apache-2.0
// Pieces of `describe`: ends and objects of the spec, and what the status says of the work.
#pragma once

#include "cli/migration/task_view.h"

void describe_endpoint(json_object *endpoint, Buffer *out); // user@host:port/database; never the password
void describe_objects(json_object *list, Buffer *out);      // public.orders, sales.*; nothing for an empty list
// Each is a section of its own, left out when there is nothing to say.
void describe_progress(const TaskView *view, const Style *style, Buffer *out);
// All checks while they are the last word, later the warnings only. live: those that passed are counted.
void describe_prechecks(json_object *task, const TaskView *view, const Style *style, bool live, Buffer *out);
void describe_notes(json_object *task, const Style *style, Buffer *out);
void describe_problem(const TaskView *view, const Style *style, Buffer *out);
