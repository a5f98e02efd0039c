// SPDX-License-Identifier: Apache-2.0
// The add-on as it is in the cluster, and the two ways to change it: KubeBlocks' Addon object, or helm.
#pragma once

#include "cli/cli.h"

#define ADDON_NAME      "migration"
#define ADDON_RELEASE   "kb-addon-migration" // KubeBlocks calls it so, too; one of another name is found and kept
#define ADDON_NAMESPACE "kubeferry-system"   // without KubeBlocks, unless another is named
#define ADDON_CRDS                                                                                                     \
    "migrationtasks.datamigration.apecloud.io migrationtemplates.datamigration.apecloud.io "                           \
    "serialjobs.common.apecloud.io"

typedef struct AddonState { // texts are owned; NULL: not known
    char *version, *provider, *description;
    char *status; // Disabled, Enabling, Enabled, Disabling, Failed
    char *message;
    char *chart;
    char *through;                  // "KubeBlocks", "helm release kb-addon-migration in kubeferry-system"
    char *release, *namespace_name; // of helm
    bool auto_install;
    bool exists; // the Addon object, or the release
} AddonState;

typedef struct AddonWay {
    int (*get)(Cli *cli, AddonState *state, Error *err);
    int (*enable)(Cli *cli, const AddonState *state, Error *err);
    int (*disable)(Cli *cli, const AddonState *state, Error *err);
    int (*upgrade)(Cli *cli, const AddonState *state, Error *err);
} AddonWay;

extern const AddonWay ADDON_KUBEBLOCKS, ADDON_HELM;

// Which way this cluster has, and what the add-on is like. Refuses any other name than migration.
MUST_CHECK int addon_look(Cli *cli, const AddonWay **way, AddonState *state, Error *err);
void addon_state_free(AddonState *state);
// Tasks of all namespaces: how many, and the first few as "namespace/name, …" (caller frees).
MUST_CHECK int addon_count_tasks(Cli *cli, size_t *count, char **some, Error *err);
