// SPDX-License-Identifier: Apache-2.0
// migration suspend, migration resume: the two values of spec.suspend.
#include "cli/commands.h"

#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"

#include <stdio.h>

static int set_suspend(Cli *cli, bool suspend, Error *err)
{
    const char *name = cli_text(cli, O_NAME), *word = suspend ? "suspended" : "resumed";
    json_object *task = NULL;

    if (cli_get_task(cli, name, &task, err))
        return -1;
    bool already = k8s_bool(k8s_member(task, "spec"), "suspend") == suspend;
    bool done = *k8s_text(k8s_member(task, "status"), "finishTime") != '\0';
    json_object_put(task);
    if (suspend && done)
        return error_set(err, ERROR_CONDITION, "the task %s is done: there is nothing to suspend", name);
    if (already) {
        printf("MigrationTask %s %s (it was already)\n", name, word);
        return 0;
    }
    auto_free char *path = cli_task_path(cli, name);
    json_object *patch = json_object_new_object(), *spec = json_object_new_object();
    json_object_object_add(spec, "suspend", json_object_new_boolean(suspend));
    json_object_object_add(patch, "spec", spec);
    int rc = cli_send(cli, "PATCH", path, "application/merge-patch+json", patch, NULL, err);
    json_object_put(patch);
    if (rc == 0)
        printf("MigrationTask %s %s\n", name, word);
    return rc;
}

int migration_suspend(Cli *cli, Error *err)
{
    return set_suspend(cli, true, err);
}

int migration_resume(Cli *cli, Error *err)
{
    return set_suspend(cli, false, err);
}
