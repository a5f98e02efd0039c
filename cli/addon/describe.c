// SPDX-License-Identifier: Apache-2.0
// addon describe: how migration is installed.
#include "cli/commands.h"

#include "cli/addon/addon.h"
#include "common/base/memory.h"

#include <stdio.h>

int addon_describe(Cli *cli, Error *err)
{
    const AddonWay *way;
    AddonState state;
    size_t tasks = 0;
    char *some = NULL;

    int rc = addon_look(cli, &way, &state, err);
    if (rc == 0)
        rc = addon_count_tasks(cli, &tasks, &some, err);
    auto_free char *names = some;
    if (rc == 0) {
        printf("Name: %s\n", ADDON_NAME);
        printf("Description: %s\n", state.description ?: "-");
        printf("Type: Helm\n");
        printf("Version: %s\n", state.version ?: "-");
        printf("Provider: %s\n", state.provider ?: "-");
        printf("Status: %s\n", state.status);
        printf("Auto-install: %s\n", state.auto_install ? "true" : "false");
        printf("Installed by: %s\n", state.through);
        printf("Chart: %s\n", state.chart ?: "-");
        printf("Tasks: %zu%s%s%s\n", tasks, names ? " (" : "", names ?: "", names ? ")" : "");
        if (state.message)
            printf("Message: %s\n", state.message);
    }
    addon_state_free(&state);
    return rc;
}
