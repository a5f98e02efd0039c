// SPDX-License-Identifier: Apache-2.0
// addon list: whether migration is on.
#include "cli/commands.h"

#include "cli/addon/addon.h"
#include "cli/table_output.h"

#include <stdio.h>
#include <string.h>

int addon_list(Cli *cli, Error *err)
{
    static const char *const TITLES[] = {"NAME", "VERSION", "PROVIDER", "STATUS", "AUTO-INSTALL", NULL};
    const AddonWay *way;
    AddonState state;
    auto_table TableOutput table = {0};
    auto_buffer Buffer out = {0};

    int rc = addon_look(cli, &way, &state, err);
    if (rc == 0) {
        table_columns(&table, TITLES);
        table_cell(&table, COLOUR_NONE, "%s", ADDON_NAME);
        table_cell(&table, COLOUR_NONE, "%s", state.version ?: "");
        table_cell(&table, COLOUR_NONE, "%s", state.provider ?: "");
        table_cell(&table,
                   strcmp(state.status, "Enabled") == 0  ? COLOUR_GOOD
                   : strcmp(state.status, "Failed") == 0 ? COLOUR_BAD
                                                         : COLOUR_NONE,
                   "%s", state.status);
        table_cell(&table, COLOUR_NONE, "%s", state.auto_install ? "true" : "false");
        table_print(&table, &cli->style, !cli_given(cli, O_NO_HEADERS), cli->style.width, &out);
        fwrite(out.data, 1, out.len, stdout);
    }
    addon_state_free(&state);
    return rc;
}
