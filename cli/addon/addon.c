// SPDX-License-Identifier: Apache-2.0
#include "cli/addon/addon.h"

#include "cli/commands.h"
#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"

#include <string.h>

enum { TASKS_SHOWN = 5 };

static bool has_kubeblocks(json_object *resources)
{
    json_object *list = k8s_member(resources, "resources");

    for (size_t i = 0; i < k8s_count(list); i++)
        if (strcmp(k8s_text(k8s_item(list, i), "name"), "addons") == 0)
            return true;
    return false;
}

int addon_look(Cli *cli, const AddonWay **way, AddonState *state, Error *err)
{
    const char *name = cli_text(cli, O_ADDON);
    json_object *resources = NULL;

    *state = (AddonState){0};
    if (name && strcmp(name, ADDON_NAME) != 0) {
        error_set(err, ERROR_USAGE, "there is no add-on '%.80s' here", name);
        return error_hint(err, "for example: kubeferry %s migration", cli->table->verbs[cli->verb].name);
    }
    if (cli_get(cli, "/apis/extensions.kubeblocks.io/v1alpha1", &resources, err) && err->http_status != 404)
        return -1;
    *way = has_kubeblocks(resources) ? &ADDON_KUBEBLOCKS : &ADDON_HELM;
    json_object_put(resources);
    error_clear(err);
    return (*way)->get(cli, state, err);
}

void addon_state_free(AddonState *s)
{
    char *texts[] = {s->version, s->provider, s->description, s->status,        s->message,
                     s->chart,   s->through,  s->release,     s->namespace_name};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    *s = (AddonState){0};
}

int addon_count_tasks(Cli *cli, size_t *count, char **some, Error *err)
{
    json_object *list = NULL;
    Buffer names = {0};

    *count = 0;
    *some = NULL;
    if (cli_get(cli, MIGRATION_API "/migrationtasks", &list, err)) {
        if (err->http_status != 404) // without the kind there are none of it
            return -1;
        error_clear(err);
        return 0;
    }
    json_object *items = k8s_member(list, "items");
    *count = k8s_count(items);
    for (size_t i = 0; i < *count && i < TASKS_SHOWN; i++) {
        json_object *metadata = k8s_member(k8s_item(items, i), "metadata");
        buffer_printf(&names, "%s%s/%s", i ? ", " : "", k8s_text(metadata, "namespace"), k8s_text(metadata, "name"));
    }
    if (*count > TASKS_SHOWN)
        buffer_puts(&names, ", …");
    json_object_put(list);
    *some = names.data;
    return 0;
}
