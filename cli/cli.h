// SPDX-License-Identifier: Apache-2.0
// What every command works with: its options, the connection to the cluster, and how to show things.
#pragma once

#include "cli/style.h"
#include "common/base/options.h"
#include "common/k8s/k8s_client.h"

#include <json-c/json.h>

typedef struct Cli {
    const OptionTable *table;
    OptionValue *values; // by Option (commands.h)
    int verb;
    int exit_code; // of a command that did its work: 0, or 1 when the answer is a bad one
    Style style;
    K8sConfig config; // once cli_connect was called
    K8sLoop *loop;
    K8sClient *client;
    bool to_the_end; // what is asked now is done even when a stop is requested
} Cli;

enum { CLI_EXIT_DONE = 0, CLI_EXIT_FAILED = 1, CLI_EXIT_USAGE = 64 };

#define MIGRATION_API     "/apis/datamigration.apecloud.io/v1alpha1"
#define MIGRATION_VERSION "datamigration.apecloud.io/v1alpha1"
#define TASK_LABEL        "datamigration.apecloud.io/migrationtask"

const char *cli_text(const Cli *cli, int option); // NULL when it was not given
bool cli_given(const Cli *cli, int option);
// Of OPTION_INTEGER.
int64_t cli_number(const Cli *cli, int option, int64_t otherwise);

// Finds the API server and who we are. Done by the functions below, too, where it was not yet.
MUST_CHECK int cli_connect(Cli *cli, Error *err);
const char *cli_namespace(const Cli *cli); // after cli_connect: --namespace, else the context's
// namespace of a list: NULL with --all-namespaces.
const char *cli_list_namespace(const Cli *cli);
// One request; *out, when not NULL, is the answer, to be put. body may be NULL. content_type: NULL for JSON.
MUST_CHECK int cli_send(Cli *cli, const char *method, const char *path, const char *content_type, json_object *body,
                        json_object **out, Error *err);
MUST_CHECK int cli_get(Cli *cli, const char *path, json_object **out, Error *err);
// The path of a task; caller frees. name: NULL for the collection.
char *cli_task_path(const Cli *cli, const char *name);
// A task by its name; a missing one is an error that names those that are there.
MUST_CHECK int cli_get_task(Cli *cli, const char *name, json_object **out, Error *err);
void cli_disconnect(Cli *cli);
// What an error says, in one line, on stderr.
void cli_report(const char *program, const Error *err);
