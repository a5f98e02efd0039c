// SPDX-License-Identifier: Apache-2.0
// Which works a task consists of, and how their Jobs are called.
#pragma once

#include "common/base/buffer.h"
#include "controller/task_spec.h"
#include "controller/template.h"
#include "controller/work.h"

typedef struct TaskPlan {
    int works[STEP_COUNT + 1]; // in order; cdc, and after the switch of a task that goes both ways the stream back
    size_t count;
    size_t init_count; // those before cdc
} TaskPlan;

// false: the template cannot serve the task; problem says why and what to do.
bool task_plan_make(const TaskSpec *spec, const Template *template, TaskPlan *plan, Buffer *problem);
// The plan of a task whose template is gone or unusable, as far as its Jobs are to be found again.
void task_plan_guess(const TaskSpec *spec, TaskPlan *plan);
bool task_plan_has(const TaskPlan *plan, int work);
// "<task>-precheck-0", "<task>-cdc", "<task>-cleanup"; at most 63 characters, so that a long task name is cut and
// gets a hash. order: place among the works before cdc. Caller frees.
char *task_plan_job_name(const char *task_name, int work, size_t order);
// Place of a work in the plan; 0 when it is not there.
size_t task_plan_order(const TaskPlan *plan, int work);
