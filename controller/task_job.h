// SPDX-License-Identifier: Apache-2.0
// The Job of a work as it should be (https://kubernetes.io/docs/concepts/workloads/controllers/job/). Must not know
// what there is already.
#pragma once

#include "controller/task.h"
#include "controller/task_plan.h"

typedef struct WorkerSettings { // of the controller's options; borrowed
    const char *image, *pull_policy;
    const char *pull_secrets; // names, separated by commas; "": none
} WorkerSettings;

typedef struct JobWish {
    const Task *task;
    const TaskSpec *spec;
    const TaskPlan *plan;
    const Template *template; // NULL: it is gone (a task that is being deleted)
    const char *secret;       // name of the task's Secret
    int work;
    int attempt;
    bool suspend;
} JobWish;

// The whole Job for server-side apply; a new reference. *inputs: a hash of what makes it what it is (not suspend, not
// attempt), as in its annotation; caller frees.
json_object *task_job(const WorkerSettings *settings, const JobWish *wish, char **inputs);
// How many pods share the work: above 1 for init-data alone.
int task_job_parallelism(const TaskSpec *spec, int work);
