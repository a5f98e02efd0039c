// SPDX-License-Identifier: Apache-2.0
#include "controller/task_progress.h"

#include "common/base/memory.h"

void task_progress_free(TaskProgress *progress)
{
    if (!progress)
        return;
    progress_read_free(&progress->said);
    free(progress->pod);
    free(progress);
}
