// SPDX-License-Identifier: Apache-2.0
#include "controller/work.h"

#include <string.h>

static const WorkInfo TABLE[WORK_COUNT] = {
    [STEP_PRECHECK] = {"precheck", "precheck", "Prechecking", "checking both ends"},
    [STEP_INIT_STRUCT] = {"init-struct", "initstruct", "InitStruct", "making the structure"},
    [STEP_INIT_DATA] = {"init-data", "initdata", "InitData", "copying rows"},
    [STEP_INIT_STRUCT_LATER] = {"init-struct-later", "initstructlater", "InitStructLater",
                                "making what comes after the rows"},
    [STEP_CDC] = {"cdc", "cdc", "Streaming", "following changes"},
    [WORK_REVERSE] = {"reverse", "reverse", "StreamingBack", "following the sink's changes back into the source"},
    [WORK_VERIFY] = {"verify", "verify", "Verifying", "comparing both ends"},
    [WORK_CUTOVER] = {"cutover", "cutover", "CuttingOver", "switching to the sink"},
    [WORK_ROLLBACK] = {"rollback", "rollback", "RollingBack", "switching back to the source"},
    [WORK_CLEANUP] = {"cleanup", "cleanup", "Terminating", "dropping slot and publication"},
};

const WorkInfo *work_info(int work)
{
    return &TABLE[work];
}

int work_parse(const char *verb)
{
    for (int i = 0; i < WORK_COUNT; i++)
        if (strcmp(TABLE[i].verb, verb) == 0)
            return i;
    return -1;
}
