// SPDX-License-Identifier: Apache-2.0
// What belongs to a task: its Jobs and pods, found by the labels and annotations of the contract.
#pragma once

#include "cli/cli.h"
#include "common/contract/steps.h"

#define STEP_ORDER_ANNOTATION "common.apecloud.io/serial_job_order"
#define STEP_ANNOTATION       "datamigration.apecloud.io/step"

typedef struct TaskObjects { // each an owned JSON object, or NULL
    json_object *task, *template, *jobs, *pods, *cdc_job;
} TaskObjects;

// Everything that describe shows. A template that is gone is no error.
MUST_CHECK int task_objects_get(Cli *cli, const char *name, TaskObjects *out, Error *err);
MUST_CHECK int task_objects_pods(Cli *cli, const char *task, json_object **out, Error *err);
void task_objects_free(TaskObjects *objects);
// The steps of the task before cdc, in order: as the spec says, all of the template's when it says nothing. Returns how
// many. spec, template: may be NULL.
size_t task_objects_steps(json_object *task, json_object *template, Step steps[STEP_COUNT]);
// The newest pod of a step; NULL: none. order: the index of the step among the enabled ones; -1 for cdc.
json_object *task_objects_pod(json_object *pods, int order);
// The Job of an initialization step by the number at the end of its name; NULL: none.
json_object *task_objects_job(json_object *jobs, int order);
// "Complete", "Failed", "Running", "Suspended", "-".
const char *task_objects_job_state(json_object *job);
