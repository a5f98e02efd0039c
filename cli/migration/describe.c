// SPDX-License-Identifier: Apache-2.0
// migration describe: one task in full.
#include "cli/commands.h"

#include "cli/live.h"
#include "cli/migration/describe_format.h"
#include "cli/object_output.h"
#include "common/base/clock.h"
#include "common/base/stop.h"

#include <stdio.h>
#include <string.h>

enum { REDRAW_MS = 1000 };

static int print_once(Cli *cli, Error *err)
{
    TaskObjects objects;
    auto_buffer Buffer out = {0};

    if (task_objects_get(cli, cli_text(cli, O_NAME), &objects, err))
        return -1;
    describe_format(&objects, &cli->style, false, clock_now(), &out);
    fwrite(out.data, 1, out.len, stdout);
    task_objects_free(&objects);
    return 0;
}

static int print_object(Cli *cli, OutputForm form, Error *err)
{
    json_object *task = NULL;

    if (cli_get_task(cli, cli_text(cli, O_NAME), &task, err))
        return -1;
    object_output_print(task, form, "migrationtask.datamigration.apecloud.io");
    json_object_put(task);
    return 0;
}

// On a pipe: the whole page again, whenever it says something else.
static void show(Cli *cli, Live *live, const TaskObjects *objects, Buffer *last)
{
    auto_buffer Buffer out = {0};

    style_measure(&cli->style);
    describe_format(objects, &cli->style, cli->style.terminal, clock_now(), &out);
    if (cli->style.terminal) {
        live_draw(live, &cli->style, &out);
    } else if (strcmp(buffer_text(&out), buffer_text(last)) != 0) {
        printf("%s%s", last->len ? "\n" : "", out.data);
        fflush(stdout);
        buffer_clear(last, SIZE_MAX);
        buffer_append(last, out.data, out.len);
    }
}

static int watch(Cli *cli, Error *err)
{
    Live live = {0};
    auto_buffer Buffer last = {0};
    TaskObjects objects;
    bool seen = false, lost = false;

    do {
        Error failure = {0};
        if (task_objects_get(cli, cli_text(cli, O_NAME), &objects, &failure) == 0) {
            show(cli, &live, &objects, &last);
            task_objects_free(&objects);
            seen = true;
            lost = false;
        } else if (stop_requested()) {
            break;
        } else if (seen && failure.http_status == 404) {
            printf("The task %s is gone.\n", cli_text(cli, O_NAME));
            return 0;
        } else if (!seen || !error_is_retryable(&failure)) {
            *err = failure;
            return -1;
        } else if (!lost) { // it will be back
            live.lines = 0;
            cli_report(cli->table->program, &failure);
            lost = true;
        }
    } while (!stop_sleep_ms(REDRAW_MS));
    return 0;
}

int migration_describe(Cli *cli, Error *err)
{
    OutputForm form = object_output_form(cli);

    if (form == OUTPUT_JSON || form == OUTPUT_YAML || form == OUTPUT_NAME)
        return cli_given(cli, O_WATCH) ? error_set(err, ERROR_USAGE, "--watch shows the page only: leave out -o %s",
                                                   cli_text(cli, O_OUTPUT))
                                       : print_object(cli, form, err);
    return cli_given(cli, O_WATCH) ? watch(cli, err) : print_once(cli, err);
}
