// SPDX-License-Identifier: Apache-2.0
// The Secret of a task that its workers read: the task document (docs/task-document.md) and the passwords that stand in
// the task itself. It is made once and never changed: what differs has another name. So the controller needs the right
// to create Secrets and no right to read any.
#pragma once

#include "controller/task.h"
#include "controller/task_plan.h"

// Where things are in a worker.
#define WORKER_TASK_DIR "/etc/kubeferry"
#define WORKER_TLS_DIR  "/etc/kubeferry-tls"
#define WORKER_DATA_DIR "/var/lib/kubeferry"
#define WORKER_PORT     9187

// The document alone, without any password; a new reference.
json_object *task_secret_document(const Task *task, const TaskSpec *spec, const TaskPlan *plan);
// "<task>-<hash>", at most 63 characters. Caller frees.
char *task_secret_name(const Task *task, const TaskSpec *spec, json_object *document);
// The Secret as it is created; a new reference.
json_object *task_secret_object(const Task *task, const TaskSpec *spec, json_object *document, const char *name);
