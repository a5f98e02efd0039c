// SPDX-License-Identifier: Apache-2.0
#include "common/k8s/k8s_yaml.h"
#include "test/unit/cmocka_all.h"

#include <string.h>

static void written(const char *json, const char *yaml)
{
    auto_buffer Buffer out = {0};
    json_object *object = json_tokener_parse(json);
    Error err = {0};

    k8s_yaml_write(object, &out);
    assert_string_equal(buffer_text(&out), yaml);
    json_object *again = k8s_yaml_parse(out.data, out.len, &err);
    if (object)
        assert_true(json_object_equal(object, again));
    json_object_put(again);
    json_object_put(object);
}

static void test_objects_and_lists(void **state)
{
    (void)state;
    written("{\"kind\": \"Pod\", \"empty\": {}, \"none\": null, \"list\": [], \"count\": -3, \"ok\": true}",
            "kind: Pod\nempty: {}\nnone: null\nlist: []\ncount: -3\nok: true\n");
    written("{\"a\": [{\"b\": \"c\", \"d\": [1, [2]]}, \"e\"]}", "a:\n- b: c\n  d:\n  - 1\n  - - 2\n- e\n");
}

static void test_text_stays_text(void **state)
{
    (void)state;
    written("{\"a\": [\"true\", \"No\", \"10001\", \"-1\", \"1e3\", \".5\", \"2026-11-25\", \"0/56E54A8\", \"\", "
            "\"~\", \"y\"]}",
            "a:\n- \"true\"\n- \"No\"\n- \"10001\"\n- \"-1\"\n- \"1e3\"\n- \".5\"\n- \"2026-11-25\"\n- "
            "\"0/56E54A8\"\n- \"\"\n"
            "- \"~\"\n- \"y\"\n");
    written("{\"a\": \"b: c\", \"d\": \"# no\", \"e\": \"- x\", \"f\": \" x \", \"grüße\": \"日本 'q' \\\"z\\\"\"}",
            "a: 'b: c'\nd: '# no'\ne: '- x'\nf: ' x '\ngrüße: 日本 'q' \"z\"\n");
    written("{\"t\": \"one\\ntwo\\n\", \"u\": \"tab\\tand\\u0001\"}", "t: |\n  one\n  two\nu: \"tab\\tand\\x01\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects_and_lists),
        cmocka_unit_test(test_text_stays_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
