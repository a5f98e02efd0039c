// SPDX-License-Identifier: Apache-2.0
// One child process at a time: run to its end, output captured, killed when a stop is requested or when we die.
#pragma once

#include "common/base/buffer.h"
#include "common/base/error.h"

typedef struct ProcessCommand {
    const char *const *argv; // argv[0]: the path; no shell, no search in PATH; NULL at the end
    const char *const
        *environment;  // "NAME=value" beside (and before) our own environment; NULL at the end; may be NULL
    size_t output_max; // bytes kept of each stream; what is beyond is read and dropped
} ProcessCommand;

typedef struct ProcessResult {
    int exit_status; // 0-255, or 128 + the signal that ended it
    Buffer output;   // what it wrote to standard output
    Buffer errors;   // to standard error
} ProcessResult;

// Runs the command; standard input is empty. 0 once it has ended, whatever its exit status. ERROR_SYSTEM when it could
// not be started, ERROR_STOPPED when a stop was requested (the child is killed). The result is to be freed in each
// case.
MUST_CHECK int process_run(const ProcessCommand *command, ProcessResult *result, Error *err);
void process_result_free(ProcessResult *result);
#define auto_process_result __attribute__((cleanup(process_result_free)))
// A program by its name, looked for in PATH (a name with a '/' is a path already); NULL: nowhere. Caller frees.
char *process_find(const char *name);
