// SPDX-License-Identifier: Apache-2.0
// verify_sql: the statements, and how a row is named.
#include "test/unit/cmocka_all.h"

#include "engine/verify/verify_sql.h"
#include "engine/verify/verify_stream.h"

#include <string.h>

static VerifyColumn COLUMNS[] = {{.name = "id", .type = "int4", .primary = true},
                                 {.name = "a \"b\"", .type = "text"},
                                 {.name = "f", .type = "float8"},
                                 {.name = "x", .type = "bytea"}};
static const Relation TABLE = {.schema = "s", .name = "t'\"", .kind = 'r'};

static VerifyPlan keyed(void)
{
    return (VerifyPlan){
        .relation = &TABLE, .columns = COLUMNS, .column_count = 4, .key = COLUMNS, .key_count = 1, .buckets = 16};
}

static void the_dialect_follows_the_versions(void **state)
{
    (void)state;
    VerifyDialect d = verify_dialect(140023, 150002, true);
    assert_true(d.extended);
    assert_false(d.send_floats || d.send_chars);
    assert_false(verify_dialect(140023, 150002, false).extended);
    assert_false(verify_dialect(100023, 150002, true).extended);
    assert_true(verify_dialect(110022, 140000, true).send_floats);
    assert_true(verify_dialect(140000, 110022, true).send_floats);
    assert_false(verify_dialect(100000, 110022, true).send_floats);
    assert_true(verify_dialect(150000, 160000, true).send_chars);
}

static void both_ends_get_the_same_expressions(void **state)
{
    (void)state;
    auto_buffer Buffer source = {0};
    auto_buffer Buffer sink = {0};
    VerifyPlan plan = keyed();
    VerifyDialect dialect = {.extended = true};

    plan.sink_partitioned = true;
    verify_sql_buckets(&source, &dialect, &plan, NULL, false, 3);
    verify_sql_buckets(&sink, &dialect, &plan, NULL, true, 3);
    char *only = strstr(source.data, "FROM ONLY \"s\".\"t'\"\"\"");
    assert_non_null(only);
    assert_non_null(strstr(sink.data, "FROM \"s\".\"t'\"\"\""));
    assert_memory_equal(source.data, sink.data, (size_t)(only - source.data));
    assert_non_null(strstr(source.data, "SELECT 3, (x.k & 15)"));
    assert_non_null(strstr(source.data, "hashtextextended((t.\"a \"\"b\"\"\") COLLATE pg_catalog.\"C\", 2)"));
    assert_non_null(strstr(source.data, "hash_array_extended(ARRAY[t.\"x\"], 0)"));
    assert_null(strstr(source.data, "float8send"));
}

static void older_ends_get_md5_and_binary_floats(void **state)
{
    (void)state;
    auto_buffer Buffer sql = {0};
    VerifyPlan plan = keyed();
    VerifyDialect dialect = {.send_floats = true};

    verify_sql_buckets(&sql, &dialect, &plan, NULL, false, 0);
    assert_null(strstr(sql.data, "hashtextextended"));
    assert_null(strstr(sql.data, "hash_array_extended"));
    assert_non_null(strstr(sql.data, "pg_catalog.float8send(t.\"f\")"));
    assert_non_null(strstr(sql.data, "pg_catalog.convert_to("));
}

static void without_a_key_the_row_is_the_key(void **state)
{
    (void)state;
    auto_buffer Buffer sql = {0};
    VerifyPlan plan = keyed();
    VerifyDialect dialect = {.extended = true};
    size_t shown;

    plan.key_count = 0;
    verify_sql_buckets(&sql, &dialect, &plan, NULL, false, 0);
    assert_non_null(strstr(sql.data, "(x.h & 15)"));
    assert_ptr_equal(verify_sql_shown(&plan, &shown), COLUMNS);
    assert_int_equal(shown, 4);
    plan.column_count = 0; // a table without columns
    buffer_clear(&sql, 0);
    verify_sql_rows(&sql, &dialect, &plan, false);
    assert_non_null(strstr(sql.data, "ROW()"));
}

static void values_are_cut_between_characters(void **state)
{
    (void)state;
    auto_buffer Buffer out = {0};
    char value[128] = "";

    buffer_putc(&out, '{');
    verify_stream_describe(&out, "a", "1");
    verify_stream_describe(&out, "b", NULL);
    assert_string_equal(out.data, "{a=1, b=NULL");
    buffer_clear(&out, 0);
    memset(value, 'x', 79);
    strcat(value, "éé");
    verify_stream_describe(&out, "v", value);
    assert_int_equal(out.len, 2 + 79 + strlen("…"));
    assert_string_equal(out.data + 2 + 78, "x…");
    buffer_clear(&out, 0);
    value[80] = '\0'; // 80 bytes are not cut
    verify_stream_describe(&out, "v", value);
    assert_int_equal(out.len, 2 + 80);
}

static void a_chunk_is_a_range_of_blocks(void **state)
{
    (void)state;
    const VerifyPlan plan = keyed();
    VerifyDialect dialect = verify_dialect(150000, 150000, true);
    const BlockRange middle = {.first = 10, .end = 20}, last = {.first = 20, .end = -1};
    auto_buffer Buffer sql = {0};

    dialect.sample = 512;
    verify_sql_buckets(&sql, &dialect, &plan, &middle, false, 0);
    assert_non_null(
        strstr(sql.data, " WHERE t.ctid >= '(10,0)'::pg_catalog.tid AND t.ctid < '(20,0)'::pg_catalog.tid AND (("));
    buffer_clear(&sql, SIZE_MAX);
    verify_sql_buckets(&sql, &dialect, &plan, &last, false, 0);
    assert_non_null(strstr(sql.data, " WHERE t.ctid >= '(20,0)'::pg_catalog.tid AND (("));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dialect_follows_the_versions),     cmocka_unit_test(both_ends_get_the_same_expressions),
        cmocka_unit_test(older_ends_get_md5_and_binary_floats), cmocka_unit_test(without_a_key_the_row_is_the_key),
        cmocka_unit_test(values_are_cut_between_characters),    cmocka_unit_test(a_chunk_is_a_range_of_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
