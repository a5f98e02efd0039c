// SPDX-License-Identifier: Apache-2.0
#include "common/base/file.h"
#include "common/base/memory.h"
#include "engine/options_table.h"
#include "test/unit/cmocka_all.h"

enum { MAX_ARGUMENTS = 12 };
static EngineOptions options;
static Error err;

static int teardown(void **state)
{
    (void)state;
    engine_options_free(&options);
    return 0;
}

static int parse(char *const *words)
{
    char *argv[MAX_ARGUMENTS + 2] = {0};
    int argc = 0;

    engine_options_free(&options);
    error_clear(&err);
    argv[argc++] = memory_strdup("kubeferry-engine");
    for (; *words && argc <= MAX_ARGUMENTS; words++)
        argv[argc++] = memory_strdup(*words); // parsing writes into them
    int result = engine_options_parse(argc, argv, &options, &err);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return result;
}

#define PARSE(...) parse((char *[]){__VA_ARGS__, NULL})
#define ENDS       "--source", "host=a password=hunter2", "--sink=u:hunter2@b:5432/c"

static void test_options_become_a_task(void **state)
{
    (void)state;
    assert_int_equal(PARSE("run", ENDS, "--migration-object", "\"public.a\",\"s\"", "--steps", "precheck=false",
                           "--jobs=4", "--until=caught-up", "--log-format=json"),
                     0);
    assert_int_equal(options.verb, VERB_RUN);
    assert_string_equal(endpoint_get(&options.task.source, "password"), "hunter2");
    assert_string_equal(endpoint_get(&options.task.sink, "dbname"), "c");
    assert_int_equal(options.task.objects.count, 2);
    assert_false(options.task.steps[STEP_PRECHECK]);
    assert_int_equal(options.task.jobs, 4);
    assert_int_equal(options.task.until, UNTIL_CAUGHT_UP);
    assert_int_equal(options.task.log_format, LOG_JSON);
    assert_int_equal(PARSE("cleanup", ENDS, "--force", "--name", "other", "--listen=:0", "--work-dir=/var/tmp"), 0);
    assert_true(options.force);
    assert_string_equal(options.task.name, "other");
    assert_string_equal(options.task.listen, ":0");
    assert_string_equal(options.task.work_dir, "/var/tmp");
    assert_int_equal(options.task.until, UNTIL_STOPPED);
}

static void test_pods_and_patience(void **state)
{
    (void)state;
    assert_int_equal(PARSE("init-data", ENDS), 0);
    assert_int_equal(options.worker_index, -1);
    assert_int_equal(options.task.wait_seconds, 0);
    setenv("JOB_COMPLETION_INDEX", "3", 1);
    setenv("KUBEFERRY_WAIT", "120", 1);
    assert_int_equal(PARSE("init-data", ENDS), 0);
    assert_int_equal(options.worker_index, 3);
    assert_int_equal(options.task.wait_seconds, 120);
    assert_int_equal(PARSE("init-data", ENDS, "--worker-index=0", "--wait", "5"), 0);
    assert_int_equal(options.worker_index, 0);
    assert_int_equal(options.task.wait_seconds, 5);
    assert_int_equal(PARSE("init-data", ENDS, "--workers", "4"), 0);
    assert_int_equal(options.worker_index, 3);
    assert_int_equal(options.task.workers, 4);
    assert_int_equal(PARSE("init-data", ENDS, "--workers", "3"), -1);
    assert_non_null(strstr(err.message, "expected 0 to 2, since there are 3 workers, found 3"));
    assert_int_equal(PARSE("cdc", ENDS), 0);
    assert_int_equal(options.worker_index, -1);
    unsetenv("JOB_COMPLETION_INDEX");
    unsetenv("KUBEFERRY_WAIT");
}

static void test_verify_takes_one_core_if_not_told_otherwise(void **state)
{
    (void)state;
    assert_int_equal(PARSE("verify", ENDS), 0);
    assert_int_equal(options.task.jobs, 1);
    task_document_free(&options.task);
    assert_int_equal(PARSE("verify", ENDS, "--jobs=3"), 0);
    assert_int_equal(options.task.jobs, 3);
    task_document_free(&options.task);
    assert_int_equal(PARSE("cutover", ENDS), 0);
    assert_int_equal(options.task.jobs, 2);
}

static void test_who_wins(void **state)
{
    char path[] = "/tmp/kubeferry-test-XXXXXX";
    static const char DOCUMENT[] = "{\"version\":1,\"name\":\"doc\",\"jobs\":3,\"source\":{\"conninfo\":\"host=doc\"}}";
    (void)state;
    int fd = mkstemp(path);
    assert_int_equal(write(fd, DOCUMENT, strlen(DOCUMENT)), strlen(DOCUMENT));
    close(fd);
    setenv("KUBEFERRY_JOBS", "7", 1);
    setenv("KUBEFERRY_SINK", "host=env", 1);
    assert_int_equal(PARSE("cdc", "--task", path, "--name=arg"), 0);
    assert_string_equal(options.task.name, "arg");
    assert_int_equal(options.task.jobs, 3);
    assert_string_equal(endpoint_get(&options.task.source, "host"), "doc");
    assert_string_equal(endpoint_get(&options.task.sink, "host"), "env");
    assert_null(getenv("KUBEFERRY_SINK"));
    unsetenv("KUBEFERRY_JOBS");
    unlink(path);
}

static void refused(int result, const char *message)
{
    assert_int_equal(result, -1);
    assert_int_equal(error_class(err.code)->exit_code, 64);
    assert_null(strstr(err.message, "hunter2"));
    assert_string_equal(err.message, message);
}

static void test_refusals(void **state)
{
    (void)state;
    refused(parse((char *[]){NULL}), "no verb was given");
    refused(PARSE("run"), "the source is not given");
    refused(PARSE("run", ENDS, "--name=A"),
            "task name 'A': expected 1 to 63 characters of a-z and 0-9, with - _ . inside");
    refused(PARSE("init_data"), "unknown verb 'init_data'");
    assert_string_equal(err.hint, "did you mean init-data?");
    refused(PARSE("verify", ENDS, "--until=stopped"), "--until has no meaning for verify");
    refused(PARSE("run", "--source=host=a hunter2"),
            "--source: expected keyword=value (a value with spaces stands in single "
            "quotes) at character 8");
    refused(PARSE("run", ENDS, "--steps=cdc"), "--steps: expected STEP=true or STEP=false, found 'cdc'");
}

static char *answer_of(int result)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(result, 0);
    engine_options_answer(&options, out);
    fclose(out);
    return text;
}

static void test_answers(void **state)
{
    (void)state;
    auto_free char *version = answer_of(PARSE("--version"));
    assert_true(strncmp(version, "kubeferry-engine ", 17) == 0);
    auto_free char *help = answer_of(PARSE("--help"));
    for (int verb = 0; verb < VERB_COUNT; verb++)
        assert_non_null(strstr(help, engine_verb_name((EngineVerb)verb)));
    auto_free char *cdc = answer_of(PARSE("cdc", "--help"));
    assert_non_null(strstr(cdc, "--until"));
    assert_null(strstr(cdc, "--force"));
    auto_free char *same = answer_of(PARSE("help", "cdc"));
    assert_string_equal(same, cdc);
    auto_free char *also = answer_of(PARSE("cdc", "-h"));
    assert_string_equal(also, cdc);
    auto_free char *all = answer_of(PARSE("help"));
    assert_string_equal(all, help);
}

// make docs/options.md mends this.
static void test_docs_page_is_up_to_date(void **state)
{
    size_t len;
    (void)state;
    auto_free char *page = file_read("docs/options.md", 1 << 20, &len, &err);
    assert_non_null(page);
    auto_free char *expected = answer_of(PARSE("--help-markdown"));
    assert_string_equal(page, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_options_become_a_task, teardown),
        cmocka_unit_test_teardown(test_pods_and_patience, teardown),
        cmocka_unit_test_teardown(test_who_wins, teardown),
        cmocka_unit_test_teardown(test_refusals, teardown),
        cmocka_unit_test_teardown(test_verify_takes_one_core_if_not_told_otherwise, teardown),
        cmocka_unit_test_teardown(test_answers, teardown),
        cmocka_unit_test_teardown(test_docs_page_is_up_to_date, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
