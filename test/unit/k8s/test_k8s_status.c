// SPDX-License-Identifier: Apache-2.0
#include "common/k8s/k8s_status.h"
#include "test/unit/cmocka_all.h"

static Error failure(int status, const char *body)
{
    Error err = {0};

    k8s_status_error("POST", "/apis/batch/v1/jobs?fieldManager=x", status, body, strlen(body), &err);
    assert_int_equal(err.http_status, status);
    return err;
}

static void test_codes(void **state)
{
    static const struct {
        int status;
        ErrorCode code;
    } CASES[] = {{400, ERROR_PROTOCOL},  {401, ERROR_CREDENTIALS}, {403, ERROR_CONDITION}, {404, ERROR_CONDITION},
                 {408, ERROR_TRANSIENT}, {409, ERROR_CONDITION},   {410, ERROR_CONDITION}, {413, ERROR_CONDITION},
                 {422, ERROR_CONDITION}, {429, ERROR_TRANSIENT},   {500, ERROR_TRANSIENT}, {504, ERROR_TRANSIENT},
                 {302, ERROR_PROTOCOL}};
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_int_equal(failure(CASES[i].status, "{}").code, CASES[i].code);
}

static void test_the_missing_right_is_named(void **state)
{
    Error err =
        failure(403, "{\"reason\":\"Forbidden\",\"message\":\"leases.coordination.k8s.io \\\"x\\\" is forbidden: User "
                     "\\\"system:serviceaccount:a:b\\\" cannot update resource \\\"leases\\\" in API group "
                     "\\\"coordination.k8s.io\\\" in the namespace \\\"a\\\"\"}");
    (void)state;

    assert_int_equal(err.code, ERROR_CREDENTIALS);
    assert_string_equal(err.hint, "give the account this right by a Role and a RoleBinding: apiGroups: "
                                  "[\"coordination.k8s.io\"], resources: [\"leases\"], verbs: [\"update\"]");
    err =
        failure(403, "{\"message\":\"pods is forbidden: User \\\"u\\\" cannot list resource \\\"pods\\\" in API group "
                     "\\\"\\\" at the cluster scope\"}");
    assert_string_equal(err.hint, "give the account this right by a ClusterRole and a ClusterRoleBinding: apiGroups: "
                                  "[\"\"], resources: [\"pods\"], verbs: [\"list\"]");
}

static void test_what_an_admission_plugin_refuses_is_no_missing_right(void **state)
{
    Error err =
        failure(403, "{\"reason\":\"Forbidden\",\"message\":\"pods \\\"x\\\" is forbidden: exceeded quota: q\"}");
    (void)state;

    assert_int_equal(err.code, ERROR_CONDITION);
    assert_string_equal(err.hint, "");
    assert_string_equal(err.message,
                        "POST /apis/batch/v1/jobs: 403 Forbidden: pods \"x\" is forbidden: exceeded quota: q");
}

static void test_a_kind_that_is_not_installed(void **state)
{
    (void)state;

    assert_non_null(strstr(failure(404, "404 page not found\n").hint, "CustomResourceDefinitions"));
    assert_non_null(
        strstr(failure(404, "{\"message\":\"the server could not find the requested resource\"}").hint, "installed"));
    assert_string_equal(failure(404, "{\"message\":\"jobs.batch \\\"x\\\" not found\"}").hint, "");
}

static void test_an_error_event(void **state)
{
    static const char TEXT[] = "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too old\"}";
    json_object *status = k8s_json_parse(TEXT, strlen(TEXT));
    Error err = {0};
    (void)state;

    k8s_status_event_error("/api/v1/pods?watch=1", status, &err);
    assert_string_equal(err.message, "WATCH /api/v1/pods: 410 Expired: too old");
    assert_int_equal(err.http_status, 410);
    k8s_status_event_error("/api/v1/pods", NULL, &err);
    assert_int_equal(err.http_status, 500);
    json_object_put(status);
}

static void test_odd_bodies(void **state)
{
    char deep[400], long_page[5000];
    (void)state;

    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_non_null(strstr(failure(500, deep).message, "POST /apis/batch/v1/jobs: 500: [[["));
    memset(long_page, 'x', sizeof long_page - 1);
    long_page[sizeof long_page - 1] = '\0';
    assert_true(strlen(failure(502, long_page).message) < 300);
    assert_string_equal(failure(502, "").message, "POST /apis/batch/v1/jobs: 502");
    assert_string_equal(failure(500, "{\"message\":7,\"reason\":[]}").message,
                        "POST /apis/batch/v1/jobs: 500: {\"message\":7,\"reason\":[]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_the_missing_right_is_named),
        cmocka_unit_test(test_what_an_admission_plugin_refuses_is_no_missing_right),
        cmocka_unit_test(test_a_kind_that_is_not_installed),
        cmocka_unit_test(test_an_error_event),
        cmocka_unit_test(test_odd_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
