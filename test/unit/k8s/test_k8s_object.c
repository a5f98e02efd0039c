// SPDX-License-Identifier: Apache-2.0
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_status.h"
#include "test/unit/cmocka_all.h"

#include <string.h>

static void test_times(void **state)
{
    static const struct {
        const char *text;
        double epoch;
    } CASES[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-22T21:07:12Z", 1795381632},
        {"2026-11-22T22:07:12+01:00", 1795381632},
        {"2026-11-22T20:37:12-00:30", 1795381632},
        {"2026-11-22T21:07:12.500000Z", 1795381632.5},
        {"", 0},
        {"yesterday", 0},
    };
    char text[K8S_TIME_SIZE];
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_true(k8s_time(CASES[i].text) == CASES[i].epoch);
    k8s_time_format(1795381632.9, text);
    assert_string_equal(text, "2026-11-22T21:07:12Z");
    k8s_time_format_micro(1795381632.5, text);
    assert_string_equal(text, "2026-11-22T21:07:12.500000Z");
}

static void test_reading_is_lenient(void **state)
{
    static const char TEXT[] = "{\"metadata\":{\"name\":\"a\",\"generation\":3,\"labels\":null,\"ownerReferences\":["
                               "{\"uid\":\"1\"},{\"uid\":\"2\",\"controller\":true}]},"
                               "\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"},7]}}";
    json_object *o = k8s_json_parse(TEXT, strlen(TEXT));
    json_object *metadata = k8s_member(o, "metadata");
    (void)state;

    assert_string_equal(k8s_text(metadata, "name"), "a");
    assert_string_equal(k8s_text(metadata, "generation"), "");
    assert_string_equal(k8s_text(NULL, "name"), "");
    assert_int_equal(k8s_integer(metadata, "generation", -1), 3);
    assert_int_equal(k8s_integer(metadata, "name", -1), -1);
    assert_null(k8s_member(metadata, "labels"));
    assert_string_equal(k8s_owner_uid(metadata), "2");
    assert_true(k8s_condition_true(o, "Ready"));
    assert_false(k8s_condition_true(o, "Stalled"));
    assert_null(k8s_at(o, "status", "nothing", "deeper", NULL));
    json_object_put(o);
}

static void test_json_is_bounded(void **state)
{
    char deep[400];
    (void)state;

    memset(deep, '[', 200);
    memset(deep + 200, ']', 200);
    assert_null(k8s_json_parse(deep, sizeof deep));
    assert_null(k8s_json_parse("{\"a\":", 5));
    assert_null(k8s_json_parse("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_reading_is_lenient),
        cmocka_unit_test(test_json_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
