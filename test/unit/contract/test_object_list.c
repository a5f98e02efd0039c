// SPDX-License-Identifier: Apache-2.0
#include "common/base/buffer.h"
#include "common/contract/object_list.h"
#include "test/unit/cmocka_all.h"

// The parsed list as "schema|table;schema|;" must be what is expected.
static void becomes(const char *text, const char *expected)
{
    auto_buffer Buffer found = {0};
    ObjectList list;
    Error err = {0};
    if (object_list_parse(text, &list, &err))
        fail_msg("%s: %s", text, err.message);
    for (size_t i = 0; i < list.count; i++)
        buffer_printf(&found, "%s|%s;", list.items[i].schema, list.items[i].table ? list.items[i].table : "");
    assert_string_equal(buffer_text(&found), expected);
    object_list_free(&list);
}

static void refused(const char *text, const char *part)
{
    ObjectList list;
    Error err = {0};
    if (object_list_parse(text, &list, &err) == 0)
        fail_msg("%s was taken", text);
    assert_int_equal(err.code, ERROR_USAGE);
    assert_int_equal(list.count, 0);
    if (!strstr(err.message, part))
        fail_msg("'%s' does not say '%s'", err.message, part);
}

static void test_names_as_written(void **state)
{
    (void)state;
    becomes("\"public.a\",\"public.b\"", "public|a;public|b;");
    becomes("public.a, sales", "public|a;sales|;");
    becomes("Public.MyTable", "Public|MyTable;");
    becomes(" \"public.with space\" , \"s.t\" ", "public|with space;s|t;");
    becomes("\"public.\xC3\xBC\"", "public|\xC3\xBC;");
}

static void test_quoting(void **state)
{
    (void)state;
    becomes("\"public.\"\"We.ird, name\"\"\"", "public|We.ird, name;");
    becomes("\"public\".\"a.b\"", "public|a.b;");
    becomes("public.\"a,b\"", "public|a,b;");
    becomes("\"\"\"my.schema\"\"\"", "my.schema|;");
    becomes("\"\"\"s.1\"\".\"\"t\"\"\"\"x\"\"\"", "s.1|t\"x;");
    becomes("\"s\".t", "s|t;");
}

static void test_merging(void **state)
{
    ObjectList list = {0};
    char name[16];
    (void)state;
    becomes("public.a,public.a", "public|a;");
    becomes("public.a,public,public.b", "public|;");
    becomes("b.x,a.x,b,c", "a|x;b|;c|;");
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "t%d", i * 7 % 1000);
        object_list_add(&list, i % 2 ? "odd" : "even", name);
    }
    assert_int_equal(list.count, 1000);
    object_list_add(&list, "odd", NULL);
    assert_int_equal(list.count, 501);
    object_list_add(&list, "odd", "later");
    assert_int_equal(list.count, 501);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "z%d", i);
        object_list_add(&list, name, NULL);
    }
    assert_int_equal(list.count, 601);
    object_list_free(&list);
}

static void test_refusals(void **state)
{
    (void)state;
    refused("", "empty");
    refused("  ", "empty");
    refused("a,", "a name is missing at character 3");
    refused(",a", "a name is missing");
    refused("a..b", "a name is missing");
    refused("a.b.c", "a second dot at character 4");
    refused("\"a.b.c\"", "a second dot");
    refused("\"a", "the quote is not closed");
    refused("\"\"", "a name is missing");
    refused("\"a\"b", "expected a comma");
    refused("a\"b", "a quote inside a name");
    refused("a.\"b\"c", "expected a comma");
    refused("\"a.\"\"b\"\"c\"", "text behind a quoted name");
    refused("public.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "63 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_as_written),
        cmocka_unit_test(test_quoting),
        cmocka_unit_test(test_merging),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
