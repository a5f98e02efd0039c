// SPDX-License-Identifier: Apache-2.0
#include "cli/migration/task_list.h"

#include "cli/commands.h"
#include "cli/migration/task_view.h"
#include "cli/table_output.h"
#include "common/base/memory.h"
#include "common/base/view_format.h"
#include "common/k8s/k8s_object.h"

#include <stdlib.h>
#include <string.h>

enum { BAR_WIDTH = 6, ROOM_FOR_BARS = 100 };

static int compare(json_object *a, json_object *b)
{
    json_object *ma = k8s_member(a, "metadata"), *mb = k8s_member(b, "metadata");
    int order = strcmp(k8s_text(ma, "namespace"), k8s_text(mb, "namespace"));

    return order ? order : strcmp(k8s_text(ma, "name"), k8s_text(mb, "name"));
}

void task_list_change(TaskList *list, json_object *task, bool deleted)
{
    size_t i = 0;

    while (i < list->count && compare(list->items[i], task) < 0)
        i++;
    bool known = i < list->count && compare(list->items[i], task) == 0;
    if (known) {
        json_object_put(list->items[i]);
        if (deleted) {
            list->count--;
            memmove(list->items + i, list->items + i + 1, (list->count - i) * sizeof *list->items);
        } else {
            list->items[i] = json_object_get(task);
        }
    } else if (!deleted) {
        list->items = memory_realloc(list->items, (list->count + 1) * sizeof *list->items);
        memmove(list->items + i + 1, list->items + i, (list->count - i) * sizeof *list->items);
        list->items[i] = json_object_get(task);
        list->count++;
    }
}

json_object *task_list_items(const TaskList *list)
{
    json_object *array = json_object_new_array();

    for (size_t i = 0; i < list->count; i++)
        json_object_array_add(array, json_object_get(list->items[i]));
    return array;
}

void task_list_free(TaskList *list)
{
    for (size_t i = 0; i < list->count; i++)
        json_object_put(list->items[i]);
    free(list->items);
    *list = (TaskList){0};
}

// ---- the table -----------------------------------------------------------------------------------------------------

static void add_numbers(TableOutput *table, const Cli *cli, const TaskView *view, bool wide)
{
    auto_buffer Buffer bar = {0};
    char text[VIEW_NUMBER_SIZE];

    if (view->percent >= 0 && cli->style.width > 0 && cli->style.width < ROOM_FOR_BARS)
        buffer_printf(&bar, "%lld %%", (long long)view->percent);
    else if (view->percent >= 0)
        task_view_bar(&cli->style, view->percent, BAR_WIDTH, &bar);
    table_cell(table, COLOUR_NONE, "%s", buffer_text(&bar));
    table_cell(table, COLOUR_NONE, "%s", view->rows >= 0 ? view_format_count((double)view->rows, text) : "");
    table_cell(table, COLOUR_NONE, "%s%s", view->lag_seconds, *view->lag_seconds ? " s" : "");
    if (wide)
        table_cell(table, COLOUR_NONE, "%s%s",
                   view->rows_per_second >= 0 ? view_format_count((double)view->rows_per_second, text) : "",
                   view->rows_per_second >= 0 ? " rows/s" : "");
}

static void add_row(TableOutput *table, const Cli *cli, json_object *task, double now, bool wide)
{
    TaskView view;
    char age[32];

    task_view_read(task, &view);
    task_view_age(now - view.created, age);
    if (!cli_list_namespace(cli))
        table_cell(table, COLOUR_NONE, "%s", view.namespace_name);
    table_cell(table, COLOUR_NONE, "%s", view.name);
    table_cell(table, COLOUR_NONE, "%s", view.template_name);
    table_cell(table, view.colour, "%s", view.state);
    table_cell(table, COLOUR_NONE, "%s", age);
    add_numbers(table, cli, &view, wide);
    table_cell(table, view.stalled ? COLOUR_BAD : COLOUR_DIM, "%s", view.reason);
    if (wide)
        table_cell(table, COLOUR_NONE, "%s", view.message);
}

static void make(TableOutput *table, json_object *items, const Cli *cli, double now, bool wide)
{
    static const char *const TITLES[] = {"NAME", "TEMPLATE", "STATUS", "AGE", "PROGRESS", ">ROWS", ">LAG", NULL};

    if (!cli_list_namespace(cli))
        table_column(table, "NAMESPACE");
    table_columns(table, TITLES);
    if (wide)
        table_column(table, ">RATE");
    table_column(table, "REASON");
    if (wide)
        table_column(table, "MESSAGE");
    for (size_t i = 0; i < k8s_count(items); i++)
        add_row(table, cli, k8s_item(items, i), now, wide);
}

void task_list_table(json_object *items, const Cli *cli, double now, bool wide, Buffer *out)
{
    auto_table TableOutput table = {0};

    make(&table, items, cli, now, wide);
    table_print(&table, &cli->style, !cli_given(cli, O_NO_HEADERS), wide ? 0 : cli->style.width, out);
}

void task_list_rows(json_object *items, const Cli *cli, double now, bool wide, bool headers, Buffer *out)
{
    static const int WIDTHS[] = {18, 16, 12, 6, 16, 12, 8, 14, 0};
    auto_table TableOutput table = {0};

    make(&table, items, cli, now, wide);
    size_t first = cli_list_namespace(cli) ? 0 : 1;
    for (size_t c = 0; c < table.columns && c < first + sizeof WIDTHS / sizeof *WIDTHS; c++)
        table.least[c] = c < first ? WIDTHS[0] : WIDTHS[c - first];
    table_print(&table, &cli->style, headers, 0, out);
}
