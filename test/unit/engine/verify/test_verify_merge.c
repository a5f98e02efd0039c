// SPDX-License-Identifier: Apache-2.0
// verify_merge: which rows are missing, extra or different.
#include "test/unit/cmocka_all.h"

#include "common/base/memory.h"
#include "engine/verify/verify_merge.h"

#include <stdio.h>
#include <string.h>

typedef struct Pair {
    int64_t key, hash;
} Pair;

typedef struct List { // rows from memory
    VerifyRows rows;  // first
    const Pair *pairs;
    size_t count, at;
    size_t fail_at; // 0: never
} List;

static int list_next(VerifyRows *rows, Error *err)
{
    List *list = (List *)rows;
    if (list->fail_at && list->at + 1 == list->fail_at)
        return error_set(err, ERROR_TRANSIENT, "gone");
    rows->ended = list->at == list->count;
    if (!rows->ended) {
        rows->key = list->pairs[list->at].key;
        rows->hash = list->pairs[list->at].hash;
        list->at++;
    }
    return 0;
}

static char *list_describe(const VerifyRows *rows)
{
    return memory_printf("%lld", (long long)rows->key);
}

typedef struct Result {
    int64_t counts[VERIFY_CLASSES];
    char text[256]; // "class:description " of each find
    bool describe;
} Result;

static bool wants(void *context)
{
    return ((Result *)context)->describe;
}

static void found(void *context, VerifyClass class, int64_t rows, const char *description)
{
    Result *result = context;
    size_t len = strlen(result->text);
    result->counts[class] += rows;
    snprintf(result->text + len, sizeof result->text - len, "%c:%s ", "med"[class], description ? description : "-");
}

static Result merge(const Pair *source, size_t source_count, const Pair *sink, size_t sink_count, bool describe)
{
    List a = {.rows = {.next = list_next, .describe = list_describe}, .pairs = source, .count = source_count};
    List b = {.rows = {.next = list_next, .describe = list_describe}, .pairs = sink, .count = sink_count};
    Result result = {.describe = describe};
    VerifyFound callbacks = {&result, wants, found};
    Error err = {0};

    assert_int_equal(verify_merge(&a.rows, &b.rows, &callbacks, &err), 0);
    return result;
}

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MERGE(a, b)  merge(a, COUNT(a), b, COUNT(b), true)

static void expect(const Result *result, int64_t missing, int64_t extra, int64_t different)
{
    assert_int_equal(result->counts[VERIFY_MISSING], missing);
    assert_int_equal(result->counts[VERIFY_EXTRA], extra);
    assert_int_equal(result->counts[VERIFY_DIFFERENT], different);
}

static void equal_rows_are_not_reported(void **state)
{
    (void)state;
    const Pair rows[] = {{-5, 1}, {0, 0}, {0, 0}, {7, -9}, {INT64_MAX, INT64_MIN}};
    Result result = MERGE(rows, rows);
    expect(&result, 0, 0, 0);
    assert_string_equal(result.text, "");
    result = merge(NULL, 0, NULL, 0, true);
    expect(&result, 0, 0, 0);
}

static void each_class_is_seen(void **state)
{
    (void)state;
    const Pair source[] = {{INT64_MIN, 1}, {1, 1}, {3, 3}, {5, 5}, {8, 8}};
    const Pair sink[] = {{INT64_MIN, 1}, {2, 2}, {3, 4}, {5, 5}, {9, 9}};
    Result result = MERGE(source, sink);
    expect(&result, 2, 2, 1);
    assert_string_equal(result.text, "m:1 e:2 d:3 m:8 e:9 ");
}

static void one_end_is_empty(void **state)
{
    (void)state;
    const Pair rows[] = {{1, 1}, {2, 2}};
    Result result = merge(rows, 2, NULL, 0, true);
    expect(&result, 2, 0, 0);
    result = merge(NULL, 0, rows, 2, true);
    expect(&result, 0, 2, 0);
}

// A sink without its unique index may hold a key twice: the one that is right is right.
static void a_doubled_key_counts_once(void **state)
{
    (void)state;
    const Pair source[] = {{1, 50}, {2, 2}};
    const Pair below[] = {{1, 40}, {1, 50}, {2, 2}}, above[] = {{1, 50}, {1, 60}, {2, 2}};
    const Pair wrong[] = {{1, 40}, {1, 60}, {2, 2}}, twice[] = {{1, 50}, {1, 50}, {2, 2}};
    Result result = MERGE(source, below);
    expect(&result, 0, 1, 0);
    result = MERGE(source, above);
    expect(&result, 0, 1, 0);
    result = MERGE(source, wrong);
    expect(&result, 0, 1, 1);
    result = MERGE(source, twice);
    expect(&result, 0, 1, 0);
}

static void nothing_is_described_unasked(void **state)
{
    (void)state;
    const Pair source[] = {{1, 1}}, sink[] = {{1, 2}};
    Result result = merge(source, 1, sink, 1, false);
    assert_string_equal(result.text, "d:- ");
}

static void a_failure_ends_the_merge(void **state)
{
    (void)state;
    const Pair pairs[] = {{1, 1}, {2, 2}};
    Result result = {.describe = true};
    VerifyFound callbacks = {&result, wants, found};

    for (size_t at = 1; at <= 3; at++) {
        List a = {.rows = {.next = list_next, .describe = list_describe}, .pairs = pairs, .count = 2};
        List b = {.rows = {.next = list_next, .describe = list_describe}, .fail_at = 1};
        List c = {.rows = {.next = list_next, .describe = list_describe}, .pairs = pairs, .count = 2, .fail_at = at};
        List d = {.rows = {.next = list_next, .describe = list_describe}};
        Error err = {0};
        assert_int_equal(verify_merge(&a.rows, &b.rows, &callbacks, &err), -1);
        assert_int_equal(verify_merge(&c.rows, &d.rows, &callbacks, &err), -1);
        assert_string_equal(err.message, "gone");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_rows_are_not_reported),
        cmocka_unit_test(each_class_is_seen),
        cmocka_unit_test(one_end_is_empty),
        cmocka_unit_test(a_doubled_key_counts_once),
        cmocka_unit_test(nothing_is_described_unasked),
        cmocka_unit_test(a_failure_ends_the_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
