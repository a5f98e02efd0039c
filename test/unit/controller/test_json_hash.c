// SPDX-License-Identifier: Apache-2.0
#include "test/unit/cmocka_all.h"

#include "controller/json_hash.h"
#include "test/unit/controller/task_fixture.h"

static uint64_t hash(const char *text)
{
    json_object *object = fixture_json(text);
    uint64_t value = json_hash(object);
    json_object_put(object);
    return value;
}

static void test_same_meaning(void **state)
{
    (void)state;
    assert_true(hash("{\"a\":1,\"b\":[true,null]}") == hash("{\"b\":[true,null],\"a\":1}"));
    assert_true(hash("{\"a\":1,\"b\":null}") == hash("{\"a\":1}"));
    assert_true(json_hash(NULL) == 0);
}

static void test_other_meaning(void **state)
{
    static const char *const ALL[] = {"{}",
                                      "[]",
                                      "\"\"",
                                      "{\"a\":1}",
                                      "{\"a\":\"1\"}",
                                      "{\"a\":2}",
                                      "{\"b\":1}",
                                      "[1,2]",
                                      "[2,1]",
                                      "{\"a\":{\"b\":1}}",
                                      "{\"a\":[1]}",
                                      "[null]",
                                      "{\"a\":true}",
                                      "{\"a\":1,\"b\":2}",
                                      "{\"a\":2,\"b\":1}"};
    (void)state;

    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(hash(ALL[i]) != hash(ALL[j]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_meaning), cmocka_unit_test(test_other_meaning)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
