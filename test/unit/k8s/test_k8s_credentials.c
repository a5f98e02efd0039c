// SPDX-License-Identifier: Apache-2.0
#include "common/base/memory.h"
#include "common/k8s/k8s_credentials.h"
#include "test/unit/cmocka_all.h"

#include <sys/stat.h>
#include <unistd.h>

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

typedef struct Plugin {
    char directory[32];
    char *path;
    char *arguments[3], *environment[2], word[16];
    K8sConfig config;
} Plugin;

static void make_plugin(Plugin *p, const char *script)
{
    strcpy(p->directory, "/tmp/kubeferry-unit-XXXXXX");
    assert_non_null(mkdtemp(p->directory));
    p->path = memory_printf("%s/plugin", p->directory);
    write_file(p->path, script, 0755);
    strcpy(p->word, "WORD=tulip");
    p->arguments[0] = p->directory;
    p->environment[0] = p->word;
    p->config.exec = (K8sExec){.command = p->path, .arguments = p->arguments, .environment = p->environment};
}

static void drop_plugin(Plugin *p)
{
    auto_free char *calls = memory_printf("%s/calls", p->directory);

    unlink(calls);
    unlink(p->path);
    rmdir(p->directory);
    free(p->path);
}

static int calls(const Plugin *p)
{
    struct stat st;
    auto_free char *path = memory_printf("%s/calls", p->directory);

    return stat(path, &st) ? 0 : (int)st.st_size;
}

static void test_a_plugin_is_asked_when_its_token_expired(void **state)
{
    Plugin lasting = {0}, short_lived = {0};
    Error err = {0};
    (void)state;

    make_plugin(&lasting,
                "#!/bin/sh\nprintf x >>$1/calls\n"
                "echo '{\"status\":{\"token\":\"'$WORD'\",\"expirationTimestamp\":\"2100-01-01T00:00:00Z\"}}'\n");
    K8sCredentials c = {.config = &lasting.config};
    for (int i = 0; i < 3; i++)
        assert_int_equal(k8s_credentials_refresh(&c, false, &err), 0);
    assert_string_equal(c.header, "Authorization: Bearer tulip");
    assert_int_equal(calls(&lasting), 1);
    assert_int_equal(k8s_credentials_refresh(&c, true, &err), 0);
    assert_int_equal(calls(&lasting), 2);
    k8s_credentials_free(&c);
    drop_plugin(&lasting);

    make_plugin(&short_lived,
                "#!/bin/sh\nprintf x >>$1/calls\n"
                "echo '{\"status\":{\"token\":\"t\",\"expirationTimestamp\":\"2020-01-01T00:00:00Z\"}}'\n");
    c.config = &short_lived.config;
    for (int i = 0; i < 3; i++)
        assert_int_equal(k8s_credentials_refresh(&c, false, &err), 0);
    assert_int_equal(calls(&short_lived), 3);
    k8s_credentials_free(&c);
    drop_plugin(&short_lived);
}

static void test_a_plugin_gives_a_certificate(void **state)
{
    Plugin plugin = {0};
    Error err = {0};
    (void)state;

    make_plugin(&plugin,
                "#!/bin/sh\necho '{\"status\":{\"clientCertificateData\":\"CERT\",\"clientKeyData\":\"KEY\"}}'\n");
    K8sCredentials c = {.config = &plugin.config};
    assert_int_equal(k8s_credentials_refresh(&c, false, &err), 0);
    assert_null(c.header);
    assert_string_equal(c.certificate_pem, "CERT");
    assert_string_equal(c.key_pem, "KEY");
    k8s_credentials_free(&c);
    drop_plugin(&plugin);
}

static void test_plugins_that_fail(void **state)
{
    static const struct {
        const char *script, *message;
        ErrorCode code;
    } CASES[] = {
        {"#!/bin/sh\necho login first >&2\nexit 7\n", "ended with 7: login first", ERROR_CREDENTIALS},
        {"#!/bin/sh\necho nonsense\n", "its output is no ExecCredential with a token or certificate",
         ERROR_CREDENTIALS},
        {"#!/bin/sh\necho '{\"status\":{\"token\":\"\"}}'\n", "no ExecCredential", ERROR_CREDENTIALS},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        Plugin plugin = {0};
        Error err = {0};
        make_plugin(&plugin, CASES[i].script);
        K8sCredentials c = {.config = &plugin.config};
        assert_int_equal(k8s_credentials_refresh(&c, false, &err), -1);
        assert_int_equal(err.code, CASES[i].code);
        if (!strstr(err.message, CASES[i].message) || !strstr(err.message, plugin.path))
            fail_msg("case %zu: %s", i, err.message);
        k8s_credentials_free(&c);
        drop_plugin(&plugin);
    }
}

static void test_a_plugin_that_is_not_there(void **state)
{
    char *none[] = {NULL};
    K8sConfig config = {
        .exec = {.command = (char[]){"kubeferry-no-such-plugin"}, .arguments = none, .environment = none}};
    K8sCredentials c = {.config = &config};
    Error err = {0};
    (void)state;

    assert_int_equal(k8s_credentials_refresh(&c, false, &err), -1);
    assert_non_null(strstr(err.message, "credential plugin kubeferry-no-such-plugin"));
    assert_non_null(strstr(err.hint, "PATH"));
    k8s_credentials_free(&c);
}

static void test_a_token_file_that_goes_away(void **state)
{
    char path[] = "/tmp/kubeferry-unit-XXXXXX";
    K8sConfig config = {.token_file = path};
    K8sCredentials c = {.config = &config};
    Error err = {0};
    int fd = mkstemp(path);
    (void)state;

    assert_true(fd >= 0);
    close(fd);
    write_file(path, "one\n", 0600);
    assert_int_equal(k8s_credentials_refresh(&c, false, &err), 0);
    write_file(path, "two\n", 0600);
    assert_int_equal(k8s_credentials_refresh(&c, false, &err), 0);
    assert_string_equal(c.header, "Authorization: Bearer one"); // read a moment ago
    assert_int_equal(k8s_credentials_refresh(&c, true, &err), 0);
    assert_string_equal(c.header, "Authorization: Bearer two");
    unlink(path);
    assert_int_equal(k8s_credentials_refresh(&c, true, &err), 0); // the one of before may still do
    k8s_credentials_free(&c);
    c.config = &config;
    assert_int_equal(k8s_credentials_refresh(&c, true, &err), -1);
    k8s_credentials_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_plugin_is_asked_when_its_token_expired),
        cmocka_unit_test(test_a_plugin_gives_a_certificate),
        cmocka_unit_test(test_plugins_that_fail),
        cmocka_unit_test(test_a_plugin_that_is_not_there),
        cmocka_unit_test(test_a_token_file_that_goes_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
