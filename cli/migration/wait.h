// SPDX-License-Identifier: Apache-2.0
// Waiting for a task.
#pragma once

#include "cli/cli.h"

// Until changes are followed or everything is done: 0. ERROR_CONDITION when a person must act first, or time is over.
// show: how far it is, in place on a terminal, else a line for each change.
MUST_CHECK int wait_ready(Cli *cli, const char *name, bool show, Error *err);
// Until ended() says so of the task as it is; ERROR_CONDITION when time is over. What the task waits for is shown
// meanwhile, a line for each change.
MUST_CHECK int wait_for(Cli *cli, const char *name, bool (*ended)(void *context, json_object *task), void *context,
                        Error *err);
// Until it is gone.
MUST_CHECK int wait_gone(Cli *cli, const char *name, Error *err);
