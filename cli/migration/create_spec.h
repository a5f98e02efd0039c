// SPDX-License-Identifier: Apache-2.0
// The MigrationTask that `create` sends, and the Secret beside it. Pure.
#pragma once

#include "cli/migration/create_input.h"

// The task, with references to Secrets and never a password; a new reference. ERROR_USAGE for --tolerations and
// --resources.
MUST_CHECK int create_spec_task(const Cli *cli, const CreateInput *input, json_object **out, Error *err);
// The Secret with the passwords that were given, owned by the task; NULL when none was. uid: of the task; NULL: not
// made yet.
json_object *create_spec_secret(const CreateInput *input, const char *namespace_name, const char *uid);
char *create_spec_secret_name(const CreateInput *input); // "mytask-credentials"; caller frees
