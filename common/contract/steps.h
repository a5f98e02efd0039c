// SPDX-License-Identifier: Apache-2.0
// The steps of a migration and their names: on the command line (init-struct) and in the API (initStruct).
#pragma once

#include <stdbool.h>
#include <stddef.h>

// init-struct-later (indexes, constraints and what else comes after the rows) is done by init-data as the rows arrive;
// as a step of its own it looks whether anything is missing, and makes that.
typedef enum Step {
    STEP_PRECHECK,
    STEP_INIT_STRUCT,
    STEP_INIT_DATA,
    STEP_INIT_STRUCT_LATER,
    STEP_CDC,
    STEP_COUNT
} Step;

const char *step_name(Step step);     // "init-struct"
const char *step_api_name(Step step); // "initStruct"
// Either spelling; false when there is no such step.
bool step_parse(const char *name, size_t len, Step *step);
