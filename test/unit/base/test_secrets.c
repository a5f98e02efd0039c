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

static void test_a_wiped_variable_is_gone(void **state)
{
    (void)state;
    setenv("KUBEFERRY_UNIT_SECRET", "s3cret", 1);
    char *value = getenv("KUBEFERRY_UNIT_SECRET"); // unsetenv takes it out of the list and leaves its bytes
    secrets_wipe_variable("KUBEFERRY_UNIT_SECRET");
    assert_null(getenv("KUBEFERRY_UNIT_SECRET"));
    assert_string_equal(value, "******");
    secrets_wipe_variable("KUBEFERRY_UNIT_SECRET"); // not there: nothing happens
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_occurrence_is_masked),
        cmocka_unit_test(test_short_ones_are_left),
        cmocka_unit_test(test_a_wiped_variable_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
