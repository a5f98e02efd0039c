// SPDX-License-Identifier: Apache-2.0
#include "common/base/secrets.h"
#include "test/unit/cmocka_all.h"

static void test_every_occurrence_is_masked(void **state)
{
    char text[] = "s3cret, s3cret and s3crets3cret";
    (void)state;
    secrets_register("s3cret");
    secrets_register("s3cret");
    secrets_scrub(text);
    assert_string_equal(text, "******, ****** and ************");
}

static void test_short_ones_are_left(void **state)
{
    char text[] = "ab stays";
    (void)state;
    secrets_register("ab");
    secrets_register("");
    secrets_register(NULL);
    secrets_scrub(text);
    assert_string_equal(text, "ab stays");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_occurrence_is_masked),
        cmocka_unit_test(test_short_ones_are_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
