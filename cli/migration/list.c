// SPDX-License-Identifier: Apache-2.0
// migration list: the columns that scripts know, then ours.
#include "cli/commands.h"

#include "cli/live.h"
#include "cli/migration/task_list.h"
#include "cli/object_output.h"
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_path.h"
#include "common/k8s/k8s_watch.h"

#include <stdio.h>
#include <string.h>

enum { REDRAW_MS = 1000 };

typedef struct Watched {
    Cli *cli;
    TaskList tasks, next; // next: filled between begin and synced
    bool filling, synced, changed;
    bool printed_headers;
} Watched;

static int print_once(Cli *cli, const char *path, OutputForm form, Error *err)
{
    json_object *list = NULL;
    auto_buffer Buffer out = {0};

    if (cli_get(cli, path, &list, err))
        return -1;
    if (form != OUTPUT_TABLE && form != OUTPUT_WIDE) {
        object_output_print(list, form, "migrationtask.datamigration.apecloud.io");
    } else if (k8s_count(k8s_member(list, "items")) == 0) {
        if (cli_list_namespace(cli))
            fprintf(stderr, "No tasks in the namespace %s.\n", cli_list_namespace(cli));
        else
            fprintf(stderr, "No tasks.\n");
    } else {
        task_list_table(k8s_member(list, "items"), cli, clock_now(), form == OUTPUT_WIDE, &out);
        fwrite(out.data, 1, out.len, stdout);
    }
    json_object_put(list);
    return 0;
}

// ---- --watch -------------------------------------------------------------------------------------------------------

static void on_begin(void *context)
{
    Watched *w = context;

    task_list_free(&w->next);
    w->filling = true;
}

static void print_row(Watched *w, json_object *task)
{
    auto_buffer Buffer out = {0};
    json_object *one = json_object_new_array();
    OutputForm form = object_output_form(w->cli);

    json_object_array_add(one, json_object_get(task));
    task_list_rows(one, w->cli, clock_now(), form == OUTPUT_WIDE,
                   !w->printed_headers && !cli_given(w->cli, O_NO_HEADERS), &out);
    w->printed_headers = true;
    fwrite(out.data, 1, out.len, stdout);
    fflush(stdout);
    json_object_put(one);
}

static void on_object(void *context, K8sEventType type, json_object *task)
{
    Watched *w = context;

    task_list_change(w->filling ? &w->next : &w->tasks, task, type == K8S_DELETED);
    w->changed = true;
    if (!w->cli->style.terminal)
        print_row(w, task);
}

static void on_synced(void *context)
{
    Watched *w = context;

    if (w->filling) {
        task_list_free(&w->tasks);
        w->tasks = w->next;
        w->next = (TaskList){0};
        w->filling = false;
    }
    w->synced = w->changed = true;
}

static void draw(Watched *w, Live *live)
{
    auto_buffer Buffer out = {0};
    json_object *items = task_list_items(&w->tasks);

    style_measure(&w->cli->style);
    if (k8s_count(items))
        task_list_table(items, w->cli, clock_now(), object_output_form(w->cli) == OUTPUT_WIDE, &out);
    else
        buffer_puts(&out, "No tasks.\n");
    live_draw(live, &w->cli->style, &out);
    json_object_put(items);
}

static int watch(Cli *cli, const char *path, Error *err)
{
    Watched w = {.cli = cli};
    Live live = {0};
    json_object *first = NULL;
    double drawn = 0;

    if (cli_get(cli, path, &first, err)) // a server that refuses is an answer; the watch would only go on trying
        return -1;
    json_object_put(first);
    if (cli->style.terminal)
        live_share(&live);
    K8sWatch *stream = k8s_watch_start(
        cli->client,
        &(K8sWatchSpec){.path = path, .begin = on_begin, .object = on_object, .synced = on_synced, .context = &w});
    int rc = 0;
    while (rc == 0 && !stop_requested()) {
        rc = k8s_loop_turn(cli->loop, REDRAW_MS, err);
        double now = clock_monotonic();
        if (cli->style.terminal && w.synced && (now - drawn >= 1 || (w.changed && now - drawn >= 0.2))) {
            draw(&w, &live);
            drawn = now;
            w.changed = false;
        }
    }
    k8s_watch_stop(stream);
    live_share(NULL);
    task_list_free(&w.tasks);
    task_list_free(&w.next);
    return rc;
}

int migration_list(Cli *cli, Error *err)
{
    OutputForm form = object_output_form(cli);

    if (cli_given(cli, O_WATCH) && form != OUTPUT_TABLE && form != OUTPUT_WIDE)
        return error_set(err, ERROR_USAGE, "--watch shows the table only: leave out -o %s", cli_text(cli, O_OUTPUT));
    if (cli_connect(cli, err))
        return -1;
    auto_free char *path = k8s_path(MIGRATION_API, cli_list_namespace(cli), "migrationtasks", NULL, NULL);
    return cli_given(cli, O_WATCH) ? watch(cli, path, err) : print_once(cli, path, form, err);
}
