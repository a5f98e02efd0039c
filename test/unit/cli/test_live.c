// SPDX-License-Identifier: Apache-2.0
#include "cli/live.h"
#include "test/unit/cmocka_all.h"

#include <stdio.h>
#include <unistd.h>

static char shown[4096];

// What live_draw writes to standard output.
static void draw(Live *live, const char *text, int height)
{
    const Style style = {.terminal = true, .width = 80, .height = height};
    auto_buffer Buffer picture = {0};
    FILE *file = tmpfile();
    int before = dup(STDOUT_FILENO);

    buffer_puts(&picture, text);
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    live_draw(live, &style, &picture);
    dup2(before, STDOUT_FILENO);
    close(before);
    rewind(file);
    shown[fread(shown, 1, sizeof shown - 1, file)] = '\0';
    fclose(file);
}

static void test_the_second_picture_covers_the_first(void **state)
{
    Live live = {0};
    (void)state;
    draw(&live, "one\ntwo\n", 10);
    assert_string_equal(shown, "\033[?7lone\033[K\ntwo\033[K\n\033[J\033[?7h");
    draw(&live, "three\n", 10);
    assert_string_equal(shown, "\033[?7l\r\033[2Athree\033[K\n\033[J\033[?7h");
    assert_int_equal(live.lines, 1);
}

static void test_a_low_window_gets_what_fits(void **state)
{
    Live live = {0};
    (void)state;
    draw(&live, "1\n2\n3\n4\n5\n", 4);
    assert_string_equal(shown,
                        "\033[?7l1\033[K\n2\033[K\n… 3 more lines: make the window higher\033[K\n\033[J\033[?7h");
    assert_int_equal(live.lines, 3);
    draw(&live, "1\n2\n3\n", 4);
    assert_int_equal(live.lines, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_second_picture_covers_the_first),
        cmocka_unit_test(test_a_low_window_gets_what_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
