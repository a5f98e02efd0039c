// SPDX-License-Identifier: Apache-2.0
// Options of kubeferry-controller, from one table.
#pragma once

#include "common/base/error.h"
#include "common/base/log.h"
#include "controller/task_job.h"

#include <stdio.h>

typedef struct ControllerOptions { // texts are owned; NULL: not given
    char *engine_image, *engine_pull_policy, *engine_pull_secrets;
    char *listen;
    char *lease_namespace, *lease_name;
    char *kubeconfig, *context;
    LogFormat log_format;
    LogLevel log_level;
    bool help, help_markdown, states_markdown, version;
} ControllerOptions;

MUST_CHECK int controller_options_parse(int argc, char **argv, ControllerOptions *out, Error *err);
void controller_options_free(ControllerOptions *options);
bool controller_options_asks(const ControllerOptions *options);              // for a page, and not for work
void controller_options_answer(const ControllerOptions *options, FILE *out); // that page
WorkerSettings controller_options_worker(const ControllerOptions *options);  // borrows
