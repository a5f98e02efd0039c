// SPDX-License-Identifier: Apache-2.0
// Makes docs/prechecks.md from the table of checks.
#include "engine/precheck/document.h"

#include "engine/precheck/check.h"

static const char INTRODUCTION[] =
    "# Prechecks\n\n"
    "<!-- Made from engine/precheck/checks.c: see engine/precheck/README.md. -->\n\n"
    "`kubeferry-engine precheck` puts all of these questions to both ends and reports every answer at once; it "
    "changes\n"
    "nothing. `run` begins with it. A check that fails stops the migration with exit code 78; a warning does not. When "
    "an\n"
    "end cannot be reached the other one is still checked, and the exit code is 69 (no answer) or 64 (refused). "
    "Questions\n"
    "that only a step needs which is switched off are left out, and the report says how many. The text of a report "
    "names\n"
    "the objects and the values that were found; its remedies have the names filled in.\n\n"
    "In the order in which they are asked:\n\n";

static const char *asked_for(const Check *check)
{
    if (check->ask & ASK_FOR_REVERSE)
        return ", for a way back";
    if (check->ask & ASK_FOR_CDC)
        return ", for cdc";
    if (check->ask & ASK_FOR_DATA)
        return ", for init-data";
    return check->ask & ASK_FOR_STRUCT ? ", for init-struct" : "";
}

static const char *severity_name(CheckVerdict severity)
{
    return severity == CHECK_FAIL ? "fails" : "warns";
}

void precheck_document(Buffer *out)
{
    buffer_puts(out, INTRODUCTION);
    buffer_puts(out, "| id | asked of | severity | question |\n|---|---|---|---|\n");
    for (size_t i = 0; i < CHECK_TABLE_COUNT; i++)
        buffer_printf(out, "| [`%s`](#%s) | %s%s | %s | %s |\n", CHECKS[i].id, CHECKS[i].id,
                      check_side_name(CHECKS[i].side), asked_for(&CHECKS[i]), severity_name(CHECKS[i].severity),
                      CHECKS[i].title);
    for (size_t i = 0; i < CHECK_TABLE_COUNT; i++)
        buffer_printf(out, "\n## %s\n\n%s. %s\n\nRemedy: %s\n", CHECKS[i].id, CHECKS[i].title, CHECKS[i].meaning,
                      CHECKS[i].remedy);
}
