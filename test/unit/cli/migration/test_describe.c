// SPDX-License-Identifier: Apache-2.0
// task_objects.c, describe_format.c and describe_parts.c, on what a cluster had.
#include "cli/migration/describe_format.h"
#include "test/unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define JOB(name, status)                                                                                              \
    "{\"metadata\":{\"name\":\"" name "\",\"creationTimestamp\":\"2026-01-02T03:04:05Z\"},\"status\":{" status "}}"
#define POD(name, annotation, made)                                                                                    \
    "{\"metadata\":{\"name\":\"" name "\",\"creationTimestamp\":\"" made "\",\"annotations\":{" annotation             \
    "}},\"status\":{\"phase\":\"Running\"}}"
#define ORDER(n) "\"common.apecloud.io/serial_job_order\":\"" n "\""

static const Style PLAIN = {.utf8 = true};

static TaskObjects objects_of(const char *spec, const char *status)
{
    static const char TEMPLATE[] =
        "{\"spec\":{\"description\":\"PG to PG\",\"initialization\":{\"steps\":[{\"step\":\"preCheck\"},"
        "{\"step\":\"initStruct\"},{\"step\":\"initData\"}]}},\"status\":{\"phase\":\"Available\"}}";
    static const char JOBS[] = "{\"items\":[" JOB(
        "t-precheck-0",
        "\"conditions\":[{\"type\":\"Suspended\",\"status\":\"False\"},"
        "{\"type\":\"Complete\",\"status\":\"True\"}],\"completionTime\":\"2026-01-02T03:05:"
        "00Z\"") "," JOB("t-initdata-1", "\"active\":1,\"startTime\":\"2026-01-02T03:05:01Z\",\"conditions\":[{"
                                         "\"type\":\"Suspended\",\"status\":\"False\"}]") "]}";
    static const char PODS[] = "{\"items\":[" POD("old", ORDER("1"), "2026-01-02T03:05:01Z") "," POD(
        "new", ORDER("1"), "2026-01-02T04:00:00Z") "," POD("cdc", "\"datamigration.apecloud.io/step\":\"cdc\"",
                                                           "2026-01-02T04:00:00Z") "]}";
    Buffer task = {0};

    buffer_printf(&task,
                  "{\"metadata\":{\"name\":\"t\",\"namespace\":\"shop\",\"creationTimestamp\":\"2026-01-02T03:04:05Z\"}"
                  ",\"spec\":{\"template\":\"tpl\",%s},\"status\":{%s}}",
                  spec, status);
    TaskObjects o = {.task = json_tokener_parse(task.data),
                     .template = json_tokener_parse(TEMPLATE),
                     .jobs = json_tokener_parse(JOBS),
                     .pods = json_tokener_parse(PODS)};
    buffer_free(&task);
    assert_true(o.task && o.template && o.jobs && o.pods);
    return o;
}

static void test_steps_are_the_templates_unless_chosen(void **state)
{
    Step steps[STEP_COUNT];
    (void)state;
    TaskObjects o = objects_of("\"initialization\":{\"steps\":[\"initData\",\"preCheck\"]}", "");
    assert_int_equal(task_objects_steps(o.task, o.template, steps), 2);
    assert_int_equal(steps[0], STEP_PRECHECK); // in the template's order
    assert_int_equal(steps[1], STEP_INIT_DATA);
    assert_int_equal(task_objects_steps(o.task, NULL, steps), 2);
    task_objects_free(&o);
    o = objects_of("\"initialization\":{\"steps\":null}", "");
    assert_int_equal(task_objects_steps(o.task, o.template, steps), 3);
    task_objects_free(&o);
    o = objects_of("\"taskType\":\"cdc\"", "");
    assert_int_equal(task_objects_steps(o.task, o.template, steps), 0);
    task_objects_free(&o);
}

static void test_the_newest_pod_and_the_job_by_number(void **state)
{
    (void)state;
    TaskObjects o = objects_of("\"a\":1", "");
    const char *name = json_object_get_string(
        json_object_object_get(json_object_object_get(task_objects_pod(o.pods, 1), "metadata"), "name"));
    assert_string_equal(name, "new");
    assert_null(task_objects_pod(o.pods, 0));
    assert_non_null(task_objects_pod(o.pods, -1));
    assert_string_equal(task_objects_job_state(task_objects_job(o.jobs, 0)), "Complete");
    assert_string_equal(task_objects_job_state(task_objects_job(o.jobs, 1)), "Running");
    assert_string_equal(task_objects_job_state(task_objects_job(o.jobs, 2)), "-");
    assert_string_equal(task_objects_job_state(NULL), "-");
    task_objects_free(&o);
}

static void test_the_page(void **state)
{
    auto_buffer Buffer out = {0};
    (void)state;
    TaskObjects o = objects_of(
        "\"sourceEndpoint\":{\"address\":\"h:1\",\"userName\":\"u\",\"password\":\"sesame\",\"databaseName\":\"d\"},"
        "\"sinkEndpoint\":{\"address\":\"i:2\",\"secret\":{\"name\":\"s\"},\"tls\":{\"mode\":\"require\"}},"
        "\"initialization\":{\"steps\":[\"preCheck\",\"initData\"]},"
        "\"migrationObj\":{\"whiteList\":[{\"schemaName\":\"p\",\"tableList\":[{\"tableName\":\"a\"},{\"tableName\":"
        "\"b\"}]},"
        "{\"schemaName\":\"q\",\"isAll\":true,\"tableList\":null}],\"blackList\":[{\"schemaName\":\"q\",\"tableList\":["
        "{\"tableName\":\"x\"}]}]}",
        "\"taskStatus\":\"Init\",\"startTime\":\"2026-01-02T03:04:06Z\"");
    describe_format(&o, &PLAIN, false, 1767323045, &out);
    assert_string_equal(
        out.data,
        "Name: t\t Status: Init\n"
        "NAMESPACE   CREATED-TIME                    START-TIME                      FINISHED-TIME\n"
        "shop        Jan 02,2026 03:04:05 UTC+0000   Jan 02,2026 03:04:06 UTC+0000   -\n"
        "\nMigration Config:\n"
        "source: u@h:1/d\n"
        "sink: i:2 (user and password in Secret s) (TLS require)\n"
        "migration objects: p.a, p.b, q.*\n"
        "left out: q.x\n"
        "\nTemplate: tpl\n"
        "DATABASE-MAPPING   STATUS\n"
        "PG to PG           Available\n"
        "\nInitialization:\n"
        "STEP        NAMESPACE   STATUS     CREATED_TIME                    START-TIME                      "
        "FINISHED-TIME\n"
        "precheck    shop        Complete   Jan 02,2026 03:04:05 UTC+0000   -                               Jan "
        "02,2026 03:05:00 UTC+0000\n"
        "init-data   shop        Running    Jan 02,2026 03:04:05 UTC+0000   Jan 02,2026 03:05:01 UTC+0000   -\n"
        "\nCdc:\n"
        "NAMESPACE   STATUS    CREATED_TIME                    START-TIME\n"
        "shop        Running   Jan 02,2026 04:00:00 UTC+0000   -\n");
    buffer_clear(&out, SIZE_MAX);
    describe_format(&o, &PLAIN, true, 1767323045, &out); // of the same day
    assert_non_null(strstr(out.data, "precheck    shop        Complete   03:04:05       -            03:05:00\n"));
    buffer_clear(&out, SIZE_MAX);
    describe_format(&o, &PLAIN, true, 1767523045, &out);
    assert_non_null(strstr(out.data, "Jan 02 03:04"));
    task_objects_free(&o);
}

static void test_metrics_are_sorted_and_control_characters_do_not_pass(void **state)
{
    auto_buffer Buffer out = {0};
    (void)state;
    TaskObjects o = objects_of("\"a\":1", "\"cdc\":{\"metrics\":{\"timestamp\":\"now\",\"lsn\":\"0/1\",\"count\":3}},"
                                          "\"conditions\":[{\"type\":\"Stalled\",\"status\":\"True\",\"reason\":"
                                          "\"StepFailed\",\"message\":\"bad\\u001b[2J news\"}]");
    describe_format(&o, &PLAIN, false, 0, &out);
    assert_non_null(strstr(out.data, "\nCdc Metrics:\ncount       3\nlsn         0/1\ntimestamp   now\n"));
    assert_non_null(strstr(out.data, "\nProblem:\nStepFailed\n    bad?[2J news\n"));
    assert_null(strchr(out.data, '\033'));
    task_objects_free(&o);
}

static void test_an_empty_object_is_no_crash(void **state)
{
    auto_buffer Buffer out = {0};
    (void)state;
    TaskObjects o = {.task = json_tokener_parse("{\"spec\":[],\"status\":{\"prechecks\":[1,null],\"conditions\":{},"
                                                "\"progress\":7,\"cdc\":{\"metrics\":{\"a\":null}}}}")};
    describe_format(&o, &PLAIN, false, 0, &out);
    assert_non_null(strstr(out.data, "there is no template of this name"));
    task_objects_free(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_are_the_templates_unless_chosen),
        cmocka_unit_test(test_the_newest_pod_and_the_job_by_number),
        cmocka_unit_test(test_the_page),
        cmocka_unit_test(test_metrics_are_sorted_and_control_characters_do_not_pass),
        cmocka_unit_test(test_an_empty_object_is_no_crash),
    };
    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
