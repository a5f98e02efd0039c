// SPDX-License-Identifier: Apache-2.0
// The connection to the cluster, opened when a command first needs it.
#include "cli/cli.h"

#include "cli/commands.h"
#include "cli/refusal.h"
#include "common/base/memory.h"
#include "common/base/nearest.h"
#include "common/base/secrets.h"
#include "common/base/utf8.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_path.h"
#include "common/k8s/k8s_status.h"

#include <stdio.h>
#include <string.h>

enum { REQUEST_TIMEOUT_S = 30, NAMES_MAX = 500, NAMES_SHOWN = 5 };

const char *cli_text(const Cli *cli, int option)
{
    return cli->values[option].text;
}

bool cli_given(const Cli *cli, int option)
{
    return cli->values[option].origin != OPTION_UNSET;
}

int64_t cli_number(const Cli *cli, int option, int64_t otherwise)
{
    return cli_given(cli, option) ? cli->values[option].integer : otherwise;
}

int cli_connect(Cli *cli, Error *err)
{
    if (cli->client)
        return 0;
    if (k8s_config_load(cli_text(cli, O_KUBECONFIG), cli_text(cli, O_CONTEXT), &cli->config, err))
        return -1;
    if (cli_given(cli, O_NAMESPACE)) {
        free(cli->config.namespace_name);
        cli->config.namespace_name = memory_strdup(cli_text(cli, O_NAMESPACE));
    }
    if (cli_given(cli, O_AS)) {
        free(cli->config.impersonate);
        cli->config.impersonate = memory_strdup(cli_text(cli, O_AS));
    }
    cli->loop = k8s_loop_new();
    return k8s_client_new(cli->loop, &cli->config, "kubeferry/" KUBEFERRY_VERSION, &cli->client, err);
}

void cli_disconnect(Cli *cli)
{
    k8s_client_free(cli->client);
    if (cli->loop)
        k8s_loop_free(cli->loop);
    k8s_config_free(&cli->config);
    cli->client = NULL;
    cli->loop = NULL;
}

const char *cli_namespace(const Cli *cli)
{
    return cli->config.namespace_name;
}

const char *cli_list_namespace(const Cli *cli)
{
    return cli_given(cli, O_ALL_NAMESPACES) ? NULL : cli->config.namespace_name;
}

int cli_send(Cli *cli, const char *method, const char *path, const char *content_type, json_object *body,
             json_object **out, Error *err)
{
    K8sReply reply = {0};

    if (cli_connect(cli, err))
        return -1;
    K8sRequest request = {.method = method,
                          .path = path,
                          .to_the_end = cli->to_the_end,
                          .timeout_ms = (int)cli_number(cli, O_REQUEST_TIMEOUT, REQUEST_TIMEOUT_S) * 1000};
    if (body) {
        request.content_type = content_type ? content_type : "application/json";
        request.body = json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
        request.body_len = strlen(request.body);
    }
    int rc = k8s_client_call(cli->client, &request, &reply, err);
    if (rc && reply.body)
        refusal_explain(&reply, &cli->config, err);
    if (rc == 0 && out) {
        *out = k8s_json_parse(reply.body, reply.len);
        if (!*out)
            rc = error_set(err, ERROR_PROTOCOL, "%s %s: the answer of %s is no JSON: is it a Kubernetes API server?",
                           method, path, cli->config.server);
    }
    k8s_reply_free(&reply);
    return rc;
}

int cli_get(Cli *cli, const char *path, json_object **out, Error *err)
{
    return cli_send(cli, "GET", path, NULL, NULL, out, err);
}

char *cli_task_path(const Cli *cli, const char *name)
{
    return k8s_path(MIGRATION_API, cli_namespace(cli), "migrationtasks", name, NULL);
}

// After a 404: which tasks there are, and the one that may have been meant.
static void explain_missing_task(Cli *cli, const char *name, Error *err)
{
    auto_free char *path = cli_task_path(cli, NULL);
    const char *names[NAMES_MAX];
    json_object *list = NULL;
    Error ignored = {0};

    error_set(err, ERROR_CONDITION, "there is no task \"%s\" in the namespace %s", name, cli_namespace(cli));
    err->http_status = 404;
    if (cli_get(cli, path, &list, &ignored))
        return;
    json_object *items = k8s_member(list, "items");
    size_t count = 0;
    for (; count < k8s_count(items) && count < NAMES_MAX; count++)
        names[count] = k8s_text(k8s_member(k8s_item(items, count), "metadata"), "name");
    const char *near = nearest_word(name, names, count);
    auto_buffer Buffer some = {0};
    for (size_t i = 0; i < count && i < NAMES_SHOWN; i++)
        buffer_printf(&some, "%s%s", i ? ", " : "", names[i]);
    if (near)
        error_hint(err, "did you mean %s?", near);
    else if (count)
        error_hint(err, "there are: %s%s", buffer_text(&some), count > NAMES_SHOWN ? ", …" : "");
    else
        error_hint(err, "there are none; -n names another namespace, kubeferry migration list -A shows all");
    json_object_put(list);
}

int cli_get_task(Cli *cli, const char *name, json_object **out, Error *err)
{
    if (!name)
        return error_set(err, ERROR_USAGE, "the name of a task is missing"),
               error_hint(err, "kubeferry migration list shows them; for example: %s %s mytask", cli->table->program,
                          cli->table->verbs[cli->verb].name);
    if (cli_connect(cli, err))
        return -1;
    auto_free char *path = cli_task_path(cli, name);
    if (cli_get(cli, path, out, err) == 0)
        return 0;
    if (err->http_status == 404 && !err->hint[0])
        explain_missing_task(cli, name, err);
    return -1;
}

void cli_report(const char *program, const Error *err)
{
    auto_free char *line = memory_printf("%s: %s%s%s", program, err->message, err->hint[0] ? "; " : "", err->hint);

    secrets_scrub(line);
    utf8_repair(line);
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            *p = ' ';
    fflush(stdout);
    fprintf(stderr, "%s\n", line);
}
