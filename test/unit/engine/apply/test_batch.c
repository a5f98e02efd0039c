// SPDX-License-Identifier: Apache-2.0
// When a batch is full.
#include "engine/apply/batch.h"
#include "test/unit/cmocka_all.h"

static void insert_into(Batch *b, Target *t)
{
    const PgoutputMessage m = {.kind = 'I'};
    Error err = {0};
    assert_int_equal(batch_add(b, t, &m, 1, &err), 0);
}

// Each target is a table that the sink's transaction locks.
static void test_counts_targets_once_a_content(void **state)
{
    static Target targets[BATCH_TARGETS];
    Batch b[2] = {{0}};
    (void)state;

    for (int round = 0; round < 6; round++) {
        Batch *now = &b[round % 2]; // in turn, as the reader fills them
        for (int i = 0; i + 1 < BATCH_TARGETS; i++) {
            insert_into(now, &targets[i]);
            insert_into(now, &targets[i / 2]);
        }
        assert_false(batch_is_full(now));
        insert_into(now, &targets[BATCH_TARGETS - 1]);
        assert_true(batch_is_full(now));
        batch_reset(now);
        assert_false(batch_is_full(now));
    }
    batch_free(&b[0]);
    batch_free(&b[1]);
}

static void test_a_truncate_counts_its_targets(void **state)
{
    static Target targets[BATCH_TARGETS];
    Target *all[BATCH_TARGETS];
    Batch b = {0};
    (void)state;

    for (int i = 0; i < BATCH_TARGETS; i++)
        all[i] = &targets[i];
    batch_add_truncate(&b, all, BATCH_TARGETS - 1, false, 1);
    assert_false(batch_is_full(&b));
    batch_add_truncate(&b, all, BATCH_TARGETS, false, 1);
    assert_true(batch_is_full(&b));
    batch_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_targets_once_a_content),
        cmocka_unit_test(test_a_truncate_counts_its_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
