// SPDX-License-Identifier: Apache-2.0
// migration create: checks everything that can be checked, then makes the task, then the Secret that it owns.
#include "cli/commands.h"

#include "cli/migration/create_spec.h"
#include "cli/migration/wait.h"
#include "cli/object_output.h"
#include "common/base/memory.h"
#include "common/base/nearest.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_path.h"

#include <stdio.h>
#include <string.h>

typedef enum DryRun { DRY_RUN_NONE, DRY_RUN_CLIENT, DRY_RUN_SERVER } DryRun;

enum { TEMPLATES_MAX = 100 };

// ---- the template --------------------------------------------------------------------------------------------------

static int refuse_template(Cli *cli, const char *name, Error *err)
{
    const char *names[TEMPLATES_MAX];
    json_object *list = NULL;
    auto_buffer Buffer some = {0};
    size_t count = 0;

    if (cli_get(cli, MIGRATION_API "/migrationtemplates", &list, err))
        return -1;
    json_object *items = k8s_member(list, "items");
    for (; count < k8s_count(items) && count < TEMPLATES_MAX; count++) {
        names[count] = k8s_text(k8s_member(k8s_item(items, count), "metadata"), "name");
        buffer_printf(&some, "%s%s", count ? ", " : "", names[count]);
    }
    const char *near = nearest_word(name, names, count);
    error_set(err, ERROR_USAGE, "--template: there is no template '%.80s'", name);
    if (count)
        error_hint(err, "there %s %s; for example --template %s", count > 1 ? "are" : "is", some.data,
                   near ? near : names[0]);
    else
        error_hint(err, "there is none at all: kubeferry addon enable migration brings apecloud-pg2pg");
    json_object_put(list);
    return -1;
}

static int check_template(Cli *cli, const char *name, Error *err)
{
    auto_free char *path = k8s_path(MIGRATION_API, NULL, "migrationtemplates", name, NULL);
    json_object *template = NULL;

    if (cli_get(cli, path, &template, err))
        return err->http_status == 404 && !err->hint[0] ? refuse_template(cli, name, err) : -1;
    json_object *status = k8s_member(template, "status");
    int rc = 0;
    if (strcmp(k8s_text(status, "phase"), "Unavailable") == 0) {
        rc = error_set(err, ERROR_USAGE, "--template: '%.80s' is Unavailable: %s", name, k8s_text(status, "message"));
        error_hint(err, "kubeferry migration templates shows which can be used");
    }
    json_object_put(template);
    return rc;
}

// ---- the objects ---------------------------------------------------------------------------------------------------

// The uid of the Secret at path when it belonged to a task of this name that is gone, and the garbage collector has yet
// to come by; NULL when it is somebody's. Caller frees.
static char *leftover_uid(Cli *cli, const CreateInput *input, const char *path, const char *task_uid)
{
    json_object *secret = NULL;
    Error ignored = {0};
    char *uid = NULL;

    if (cli_get(cli, path, &secret, &ignored))
        return NULL;
    json_object *metadata = k8s_member(secret, "metadata"), *owners = k8s_member(metadata, "ownerReferences");
    json_object *owner = k8s_item(owners, 0);
    if (strcmp(k8s_text(owner, "kind"), "MigrationTask") == 0 && strcmp(k8s_text(owner, "name"), input->name) == 0 &&
        (!task_uid || strcmp(k8s_text(owner, "uid"), task_uid) != 0))
        uid = memory_strdup(k8s_text(metadata, "uid"));
    json_object_put(secret);
    return uid;
}

static int delete_leftover(Cli *cli, const char *path, const char *leftover, Error *err)
{
    json_object *options = json_object_new_object(), *preconditions = json_object_new_object();

    json_object_object_add(preconditions, "uid", json_object_new_string(leftover));
    json_object_object_add(options, "preconditions", preconditions);
    int rc = cli_send(cli, "DELETE", path, NULL, options, NULL, err);
    json_object_put(options);
    return rc && err->http_status == 404 ? 0 : rc;
}

// uid: of the task that owns it; NULL for a dry run, before the task is made.
static int make_secret(Cli *cli, const CreateInput *input, const char *uid, Error *err)
{
    auto_free char *collection = k8s_path("/api/v1", cli_namespace(cli), "secrets", NULL, NULL);
    auto_free char *post = memory_printf("%s%s", collection, uid ? "" : "?dryRun=All");
    auto_free char *name = create_spec_secret_name(input);
    auto_free char *path = k8s_path("/api/v1", cli_namespace(cli), "secrets", name, NULL);
    json_object *secret = create_spec_secret(input, cli_namespace(cli), uid);
    Error taken = {0};

    int rc = secret ? cli_send(cli, "POST", post, NULL, secret, NULL, &taken) : 0;
    auto_free char *leftover = rc && taken.http_status == 409 ? leftover_uid(cli, input, path, uid) : NULL;
    if (leftover)
        rc = uid &&
             (delete_leftover(cli, path, leftover, &taken) || cli_send(cli, "POST", post, NULL, secret, NULL, &taken));
    json_object_put(secret);
    if (rc == 0)
        return 0;
    *err = taken;
    if (taken.http_status == 409) {
        error_set(err, ERROR_CONDITION, "there is a Secret %s already, and it is not this task's", name);
        error_hint(err, "delete it, or name it with --source-secret and --sink-secret, or give the task another name");
    }
    return error_wrap(err, "the Secret for the passwords");
}

static int make_task(Cli *cli, json_object *task, bool dry, json_object **made, Error *err)
{
    auto_free char *collection = cli_task_path(cli, NULL);
    auto_free char *path = memory_printf("%s?fieldValidation=Strict%s", collection, dry ? "&dryRun=All" : "");
    const char *name = k8s_text(k8s_member(task, "metadata"), "name");

    if (cli_send(cli, "POST", path, NULL, task, made, err) == 0)
        return 0;
    if (err->http_status == 409) {
        error_set(err, ERROR_CONDITION, "there is a task \"%s\" already in the namespace %s", name, cli_namespace(cli));
        error_hint(err, "choose another name, or end that one first: kubeferry migration terminate %s", name);
    }
    return -1;
}

static int make_owned(Cli *cli, const CreateInput *input, json_object *task, json_object **made, Error *err)
{
    auto_free char *path = cli_task_path(cli, input->name);
    Error ignored = {0};

    if (make_task(cli, task, false, made, err))
        return -1;
    if (make_secret(cli, input, k8s_text(k8s_member(*made, "metadata"), "uid"), err) == 0)
        return 0;
    if (cli_send(cli, "DELETE", path, NULL, NULL, NULL, &ignored) == 0)
        error_hint(err, "the task was taken back");
    json_object_put(*made);
    *made = NULL;
    return -1;
}

static int make_both(Cli *cli, const CreateInput *input, json_object *task, bool dry, json_object **made, Error *err)
{
    // The Secret's turn comes last, for it needs the task's uid; so what may be wrong with it is found out before.
    if (make_task(cli, task, true, made, err))
        return -1;
    int refused = make_secret(cli, input, NULL, err);
    if (dry && !refused)
        return 0;
    json_object_put(*made);
    *made = NULL;
    if (refused)
        return -1;
    cli->to_the_end = true; // no task without its Secret
    int rc = make_owned(cli, input, task, made, err);
    cli->to_the_end = false;
    return rc;
}

static void show(Cli *cli, const CreateInput *input, json_object *task, DryRun dry_run)
{
    OutputForm form = object_output_form(cli);
    auto_free char *secret_name = create_spec_secret_name(input);
    json_object *secret = dry_run == DRY_RUN_NONE ? NULL : create_spec_secret(input, cli_namespace(cli), NULL);

    if (form == OUTPUT_JSON || form == OUTPUT_YAML || form == OUTPUT_NAME)
        object_output_print(task, form, "migrationtask.datamigration.apecloud.io");
    else
        printf("MigrationTask %s created%s\n", input->name,
               dry_run == DRY_RUN_CLIENT   ? " (dry run)"
               : dry_run == DRY_RUN_SERVER ? " (server dry run)"
                                           : "");
    if (secret && form != OUTPUT_TABLE)
        fprintf(stderr,
                "kubeferry: the passwords are not shown: the Secret %s is to hold them under source-password and "
                "sink-password\n",
                secret_name);
    json_object_put(secret);
    fflush(stdout);
}

static int create(Cli *cli, const CreateInput *input, Error *err)
{
    DryRun dry_run = cli_given(cli, O_DRY_RUN) ? (DryRun)cli->values[O_DRY_RUN].integer : DRY_RUN_NONE;
    json_object *task = NULL, *made = NULL;

    int rc = create_spec_task(cli, input, &task, err);
    if (rc == 0 && dry_run == DRY_RUN_CLIENT)
        made = json_object_get(task);
    else if (rc == 0)
        rc = check_template(cli, input->template_name, err) ||
                     make_both(cli, input, task, dry_run == DRY_RUN_SERVER, &made, err)
                 ? -1
                 : 0;
    if (rc == 0)
        show(cli, input, made, dry_run);
    json_object_put(task);
    json_object_put(made);
    if (rc == 0 && dry_run == DRY_RUN_NONE && (cli_given(cli, O_WAIT) || cli_given(cli, O_FOLLOW)))
        rc = wait_ready(cli, input->name, cli_given(cli, O_FOLLOW), err);
    return rc;
}

int migration_create(Cli *cli, Error *err)
{
    CreateInput input;

    if (create_input_read(cli, &input, err))
        return -1;
    int rc = cli_connect(cli, err) ? -1 : create(cli, &input, err);
    create_input_free(&input);
    return rc;
}
