// SPDX-License-Identifier: Apache-2.0
// A MigrationTemplate as the controller keeps it.
#pragma once

#include "common/contract/steps.h"

#include <json-c/json.h>
#include <stdint.h>

typedef struct TemplateContainer { // texts and JSON may be NULL: the controller's own
    char *image;
    json_object *command, *env;
} TemplateContainer;

typedef struct Template {
    char *name;
    int64_t generation;
    Step order[STEP_CDC]; // steps before cdc, in the order of the template
    size_t step_count;
    TemplateContainer containers[STEP_COUNT];
    json_object *types;  // taskType, owned; NULL: all
    char *problem;       // why it cannot be used and what to do; NULL: it can
    char seen_phase[16]; // of status
    int64_t seen_generation;
    uint64_t seen_message; // json_hash_text
    unsigned epoch;
} Template;

Template *template_read(json_object *object); // never NULL; the caller frees
void template_free(Template *template);
// Whether a task of this type may use it.
bool template_takes(const Template *template, const char *task_type);
// What its status should say, as a merge patch; NULL when it says so already. The caller frees.
char *template_status_patch(const Template *template);
