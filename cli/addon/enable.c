// SPDX-License-Identifier: Apache-2.0
// addon enable: switches migration on.
#include "cli/commands.h"

#include "cli/addon/addon.h"

#include <stdio.h>

int addon_enable(Cli *cli, Error *err)
{
    const AddonWay *way;
    AddonState state;

    int rc = addon_look(cli, &way, &state, err) || way->enable(cli, &state, err) ? -1 : 0;
    if (rc == 0)
        printf("addon.extensions.kubeblocks.io/%s enabled\n", ADDON_NAME);
    addon_state_free(&state);
    return rc;
}
