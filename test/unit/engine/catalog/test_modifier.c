// SPDX-License-Identifier: Apache-2.0
#include "engine/catalog/modifier.h"

#include "test/unit/cmocka_all.h"

enum {
    VARCHAR = 1043,
    VARCHAR_ARRAY = 1015,
    CHARACTER = 1042,
    BIT = 1560,
    VARBIT = 1562,
    TIMESTAMP = 1114,
    NUMERIC = 1700,
    INTERVAL = 1186,
    USER = 16500
};

static int32_t numeric(int32_t precision, int32_t scale)
{
    return ((precision << 16) | (scale & 0x7ff)) + 4;
}

static void test_what_is_wide_enough(void **state)
{
    (void)state;
    assert_true(modifier_keeps(VARCHAR, 14, 14));
    assert_true(modifier_keeps(VARCHAR, 14, 24));
    assert_true(modifier_keeps(VARCHAR, 14, -1));
    assert_true(modifier_keeps(VARBIT, 5, 9));
    assert_true(modifier_keeps(TIMESTAMP, 3, 6));
    assert_true(modifier_keeps(TIMESTAMP, -1, 6));
    assert_true(modifier_keeps(NUMERIC, numeric(6, 2), numeric(8, 4)));
    assert_true(modifier_keeps(NUMERIC, numeric(3, -2), numeric(5, 0)));
    assert_true(modifier_keeps(NUMERIC, numeric(6, 2), -1));
    assert_true(modifier_keeps(USER, 7, -1));
    assert_true(modifier_keeps(USER, 7, 7));
}

static void test_what_would_alter_values(void **state)
{
    (void)state;
    assert_false(modifier_keeps(VARCHAR, 24, 14));
    assert_false(modifier_keeps(VARCHAR, -1, 14));
    assert_false(modifier_keeps(VARCHAR_ARRAY, 24, 14));
    assert_false(modifier_keeps(CHARACTER, 7, 14)); // pads
    assert_false(modifier_keeps(BIT, 3, 5));
    assert_false(modifier_keeps(TIMESTAMP, 3, 0));
    assert_false(modifier_keeps(TIMESTAMP, -1, 3));
    assert_false(modifier_keeps(NUMERIC, numeric(10, 4), numeric(6, 2)));
    assert_false(modifier_keeps(NUMERIC, numeric(6, 2), numeric(6, 4))); // fewer digits before the point
    assert_false(modifier_keeps(NUMERIC, -1, numeric(6, 4)));
    assert_false(modifier_keeps(INTERVAL, -1, 3));
    assert_false(modifier_keeps(USER, 7, 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_wide_enough),
        cmocka_unit_test(test_what_would_alter_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
