// SPDX-License-Identifier: Apache-2.0
#include "common/base/memory.h"
#include "common/k8s/k8s_path.h"
#include "test/unit/cmocka_all.h"

static void test_paths(void **state)
{
    static const struct {
        const char *base, *namespace_name, *resource, *name, *subresource, *path;
    } CASES[] = {
        {"/apis/batch/v1", NULL, "jobs", NULL, NULL, "/apis/batch/v1/jobs"},
        {"/apis/batch/v1", "shop", "jobs", NULL, NULL, "/apis/batch/v1/namespaces/shop/jobs"},
        {"/api/v1", "shop", "pods", "a-1", "log", "/api/v1/namespaces/shop/pods/a-1/log"},
        {"/api/v1", NULL, "nodes", "n1", NULL, "/api/v1/nodes/n1"},
        {"/api/v1", "a/b", "pods", "..?x=1#", NULL, "/api/v1/namespaces/a%2Fb/pods/..%3Fx%3D1%23"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        auto_free char *path =
            k8s_path(CASES[i].base, CASES[i].namespace_name, CASES[i].resource, CASES[i].name, CASES[i].subresource);
        assert_string_equal(path, CASES[i].path);
    }
}

static void test_encoding(void **state)
{
    (void)state;

    auto_free char *selector = k8s_path_encode("app.kubernetes.io/managed-by=kubeferry,x in (a, b)");
    assert_string_equal(selector, "app.kubernetes.io%2Fmanaged-by%3Dkubeferry%2Cx%20in%20%28a%2C%20b%29");
    auto_free char *empty = k8s_path_encode("");
    assert_string_equal(empty, "");
    auto_free char *letters = k8s_path_encode("ü~");
    assert_string_equal(letters, "%C3%BC~");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
