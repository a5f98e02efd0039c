// SPDX-License-Identifier: Apache-2.0
// version: of this command, and of the cluster where one is reached.
#include "cli/commands.h"

#include "common/k8s/k8s_object.h"

#include <stdio.h>

int show_version(Cli *cli, Error *err)
{
    json_object *version = NULL;
    Error reason = {0};

    (void)err;
    printf("kubeferry: " KUBEFERRY_VERSION "\n");
    fflush(stdout);
    if (cli_get(cli, "/version", &version, &reason))
        printf("Kubernetes: not known (%s)\n", reason.message);
    else
        printf("Kubernetes: %s\n", k8s_text(version, "gitVersion"));
    json_object_put(version);
    return 0;
}
