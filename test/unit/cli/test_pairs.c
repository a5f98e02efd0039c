// SPDX-License-Identifier: Apache-2.0
#include "cli/pairs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_pairs_in_order(void **state)
{
    char text[] = "app=pg,role=,note=a=b", *rest = text, *key, *value;

    (void)state;
    assert_true(pairs_next(&rest, &key, &value));
    assert_string_equal(key, "app");
    assert_string_equal(value, "pg");
    assert_true(pairs_next(&rest, &key, &value));
    assert_string_equal(key, "role");
    assert_string_equal(value, "");
    assert_true(pairs_next(&rest, &key, &value));
    assert_string_equal(key, "note");
    assert_string_equal(value, "a=b");
    assert_null(rest);
}

static void test_what_is_no_pair(void **state)
{
    static const char *const WRONG[] = {"", "=pg", "app", ",app=pg"};

    (void)state;
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        char text[16] = "", *rest = text, *key, *value;
        for (size_t k = 0; WRONG[i][k]; k++)
            text[k] = WRONG[i][k];
        assert_false(pairs_next(&rest, &key, &value));
    }
    char text[] = "app=pg,", *rest = text, *key, *value;
    assert_true(pairs_next(&rest, &key, &value));
    assert_false(pairs_next(&rest, &key, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs_in_order),
        cmocka_unit_test(test_what_is_no_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
