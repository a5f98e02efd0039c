// SPDX-License-Identifier: Apache-2.0
#include "cli/refusal.h"
#include "test/unit/cmocka_all.h"

#include <string.h>

static const K8sConfig CONFIG = {.server = (char *)(uintptr_t) "https://k:6443", .context = (char *)(uintptr_t) "prod"};

static Error explained(int status, const char *body)
{
    const K8sReply reply = {.status = status, .body = body, .len = strlen(body)};
    Error err = {.http_status = status};

    error_set(&err, ERROR_CONDITION, "GET /x: as it came");
    err.http_status = status;
    refusal_explain(&reply, &CONFIG, &err);
    return err;
}

static void test_causes_become_one_line(void **state)
{
    (void)state;
    Error err = explained(
        422,
        "{\"kind\":\"Status\",\"details\":{\"kind\":\"MigrationTask\",\"name\":\"a\",\"causes\":["
        "{\"field\":\"spec.sinkEndpoint\",\"message\":\"Invalid value: \\\"object\\\": one and the same: name "
        "another\"},"
        "{\"field\":\"spec.sourceEndpoint.password\",\"message\":\"Forbidden: given twice\"},"
        "{\"field\":\"spec.sourceEndpoint.userName\",\"message\":\"Required value: write the role\"},"
        "{\"field\":\"spec.taskType\",\"message\":\"Unsupported value: \\\"x\\\": supported values: \\\"cdc\\\"\"},"
        "{\"field\":\"<nil>\",\"message\":\"Invalid value: \\\"null\\\": some validation rules were not checked "
        "because …\"}]}}");
    assert_string_equal(
        err.message, "the API server refuses MigrationTask \"a\": spec.sinkEndpoint: one and the same: name another; "
                     "spec.sourceEndpoint.password: given twice; spec.sourceEndpoint.userName: write the role; "
                     "spec.taskType: Unsupported value: \"x\": supported values: \"cdc\"");
    assert_int_equal(err.http_status, 422);
}

static void test_what_cannot_be_read_stays(void **state)
{
    (void)state;
    assert_string_equal(explained(422, "<html>").message, "GET /x: as it came");
    assert_string_equal(explained(422, "{\"details\":{\"causes\":[]}}").message, "GET /x: as it came");
    assert_string_equal(explained(500, "oops").message, "GET /x: as it came");
}

static void test_who_and_where(void **state)
{
    (void)state;
    Error err = explained(401, "{}");
    assert_int_equal(err.code, ERROR_CREDENTIALS);
    assert_non_null(strstr(err.message, "https://k:6443 does not accept the credentials of context prod"));
    err = explained(0, "");
    assert_string_equal(err.message,
                        "the API server https://k:6443 (context prod) cannot be asked: GET /x: as it came");
    err = explained(404, "{\"message\":\"the server could not find the requested resource\"}");
    assert_string_equal(err.hint, "kubeferry addon enable migration");
    assert_int_equal(err.http_status, 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_causes_become_one_line),
        cmocka_unit_test(test_what_cannot_be_read_stays),
        cmocka_unit_test(test_who_and_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
