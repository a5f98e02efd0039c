// SPDX-License-Identifier: Apache-2.0
// The steps of a migration and their names: on the command line (init-struct) and in the API (initStruct).
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef enum Step { STEP_PRECHECK, STEP_INIT_STRUCT, STEP_INIT_DATA, STEP_CDC, STEP_COUNT } Step;

const char *step_name(Step step);     // "init-struct"
const char *step_api_name(Step step); // "initStruct"
// Either spelling; false when there is no such step.
bool step_parse(const char *name, size_t len, Step *step);
