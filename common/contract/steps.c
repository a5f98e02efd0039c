// SPDX-License-Identifier: Apache-2.0
// The table of steps.
#include "common/contract/steps.h"

#include <string.h>

static const struct {
    const char *name;
    const char *api_name;
} STEPS[STEP_COUNT] = {
    [STEP_PRECHECK] = {"precheck", "preCheck"},
    [STEP_INIT_STRUCT] = {"init-struct", "initStruct"},
    [STEP_INIT_DATA] = {"init-data", "initData"},
    [STEP_INIT_STRUCT_LATER] = {"init-struct-later", "initStructLater"},
    [STEP_CDC] = {"cdc", "cdc"},
};

const char *step_name(Step step)
{
    return STEPS[step].name;
}

const char *step_api_name(Step step)
{
    return STEPS[step].api_name;
}

bool step_parse(const char *name, size_t len, Step *step)
{
    for (int i = 0; i < STEP_COUNT; i++) {
        const char *spellings[] = {STEPS[i].name, STEPS[i].api_name};
        for (int k = 0; k < 2; k++) {
            if (strlen(spellings[k]) == len && memcmp(spellings[k], name, len) == 0) {
                *step = (Step)i;
                return true;
            }
        }
    }
    return false;
}
