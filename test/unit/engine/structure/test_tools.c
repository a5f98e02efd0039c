// SPDX-License-Identifier: Apache-2.0
// Finding pg_dump, and what its child process gets to see.
#include "common/base/memory.h"
#include "engine/structure/tools.h"
#include "test/unit/cmocka_all.h"

#include <sys/stat.h>

static void test_version(void **state)
{
    (void)state;
    assert_int_equal(dump_tools_parse_major("pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)"), 15);
    assert_int_equal(dump_tools_parse_major("pg_dump (PostgreSQL) 18beta1"), 18);
    assert_int_equal(dump_tools_parse_major("something else"), 0);
}

static void test_conninfo_has_no_secret(void **state)
{
    Endpoint endpoint = {0};
    (void)state;
    endpoint_set(&endpoint, "host", "it's");
    endpoint_set(&endpoint, "password", "very secret");
    endpoint_set(&endpoint, "sslpassword", "secret too");
    auto_free char *text = dump_tools_conninfo(&endpoint, "kubeferry x");
    assert_string_equal(text, "host='it\\'s' application_name='kubeferry x'");
    endpoint_free(&endpoint);
}

static void write_tool(const char *folder, const char *name, const char *script)
{
    auto_free char *path = memory_printf("%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", script);
    fclose(file);
    assert_int_equal(chmod(path, 0700), 0);
}

static void remove_tools(const char *folder)
{
    auto_free char *dump = memory_printf("%s/pg_dump", folder);
    auto_free char *restore = memory_printf("%s/pg_restore", folder);
    unlink(dump);
    unlink(restore);
    rmdir(folder);
}

static void test_search(void **state)
{
    char folder[] = "/tmp/kubeferry-tools-XXXXXX";
    DumpTools tools;
    Error err = {0};
    (void)state;
    assert_non_null(mkdtemp(folder));
    write_tool(folder, "pg_dump", "echo 'pg_dump (PostgreSQL) 77.1'");
    write_tool(folder, "pg_restore", "exit 1");
    auto_free char *before = memory_strdup(getenv("PATH"));
    auto_free char *path = memory_printf("/nowhere:%s", folder);
    setenv("PATH", path, 1);
    assert_int_equal(dump_tools_find(770001, &tools, &err), 0);
    assert_int_equal(tools.major, 77);
    dump_tools_free(&tools);
    assert_int_equal(dump_tools_find(780001, &tools, &err), -1);
    assert_int_equal(err.code, ERROR_CONDITION);
    assert_non_null(strstr(err.message, "version 77"));
    assert_non_null(strstr(err.message, folder));
    assert_non_null(strstr(err.hint, "postgresql-client-78"));
    setenv("PATH", before, 1);
    remove_tools(folder);
}

static void test_failures(void **state)
{
    const char *denied[] = {"/bin/sh", "-c", "echo 'pg_dump: error: permission denied for table t' >&2; exit 1", NULL};
    const char *lost[] = {"/bin/sh", "-c", "echo 'pg_dump: error: connection to server at \"h\" failed' >&2; exit 1",
                          NULL};
    const char *killed[] = {"/bin/sh", "-c", "kill -9 $$", NULL};
    const char *password[] = {"/bin/sh", "-c", "test \"$PGPASSWORD\" = \"a b'c\"", NULL};
    Error err = {0};
    (void)state;
    assert_int_equal(dump_tools_run(denied, NULL, "dumping", &err), -1);
    assert_int_equal(err.code, ERROR_CONDITION);
    assert_non_null(strstr(err.message, "permission denied for table t"));
    assert_int_equal(dump_tools_run(lost, NULL, "dumping", &err), -1);
    assert_int_equal(err.code, ERROR_TRANSIENT);
    assert_int_equal(dump_tools_run(killed, NULL, "dumping", &err), -1);
    assert_int_equal(err.code, ERROR_TRANSIENT);
    assert_int_equal(dump_tools_run(password, "a b'c", "dumping", &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_conninfo_has_no_secret),
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
