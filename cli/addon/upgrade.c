// SPDX-License-Identifier: Apache-2.0
// addon upgrade: brings migration to the version of this command.
#include "cli/commands.h"

#include "cli/addon/addon.h"

#include <stdio.h>
#include <string.h>

int addon_upgrade(Cli *cli, Error *err)
{
    const AddonWay *way;
    AddonState state;

    int rc = addon_look(cli, &way, &state, err);
    if (rc == 0 && strcmp(state.status, "Disabled") == 0) {
        rc = error_set(err, ERROR_CONDITION, "migration is not enabled: there is nothing to upgrade");
        error_hint(err, "kubeferry addon enable migration");
    }
    if (rc == 0)
        rc = way->upgrade(cli, &state, err);
    if (rc == 0)
        printf("addon.extensions.kubeblocks.io/%s upgraded\n", ADDON_NAME);
    addon_state_free(&state);
    return rc;
}
