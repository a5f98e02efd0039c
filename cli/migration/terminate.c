// SPDX-License-Identifier: Apache-2.0
// migration terminate: deletes tasks, once their names were typed again.
#include "cli/commands.h"

#include "cli/migration/wait.h"
#include "cli/prompt.h"
#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"

#include <stdio.h>
#include <string.h>

static int check_names(Cli *cli, const OptionValue *names, Error *err)
{
    if (names->count == 0) {
        error_set(err, ERROR_USAGE, "the name of a task is missing");
        return error_hint(err, "for example: kubeferry migration terminate mytask");
    }
    for (size_t i = 0; i < names->count; i++) {
        json_object *task = NULL;
        if (cli_get_task(cli, names->all[i], &task, err))
            return -1;
        json_object_put(task);
    }
    return 0;
}

static char *joined(const OptionValue *names)
{
    Buffer out = {0};

    for (size_t i = 0; i < names->count; i++)
        buffer_printf(&out, "%s%s", i ? " " : "", names->all[i]);
    return out.data;
}

static int approve(const OptionValue *names, Error *err)
{
    auto_free char *expected = joined(names);
    auto_free char *question =
        memory_printf("Slot and publication of %s will be dropped on the source; the data on both ends stays.\n"
                      "Type %s again to terminate: ",
                      expected, names->count > 1 ? "the names, with a space between," : "the name");
    char *answer = NULL;

    if (prompt_line(question, false, &answer, err)) {
        if (err->code == ERROR_USAGE)
            error_hint(err, "--auto-approve terminates without asking");
        return -1;
    }
    auto_free char *typed = answer;
    if (strcmp(typed, expected) == 0)
        return 0;
    return error_set(err, ERROR_CONDITION, "'%.80s' was typed, not '%s': nothing is deleted", typed, expected);
}

static int set_force(Cli *cli, const char *path, Error *err)
{
    json_object *patch = json_object_new_object(), *spec = json_object_new_object();

    json_object_object_add(spec, "isForceDelete", json_object_new_boolean(true));
    json_object_object_add(patch, "spec", spec);
    int rc = cli_send(cli, "PATCH", path, "application/merge-patch+json", patch, NULL, err);
    json_object_put(patch);
    return rc;
}

int migration_terminate(Cli *cli, Error *err)
{
    const OptionValue *names = &cli->values[O_NAMES];

    if (check_names(cli, names, err) || (!cli_given(cli, O_AUTO_APPROVE) && approve(names, err)))
        return -1;
    for (size_t i = 0; i < names->count; i++) {
        auto_free char *path = cli_task_path(cli, names->all[i]);
        if ((cli_given(cli, O_FORCE) && set_force(cli, path, err)) ||
            cli_send(cli, "DELETE", path, NULL, NULL, NULL, err))
            return -1;
        printf("MigrationTask %s deleted\n", names->all[i]);
        fflush(stdout);
    }
    for (size_t i = 0; cli_given(cli, O_WAIT) && i < names->count; i++)
        if (wait_gone(cli, names->all[i], err))
            return -1;
    return 0;
}
