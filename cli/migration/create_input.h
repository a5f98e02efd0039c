// SPDX-License-Identifier: Apache-2.0
// What `create` was told: on the command line, in the environment, or when asked.
#pragma once

#include "cli/cli.h"
#include "common/contract/endpoint.h"
#include "common/contract/object_list.h"
#include "common/contract/steps.h"

typedef struct CreateSecret { // a Secret that exists; all NULL: none
    char *name, *user_key, *password_key, *key;
} CreateSecret;

typedef struct CreateEnd {
    const char *which;  // "source"
    const char *option; // "--source"
    Endpoint endpoint;
    CreateSecret secret;
    char *address; // host:port
} CreateEnd;

enum { CREATE_SOURCE, CREATE_SINK, CREATE_ENDS };

typedef struct CreateInput {
    char *name, *template_name;
    CreateEnd ends[CREATE_ENDS];
    CreateSecret ca;
    ObjectList objects; // empty: all
    bool steps[STEP_COUNT];
} CreateInput;

// Reads and checks everything that needs no server. What is needed and missing is asked for when somebody sits at the
// terminal. ERROR_USAGE names the option, what was read (never a password) and an example that works.
MUST_CHECK int create_input_read(const Cli *cli, CreateInput *input, Error *err);
void create_input_free(CreateInput *input);
