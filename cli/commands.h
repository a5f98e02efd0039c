// SPDX-License-Identifier: Apache-2.0
// The one table of commands: a row gives the verb, its page of help, its examples and the function that does it. A new
// command is a new row here (and its options in cli_options.c).
#pragma once

#include "cli/cli.h"

#include "common/base/options.h"

#define EXAMPLE_OBJECTS "--migration-object '\"public.orders\",\"public.items\"'"

// X(id, name, function, help, examples)
#define COMMANDS(X)                                                                                                    \
    X(MIGRATION, "migration", NULL, "move a live PostgreSQL database into another one", NULL)                          \
    X(MIGRATION_CREATE, "migration create", migration_create,                                                          \
      "make a task, which checks, makes the structure, copies the rows and follows every change. What is missing is "  \
      "asked for on a terminal",                                                                                       \
      "kubeferry migration create mytask --template apecloud-pg2pg --source "                                          \
      "'user:password@old.example.com:5432/shop' "                                                                     \
      "--sink 'user:password@10.0.0.7:5432/shop' " EXAMPLE_OBJECTS "\n"                                                \
      "kubeferry migration create mytask --source old.example.com:5432/shop --source-secret old-db --sink "            \
      "new.example.com:5432/shop --sink-secret new-db --follow\n"                                                      \
      "kubeferry migration create mytask … --steps precheck=true,init-struct=false,init-data=true,cdc=true\n"        \
      "kubeferry migration create mytask … --resources 'step=init-data,cpu=1000m,memory=1Gi' --dry-run=server -o "   \
      "yaml")                                                                                                          \
    X(MIGRATION_LIST, "migration list", migration_list, "list tasks: how far each is, and what it waits for",          \
      "kubeferry migration list\nkubeferry migration list -A --watch")                                                 \
    X(MIGRATION_DESCRIBE, "migration describe", migration_describe,                                                    \
      "show a task: its ends, steps, progress, lag, prechecks, and why it failed and what to do",                      \
      "kubeferry migration describe mytask\nkubeferry migration describe mytask --watch")                              \
    X(MIGRATION_LOGS, "migration logs", migration_logs, "show what the worker of a step has logged",                   \
      "kubeferry migration logs mytask --step precheck\n"                                                              \
      "kubeferry migration logs mytask --step cdc -f | grep current_position")                                         \
    X(MIGRATION_TEMPLATES, "migration templates", migration_templates, "list the templates that tasks can name",       \
      "kubeferry migration templates")                                                                                 \
    X(MIGRATION_SUSPEND, "migration suspend", migration_suspend,                                                       \
      "stop the workers of a task and keep what was done. The source keeps its WAL for the task meanwhile",            \
      "kubeferry migration suspend mytask")                                                                            \
    X(MIGRATION_RESUME, "migration resume", migration_resume, "let a suspended task go on from where it was",          \
      "kubeferry migration resume mytask")                                                                             \
    X(MIGRATION_VERIFY, "migration verify", migration_verify,                                                          \
      "compare both ends row by row at one moment, while changes are followed; with --wait, exit 1 when they differ",  \
      "kubeferry migration verify mytask --wait")                                                                      \
    X(MIGRATION_CUTOVER, "migration cutover", migration_cutover,                                                       \
      "switch to the sink: keep writes from the source, apply the rest, set sequences, turn on what was held back; "   \
      "undone as a whole if it fails (docs/cutover.md)",                                                               \
      "kubeferry migration cutover mytask --wait\n"                                                                    \
      "kubeferry migration cutover mytask --block lock --limit 10 --auto-approve --wait\n"                             \
      "kubeferry migration cutover mytask --cancel")                                                                   \
    X(MIGRATION_ROLLBACK, "migration rollback", migration_rollback,                                                    \
      "switch back to the source, after the switch of a task of the type initialization-and-twoway-cdc: nothing that " \
      "was written to the sink is lost",                                                                               \
      "kubeferry migration rollback mytask --wait")                                                                    \
    X(MIGRATION_TERMINATE, "migration terminate", migration_terminate,                                                 \
      "delete tasks: stops them and drops slot and publication on the source. The data on both ends stays",            \
      "kubeferry migration terminate mytask\nkubeferry migration terminate mytask --auto-approve --wait")              \
    X(ADDON, "addon", NULL, "switch migration on and off in a cluster", NULL)                                          \
    X(ADDON_LIST, "addon list", addon_list, "show whether migration is on", "kubeferry addon list")                    \
    X(ADDON_DESCRIBE, "addon describe", addon_describe, "show how migration is installed",                             \
      "kubeferry addon describe migration")                                                                            \
    X(ADDON_ENABLE, "addon enable", addon_enable,                                                                      \
      "switch migration on: through KubeBlocks where it is installed, else with helm",                                 \
      "kubeferry addon enable migration\nkubeferry addon enable migration --set replicaCount=1")                       \
    X(ADDON_DISABLE, "addon disable", addon_disable,                                                                   \
      "switch migration off. The kinds of objects stay; it says how to delete them",                                   \
      "kubeferry addon disable migration")                                                                             \
    X(ADDON_UPGRADE, "addon upgrade", addon_upgrade, "bring migration to the version of this command",                 \
      "kubeferry addon upgrade migration")                                                                             \
    X(RUN, "run", run_engine,                                                                                          \
      "move a database from here, without Kubernetes: hands all options to kubeferry-engine run",                      \
      "kubeferry run --name shop --source postgresql://app@old.example.com/shop --sink "                               \
      "postgresql://app@new.example.com/shop")                                                                         \
    X(VERSION, "version", show_version, "show the versions of this command and of the cluster", "kubeferry version")   \
    X(COMPLETION, "completion", show_completion, "print the completions for a shell",                                  \
      "kubeferry completion bash >/etc/bash_completion.d/kubeferry\n"                                                  \
      "kubeferry completion zsh >\"${fpath[1]}/_kubeferry\"\n"                                                         \
      "kubeferry completion fish >~/.config/fish/completions/kubeferry.fish")

typedef enum Verb {
#define VERB_ID(id, name, run, help, example) VERB_##id,
    COMMANDS(VERB_ID)
#undef VERB_ID
        VERB_COUNT
} Verb;

typedef enum Option {
    O_NAME,          // of one task
    O_NAMES,         // of tasks
    O_TEMPLATE_NAME, // the word of `templates`
    O_ADDON,
    O_SHELL,
    O_TEMPLATE,
    O_SOURCE,
    O_SINK,
    O_SOURCE_SECRET,
    O_SINK_SECRET,
    O_TLS,
    O_TLS_CA_SECRET,
    O_OBJECTS,
    O_STEPS,
    O_TOLERATIONS,
    O_RESOURCES,
    O_DRY_RUN,
    O_WAIT,
    O_FOLLOW,
    O_STEP,
    O_TAIL,
    O_PREVIOUS,
    O_WATCH,
    O_AUTO_APPROVE,
    O_BLOCK,
    O_VERIFICATION,
    O_SAMPLE,
    O_LIMIT,
    O_MAX_LAG,
    O_SERVICE,
    O_SERVICE_TO,
    O_CANCEL,
    O_FORCE,
    O_TIMEOUT,
    O_SET,
    O_CHART,
    O_OUTPUT,
    O_NO_HEADERS,
    O_NAMESPACE,
    O_ALL_NAMESPACES,
    O_KUBECONFIG,
    O_CONTEXT,
    O_AS,
    O_REQUEST_TIMEOUT,
    O_COLOR,
    O_HELP,
    O_HELP_MARKDOWN,
    O_HELP_MAN,
    O_VERSION,
    O_COUNT
} Option;

typedef int (*CommandFunction)(Cli *cli, Error *err);

// Each does one verb: 0, or -1 with err. The exit code is cli->exit_code when it returns 0.
MUST_CHECK int migration_create(Cli *cli, Error *err);
MUST_CHECK int migration_list(Cli *cli, Error *err);
MUST_CHECK int migration_describe(Cli *cli, Error *err);
MUST_CHECK int migration_logs(Cli *cli, Error *err);
MUST_CHECK int migration_templates(Cli *cli, Error *err);
MUST_CHECK int migration_suspend(Cli *cli, Error *err);
MUST_CHECK int migration_resume(Cli *cli, Error *err);
MUST_CHECK int migration_verify(Cli *cli, Error *err);
MUST_CHECK int migration_cutover(Cli *cli, Error *err);
MUST_CHECK int migration_rollback(Cli *cli, Error *err);
MUST_CHECK int migration_terminate(Cli *cli, Error *err);
MUST_CHECK int addon_list(Cli *cli, Error *err);
MUST_CHECK int addon_describe(Cli *cli, Error *err);
MUST_CHECK int addon_enable(Cli *cli, Error *err);
MUST_CHECK int addon_disable(Cli *cli, Error *err);
MUST_CHECK int addon_upgrade(Cli *cli, Error *err);
MUST_CHECK int run_engine(Cli *cli, Error *err); // does not return when it can hand over
MUST_CHECK int show_version(Cli *cli, Error *err);
MUST_CHECK int show_completion(Cli *cli, Error *err);

extern const OptionTable CLI_TABLE;
extern const CommandFunction CLI_FUNCTIONS[VERB_COUNT]; // NULL: the first word of others
