// SPDX-License-Identifier: Apache-2.0
// metadata of what belongs to a task: it goes when the task goes.
#pragma once

#include "controller/task.h"

// name, namespace, the labels of all our objects, and the task as controlling owner; a new reference. Its member
// "labels" may be added to.
json_object *owner_metadata(const Task *task, const char *name);
