// SPDX-License-Identifier: Apache-2.0
// migration templates: what a task can name.
#include "cli/commands.h"

#include "cli/migration/task_view.h"
#include "cli/object_output.h"
#include "cli/table_output.h"
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_path.h"

#include <stdio.h>
#include <string.h>

static void print_table(const Cli *cli, json_object *items, bool wide)
{
    static const char *const TITLES[] = {"NAME", "DATABASE-MAPPING", "STATUS", "AGE", NULL};
    auto_table TableOutput table = {0};
    auto_buffer Buffer out = {0};
    char age[32];

    table_columns(&table, TITLES);
    if (wide)
        table_column(&table, "MESSAGE");
    for (size_t i = 0; i < k8s_count(items); i++) {
        json_object *template = k8s_item(items, i), *status = k8s_member(template, "status");
        json_object *metadata = k8s_member(template, "metadata");
        const char *phase = k8s_text(status, "phase");
        bool good = strcmp(phase, "Available") == 0;
        task_view_age(clock_now() - k8s_time(k8s_text(metadata, "creationTimestamp")), age);
        table_cell(&table, COLOUR_NONE, "%s", k8s_text(metadata, "name"));
        table_cell(&table, COLOUR_NONE, "%s", k8s_text(k8s_member(template, "spec"), "description"));
        table_cell(&table, good ? COLOUR_GOOD : *phase ? COLOUR_BAD : COLOUR_NONE, "%s", phase);
        table_cell(&table, COLOUR_NONE, "%s", age);
        if (wide)
            table_cell(&table, COLOUR_NONE, "%s", k8s_text(status, "message"));
    }
    table_print(&table, &cli->style, !cli_given(cli, O_NO_HEADERS), wide ? 0 : cli->style.width, &out);
    fwrite(out.data, 1, out.len, stdout);
}

int migration_templates(Cli *cli, Error *err)
{
    OutputForm form = object_output_form(cli);
    const char *name = cli_text(cli, O_TEMPLATE_NAME);
    auto_free char *path = k8s_path(MIGRATION_API, NULL, "migrationtemplates", name, NULL);
    json_object *answer = NULL;

    if (cli_get(cli, path, &answer, err)) {
        if (name && err->http_status == 404 && !err->hint[0]) {
            error_set(err, ERROR_CONDITION, "there is no template \"%s\"", name);
            error_hint(err, "kubeferry migration templates lists them");
        }
        return -1;
    }
    if (form != OUTPUT_TABLE && form != OUTPUT_WIDE) {
        object_output_print(answer, form, "migrationtemplate.datamigration.apecloud.io");
    } else if (name || k8s_count(k8s_member(answer, "items"))) {
        json_object *items = name ? json_object_new_array() : json_object_get(k8s_member(answer, "items"));
        if (name)
            json_object_array_add(items, json_object_get(answer));
        print_table(cli, items, form == OUTPUT_WIDE);
        json_object_put(items);
    } else {
        fprintf(stderr, "No templates. apecloud-pg2pg comes with the add-on: kubeferry addon enable migration\n");
    }
    json_object_put(answer);
    return 0;
}
