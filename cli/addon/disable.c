// SPDX-License-Identifier: Apache-2.0
// addon disable: switches migration off, unless tasks would be left without the one who ends them.
#include "cli/commands.h"

#include "cli/addon/addon.h"
#include "common/base/memory.h"

#include <stdio.h>

static int check_tasks(Cli *cli, Error *err)
{
    size_t count;
    char *some;

    if (addon_count_tasks(cli, &count, &some, err))
        return -1;
    auto_free char *names = some;
    if (count == 0)
        return 0;
    if (cli_given(cli, O_FORCE)) {
        fprintf(stderr,
                "kubeferry: %zu tasks stay as they are, and cannot be deleted until migration is enabled again: %s\n",
                count, names);
        return 0;
    }
    error_set(err, ERROR_CONDITION, "there %s: %s", count > 1 ? "are still tasks" : "is still a task", names);
    return error_hint(err,
                      "end %s first, which drops what they hold on their sources: kubeferry migration terminate …; "
                      "or --force",
                      count > 1 ? "them" : "it");
}

int addon_disable(Cli *cli, Error *err)
{
    const AddonWay *way;
    AddonState state;

    int rc = addon_look(cli, &way, &state, err) || check_tasks(cli, err) || way->disable(cli, &state, err) ? -1 : 0;
    if (rc == 0) {
        printf("addon.extensions.kubeblocks.io/%s disabled\n", ADDON_NAME);
        printf("The kinds of objects stay, and every object of them. To delete both by hand:\n  kubectl delete "
               "crd " ADDON_CRDS "\n");
    }
    addon_state_free(&state);
    return rc;
}
