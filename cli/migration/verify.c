// SPDX-License-Identifier: Apache-2.0
// migration verify: asks the controller to compare both ends, and waits for what it finds when told to.
#include "cli/commands.h"

#include "cli/migration/wait.h"
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"

#include <stdio.h>
#include <string.h>

typedef struct Verification { // what is waited for
    const char *request;
    bool equal;
} Verification;

static bool has_ended(void *context, json_object *task)
{
    Verification *wanted = context;
    json_object *found = k8s_at(task, "status", "verification", NULL);
    const char *state = k8s_text(found, "state");

    if (strcmp(k8s_text(found, "request"), wanted->request) != 0 || !*state || strcmp(state, "Running") == 0)
        return false;
    wanted->equal = strcmp(state, "Equal") == 0;
    printf("%s: %lld rows of %lld tables compared", state, (long long)k8s_integer(found, "rows", 0),
           (long long)k8s_integer(found, "tables", 0));
    if (k8s_member(found, "differences"))
        printf(", %lld differ", (long long)k8s_integer(found, "differences", 0));
    printf("\n");
    if (*k8s_text(found, "message"))
        printf("%s\n", k8s_text(found, "message"));
    return true;
}

static int check(json_object *task, const char *name, Error *err)
{
    const char *status = k8s_text(k8s_member(task, "status"), "taskStatus");

    if (strcmp(status, "Running") == 0)
        return 0;
    error_set(err, ERROR_CONDITION, "the task %s does not follow changes (it is %s): there is nothing to compare yet",
              name, *status ? status : "not seen by the controller yet");
    return error_hint(err, "wait until kubeferry migration list shows Running");
}

int migration_verify(Cli *cli, Error *err)
{
    const char *name = cli_text(cli, O_NAME);
    json_object *task = NULL;
    char request[CLOCK_TEXT_SIZE];

    if (cli_get_task(cli, name, &task, err))
        return -1;
    int rc = check(task, name, err);
    json_object_put(task);
    if (rc)
        return rc;
    clock_format(clock_now(), request); // a text that was not there before
    json_object *patch = json_object_new_object(), *spec = json_object_new_object(), *wish = json_object_new_object();
    json_object_object_add(wish, "request", json_object_new_string(request));
    if (cli_given(cli, O_SAMPLE))
        json_object_object_add(wish, "sample", json_object_new_int64(cli->values[O_SAMPLE].integer));
    json_object_object_add(spec, "verification", wish);
    json_object_object_add(patch, "spec", spec);
    auto_free char *path = cli_task_path(cli, name);
    rc = cli_send(cli, "PATCH", path, "application/merge-patch+json", patch, NULL, err);
    json_object_put(patch);
    if (rc)
        return rc;
    printf("MigrationTask %s is being verified (%s)\n", name, request);
    fflush(stdout);
    Verification wanted = {.request = request, .equal = true};
    if (cli_given(cli, O_WAIT) && wait_for(cli, name, has_ended, &wanted, err))
        return -1;
    cli->exit_code = wanted.equal ? CLI_EXIT_DONE : CLI_EXIT_FAILED;
    return 0;
}
