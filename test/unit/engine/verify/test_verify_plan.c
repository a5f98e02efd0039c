// SPDX-License-Identifier: Apache-2.0
// verify_plan: which columns and which key are compared.
#include "test/unit/cmocka_all.h"

#include "engine/verify/verify_plan.h"

static const Relation TABLE = {.schema = "public", .name = "t", .kind = 'r'};

static VerifySide side(VerifyColumn *columns, size_t count)
{
    return (VerifySide){.kind = 'r', .columns = columns, .count = count};
}

static void same_columns(void **state)
{
    (void)state;
    VerifyColumn columns[] = {{.name = "a", .type = "int4", .primary = true, .key = true},
                              {.name = "b", .type = "text"}};
    VerifyColumn swapped[] = {columns[1], columns[0]};
    VerifySide source = side(columns, 2), sink = side(swapped, 2);
    Arena arena = {0};
    VerifyPlan plan;

    verify_plan_make(&TABLE, &source, &sink, &arena, &plan);
    assert_true(plan.comparable);
    assert_null(plan.problem);
    assert_null(plan.note);
    assert_int_equal(plan.column_count, 2);
    assert_string_equal(plan.columns[0].name, "a");
    assert_int_equal(plan.key_count, 1);
    assert_string_equal(plan.key[0].name, "a");
    arena_free(&arena);
}

static void the_identity_goes_before_the_primary_key(void **state)
{
    (void)state;
    VerifyColumn columns[] = {{.name = "id", .type = "int4", .primary = true},
                              {.name = "u", .type = "text", .key = true}};
    VerifySide both = side(columns, 2);
    Arena arena = {0};
    VerifyPlan plan;

    verify_plan_make(&TABLE, &both, &both, &arena, &plan);
    assert_int_equal(plan.key_count, 1);
    assert_string_equal(plan.key[0].name, "u");
    columns[1].key = false;
    verify_plan_make(&TABLE, &both, &both, &arena, &plan);
    assert_string_equal(plan.key[0].name, "id");
    columns[0].primary = false;
    verify_plan_make(&TABLE, &both, &both, &arena, &plan);
    assert_int_equal(plan.key_count, 0);
    arena_free(&arena);
}

static void columns_of_one_end_only(void **state)
{
    (void)state;
    VerifyColumn mine[] = {{.name = "id", .type = "int4", .primary = true},
                           {.name = "gone", .type = "text"},
                           {.name = "made", .type = "int4", .generated = true}};
    VerifyColumn theirs[] = {{.name = "id", .type = "int8", .primary = true},
                             {.name = "more", .type = "text"},
                             {.name = "made too", .type = "int4", .generated = true}};
    VerifySide source = side(mine, 3), sink = side(theirs, 3);
    Arena arena = {0};
    VerifyPlan plan;

    verify_plan_make(&TABLE, &source, &sink, &arena, &plan);
    assert_string_equal(plan.problem, "the sink's table lacks the column \"gone\"");
    assert_non_null(plan.note);
    assert_int_equal(plan.column_count, 1);
    assert_string_equal(plan.columns[0].type, ""); // int4 here, int8 there: only the text is the same
    assert_int_equal(plan.key_count, 1);
    arena_free(&arena);
}

static void a_key_that_the_sink_lacks_in_part_is_none(void **state)
{
    (void)state;
    VerifyColumn mine[] = {{.name = "a", .type = "int4", .primary = true},
                           {.name = "b", .type = "int4", .primary = true}};
    VerifySide source = side(mine, 2), sink = side(mine, 1);
    Arena arena = {0};
    VerifyPlan plan;

    verify_plan_make(&TABLE, &source, &sink, &arena, &plan);
    assert_int_equal(plan.key_count, 0);
    assert_true(plan.comparable);
    arena_free(&arena);
}

static void a_table_that_is_not_there(void **state)
{
    (void)state;
    VerifySide source = side(NULL, 0), sink = {0};
    Arena arena = {0};
    VerifyPlan plan;

    verify_plan_make(&TABLE, &source, &sink, &arena, &plan);
    assert_false(plan.comparable);
    assert_string_equal(plan.problem, "the table does not exist on the sink");
    verify_plan_make(&TABLE, &source, &source, &arena, &plan); // no columns at all is a table all the same
    assert_true(plan.comparable);
    arena_free(&arena);
}

static void buckets_follow_the_size(void **state)
{
    (void)state;
    Relation table = TABLE;
    assert_int_equal(verify_plan_buckets(&table), 16);
    table.rows = 100000;
    assert_int_equal(verify_plan_buckets(&table), 2048);
    table.rows = INT64_MAX / 2;
    assert_int_equal(verify_plan_buckets(&table), 16384);
    table.rows = 0; // never analysed
    table.bytes = 1 << 30;
    assert_int_equal(verify_plan_buckets(&table), 16384);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_columns),
        cmocka_unit_test(the_identity_goes_before_the_primary_key),
        cmocka_unit_test(columns_of_one_end_only),
        cmocka_unit_test(a_key_that_the_sink_lacks_in_part_is_none),
        cmocka_unit_test(a_table_that_is_not_there),
        cmocka_unit_test(buckets_follow_the_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
