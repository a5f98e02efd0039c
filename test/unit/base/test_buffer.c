// SPDX-License-Identifier: Apache-2.0
#include "common/base/buffer.h"
#include "test/unit/cmocka_all.h"

static void test_grows_and_ends_with_nul(void **state)
{
    Buffer b = {0};
    (void)state;
    assert_string_equal(buffer_text(&b), "");
    for (int i = 0; i < 1000; i++)
        buffer_printf(&b, "%d,", i);
    assert_int_equal(b.len, strlen(b.data));
    assert_true(strncmp(b.data, "0,1,2,", 6) == 0);
    buffer_free(&b);
    buffer_append(&b, NULL, 0);
    assert_string_equal(b.data, "");
    buffer_append(&b, "a\0b", 3);
    assert_int_equal(b.len, 3);
    buffer_free(&b);
}

static void test_numbers_on_the_wire(void **state)
{
    Buffer b = {0};
    (void)state;
    buffer_put_u32(&b, 1);
    buffer_put_u32(&b, 0x01020304);
    assert_memory_equal(b.data, "\0\0\0\1\1\2\3\4", 8);
    buffer_patch_u32(&b, 0, 0xFFFFFFFF);
    assert_memory_equal(b.data, "\xFF\xFF\xFF\xFF\1", 5);
    buffer_free(&b);
}

static void test_clear_gives_back(void **state)
{
    Buffer b = {0};
    (void)state;
    buffer_puts(&b, "text");
    buffer_clear(&b, 1024);
    assert_string_equal(b.data, "");
    buffer_reserve(&b, 100000);
    buffer_clear(&b, 1024);
    assert_null(b.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_ends_with_nul),
        cmocka_unit_test(test_numbers_on_the_wire),
        cmocka_unit_test(test_clear_gives_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
