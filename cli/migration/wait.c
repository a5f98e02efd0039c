// SPDX-License-Identifier: Apache-2.0
// Asks once a second. A server that is away for a while does not end the waiting.
#include "cli/migration/wait.h"

#include "cli/commands.h"
#include "cli/live.h"
#include "cli/migration/describe_format.h"
#include "cli/migration/task_view.h"
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "common/k8s/k8s_object.h"

#include <stdio.h>
#include <string.h>

enum { ASK_MS = 1000, STALLED_PATIENCE_S = 5 };

typedef struct Waiting {
    Cli *cli;
    const char *name;
    double end; // monotonic; 0: never
    double stalled_since;
    Live live;
    char *last_line;
} Waiting;

static void start(Waiting *w, Cli *cli, const char *name)
{
    int64_t timeout = cli_number(cli, O_TIMEOUT, 0);

    *w = (Waiting){.cli = cli, .name = name, .end = timeout ? clock_monotonic() + (double)timeout : 0};
}

static bool time_is_over(const Waiting *w)
{
    return w->end > 0 && clock_monotonic() >= w->end;
}

static void show_line(Waiting *w, const TaskView *view)
{
    char *line = memory_printf("%s: %s%s%s%s%s", w->name, *view->state ? view->state : "not seen by the controller yet",
                               *view->step ? ", " : "", view->step, *view->reason ? ", " : "", view->reason);

    if (!w->last_line || strcmp(line, w->last_line) != 0) {
        printf("%s\n", line);
        fflush(stdout);
    }
    free(w->last_line);
    w->last_line = line;
}

static void show(Waiting *w, const TaskObjects *objects, const TaskView *view)
{
    auto_buffer Buffer out = {0};

    if (!w->cli->style.terminal) {
        show_line(w, view);
        return;
    }
    style_measure(&w->cli->style);
    describe_format(objects, &w->cli->style, true, clock_now(), &out);
    live_draw(&w->live, &w->cli->style, &out);
}

static int stuck(const TaskView *view, Error *err)
{
    error_set(err, ERROR_CONDITION, "the task %s is %s: %s: %s", view->name, view->state, view->reason, view->message);
    return error_hint(err, "kubeferry migration describe %s shows it in full", view->name);
}

// *done: there is an answer.
static int judge(Waiting *w, const TaskView *view, bool *done, Error *err)
{
    bool good, settled = task_view_settled(view, &good);

    if (settled && good) {
        *done = true;
        return 0;
    }
    if (!settled) {
        w->stalled_since = 0;
        return 0;
    }
    // A credential that was just made may take a moment: the controller tries again by itself.
    if (w->stalled_since <= 0)
        w->stalled_since = clock_monotonic();
    if (!view->terminating && clock_monotonic() - w->stalled_since < STALLED_PATIENCE_S)
        return 0;
    *done = true;
    return stuck(view, err);
}

static int ask(Waiting *w, bool visible, bool *done, Error *err)
{
    TaskObjects objects = {0};
    TaskView view;
    int rc =
        visible ? task_objects_get(w->cli, w->name, &objects, err) : cli_get_task(w->cli, w->name, &objects.task, err);

    if (rc)
        return error_is_retryable(err) ? 0 : -1;
    task_view_read(objects.task, &view);
    if (visible)
        show(w, &objects, &view);
    rc = judge(w, &view, done, err);
    task_objects_free(&objects);
    return rc;
}

int wait_ready(Cli *cli, const char *name, bool visible, Error *err)
{
    Waiting w;
    bool done = false;
    int rc = 0;

    start(&w, cli, name);
    while (rc == 0 && !done && !time_is_over(&w) && !stop_requested()) {
        rc = ask(&w, visible, &done, err);
        if (rc == 0 && !done)
            stop_sleep_ms(ASK_MS);
    }
    free(w.last_line);
    if (rc || done)
        return rc;
    if (stop_requested()) {
        fprintf(stderr, "The task goes on in the cluster: kubeferry migration describe %s\n", name);
        return stop_check(err);
    }
    error_set(err, ERROR_CONDITION, "the task %s was not ready within %lld s", name,
              (long long)cli_number(cli, O_TIMEOUT, 0));
    return error_hint(err, "it goes on in the cluster: kubeferry migration describe %s", name);
}

int wait_for(Cli *cli, const char *name, bool (*ended)(void *context, json_object *task), void *context, Error *err)
{
    Waiting w;
    bool done = false;
    int rc = 0;

    start(&w, cli, name);
    while (rc == 0 && !done && !time_is_over(&w) && !stop_requested()) {
        json_object *task = NULL;
        TaskView view;
        if (cli_get_task(cli, name, &task, err)) {
            rc = error_is_retryable(err) ? 0 : -1;
        } else {
            task_view_read(task, &view);
            done = ended(context, task);
            if (!done)
                show_line(&w, &view);
            json_object_put(task);
        }
        if (rc == 0 && !done)
            stop_sleep_ms(ASK_MS);
    }
    free(w.last_line);
    if (rc || done)
        return rc;
    if (stop_requested())
        return stop_check(err);
    error_set(err, ERROR_CONDITION, "the task %s has not come to an end of it within %lld s", name,
              (long long)cli_number(cli, O_TIMEOUT, 0));
    return error_hint(err, "it goes on in the cluster: kubeferry migration describe %s", name);
}

int wait_gone(Cli *cli, const char *name, Error *err)
{
    Waiting w;
    Error last = {0};
    char *why = memory_strdup("");

    start(&w, cli, name);
    while (!time_is_over(&w) && !stop_requested()) {
        json_object *task = NULL;
        TaskView view;
        auto_free char *path = cli_task_path(cli, name);
        if (cli_get(cli, path, &task, &last)) {
            if (last.http_status == 404) {
                free(why);
                return 0;
            }
        } else {
            task_view_read(task, &view);
            free(why);
            why = memory_printf("%s%s%s", view.reason, *view.message ? ": " : "", view.message);
            json_object_put(task);
        }
        stop_sleep_ms(ASK_MS);
    }
    auto_free char *reason = why;
    if (stop_requested())
        return stop_check(err);
    error_set(err, ERROR_CONDITION, "the task %s was not gone within %lld s%s%s", name,
              (long long)cli_number(cli, O_TIMEOUT, 0), *reason ? "; it says: " : "", reason);
    return error_hint(err, "when the source is gone for good: kubeferry migration terminate %s --force", name);
}
