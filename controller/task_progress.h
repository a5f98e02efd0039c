// SPDX-License-Identifier: Apache-2.0
// What the worker of a task said last.
#pragma once

#include "common/contract/progress_read.h"

typedef struct TaskProgress {
    int work;  // whose it is (controller/work.h)
    char *pod; // name of the one that said it
    double at; // monotonic: when it was said
    ProgressRead said;
} TaskProgress;

void task_progress_free(TaskProgress *progress); // NULL is fine
