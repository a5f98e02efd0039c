// SPDX-License-Identifier: Apache-2.0
// table_output.c and style.c.
#include "cli/table_output.h"
#include "test/unit/cmocka_all.h"

#include <locale.h>
#include <string.h>
#include <wchar.h>

static const Style PLAIN = {.utf8 = true};
static const Style COLOURED = {.utf8 = true, .colour = true};

static void fill(TableOutput *table)
{
    static const char *const TITLES[] = {"NAME", ">ROWS", "MESSAGE", NULL};

    table_columns(table, TITLES);
    table_cell(table, COLOUR_NONE, "%s", "a-long-name");
    table_cell(table, COLOUR_NONE, "%d", 7);
    table_cell(table, COLOUR_BAD, "%s", "two\nlines\033[2J");
    table_cell(table, COLOUR_NONE, "%s", "größe");
    table_cell(table, COLOUR_NONE, "%d", 12345678);
    table_cell(table, COLOUR_NONE, "%s", "");
}

static void test_columns_are_as_wide_as_needed(void **state)
{
    auto_table TableOutput table = {0};
    auto_buffer Buffer out = {0};
    (void)state;
    fill(&table);
    table_print(&table, &PLAIN, true, 0, &out);
    assert_string_equal(out.data, "NAME              ROWS   MESSAGE\n"
                                  "a-long-name          7   two lines [2J\n"
                                  "größe         12345678   -\n");
}

static void test_no_titles_and_colours(void **state)
{
    auto_table TableOutput table = {0};
    auto_buffer Buffer out = {0};
    (void)state;
    fill(&table);
    table_print(&table, &COLOURED, false, 0, &out);
    assert_string_equal(out.data, "a-long-name          7   \033[31mtwo lines [2J\033[0m\n"
                                  "größe         12345678   -\n");
}

static void test_lines_end_at_the_edge(void **state)
{
    auto_table TableOutput table = {0};
    (void)state;
    fill(&table);
    for (int width = 1; width < 40; width++) {
        auto_buffer Buffer out = {0};
        table_print(&table, &PLAIN, true, width, &out);
        for (const char *line = out.data; *line; line = strchr(line, '\n') + 1) {
            mbstate_t state_of = {0};
            const char *from = line;
            auto_buffer Buffer one = {0};
            buffer_append(&one, line, strcspn(line, "\n"));
            from = buffer_text(&one);
            assert_true((int)mbsrtowcs(NULL, &from, 0, &state_of) <= width);
        }
    }
}

static void test_rows_that_come_one_by_one(void **state)
{
    auto_table TableOutput table = {0};
    auto_buffer Buffer out = {0};
    (void)state;
    table_columns(&table, (const char *const[]){"A", "B", NULL});
    table.least[0] = 6;
    table_cell(&table, COLOUR_NONE, "x");
    table_cell(&table, COLOUR_NONE, "y");
    table_print(&table, &PLAIN, true, 0, &out);
    assert_string_equal(out.data, "A        B\nx        y\n");
    table_clear(&table);
    buffer_clear(&out, 0);
    table_print(&table, &PLAIN, true, 0, &out);
    assert_string_equal(out.data, "A        B\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_as_wide_as_needed),
        cmocka_unit_test(test_no_titles_and_colours),
        cmocka_unit_test(test_lines_end_at_the_edge),
        cmocka_unit_test(test_rows_that_come_one_by_one),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
