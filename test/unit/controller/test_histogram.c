// SPDX-License-Identifier: Apache-2.0
#include "controller/histogram.h"
#include "test/unit/cmocka_all.h"

static void test_buckets_add_up(void **state)
{
    Histogram h = {0};
    auto_buffer Buffer out = {0};
    (void)state;

    histogram_observe(&h, 0.001); // a bound belongs to its bucket
    histogram_observe(&h, 0.002);
    histogram_observe(&h, 7);
    histogram_observe(&h, 1000);
    histogram_put(&h, "x_seconds", "name=\"a\"", &out);
    assert_non_null(strstr(out.data, "x_seconds_bucket{name=\"a\",le=\"0.001\"} 1\n"));
    assert_non_null(strstr(out.data, "x_seconds_bucket{name=\"a\",le=\"0.0025\"} 2\n"));
    assert_non_null(strstr(out.data, "x_seconds_bucket{name=\"a\",le=\"5\"} 2\n"));
    assert_non_null(strstr(out.data, "x_seconds_bucket{name=\"a\",le=\"10\"} 3\n"));
    assert_non_null(strstr(out.data, "x_seconds_bucket{name=\"a\",le=\"60\"} 3\n"));
    assert_non_null(strstr(out.data, "x_seconds_bucket{name=\"a\",le=\"+Inf\"} 4\n"));
    assert_non_null(strstr(out.data, "x_seconds_sum{name=\"a\"} 1007.003\nx_seconds_count{name=\"a\"} 4\n"));
}

static void test_without_labels(void **state)
{
    Histogram h = {0};
    auto_buffer Buffer out = {0};
    (void)state;

    histogram_put(&h, "y", "", &out);
    assert_non_null(strstr(out.data, "y_bucket{le=\"0.001\"} 0\n"));
    assert_non_null(strstr(out.data, "y_count{} 0\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets_add_up),
        cmocka_unit_test(test_without_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
