// SPDX-License-Identifier: Apache-2.0
// Without KubeBlocks: the helm binary on the project's chart. The release is called as KubeBlocks would.
#include "cli/addon/addon.h"

#include "cli/commands.h"
#include "cli/program.h"
#include "common/base/memory.h"
#include "common/base/process.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_status.h"

#include <string.h>
#include <unistd.h>

enum { WORDS_MAX = 256, OUTPUT_MAX = 1 << 20, TIMEOUT_S = 300 };

typedef struct Words { // of a command line
    const char *argv[WORDS_MAX + 1];
    size_t count;
} Words;

static void add(Words *words, const char *word)
{
    if (words->count < WORDS_MAX)
        words->argv[words->count++] = word;
}

static void add_pair(Words *words, const char *option, const char *value)
{
    if (!value)
        return;
    add(words, option);
    add(words, value);
}

// What helm says of a failure stands behind "Error: ", in its last lines.
static int failed(const ProcessResult *result, const char *what, Error *err)
{
    const char *text = buffer_text(&result->errors), *error = text;

    for (const char *p = text; (p = strstr(p, "Error: ")); p++)
        error = p + strlen("Error: ");
    error_set(err, ERROR_CONDITION, "helm %s ended with %d: %.900s", what, result->exit_status, error);
    size_t len = strlen(err->message);
    while (len > 0 && err->message[len - 1] == '\n')
        err->message[--len] = '\0';
    return -1;
}

// words: behind "helm" and before the options that say where the cluster is.
static int run(const Cli *cli, Words *words, ProcessResult *result, Error *err)
{
    auto_free char *helm = process_find("helm");

    if (!helm) {
        error_set(err, ERROR_SYSTEM, "this cluster has no KubeBlocks, and helm is not in PATH");
        return error_hint(err, "install helm 3.14 or newer (https://helm.sh), or apply deploy/ with kubectl");
    }
    words->argv[0] = helm;
    add_pair(words, "--kubeconfig", cli_text(cli, O_KUBECONFIG));
    add_pair(words, "--kube-context", cli_text(cli, O_CONTEXT));
    add_pair(words, "--kube-as-user", cli_text(cli, O_AS));
    words->argv[words->count] = NULL;
    const ProcessCommand command = {.argv = words->argv, .output_max = OUTPUT_MAX};
    if (process_run(&command, result, err))
        return -1;
    return result->exit_status ? failed(result, words->argv[1], err) : 0;
}

// The chart to install: what was named, else the one that was installed with this command. Caller frees.
static int chart_of(const Cli *cli, char **chart, Error *err)
{
    *chart = cli_given(cli, O_CHART) ? memory_strdup(cli_text(cli, O_CHART)) : program_data("share/kubeferry/chart");
    if (cli_given(cli, O_CHART) || access(*chart, R_OK) == 0)
        return 0;
    error_set(err, ERROR_SYSTEM, "the chart is not at %s", *chart);
    free(*chart);
    *chart = NULL;
    return error_hint(err, "name it: --chart helm/migration, or --chart oci://…");
}

// ---- what there is -------------------------------------------------------------------------------------------------

static const char *status_of(const char *helm_status)
{
    static const struct {
        const char *helm, *ours;
    } STATES[] = {{"deployed", "Enabled"},          {"failed", "Failed"},
                  {"pending-install", "Enabling"},  {"pending-upgrade", "Enabling"},
                  {"pending-rollback", "Enabling"}, {"uninstalling", "Disabling"}};

    for (size_t i = 0; i < sizeof STATES / sizeof *STATES; i++)
        if (strcmp(helm_status, STATES[i].helm) == 0)
            return STATES[i].ours;
    return "Disabled";
}

static void take_release(json_object *release, AddonState *state)
{
    const char *chart = k8s_text(release, "chart"), *dash = strrchr(chart, '-');

    state->exists = true;
    state->status = memory_strdup(status_of(k8s_text(release, "status")));
    state->version = memory_strdup(dash ? dash + 1 : chart);
    state->chart = memory_strdup(chart);
    state->release = memory_strdup(k8s_text(release, "name"));
    state->namespace_name = memory_strdup(k8s_text(release, "namespace"));
}

// By its chart: somebody may have installed that with helm, under a name of their own.
static json_object *find_release(json_object *list)
{
    static const char CHART[] = "migration-";
    size_t len = strlen(CHART);

    for (size_t i = 0; i < k8s_count(list); i++) {
        const char *chart = k8s_text(k8s_item(list, i), "chart");
        if (strncmp(chart, CHART, len) == 0 && strspn(chart + len, "0123456789") > 0)
            return k8s_item(list, i);
    }
    return NULL;
}

static int get(Cli *cli, AddonState *state, Error *err)
{
    auto_process_result ProcessResult result = {0};
    Words words = {{"helm", "list", "--all-namespaces", "--all", "--output", "json"}, 6};

    if (run(cli, &words, &result, err))
        return -1;
    json_object *list = k8s_json_parse(buffer_text(&result.output), result.output.len);
    json_object *release = find_release(list);
    if (release) {
        take_release(release, state);
    } else {
        state->release = memory_strdup(ADDON_RELEASE);
        state->status = memory_strdup("Disabled");
        state->version = memory_strdup(KUBEFERRY_VERSION);
        state->namespace_name = memory_strdup(cli_text(cli, O_NAMESPACE) ?: ADDON_NAMESPACE);
    }
    json_object_put(list);
    state->provider = memory_strdup("community");
    state->description =
        memory_strdup("Moves live PostgreSQL databases into other ones while applications keep writing.");
    state->through = memory_printf("helm release %s in %s", state->release, state->namespace_name);
    return 0;
}

// ---- changing it ---------------------------------------------------------------------------------------------------

static int install(Cli *cli, const AddonState *state, bool again, Error *err)
{
    auto_process_result ProcessResult result = {0};
    const OptionValue *set = &cli->values[O_SET];
    auto_free char *timeout = memory_printf("%llds", (long long)cli_number(cli, O_TIMEOUT, TIMEOUT_S));
    char *chart = NULL;

    if (chart_of(cli, &chart, err))
        return -1;
    auto_free char *owned = chart;
    Words words = {{"helm", "upgrade", "--install", state->release, owned}, 5};
    add_pair(&words, "--namespace", state->namespace_name);
    add(&words, "--create-namespace");
    add(&words, "--atomic");
    add(&words, "--wait");
    add_pair(&words, "--timeout", timeout);
    if (again)
        add(&words, "--reset-then-reuse-values");
    for (size_t i = 0; i < set->count; i++)
        add_pair(&words, "--set", set->all[i]);
    return run(cli, &words, &result, err);
}

static int enable(Cli *cli, const AddonState *state, Error *err)
{
    return install(cli, state, state->exists, err);
}

static int upgrade(Cli *cli, const AddonState *state, Error *err)
{
    return install(cli, state, true, err);
}

static int disable(Cli *cli, const AddonState *state, Error *err)
{
    auto_process_result ProcessResult result = {0};
    auto_free char *timeout = memory_printf("%llds", (long long)cli_number(cli, O_TIMEOUT, TIMEOUT_S));

    if (!state->exists)
        return 0;
    Words words = {{"helm", "uninstall", state->release, "--wait"}, 4};
    add_pair(&words, "--namespace", state->namespace_name);
    add_pair(&words, "--timeout", timeout);
    return run(cli, &words, &result, err);
}

const AddonWay ADDON_HELM = {get, enable, disable, upgrade};
