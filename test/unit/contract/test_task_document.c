// SPDX-License-Identifier: Apache-2.0
#include "common/base/memory.h"
#include "common/contract/task_document.h"
#include "test/unit/cmocka_all.h"

static TaskDocument task;
static Error err;
static char directory[] = "/tmp/kubeferry-test-XXXXXX";
static char path[64];

static int group_setup(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/task.json", directory);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static int setup(void **state)
{
    (void)state;
    task_document_init(&task);
    error_clear(&err);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    task_document_free(&task);
    return 0;
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int load(const char *text)
{
    write_file(path, text);
    task_document_free(&task);
    task_document_init(&task);
    error_clear(&err);
    return task_document_load(path, &task, &err);
}

static void refused(const char *text, const char *part)
{
    if (load(text) == 0)
        fail_msg("%s was taken", text);
    assert_int_equal(err.code, ERROR_USAGE);
    assert_null(strstr(err.message, "hunter2"));
    if (!strstr(err.message, part))
        fail_msg("'%s' does not say '%s'", err.message, part);
}

#define ENDS "\"source\":{\"conninfo\":\"host=a\"},\"sink\":{\"conninfo\":\"u:p@b:1/c\"}"

static void test_everything_is_read(void **state)
{
    (void)state;
    assert_int_equal(
        load(
            "{\"version\":1,\"name\":\"my-task\",\"jobs\":8,\"workers\":3,\"until\":\"caught-up\",\"listen\":\":9187\","
            "\"logFormat\":\"json\",\"workDir\":\"/var/tmp\",\"slotGuardBytes\":1073741824,"
            "\"source\":{\"address\":\"[2001:db8::1]:5432\",\"database\":\"db\",\"user\":\"u\",\"password\":\"p@/:\","
            "\"tls\":{\"mode\":\"verify-full\",\"caFile\":\"/ca\",\"certFile\":\"/crt\",\"keyFile\":\"/key\"}},"
            "\"sink\":{\"conninfo\":\"postgresql://u:p@h/db\"},"
            "\"objects\":[{\"schema\":\"public\",\"table\":\"a\"},{\"schema\":\"s\",\"table\":null}],"
            "\"excluded\":[{\"schema\":\"s\",\"table\":\"b\"}],\"steps\":{\"preCheck\":false,\"init-struct\":true}}"),
        0);
    assert_int_equal(task_document_check(&task, &err), 0);
    assert_string_equal(task.name, "my-task");
    assert_int_equal(task.jobs, 8);
    assert_int_equal(task.workers, 3);
    assert_int_equal(task.until, UNTIL_CAUGHT_UP);
    assert_string_equal(task.listen, ":9187");
    assert_int_equal(task.log_format, LOG_JSON);
    assert_string_equal(task.work_dir, "/var/tmp");
    assert_int_equal(task.slot_guard_bytes, 1073741824);
    assert_string_equal(endpoint_get(&task.source, "host"), "2001:db8::1");
    assert_string_equal(endpoint_get(&task.source, "password"), "p@/:");
    assert_string_equal(endpoint_get(&task.source, "sslmode"), "verify-full");
    assert_string_equal(endpoint_get(&task.source, "sslrootcert"), "/ca");
    assert_string_equal(endpoint_get(&task.sink, "dbname"), "db");
    assert_int_equal(task.objects.count, 2);
    assert_null(task.objects.items[1].table);
    assert_string_equal(task.excluded.items[0].table, "b");
    assert_false(task.steps[STEP_PRECHECK]);
    assert_true(task.steps[STEP_CDC]);
}

static void test_what_is_absent_keeps_its_value(void **state)
{
    (void)state;
    assert_int_equal(load("{\"version\":1,\"listen\":null,\"name\":\"\"," ENDS "}"), 0);
    assert_string_equal(task.name, "kubeferry");
    assert_int_equal(task.jobs, 2);
    assert_int_equal(task.workers, 1);
    assert_null(task.listen);
    assert_int_equal(task.objects.count, 0);
}

static void test_passwords_beside_the_document(void **state)
{
    char secret[64], text[256];
    (void)state;
    snprintf(secret, sizeof secret, "%s/secret", directory);
    write_file(secret, "from file\n");
    snprintf(text, sizeof text,
             "{\"version\":1,\"source\":{\"address\":\"h:1\",\"passwordFile\":\"%s\"},"
             "\"sink\":{\"conninfo\":\"host=b\",\"passwordEnv\":\"TEST_TASK_PW\"}}",
             secret);
    setenv("TEST_TASK_PW", "from env", 1);
    assert_int_equal(load(text), 0);
    assert_string_equal(endpoint_get(&task.source, "password"), "from file");
    assert_string_equal(endpoint_get(&task.sink, "password"), "from env");
    assert_null(getenv("TEST_TASK_PW"));
    unlink(secret);
    assert_int_equal(load(text), -1);
    assert_non_null(strstr(err.message, "$.source.passwordFile: could not open"));
    refused("{\"version\":1,\"source\":{\"address\":\"h:1\",\"passwordEnv\":\"TEST_TASK_PW\"}}",
            "no variable 'TEST_TASK_PW'");
    refused("{\"version\":1,\"source\":{\"address\":\"h:1\",\"password\":\"hunter2\",\"passwordEnv\":\"A\"}}",
            "found several");
}

#define FROM_ENV                                                                                                       \
    "{\"version\":1,\"source\":{\"address\":\"h:1\",\"userEnv\":\"TEST_TASK_U\",\"passwordEnv\":\"TEST_TASK_P\"},"     \
    "\"sink\":{\"address\":\"i:1\",\"userEnv\":\"TEST_TASK_U\",\"passwordEnv\":\"TEST_TASK_P\"}}"

static void test_user_and_password_of_the_environment(void **state)
{
    (void)state;
    setenv("TEST_TASK_U", "ferry\n", 1); // as a Secret that echo made
    setenv("TEST_TASK_P", "hunter2\r\n", 1);
    const char *seen = getenv("TEST_TASK_P");
    assert_int_equal(load(FROM_ENV), 0);
    assert_string_equal(endpoint_get(&task.source, "user"), "ferry");
    assert_string_equal(endpoint_get(&task.sink, "user"), "ferry");
    assert_string_equal(endpoint_get(&task.source, "password"), "hunter2");
    assert_string_equal(endpoint_get(&task.sink, "password"), "hunter2");
    assert_null(getenv("TEST_TASK_U"));
    assert_null(getenv("TEST_TASK_P"));
    assert_string_equal(seen, "*********");
    refused(FROM_ENV, "$.source.userEnv: the environment has no variable 'TEST_TASK_U'");
    assert_non_null(strstr(err.hint, "TEST_TASK_U"));
    setenv("TEST_TASK_U", "\n", 1);
    refused(FROM_ENV, "$.source.userEnv: the variable 'TEST_TASK_U' is empty");
    refused("{\"version\":1,\"source\":{\"address\":\"h:1\",\"userEnv\":\"A\",\"user\":\"b\"}}", "found both");
    refused("{\"version\":1,\"source\":{\"conninfo\":\"host=h\",\"userEnv\":\"A\"}}", "stand in conninfo");
    refused("{\"version\":1,\"waitSeconds\":-1}", "$.waitSeconds: expected 0 to 86400, found -1");
}

static void test_refusals_name_the_place(void **state)
{
    (void)state;
    refused("{", "line 1: unexpected end of data");
    refused("{\n\n\"name\": hunter2}", "line 3: ");
    refused("[]", "$: expected an object, found a list");
    refused("null", "expected an object");
    refused("{}", "$.version: expected 1, found 0");
    refused("{\"version\":2}", "$.version: expected 1, found 2");
    refused("{\"version\":1,\"job\":3}", "$: there is no field 'job'");
    refused("{\"version\":1,\"jobs\":\"3\"}", "$.jobs: expected a whole number, found a string");
    refused("{\"version\":1,\"jobs\":65}", "$.jobs: expected 1 to 64, found 65");
    refused("{\"version\":1,\"workers\":0}", "$.workers: expected 1 to 64, found 0");
    refused("{\"version\":1,\"jobs\":1.5}", "$.jobs: expected a whole number, found a number with a fraction");
    refused("{\"version\":1,\"until\":\"done\"}",
            "$.until: expected \"stopped\", \"caught-up\" or \"forever\", found 'done'");
    refused("{\"version\":1,\"slotGuardBytes\":-1}", "$.slotGuardBytes");
    refused("{\"version\":1,\"steps\":{\"cdc\":\"yes\"}}", "$.steps.cdc: expected true or false, found a string");
    refused("{\"version\":1,\"steps\":{\"initdata\":true}}", "$.steps: there is no field 'initdata'");
    refused("{\"version\":1,\"source\":\"x\"}", "$.source: expected an object, found a string");
    refused("{\"version\":1,\"source\":{}}", "$.source: expected either conninfo or address, found neither");
    refused("{\"version\":1,\"source\":{\"conninfo\":\"host=h hunter2\"}}", "$.source.conninfo");
    refused("{\"version\":1,\"source\":{\"address\":\"u@h:1\"}}", "$.source.address: expected host:port");
    refused("{\"version\":1,\"sink\":{\"address\":\"h:1\",\"tls\":{\"mode\":\"on\"}}}",
            "$.sink.tls.mode: expected disable");
    refused("{\"version\":1,\"sink\":{\"address\":\"h:1\",\"password\":77}}",
            "$.sink.password: expected a string, found a number");
    refused("{\"version\":1,\"objects\":[{\"table\":\"a\"}]}", "$.objects[0].schema: expected a name");
    refused("{\"version\":1,\"objects\":[\"a\"]}", "$.objects[0]: expected an object, found a string");
    assert_int_equal(task_document_load("/nonexistent/task.json", &task, &err), -1);
    assert_non_null(strstr(err.message, "No such file or directory"));
}

static void bad_name(const char *name)
{
    free(task.name);
    task.name = memory_strdup(name);
    assert_int_equal(task_document_check(&task, &err), -1);
    assert_non_null(strstr(err.message, "task name"));
}

static void test_check(void **state)
{
    char long_name[TASK_NAME_MAX + 2];
    (void)state;
    assert_int_equal(task_document_check(&task, &err), -1);
    assert_string_equal(err.message, "the source is not given");
    assert_int_equal(load("{\"version\":1," ENDS "}"), 0);
    assert_int_equal(task_document_check(&task, &err), 0);
    task.jobs = 65;
    assert_int_equal(task_document_check(&task, &err), -1);
    task.jobs = 1;
    task.listen = memory_strdup("nowhere");
    assert_int_equal(task_document_check(&task, &err), -1);
    free(task.listen);
    task.listen = NULL;
    memset(long_name, 'a', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    bad_name("");
    bad_name("Upper");
    bad_name("-a");
    bad_name("a.");
    bad_name("a b");
    bad_name("\xC3\xBC");
    bad_name(long_name);
    long_name[TASK_NAME_MAX] = '\0';
    free(task.name);
    task.name = memory_strdup(long_name);
    assert_int_equal(task_document_check(&task, &err), 0);
}

static void test_steps(void **state)
{
    (void)state;
    assert_int_equal(task_document_set_steps(&task, "precheck=false,initData=true,init-struct=false", &err), 0);
    assert_false(task.steps[STEP_PRECHECK]);
    assert_false(task.steps[STEP_INIT_STRUCT]);
    assert_true(task.steps[STEP_INIT_DATA]);
    assert_true(task.steps[STEP_CDC]);
    assert_false(task.steps[STEP_INIT_STRUCT_LATER]); // init-data does it
    assert_int_equal(task_document_set_steps(&task, "initStructLater=true", &err), 0);
    assert_true(task.steps[STEP_INIT_STRUCT_LATER]);
    assert_int_equal(task_document_set_steps(&task, "init-struct-later=false", &err), 0);
    assert_false(task.steps[STEP_INIT_STRUCT_LATER]);
    assert_int_equal(task_document_set_steps(&task, "cdc=no", &err), -1);
    assert_string_equal(err.message, "expected STEP=true or STEP=false, found 'cdc=no'");
    assert_int_equal(task_document_set_steps(&task, "", &err), -1);
    assert_int_equal(task_document_set_steps(&task, "cdc=true,", &err), -1);
    assert_int_equal(task_document_set_steps(&task, "cdc", &err), -1);
}

static void test_names_on_the_source(void **state)
{
    (void)state;
    free(task.name);
    task.name = memory_strdup("my-task.1");
    auto_free char *slot = task_document_slot(&task);
    auto_free char *publication = task_document_publication(&task);
    assert_string_equal(slot, "my_task_1");
    assert_string_equal(publication, "my_task_1_publication_for_all_tables");
    free(task.name);
    task.name = memory_strdup("a-very-long-name-that-does-not-leave-room-for-more");
    auto_free char *cut = task_document_publication(&task);
    assert_int_equal(strlen(cut), 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_everything_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_user_and_password_of_the_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_absent_keeps_its_value, setup, teardown),
        cmocka_unit_test_setup_teardown(test_passwords_beside_the_document, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals_name_the_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check, setup, teardown),
        cmocka_unit_test_setup_teardown(test_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_on_the_source, setup, teardown),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
