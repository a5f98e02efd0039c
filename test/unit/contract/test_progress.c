// SPDX-License-Identifier: Apache-2.0
#include "common/base/memory.h"
#include "common/base/secrets.h"
#include "common/contract/progress_document.h"
#include "test/unit/cmocka_all.h"

static Progress *p;
static TaskDocument task;

static int setup(void **state)
{
    (void)state;
    task_document_init(&task);
    task.steps[STEP_PRECHECK] = false;
    p = memory_alloc(sizeof *p);
    progress_init(p, &task, "run");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    progress_free(p);
    free(p);
    task_document_free(&task);
    return 0;
}

// "copy.rowsDone" in a document.
static json_object *at(json_object *o, const char *path)
{
    char copy[128];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *key = strtok(copy, "."); key; key = strtok(NULL, ".")) {
        if (json_object_is_type(o, json_type_array))
            o = json_object_array_get_idx(o, (size_t)atoi(key));
        else if (!json_object_object_get_ex(o, key, &o))
            fail_msg("no %s in the document", path);
    }
    return o;
}

static void shows(json_object *o, const char *path, const char *expected)
{
    const char *text = json_object_get_string(at(o, path));
    assert_string_equal(text ? text : "null", expected);
}

static void test_life_of_a_run(void **state)
{
    (void)state;
    assert_int_equal(p->step, STEP_INIT_STRUCT);
    progress_step_start(p, STEP_INIT_STRUCT);
    progress_step_end(p, STEP_INIT_STRUCT, PROGRESS_DONE);
    assert_int_equal(p->state, PROGRESS_RUNNING);
    progress_step_start(p, STEP_INIT_DATA);
    progress_set_totals(p, 2, 100, 4096, 3);
    progress_phase(p, "copying %s", "rows");
    progress_worker_start(p, 1, "\"public\".\"a\"", "copy", 4096);
    progress_worker_rows(p, 1, 60, 1000);
    progress_worker_start(p, 0, "\"public\".\"i\"", "index", 0);
    progress_worker_rows(p, 0, 5, 5); // counts for the worker alone
    progress_worker_start(p, 64, "none", "copy", 0);
    progress_worker_rows(p, -1, 1, 1);
    progress_worker_end(p, 64);
    progress_table_done(p, 1);
    progress_index_done(p);
    json_object *o = progress_to_json(p);
    shows(o, "version", "1");
    shows(o, "state", "running");
    shows(o, "step", "init-data");
    shows(o, "phase", "copying rows");
    shows(o, "steps.0.state", "off");
    shows(o, "steps.1.state", "done");
    shows(o, "steps.2.state", "running");
    shows(o, "steps.3.state", "off"); // init-struct-later: init-data does it
    shows(o, "steps.4.state", "waiting");
    shows(o, "copy.rowsDone", "60");
    shows(o, "copy.bytesDone", "1000");
    shows(o, "copy.indexesDone", "1");
    shows(o, "copy.running.1.relation", "\"public\".\"a\"");
    shows(o, "copy.running.1.rows", "60");
    shows(o, "stream.lsnApplied", "null");
    shows(o, "verify.differences", "null");
    shows(o, "error", "null");
    json_object_put(o);
    progress_worker_end(p, 0);
    progress_worker_end(p, 1);
    progress_step_end(p, STEP_INIT_DATA, PROGRESS_DONE);
    progress_step_start(p, STEP_CDC);
    progress_step_end(p, STEP_CDC, PROGRESS_DONE);
    assert_int_equal(p->state, PROGRESS_DONE);
}

static void test_failure_is_clean(void **state)
{
    Error err = {0};
    (void)state;
    secrets_register("sesame-open");
    progress_step_start(p, STEP_CDC);
    error_set(&err, ERROR_CREDENTIALS, "password \"sesame-open\" \xE9");
    strcpy(err.sqlstate, "28P01");
    error_hint(&err, "give another");
    progress_fail(p, &err);
    json_object *o = progress_to_json(p);
    shows(o, "state", "failed");
    shows(o, "steps.4.state", "failed");
    shows(o, "error.code", "credentials");
    shows(o, "error.exitCode", "64");
    shows(o, "error.sqlstate", "28P01");
    shows(o, "error.message", "password \"***********\" ?");
    shows(o, "error.hint", "give another");
    json_object_put(o);
}

static void test_stop_is_no_failure(void **state)
{
    Error err = {0};
    (void)state;
    progress_step_start(p, STEP_CDC);
    error_set(&err, ERROR_STOPPED, "asked to stop");
    progress_fail(p, &err);
    json_object *o = progress_to_json(p);
    shows(o, "state", "stopped");
    shows(o, "error", "null");
    json_object_put(o);
}

static void test_counts_of_all_processes(void **state)
{
    (void)state;
    progress_step_start(p, STEP_INIT_DATA);
    progress_set_totals(p, 3, 1000, 100000, 0);
    progress_worker_start(p, 0, "a", "copy", 0);
    progress_worker_rows(p, 0, 50, 500);
    progress_worker_start(p, 1, "i", "index", 0);
    progress_worker_rows(p, 1, 7, 7);
    progress_copied(p, 300, 3000, false); // committed by others and us; ours in hand comes on top
    assert_int_equal(p->rows_done, 350);
    assert_int_equal(p->bytes_done, 3500);
    progress_copied(p, 200, 2000, false);
    assert_int_equal(p->rows_done, 350);
    progress_worker_end(p, 0);
    progress_copied(p, 310, 3100, true);
    assert_int_equal(p->rows_done, 310);
    assert_int_equal(p->bytes_done, 3100);
    assert_int_equal(p->rows_total, 310); // what was an estimate is known now: nothing is left
    assert_int_equal(p->bytes_total, 3100);
}

static void test_rates(void **state)
{
    ProgressRates rates;
    (void)state;
    progress_step_start(p, STEP_INIT_DATA);
    progress_set_totals(p, 1, 1000, 1000000, 0);
    progress_rates(p, &rates);
    assert_true(rates.bytes == 0 && rates.seconds_left < 0);
    usleep(120000);
    progress_worker_start(p, 0, "a", "copy", 1000000);
    progress_worker_rows(p, 0, 500, 500000);
    progress_rates(p, &rates);
    assert_true(rates.bytes > 500000 && rates.bytes < 5000000);
    assert_true(rates.seconds_left > 0.1 && rates.seconds_left < 1);
}

static void test_lag_quantiles(void **state)
{
    (void)state;
    assert_true(progress_lag_quantile(p, 0.5) == 0);
    for (int i = 0; i < 98; i++)
        progress_lag(p, 0.004);
    progress_lag(p, 1.0);
    progress_lag(p, 1.0);
    progress_lag(p, -5); // clocks that differ
    progress_lag(p, 1e12);
    double p50 = progress_lag_quantile(p, 0.5), p99 = progress_lag_quantile(p, 0.98);
    assert_true(p50 > 0.0028 && p50 < 0.0057);
    assert_true(p99 > 0.7 && p99 < 1.5);
    assert_true(progress_lag_quantile(p, 0) >= 0);
}

static void test_checks_and_notes(void **state)
{
    (void)state;
    progress_check(p, "wal_level", CHECK_PASS, "logical", NULL);
    progress_check(p, "slots", CHECK_WARN, "one left", "raise it");
    for (int i = 0; i < 103; i++)
        progress_note(p, "note %d", i);
    json_object *o = progress_to_json(p), *checks = progress_checks_to_json(p);
    shows(o, "checks.1.verdict", "warn");
    shows(o, "checks.1.remedy", "raise it");
    shows(o, "notes.99", "note 99");
    shows(o, "notesDropped", "3");
    shows(checks, "verdict", "warn");
    shows(checks, "checks.0.id", "wal_level");
    json_object_put(o);
    json_object_put(checks);
}

// The worst of everything: long texts whose every character grows in JSON.
static void test_termination_fits(void **state)
{
    Error err = {0};
    char text[1500];
    (void)state;
    memset(text, '"', sizeof text);
    text[sizeof text - 1] = '\0';
    error_set(&err, ERROR_SQL, "%s", text);
    error_hint(&err, "%s", text);
    progress_fail(p, &err);
    for (int i = 0; i < 50; i++) {
        progress_check(p, i == 40 ? "the_failed_one" : "check", i == 40 ? CHECK_FAIL : CHECK_WARN, text, text);
        progress_note(p, "%s", text);
    }
    auto_free char *message = progress_to_termination(p);
    assert_in_range(strlen(message), 1000, 4096);
    json_object *o = json_tokener_parse(message);
    assert_non_null(o);
    shows(o, "state", "failed");
    json_object_put(o);
}

static void test_termination_puts_failures_first(void **state)
{
    (void)state;
    progress_check(p, "first", CHECK_PASS, "fine", NULL);
    progress_check(p, "second", CHECK_WARN, "hm", "perhaps");
    progress_check(p, "third", CHECK_FAIL, "bad", "mend");
    progress_note(p, "left out %d", 1);
    auto_free char *message = progress_to_termination(p);
    json_object *o = json_tokener_parse(message);
    shows(o, "checks.0.id", "third");
    shows(o, "checks.1.id", "second");
    assert_int_equal(json_object_array_length(at(o, "checks")), 2);
    shows(o, "notes.0", "left out 1");
    shows(o, "checksDropped", "0");
    json_object_put(o);
}

static void test_metrics(void **state)
{
    (void)state;
    p->transactions = 12;
    p->lsn_applied = 0x16B374D848;
    progress_lag(p, 0.002);
    auto_free char *text = progress_to_metrics(p);
    assert_non_null(strstr(text, "# TYPE kubeferry_transactions_total counter\n"));
    assert_non_null(strstr(text, "kubeferry_transactions_total{task=\"kubeferry\"} 12\n"));
    assert_non_null(strstr(text, "kubeferry_applied_lsn{task=\"kubeferry\"} 97500059720\n"));
    assert_non_null(strstr(text, "kubeferry_state{task=\"kubeferry\",state=\"running\"} 1\n"));
    assert_non_null(strstr(text, "le=\"0.0016\"} 0\n"));
    assert_non_null(strstr(text, "le=\"0.0032\"} 1\n"));
    assert_non_null(strstr(text, "kubeferry_commit_lag_seconds_count{task=\"kubeferry\"} 1\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life_of_a_run, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failure_is_clean, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_is_no_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts_of_all_processes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lag_quantiles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_checks_and_notes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_termination_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_termination_puts_failures_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_metrics, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
