// SPDX-License-Identifier: Apache-2.0
#include "controller/controller_options.h"

#include "common/base/memory.h"
#include "common/base/options.h"
#include "controller/task_states.h"

#include <string.h>

enum {
    O_ENGINE_IMAGE,
    O_ENGINE_PULL_POLICY,
    O_ENGINE_PULL_SECRETS,
    O_LISTEN,
    O_LEASE_NAMESPACE,
    O_LEASE_NAME,
    O_KUBECONFIG,
    O_CONTEXT,
    O_LOG_FORMAT,
    O_LOG_LEVEL,
    O_HELP,
    O_HELP_MARKDOWN,
    O_STATES_MARKDOWN,
    O_VERSION,
    O_COUNT
};

static const OptionSpec SPECS[O_COUNT] = {
    [O_ENGINE_IMAGE] = {.name = "engine-image",
                        .env = "KUBEFERRY_ENGINE_IMAGE",
                        .argument = "IMAGE",
                        .type = OPTION_TEXT,
                        .help = "image of the workers, unless a template names another; required"},
    [O_ENGINE_PULL_POLICY] = {.name = "engine-pull-policy",
                              .env = "KUBEFERRY_ENGINE_PULL_POLICY",
                              .argument = "POLICY",
                              .type = OPTION_CHOICE,
                              .fallback = "IfNotPresent",
                              .range = "IfNotPresent|Always|Never",
                              .help = "when a node fetches that image"},
    [O_ENGINE_PULL_SECRETS] = {.name = "engine-pull-secrets",
                               .env = "KUBEFERRY_ENGINE_PULL_SECRETS",
                               .argument = "NAMES",
                               .type = OPTION_TEXT,
                               .help = "Secrets to fetch it with, separated by commas; looked up in the namespace of "
                                       "each task"},
    [O_LISTEN] = {.name = "listen",
                  .env = "KUBEFERRY_LISTEN",
                  .argument = "ADDR:PORT",
                  .type = OPTION_TEXT,
                  .fallback = ":8080",
                  .help = "serve /metrics, /healthz and /readyz there; port 0 takes a free one and logs it"},
    [O_LEASE_NAMESPACE] = {.name = "lease-namespace",
                           .env = "KUBEFERRY_LEASE_NAMESPACE",
                           .argument = "NAMESPACE",
                           .type = OPTION_TEXT,
                           .fallback = "the pod's own, or the context's",
                           .help = "where the Lease stands that says which of several controllers works"},
    [O_LEASE_NAME] = {.name = "lease-name",
                      .env = "KUBEFERRY_LEASE_NAME",
                      .argument = "NAME",
                      .type = OPTION_TEXT,
                      .fallback = "kubeferry-controller",
                      .help = "name of that Lease"},
    [O_KUBECONFIG] = {.name = "kubeconfig",
                      .argument = "FILE",
                      .type = OPTION_TEXT,
                      .fallback = "KUBECONFIG, the pod's service account, ~/.kube/config",
                      .help = "where the API server is and who we are"},
    [O_CONTEXT] = {.name = "context",
                   .argument = "NAME",
                   .type = OPTION_TEXT,
                   .fallback = "the current one",
                   .help = "context of the kubeconfig"},
    [O_LOG_FORMAT] = {.name = "log-format",
                      .env = "KUBEFERRY_LOG_FORMAT",
                      .argument = "FORMAT",
                      .type = OPTION_CHOICE,
                      .fallback = "text",
                      .range = "text|json",
                      .help = "form of the log on stderr"},
    [O_LOG_LEVEL] = {.name = "log-level",
                     .env = "KUBEFERRY_LOG_LEVEL",
                     .argument = "LEVEL",
                     .type = OPTION_CHOICE,
                     .fallback = "info",
                     .range = "debug|info|warn|error",
                     .help = "the lowest level that is written"},
    [O_HELP] = {.name = "help", .type = OPTION_FLAG, .help = "this page"},
    [O_HELP_MARKDOWN] = {.name = "help-markdown", .type = OPTION_FLAG, .help = "docs/controller-options.md"},
    [O_STATES_MARKDOWN] = {.name = "states-markdown", .type = OPTION_FLAG, .help = "docs/task-states.md"},
    [O_VERSION] = {.name = "version", .type = OPTION_FLAG, .help = "the version"},
};

static const OptionTable TABLE = {
    .program = "kubeferry-controller",
    .summary = "Watches MigrationTask objects and runs their steps as Jobs.",
    .specs = SPECS,
    .spec_count = O_COUNT,
    .notes = "SIGTERM ends it within some seconds: what was begun is finished, leadership is given back.\n\n"
             "Exit codes: 0 stopped; 64 bad configuration or credentials; 69 the API server cannot be reached at the "
             "start.",
};

static char *text_of(const OptionValue *value, const char *otherwise)
{
    if (value->origin != OPTION_UNSET)
        return memory_strdup(value->text);
    return otherwise ? memory_strdup(otherwise) : NULL;
}

static void fill(const OptionValue values[O_COUNT], ControllerOptions *out)
{
    bool level_given = values[O_LOG_LEVEL].origin != OPTION_UNSET;

    *out = (ControllerOptions){
        .engine_image = text_of(&values[O_ENGINE_IMAGE], NULL),
        .engine_pull_policy = text_of(&values[O_ENGINE_PULL_POLICY], "IfNotPresent"),
        .engine_pull_secrets = text_of(&values[O_ENGINE_PULL_SECRETS], ""),
        .listen = text_of(&values[O_LISTEN], ":8080"),
        .lease_namespace = text_of(&values[O_LEASE_NAMESPACE], NULL),
        .lease_name = text_of(&values[O_LEASE_NAME], "kubeferry-controller"),
        .kubeconfig = text_of(&values[O_KUBECONFIG], NULL),
        .context = text_of(&values[O_CONTEXT], NULL),
        .log_format = values[O_LOG_FORMAT].integer == 1 ? LOG_JSON : LOG_TEXT,
        .log_level = level_given ? (LogLevel)values[O_LOG_LEVEL].integer : LOG_INFO,
        .help = values[O_HELP].origin != OPTION_UNSET,
        .help_markdown = values[O_HELP_MARKDOWN].origin != OPTION_UNSET,
        .states_markdown = values[O_STATES_MARKDOWN].origin != OPTION_UNSET,
        .version = values[O_VERSION].origin != OPTION_UNSET,
    };
}

int controller_options_parse(int argc, char **argv, ControllerOptions *out, Error *err)
{
    OptionValue values[O_COUNT] = {0};
    int verb, rc = options_parse(&TABLE, argc, argv, &verb, values, err);

    *out = (ControllerOptions){0};
    if (rc == 0)
        fill(values, out);
    options_free(&TABLE, values);
    if (rc == 0 && !out->engine_image && !out->help && !controller_options_asks(out)) {
        error_set(err, ERROR_USAGE, "the image of the workers is not given");
        return error_hint(err, "give it with --engine-image or KUBEFERRY_ENGINE_IMAGE");
    }
    return rc;
}

void controller_options_free(ControllerOptions *options)
{
    free(options->engine_image);
    free(options->engine_pull_policy);
    free(options->engine_pull_secrets);
    free(options->listen);
    free(options->lease_namespace);
    free(options->lease_name);
    free(options->kubeconfig);
    free(options->context);
}

bool controller_options_asks(const ControllerOptions *options)
{
    return options->help || options->help_markdown || options->states_markdown || options->version;
}

void controller_options_answer(const ControllerOptions *options, FILE *out)
{
    auto_buffer Buffer page = {0};

    if (options->version)
        buffer_puts(&page, "kubeferry-controller " KUBEFERRY_VERSION "\n");
    else if (options->help_markdown)
        options_markdown(&TABLE, &page);
    else if (options->states_markdown)
        task_states_markdown(&page);
    else
        options_help(&TABLE, -1, &page);
    fputs(buffer_text(&page), out);
}

WorkerSettings controller_options_worker(const ControllerOptions *options)
{
    return (WorkerSettings){.image = options->engine_image,
                            .pull_policy = options->engine_pull_policy,
                            .pull_secrets = options->engine_pull_secrets};
}
