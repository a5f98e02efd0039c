// SPDX-License-Identifier: Apache-2.0
#include "engine/copy/copy_statement.h"
#include "test/unit/cmocka_all.h"

static Column column(const char *name, const char *type)
{
    return (Column){.name = name, .type = type, .type_schema = "pg_catalog", .type_name = type, .binary_safe = true};
}

static void expect(const CopyTable *table, const Chunk *chunk, const char *source, const char *sink)
{
    auto_buffer Buffer sql = {0};
    copy_statement_source(table, chunk, &sql);
    assert_string_equal(sql.data, source);
    copy_statement_sink(table, &sql);
    assert_string_equal(sql.data, sink);
}

static void test_whole_tables_and_ranges(void **state)
{
    Column source[] = {column("id", "int4"), column("na\"me", "text")};
    Column sink[] = {column("na\"me", "text"), column("more", "text"), column("id", "int4")}; // another order
    ColumnList from = {source, 2}, to = {sink, 3};
    Error err = {0};
    CopyTable table;
    (void)state;
    assert_int_equal(copy_table_match("s", "t", &from, &to, true, &table, &err), 0);
    assert_true(table.binary);
    expect(&table, &(Chunk){.whole = true, .end_block = -1},
           "COPY \"s\".\"t\" (\"id\", \"na\"\"me\") TO STDOUT WITH (FORMAT binary)",
           "COPY \"s\".\"t\" (\"id\", \"na\"\"me\") FROM STDIN WITH (FORMAT binary)");
    expect(&table, &(Chunk){.first_block = 10, .end_block = 20},
           "COPY (SELECT \"id\", \"na\"\"me\" FROM ONLY \"s\".\"t\" WHERE ctid >= '(10,0)'::pg_catalog.tid"
           " AND ctid < '(20,0)'::pg_catalog.tid) TO STDOUT WITH (FORMAT binary)",
           "COPY \"s\".\"t\" (\"id\", \"na\"\"me\") FROM STDIN WITH (FORMAT binary)");
    table.binary = false;
    expect(&table, &(Chunk){.first_block = 10, .end_block = -1},
           "COPY (SELECT \"id\", \"na\"\"me\" FROM ONLY \"s\".\"t\" WHERE ctid >= '(10,0)'::pg_catalog.tid) TO STDOUT",
           "COPY \"s\".\"t\" (\"id\", \"na\"\"me\") FROM STDIN");
    copy_table_free(&table);
}

static void test_a_column_that_would_round(void **state)
{
    Column source[] = {column("id", "int4"), column("v", "numeric")};
    Column sink[] = {column("id", "int4"), column("v", "numeric")};
    ColumnList from = {source, 2}, to = {sink, 2};
    Error err = {0};
    CopyTable table;
    (void)state;
    source[1].type = "numeric(10,4)";
    sink[1].type = "numeric(6,2)";
    source[1].type_oid = sink[1].type_oid = 1700;
    source[1].modifier = (10 << 16 | 4) + 4;
    sink[1].modifier = (6 << 16 | 2) + 4;
    assert_int_equal(copy_table_match("s", "t", &from, &to, true, &table, &err), -1);
    assert_int_equal(err.code, ERROR_CONDITION);
    assert_non_null(
        strstr(err.message, "column \"v\" of \"s\".\"t\" is numeric(10,4) on the source and numeric(6,2) on the sink"));
    assert_non_null(strstr(err.hint, "TYPE numeric(10,4)"));
    sink[1].modifier = -1;
    assert_int_equal(copy_table_match("s", "t", &from, &to, true, &table, &err), 0);
    copy_table_free(&table);
}

static void test_text_where_binary_is_not_the_same(void **state)
{
    Column source[] = {column("id", "int4"), column("v", "text")};
    Column sink[] = {column("id", "int4"), column("v", "text")};
    ColumnList from = {source, 2}, to = {sink, 2};
    Error err = {0};
    CopyTable table;
    (void)state;
    assert_int_equal(copy_table_match("s", "t", &from, &to, false, &table, &err), 0);
    assert_false(table.binary); // the servers store text in different encodings
    copy_table_free(&table);
    sink[0].type_name = "int8";
    assert_int_equal(copy_table_match("s", "t", &from, &to, true, &table, &err), 0);
    assert_false(table.binary);
    copy_table_free(&table);
    sink[0].type_name = "int4";
    source[1].binary_safe = false;
    assert_int_equal(copy_table_match("s", "t", &from, &to, true, &table, &err), 0);
    assert_false(table.binary);
    copy_table_free(&table);
}

static void test_no_columns_and_generated_ones(void **state)
{
    Column generated = column("g", "int4");
    ColumnList none = {NULL, 0}, only_generated = {&generated, 1};
    Error err = {0};
    CopyTable table;
    (void)state;
    generated.generated = true;
    assert_int_equal(copy_table_match("s", "t", &only_generated, &only_generated, true, &table, &err), 0);
    assert_string_equal(table.columns, "");
    copy_table_free(&table);
    assert_int_equal(copy_table_match("s", "t", &none, &none, true, &table, &err), 0);
    expect(&table, &(Chunk){.whole = true, .end_block = -1}, "COPY \"s\".\"t\" TO STDOUT",
           "COPY \"s\".\"t\" FROM STDIN");
    copy_table_free(&table);
}

static void test_a_column_that_the_sink_lacks(void **state)
{
    Column source[] = {column("id", "int4"), column("v", "text")};
    Column sink[] = {column("id", "int4"), column("v", "text")};
    ColumnList from = {source, 2}, less = {sink, 1}, to = {sink, 2};
    Error err = {0};
    CopyTable table;
    (void)state;
    assert_int_equal(copy_table_match("s", "t", &from, &less, true, &table, &err), -1);
    assert_int_equal(err.code, ERROR_CONDITION);
    assert_string_equal(err.message, "the sink's table \"s\".\"t\" has no column \"v\"");
    sink[1].generated = true;
    assert_int_equal(copy_table_match("s", "t", &from, &to, true, &table, &err), -1);
    assert_string_equal(err.message, "column \"v\" of \"s\".\"t\" is generated on the sink and ordinary on the source");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_tables_and_ranges),           cmocka_unit_test(test_a_column_that_would_round),
        cmocka_unit_test(test_text_where_binary_is_not_the_same), cmocka_unit_test(test_no_columns_and_generated_ones),
        cmocka_unit_test(test_a_column_that_the_sink_lacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
