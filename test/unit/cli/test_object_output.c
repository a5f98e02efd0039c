// SPDX-License-Identifier: Apache-2.0
#include "cli/object_output.h"
#include "test/unit/cmocka_all.h"

#include <string.h>

static const char TASK[] =
    "{\"metadata\":{\"name\":\"a\",\"managedFields\":[1],\"annotations\":{\"kubectl.kubernetes.io/"
    "last-applied-configuration\":"
    "\"{\\\"spec\\\":{\\\"sinkEndpoint\\\":{\\\"password\\\":\\\"sesame\\\"}}}\",\"other\":\"stays\"}},"
    "\"spec\":{\"sourceEndpoint\":{\"password\":\"sesame\",\"userName\":\"u\"},\"sinkEndpoint\":{\"password\":\"\"}}}";

static void check(json_object *task)
{
    const char *text = json_object_to_json_string_ext(task, JSON_C_TO_STRING_PLAIN);

    assert_null(strstr(text, "sesame"));
    assert_null(strstr(text, "managedFields"));
    assert_non_null(strstr(text, "\"sourceEndpoint\":{\"password\":\"********\",\"userName\":\"u\"}"));
    assert_non_null(strstr(text, "\"sinkEndpoint\":{\"password\":\"\"}"));
    assert_non_null(strstr(text, "\"other\":\"stays\""));
    assert_non_null(strstr(text, "\\\"password\\\":\\\"********\\\""));
}

static void test_passwords_are_masked(void **state)
{
    json_object *task = json_tokener_parse(TASK), *list = json_object_new_object(), *items = json_object_new_array();
    (void)state;
    json_object_array_add(items, json_tokener_parse(TASK));
    json_object_object_add(list, "items", items);
    object_output_clean(task);
    check(task);
    object_output_clean(list);
    check(json_object_array_get_idx(items, 0));
    json_object_put(task);
    json_object_put(list);
}

static void test_other_objects_stay(void **state)
{
    static const char *const OTHERS[] = {
        "{}", "[]", "{\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":\"{\"}}}",
        "{\"spec\":{\"sourceEndpoint\":[]}}", "{\"items\":{}}"};
    (void)state;
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        json_object *object = json_tokener_parse(OTHERS[i]), *before = json_tokener_parse(OTHERS[i]);
        object_output_clean(object);
        assert_true(json_object_equal(object, before));
        json_object_put(object);
        json_object_put(before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passwords_are_masked),
        cmocka_unit_test(test_other_objects_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
