// SPDX-License-Identifier: Apache-2.0
// Where KubeBlocks runs, it installs the chart: the Addon object is patched as its own client does, and that is all.
#include "cli/addon/addon.h"

#include "cli/commands.h"
#include "cli/program.h"
#include "common/base/file.h"
#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_path.h"
#include "common/k8s/k8s_yaml.h"

#include <string.h>

#define ADDON_API "/apis/extensions.kubeblocks.io/v1alpha1"

enum { FILE_MAX = 1 << 20 };

static char *path_of(const char *name)
{
    return k8s_path(ADDON_API, NULL, "addons", name, NULL);
}

static char *copy(const char *text)
{
    return *text ? memory_strdup(text) : NULL;
}

static const char *failure_of(json_object *addon)
{
    json_object *conditions = k8s_at(addon, "status", "conditions", NULL);
    const char *message = "";

    for (size_t i = 0; i < k8s_count(conditions); i++)
        if (strcmp(k8s_text(k8s_item(conditions, i), "status"), "False") == 0)
            message = k8s_text(k8s_item(conditions, i), "message");
    return message;
}

static int get(Cli *cli, AddonState *state, Error *err)
{
    auto_free char *path = path_of(ADDON_NAME);
    json_object *addon = NULL;

    state->through = memory_strdup("KubeBlocks");
    if (cli_get(cli, path, &addon, err)) {
        if (err->http_status != 404)
            return -1;
        error_clear(err);
        state->status = memory_strdup("Disabled");
        return 0;
    }
    json_object *labels = k8s_at(addon, "metadata", "labels", NULL), *spec = k8s_member(addon, "spec");
    const char *phase = k8s_text(k8s_member(addon, "status"), "phase");
    state->exists = true;
    state->version = copy(k8s_text(labels, "addon.kubeblocks.io/version"));
    state->provider = copy(k8s_text(labels, "addon.kubeblocks.io/provider"));
    state->description = copy(k8s_text(spec, "description"));
    state->chart = copy(k8s_text(k8s_member(spec, "helm"), "chartLocationURL"));
    state->status = memory_strdup(*phase ? phase : "Disabled");
    state->message = copy(failure_of(addon));
    state->auto_install = k8s_bool(k8s_member(spec, "installable"), "autoInstall");
    json_object_put(addon);
    return 0;
}

// The Addon object that comes with this command, for a KubeBlocks that does not know the add-on.
static int create(Cli *cli, Error *err)
{
    auto_free char *file = program_data("share/kubeferry/addon.yaml");
    auto_free char *path = path_of(NULL);
    size_t len;
    auto_free char *text = file_read(file, FILE_MAX, &len, err);

    if (!text)
        return error_wrap(err, "this KubeBlocks has no add-on migration, and the one that comes with kubeferry");
    json_object *addon = k8s_yaml_parse(text, len, err);
    int rc = addon ? cli_send(cli, "POST", path, NULL, addon, NULL, err) : error_wrap(err, "%s", file);
    json_object_put(addon);
    return rc;
}

static json_object *below(json_object *object, const char *name)
{
    json_object *child = json_object_new_object();

    json_object_object_add(object, name, child);
    return child;
}

static json_object *install_patch(bool enabled)
{
    json_object *patch = json_object_new_object();

    json_object_object_add(below(below(patch, "spec"), "install"), "enabled", json_object_new_boolean(enabled));
    return patch;
}

static void add_values(const Cli *cli, json_object *patch)
{
    const OptionValue *set = &cli->values[O_SET];
    json_object *values = json_object_new_array(), *spec = k8s_member(patch, "spec");

    for (size_t i = 0; i < set->count; i++)
        json_object_array_add(values, json_object_new_string(set->all[i]));
    if (set->count)
        json_object_object_add(below(below(spec, "helm"), "installValues"), "setValues", values);
    else
        json_object_put(values);
}

static int send_patch(Cli *cli, json_object *patch, Error *err)
{
    auto_free char *path = path_of(ADDON_NAME);
    int rc = cli_send(cli, "PATCH", path, "application/merge-patch+json", patch, NULL, err);

    json_object_put(patch);
    return rc;
}

static int enable(Cli *cli, const AddonState *state, Error *err)
{
    if (!state->exists && create(cli, err))
        return -1;
    json_object *patch = install_patch(true);
    add_values(cli, patch);
    return send_patch(cli, patch, err);
}

static int disable(Cli *cli, const AddonState *state, Error *err)
{
    return state->exists ? send_patch(cli, install_patch(false), err) : 0;
}

// The chart's new place and version; KubeBlocks runs helm when they change.
static int upgrade(Cli *cli, const AddonState *state, Error *err)
{
    json_object *patch = install_patch(true);

    (void)state;
    add_values(cli, patch);
    json_object *spec = k8s_member(patch, "spec"), *helm = k8s_member(spec, "helm");
    if (!helm)
        helm = below(spec, "helm");
    if (cli_given(cli, O_CHART))
        json_object_object_add(helm, "chartLocationURL", json_object_new_string(cli_text(cli, O_CHART)));
    json_object_object_add(below(helm, "installOptions"), "version", json_object_new_string(KUBEFERRY_VERSION));
    json_object_object_add(below(below(patch, "metadata"), "labels"), "addon.kubeblocks.io/version",
                           json_object_new_string(KUBEFERRY_VERSION));
    return send_patch(cli, patch, err);
}

const AddonWay ADDON_KUBEBLOCKS = {get, enable, disable, upgrade};
