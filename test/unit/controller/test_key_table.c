// SPDX-License-Identifier: Apache-2.0
#include "common/base/memory.h"
#include "controller/key_table.h"
#include "test/unit/cmocka_all.h"

static void test_an_empty_one(void **state)
{
    KeyTable t = {0};
    (void)state;

    assert_null(key_table_get(&t, "a"));
    assert_null(key_table_first(&t));
    assert_null(key_table_oldest(&t));
    assert_int_equal(key_table_count(&t), 0);
    key_table_remove(&t, "a");
    key_table_free(&t);
}

static void test_order_and_removal(void **state)
{
    KeyTable t = {0};
    char found[8] = "";
    (void)state;

    key_table_put(&t, "b", "B");
    key_table_put(&t, "a", "A");
    key_table_put(&t, "c", "C");
    assert_string_equal(key_table_get(&t, "a"), "A");
    assert_string_equal(key_table_oldest(&t), "B");
    key_table_remove(&t, "b");
    key_table_remove(&t, "nobody");
    assert_null(key_table_get(&t, "b"));
    for (struct lh_entry *e = key_table_first(&t); e; e = lh_entry_next(e))
        strcat(found, lh_entry_v(e));
    assert_string_equal(found, "AC");
    assert_int_equal(key_table_count(&t), 2);
    key_table_free(&t);
}

// Slots of keys that are gone must not be left for every look to walk over, nor a once large table stay large.
static void test_many_keys_pass_through(void **state)
{
    KeyTable t = {0};
    enum { KEYS = 20000 };
    char **keys = memory_alloc(KEYS * sizeof *keys);
    (void)state;

    for (int i = 0; i < KEYS; i++) {
        keys[i] = memory_printf("key-%d", i);
        key_table_put(&t, keys[i], keys[i]);
    }
    for (int i = 0; i < KEYS; i++) {
        assert_ptr_equal(key_table_oldest(&t), keys[i]);
        key_table_remove(&t, keys[i]);
    }
    assert_true(t.table->size < KEYS);
    for (int i = 0; i < KEYS; i++) { // one at a time
        key_table_put(&t, keys[i], keys[i]);
        key_table_remove(&t, keys[i]);
        assert_true(t.removed <= t.table->size / 2);
        free(keys[i]);
    }
    assert_true(t.table->size <= 64);
    free(keys);
    key_table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_one),
        cmocka_unit_test(test_order_and_removal),
        cmocka_unit_test(test_many_keys_pass_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
