// SPDX-License-Identifier: Apache-2.0
// feedback.c: a source position counts only when the sink's WAL is on disk beyond it.
#include "engine/apply/feedback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_nothing_counts_before_the_disk_has_it(void **state)
{
    (void)state;
    Feedback f = {.flushed = 5};
    feedback_committed(&f, 100, 1000);
    feedback_committed(&f, 200, 2000);
    feedback_flushed(&f, 999);
    assert_int_equal(f.flushed, 5);
    feedback_flushed(&f, 1500);
    assert_int_equal(f.flushed, 100);
    assert_true(feedback_is_pending(&f));
    feedback_flushed(&f, 2000);
    assert_int_equal(f.flushed, 200);
    assert_false(feedback_is_pending(&f));
    feedback_free(&f);
}

static void test_many_commits_in_flight_keep_their_order(void **state)
{
    (void)state;
    Feedback f = {0};
    for (uint64_t i = 1; i <= 1000; i++) {
        feedback_committed(&f, i, i * 10);
        if (i % 3 == 0)
            feedback_flushed(&f, (i - 2) * 10);
    }
    assert_int_equal(f.flushed, 997);
    feedback_flushed(&f, 10000);
    assert_int_equal(f.flushed, 1000);
    feedback_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_counts_before_the_disk_has_it),
        cmocka_unit_test(test_many_commits_in_flight_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
