// SPDX-License-Identifier: Apache-2.0
#include "common/k8s/k8s_lines.h"
#include "test/unit/cmocka_all.h"

#include <stdio.h>

typedef struct Seen {
    Buffer text; // every line followed by '|'
    int stop_after;
    int count;
} Seen;

static bool take(void *context, const char *text, size_t len)
{
    Seen *seen = context;

    buffer_append(&seen->text, text, len);
    buffer_putc(&seen->text, '|');
    return ++seen->count != seen->stop_after;
}

static void test_every_cut_gives_the_same_lines(void **state)
{
    static const char STREAM[] = "{\"a\":1}\n\n{\"b\":2}\r\n{\"long\":\"xxxxxxxxxxxxxxxxxxxxxxxx\"}\n";
    (void)state;

    for (size_t piece = 1; piece < sizeof STREAM; piece++) {
        K8sLines lines = {.max = 100};
        Seen seen = {0};
        Error err = {0};
        for (size_t at = 0; at < sizeof STREAM - 1; at += piece) {
            size_t len = sizeof STREAM - 1 - at < piece ? sizeof STREAM - 1 - at : piece;
            bool go_on = false;
            assert_int_equal(k8s_lines_feed(&lines, STREAM + at, len, take, &seen, &go_on, &err), 0);
            assert_true(go_on);
        }
        assert_string_equal(buffer_text(&seen.text), "{\"a\":1}|{\"b\":2}|{\"long\":\"xxxxxxxxxxxxxxxxxxxxxxxx\"}|");
        buffer_free(&seen.text);
        k8s_lines_free(&lines);
    }
}

static void test_half_a_line_waits(void **state)
{
    K8sLines lines = {.max = 100};
    Seen seen = {0};
    Error err = {0};
    bool go_on = false;
    (void)state;

    assert_int_equal(k8s_lines_feed(&lines, "{\"a\"", 4, take, &seen, &go_on, &err), 0);
    assert_int_equal(seen.count, 0);
    assert_int_equal(k8s_lines_feed(&lines, ":1}\n{", 5, take, &seen, &go_on, &err), 0);
    assert_string_equal(buffer_text(&seen.text), "{\"a\":1}|");
    buffer_free(&seen.text);
    k8s_lines_free(&lines);
}

static void test_the_reader_may_end(void **state)
{
    K8sLines lines = {.max = 100};
    Seen seen = {.stop_after = 1};
    Error err = {0};
    bool go_on = true;
    (void)state;

    assert_int_equal(k8s_lines_feed(&lines, "1\n2\n", 4, take, &seen, &go_on, &err), 0);
    assert_false(go_on);
    assert_int_equal(seen.count, 1);
    buffer_free(&seen.text);
    k8s_lines_free(&lines);
}

static void test_a_line_without_end_is_refused(void **state)
{
    K8sLines lines = {.max = 10};
    Seen seen = {0};
    Error err = {0};
    bool go_on = false;
    (void)state;

    assert_int_equal(k8s_lines_feed(&lines, "123456", 6, take, &seen, &go_on, &err), 0);
    assert_int_equal(k8s_lines_feed(&lines, "123456", 6, take, &seen, &go_on, &err), -1);
    assert_int_equal(err.code, ERROR_PROTOCOL);
    assert_string_equal(err.message, "a line of the watch is longer than 10 bytes");
    k8s_lines_free(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut_gives_the_same_lines),
        cmocka_unit_test(test_half_a_line_waits),
        cmocka_unit_test(test_the_reader_may_end),
        cmocka_unit_test(test_a_line_without_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
