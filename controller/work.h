// SPDX-License-Identifier: Apache-2.0
// What workers do: the steps of a migration (common/contract/steps.h), what is done beside cdc when it is asked for,
// and cleaning up after all.
#pragma once

#include "common/contract/steps.h"

typedef enum Work {
    WORK_REVERSE = STEP_COUNT, // after the switch: follows the sink's changes back into the source
    WORK_VERIFY,
    WORK_CUTOVER,
    WORK_ROLLBACK, // the switch in the other direction
    WORK_CLEANUP,
    WORK_COUNT
} Work; // the others have the numbers of their steps

typedef struct WorkInfo {
    const char *verb;     // of kubeferry-engine, and the label's value: "init-struct"
    const char *job_part; // in the name of its Job: "initstruct"
    const char *reason;   // of a condition while it is at work: "InitStruct"
    const char *doing;    // "making the structure"
} WorkInfo;

const WorkInfo *work_info(int work);
int work_parse(const char *verb); // -1: no such work
