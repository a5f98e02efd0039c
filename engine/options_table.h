// SPDX-License-Identifier: Apache-2.0
// The verbs and options of kubeferry-engine, and the task that they describe.
#pragma once

#include "common/base/error.h"
#include "common/contract/task_document.h"

#include <stdio.h>

typedef enum EngineVerb {
    VERB_PRECHECK,
    VERB_INIT_STRUCT,
    VERB_INIT_DATA,
    VERB_INIT_STRUCT_LATER,
    VERB_CDC,
    VERB_VERIFY,
    VERB_CUTOVER,
    VERB_REVERSE,  // the task is already that of the way back: its ends are swapped
    VERB_ROLLBACK, // the same
    VERB_CLEANUP,
    VERB_RUN,
    VERB_COUNT,
    VERB_NONE = VERB_COUNT, // only with one of the pages below
} EngineVerb;

typedef struct EngineOptions {
    EngineVerb verb;
    TaskDocument task; // complete and checked, unless one of the pages below is wanted
    bool force;
    bool check, abort; // of cutover
    bool resume;       // of verify
    int worker_index;  // -1: not given; 0: the coordinator of several processes; else one that helps it
    bool help, help_markdown, help_man, version; // pages
} EngineOptions;

// An option given as an argument wins over the task document (--task), which wins over the environment. Connection
// strings are overwritten in argv. ERROR_USAGE; out must be freed in either case.
MUST_CHECK int engine_options_parse(int argc, char **argv, EngineOptions *out, Error *err);
void engine_options_free(EngineOptions *options);
const char *engine_verb_name(EngineVerb verb); // "init-data"
// Whether one of them is wanted, and nothing else.
bool engine_options_want_page(const EngineOptions *options);
// What --help (of the verb, if one was given), --help-markdown, --help-man or --version asks for.
void engine_options_answer(const EngineOptions *options, FILE *out);
