// SPDX-License-Identifier: Apache-2.0
#include "common/base/memory.h"
#include "common/k8s/k8s_config.h"
#include "test/unit/cmocka_all.h"

#include <stdio.h>
#include <string.h>

static const char TWO_CONTEXTS[] =
    "apiVersion: v1\n"
    "kind: Config\n"
    "current-context: night\n"
    "contexts:\n"
    "- {name: night, context: {cluster: c1, user: u1, namespace: shop}}\n"
    "- name: day\n"
    "  context: {cluster: c2, user: u2}\n"
    "clusters:\n"
    "- {name: c1, cluster: {server: 'https://[fd00::1]:6443/', certificate-authority-data: Q0E=}}\n"
    "- {name: c2, cluster: {server: 'https://k.example:6443', certificate-authority: pki/ca.crt,\n"
    "    proxy-url: 'http://proxy:3128', tls-server-name: api.internal, insecure-skip-tls-verify: true}}\n"
    "users:\n"
    "- {name: u1, user: {token: sesame-open, as: deputy}}\n"
    "- name: u2\n"
    "  user:\n"
    "    client-certificate: /abs/c.crt\n"
    "    client-key: c.key\n"
    "    exec: {apiVersion: client.authentication.k8s.io/v1, command: login, args: [get, token],\n"
    "      env: [{name: REGION, value: north}]}\n";

static int parse(const char *text, const char *context, K8sConfig *out, Error *err)
{
    return k8s_config_parse(text, strlen(text), "/home/a/.kube", context, out, err);
}

static void test_the_current_context(void **state)
{
    K8sConfig c;
    Error err = {0};
    (void)state;

    assert_int_equal(parse(TWO_CONTEXTS, NULL, &c, &err), 0);
    assert_string_equal(c.server, "https://[fd00::1]:6443");
    assert_string_equal(c.namespace_name, "shop");
    assert_string_equal(c.ca_pem, "CA");
    assert_string_equal(c.token, "sesame-open");
    assert_string_equal(c.impersonate, "deputy");
    assert_false(c.insecure);
    k8s_config_free(&c);
}

static void test_another_context_with_paths_and_plugin(void **state)
{
    K8sConfig c;
    Error err = {0};
    (void)state;

    assert_int_equal(parse(TWO_CONTEXTS, "day", &c, &err), 0);
    assert_string_equal(c.namespace_name, "default");
    assert_string_equal(c.ca_file, "/home/a/.kube/pki/ca.crt");
    assert_string_equal(c.certificate_file, "/abs/c.crt");
    assert_string_equal(c.key_file, "/home/a/.kube/c.key");
    assert_string_equal(c.proxy_url, "http://proxy:3128");
    assert_string_equal(c.tls_server_name, "api.internal");
    assert_true(c.insecure);
    assert_string_equal(c.exec.command, "login");
    assert_string_equal(c.exec.arguments[1], "token");
    assert_null(c.exec.arguments[2]);
    assert_string_equal(c.exec.environment[0], "REGION=north");
    k8s_config_free(&c);
}

static void test_what_is_refused(void **state)
{
    static const struct {
        const char *text, *context, *message;
    } CASES[] = {
        {"", NULL, "line 1, column 1: the document is empty"},
        {"a: [1, 2", NULL, "did not find expected ',' or ']'"},
        {"just text", NULL, "it is no kubeconfig"},
        {"kind: Config\n", NULL, "current-context is not set: name one with --context"},
        {TWO_CONTEXTS, "noon", "there is no context \"noon\""},
        {"contexts: [{name: x, context: {cluster: gone}}]", "x", "context \"x\": there is no cluster \"gone\""},
        {"{contexts: [{name: x, context: {cluster: c}}], clusters: [{name: c, cluster: {}}]}", "x",
         "context \"x\": cluster.server is missing"},
        {"{contexts: [{name: x, context: {cluster: c}}], clusters: [{name: c, cluster: {server: host}}]}", "x",
         "context \"x\": cluster.server: expected https://HOST:PORT"},
        {"{contexts: [{name: x, context: {cluster: c}}], clusters: [{name: c, cluster: {server: 'https://h', "
         "certificate-authority-data: '***'}}]}",
         "x", "context \"x\": certificate-authority-data is not base64"},
        {"{contexts: [{name: x, context: {cluster: c, user: u}}], clusters: [{name: c, cluster: {server: "
         "'https://h'}}]}",
         "x", "context \"x\": there is no user \"u\""},
        {"{contexts: [{name: x, context: {cluster: c, user: u}}], clusters: [{name: c, cluster: {server: "
         "'https://h'}}], "
         "users: [{name: u, user: {exec: {}}}]}",
         "x", "user.exec.command is missing"},
        {"{contexts: [{name: x, context: {cluster: c, user: u}}], clusters: [{name: c, cluster: {server: "
         "'https://h'}}], "
         "users: [{name: u, user: {auth-provider: {name: gcp}}}]}",
         "x", "user.auth-provider is no longer supported"},
        {"a: &x 1\nb: *x\n", NULL, "aliases are not supported"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        K8sConfig c;
        Error err = {0};
        assert_int_equal(parse(CASES[i].text, CASES[i].context, &c, &err), -1);
        assert_int_equal(err.code, ERROR_USAGE);
        if (!strstr(err.message, CASES[i].message))
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, err.message, CASES[i].message);
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_files_are_merged(void **state)
{
    char directory[] = "/tmp/kubeferry-unit-XXXXXX";
    K8sConfig c;
    Error err = {0};
    (void)state;

    assert_non_null(mkdtemp(directory));
    auto_free char *one = memory_printf("%s/one", directory);
    auto_free char *two = memory_printf("%s/two", directory);
    auto_free char *zero = memory_printf("%s/zero", directory);
    auto_free char *list = memory_printf("%s:%s:%s/missing:%s", zero, one, directory, two);
    write_file(zero, "current-context: ''\n");
    write_file(one, "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n");
    write_file(two, "current-context: y\nclusters: [{name: c, cluster: {server: 'https://h:1'}}]\n"
                    "users: [{name: u, user: {tokenFile: token}}]\n");
    assert_int_equal(k8s_config_load(list, NULL, &c, &err), 0);
    auto_free char *token = memory_printf("%s/token", directory);
    assert_string_equal(c.context, "x");
    assert_string_equal(c.server, "https://h:1");
    assert_string_equal(c.token_file, token);
    k8s_config_free(&c);
    assert_int_equal(k8s_config_load("/nowhere/config", NULL, &c, &err), -1);
    assert_string_equal(err.message, "kubeconfig /nowhere/config: there is no such file");
    unlink(zero);
    unlink(one);
    unlink(two);
    rmdir(directory);
}

static void test_data_on_several_lines(void **state)
{
    static const char TEXT[] =
        "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters:\n- name: c\n"
        "  cluster:\n    server: https://h/k8s/c-1/\n    certificate-authority-data: |\n"
        "      LS0t\n      LS1C\n";
    K8sConfig c;
    Error err = {0};
    (void)state;

    assert_int_equal(parse(TEXT, NULL, &c, &err), 0);
    assert_string_equal(c.ca_pem, "-----B");
    assert_string_equal(c.server, "https://h/k8s/c-1");
    assert_null(c.token);
    k8s_config_free(&c);
}

static void test_nothing_is_known(void **state)
{
    K8sConfig c;
    Error err = {0};
    auto_free char *home = memory_strdup(getenv("HOME") ? getenv("HOME") : "");
    (void)state;

    unsetenv("KUBECONFIG");
    unsetenv("KUBERNETES_SERVICE_HOST");
    setenv("HOME", "/nonexistent", 1);
    assert_int_equal(k8s_config_load(NULL, NULL, &c, &err), -1);
    assert_non_null(strstr(err.message, "/nonexistent/.kube/config is not there, and this is no pod"));
    assert_string_equal(err.hint, "give --kubeconfig FILE or set KUBECONFIG");
    setenv("KUBECONFIG", "/nonexistent/a:/nonexistent/b", 1);
    assert_int_equal(k8s_config_load(NULL, NULL, &c, &err), -1);
    assert_string_equal(err.message, "none of these kubeconfig files is there: /nonexistent/a:/nonexistent/b");
    unsetenv("KUBECONFIG");
    setenv("HOME", home, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_current_context),   cmocka_unit_test(test_another_context_with_paths_and_plugin),
        cmocka_unit_test(test_what_is_refused),       cmocka_unit_test(test_files_are_merged),
        cmocka_unit_test(test_data_on_several_lines), cmocka_unit_test(test_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
