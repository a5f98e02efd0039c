// SPDX-License-Identifier: Apache-2.0
#include "common/base/arena.h"
#include "test/unit/cmocka_all.h"

static void test_pieces_stay_apart(void **state)
{
    Arena a = {0};
    char *pieces[2000];
    (void)state;
    for (int i = 0; i < 2000; i++)
        pieces[i] = arena_printf(&a, "piece %d of a good length to fill the blocks, one after another", i);
    for (int i = 0; i < 2000; i++) {
        int number = -1;
        assert_int_equal(sscanf(pieces[i], "piece %d", &number), 1);
        assert_int_equal(number, i);
        assert_int_equal((uintptr_t)pieces[i] % 8, 0);
    }
    arena_free(&a);
}

static void test_large_pieces_keep_the_block(void **state)
{
    Arena a = {0};
    (void)state;
    char *first = arena_strdup(&a, "first");
    char *large = arena_zalloc(&a, 1 << 20);
    char *second = arena_copy(&a, "second-and-more", 6);
    assert_string_equal(first, "first");
    assert_string_equal(second, "second");
    assert_int_equal(large[(1 << 20) - 1], 0);
    assert_true(second - first < 64); // both in the ordinary block
    arena_free(&a);
}

static void test_reset_starts_again(void **state)
{
    Arena a = {0};
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++)
            memset(arena_alloc(&a, 3000), 'x', 3000);
        assert_true(a.used >= 300000);
        arena_reset(&a);
        assert_int_equal(a.used, 0);
    }
    assert_string_equal(arena_strdup(&a, "again"), "again");
    arena_free(&a);
    assert_null(a.head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_stay_apart),
        cmocka_unit_test(test_large_pieces_keep_the_block),
        cmocka_unit_test(test_reset_starts_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
