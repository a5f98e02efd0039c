// SPDX-License-Identifier: Apache-2.0
// migration cutover, migration rollback: ask the controller to switch to the sink, or back, or take that back.
#include "cli/commands.h"

#include "cli/migration/wait.h"
#include "cli/pairs.h"
#include "cli/prompt.h"
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"

#include <stdio.h>
#include <string.h>

typedef struct Direction {
    const char *field;     // of spec and status
    const char *from, *to; // the ends
} Direction;

static const Direction FORTH = {"cutover", "source", "sink"}, BACK = {"rollback", "sink", "source"};

static int approve(const Direction *way, const char *name, Error *err)
{
    auto_free char *question = memory_printf("Writes will be kept from the %s of %s, and the %s takes over.\n"
                                             "Type the name again to switch: ",
                                             way->from, name, way->to);
    char *answer = NULL;

    if (prompt_line(question, false, &answer, err)) {
        if (err->code == ERROR_USAGE)
            error_hint(err, "--auto-approve switches without asking");
        return -1;
    }
    auto_free char *typed = answer;
    if (strcmp(typed, name) == 0)
        return 0;
    return error_set(err, ERROR_CONDITION, "'%.80s' was typed, not '%s': nothing is switched", typed, name);
}

static void add_text(json_object *object, const char *field, const char *text)
{
    if (text)
        json_object_object_add(object, field, json_object_new_string(text));
}

static void add_number(const Cli *cli, json_object *object, const char *field, int option)
{
    if (cli_given(cli, option))
        json_object_object_add(object, field, json_object_new_int64(cli_number(cli, option, 0)));
}

static int bad_service(const char *value, Error *err)
{
    error_set(err, ERROR_USAGE, "--service-to: expected labels of pods or the name of a host, read '%.200s'", value);
    return error_hint(err, "for example --service shop-db --service-to app=postgres,role=primary, or --service-to "
                           "pg.example.com");
}

// "app=pg,role=primary"
static int add_selector(json_object *service, const char *text, Error *err)
{
    json_object *selector = json_object_new_object();
    auto_free char *copy = memory_strdup(text);

    json_object_object_add(service, "selector", selector);
    json_object_object_add(service, "externalName", NULL);
    for (char *rest = copy, *key, *value; rest;) {
        if (!pairs_next(&rest, &key, &value))
            return bad_service(text, err);
        add_text(selector, key, value);
    }
    return 0;
}

static int add_service(const Cli *cli, json_object *wish, Error *err)
{
    const char *name = cli_text(cli, O_SERVICE), *where = cli_text(cli, O_SERVICE_TO);

    if (!name && !where)
        return 0;
    if (!name || !where) {
        error_set(err, ERROR_USAGE, "--service and --service-to go together: the Service, and where it is to lead");
        return error_hint(err, "for example --service shop-db --service-to app=postgres,role=primary");
    }
    json_object *service = json_object_new_object();
    json_object_object_add(wish, "service", service);
    add_text(service, "name", name);
    if (strchr(where, '='))
        return add_selector(service, where, err);
    if (strpbrk(where, ", :/"))
        return bad_service(where, err);
    json_object_object_add(service, "selector", NULL);
    add_text(service, "externalName", where);
    return 0;
}

// *patch: the caller's, also after a failure.
static int make_patch(const Cli *cli, const Direction *way, json_object **patch, Error *err)
{
    char request[CLOCK_TEXT_SIZE];
    json_object *spec = json_object_new_object(), *wish = json_object_new_object();

    *patch = json_object_new_object();
    json_object_object_add(*patch, "spec", spec);
    json_object_object_add(spec, way->field, wish);
    json_object_object_add(wish, "requested", json_object_new_boolean(!cli_given(cli, O_CANCEL)));
    clock_format(clock_now(), request); // a text that was not there before: what was refused is tried again
    add_text(wish, "request", request);
    add_text(wish, "block", cli_text(cli, O_BLOCK));
    add_text(wish, "verification", cli_text(cli, O_VERIFICATION));
    add_number(cli, wish, "timeoutSeconds", O_LIMIT);
    add_number(cli, wish, "maxLagSeconds", O_MAX_LAG);
    return add_service(cli, wish, err);
}

// What failed before and still stands in the status is no answer to this request: only what began after it counts.
typedef struct Switch {
    const Direction *way;
    char *before; // startTime of the attempt that was there before
    bool done;
    Error *err;
} Switch;

static bool has_ended(void *context, json_object *task)
{
    Switch *wanted = context;
    json_object *found = k8s_at(task, "status", wanted->way->field, NULL);
    const char *state = k8s_text(found, "state"), *message = k8s_text(found, "message");

    if (strcmp(state, "Done") == 0) {
        wanted->done = true;
        printf("switched to the %s: writes were kept from the %s for %s s\n", wanted->way->to, wanted->way->from,
               *k8s_text(found, "blockedSeconds") ? k8s_text(found, "blockedSeconds") : "less than 0.1");
        return true;
    }
    if ((strcmp(state, "Undone") != 0 && strcmp(state, "Refused") != 0) ||
        strcmp(k8s_text(found, "startTime"), wanted->before) == 0)
        return false;
    error_set(wanted->err, ERROR_CONDITION, "not switched (%s), the %s takes writes: %s", state, wanted->way->from,
              *message ? message : "the worker left no message");
    return true;
}

static int check(json_object *task, const Direction *way, const char *name, Error *err)
{
    const char *status = k8s_text(k8s_member(task, "status"), "taskStatus");
    json_object *last = k8s_at(task, "status", way->field, NULL);

    if (strcmp(k8s_text(last, "state"), "Running") == 0) {
        error_set(err, ERROR_CONDITION, "a switch of %s to the %s is under way since %s: there is one at a time", name,
                  way->to, k8s_text(last, "startTime"));
        return error_hint(err, "kubeferry migration describe %s shows how far it is, --cancel takes it back", name);
    }
    if (strcmp(status, "Running") == 0)
        return 0;
    error_set(err, ERROR_CONDITION, "the task %s does not follow changes (it is %s): it cannot switch now", name,
              *status ? status : "not seen by the controller yet");
    return error_hint(err, "wait until kubeferry migration list shows Running, with a small lag");
}

static int ask_for_it(Cli *cli, const char *name, json_object *patch, Error *err)
{
    auto_free char *path = cli_task_path(cli, name);

    return cli_send(cli, "PATCH", path, "application/merge-patch+json", patch, NULL, err);
}

static int try_switch(Cli *cli, const Direction *way, json_object *patch, Error *err)
{
    const char *name = cli_text(cli, O_NAME);
    bool cancel = cli_given(cli, O_CANCEL);
    json_object *task = NULL;

    if (cli_get_task(cli, name, &task, err))
        return -1;
    auto_free char *before = memory_strdup(k8s_text(k8s_at(task, "status", way->field, NULL), "startTime"));
    int rc = cancel ? 0 : check(task, way, name, err);
    json_object_put(task);
    if (rc || (!cancel && !cli_given(cli, O_AUTO_APPROVE) && approve(way, name, err)) ||
        ask_for_it(cli, name, patch, err))
        return -1;
    printf("MigrationTask %s %s\n", name, cancel ? "does not switch" : "switches as soon as everything is ready");
    fflush(stdout);
    Switch wanted = {.way = way, .before = before, .err = err};
    if (cancel || !cli_given(cli, O_WAIT))
        return 0;
    if (wait_for(cli, name, has_ended, &wanted, err))
        return -1;
    return wanted.done ? 0 : -1;
}

static int switch_over(Cli *cli, const Direction *way, Error *err)
{
    json_object *patch = NULL;
    int rc = make_patch(cli, way, &patch, err) || try_switch(cli, way, patch, err) ? -1 : 0;

    json_object_put(patch);
    return rc;
}

int migration_cutover(Cli *cli, Error *err)
{
    return switch_over(cli, &FORTH, err);
}

int migration_rollback(Cli *cli, Error *err)
{
    return switch_over(cli, &BACK, err);
}
