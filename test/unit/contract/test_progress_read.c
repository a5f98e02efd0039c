// SPDX-License-Identifier: Apache-2.0
#include "common/base/memory.h"
#include "common/contract/progress_read.h"
#include "test/unit/cmocka_all.h"

#include <string.h>

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

static void fill(void)
{
    Error err = {0};

    progress_step_start(p, STEP_INIT_DATA);
    progress_set_totals(p, 2, 100, 4096, 3);
    progress_worker_start(p, 0, "\"public\".\"a\"", "copy", 4096);
    progress_worker_rows(p, 0, 60, 1000);
    progress_table_done(p, 1);
    progress_index_done(p);
    progress_step_end(p, STEP_INIT_DATA, PROGRESS_DONE);
    progress_step_start(p, STEP_CDC);
    progress_phase(p, "streaming");
    p->lsn_applied = 0xFEDCBA9876543210;
    p->lsn_source = 0x156E54A8;
    p->commit_time = 1795381632.5;
    p->lag_bytes = 77;
    p->lag_seconds = 0.4;
    p->transactions = 9;
    p->slot_retained_bytes = 4711;
    progress_check(p, "wal_level", CHECK_PASS, "logical", "");
    progress_check(p, "identity", CHECK_FAIL, "\"public\".\"a\" has none", "add a primary key");
    progress_note(p, "left out: %s", "a r\xC3\xB4le \xE2\x80\xA6 \\\xF0\x9F\x90\x98");
    error_set(&err, ERROR_CREDENTIALS, "source: refused");
    strcpy(err.sqlstate, "28P01");
    error_hint(&err, "give another password");
    progress_fail(p, &err);
}

// What both forms, in full and cut, hold.
static void check_common(const ProgressRead *r)
{
    assert_string_equal(r->task, "kubeferry");
    assert_string_equal(r->verb, "run");
    assert_string_equal(r->phase, "streaming");
    assert_int_equal(r->state, PROGRESS_FAILED);
    assert_int_equal(r->step, STEP_CDC);
    assert_true(r->started > 1e9 && r->updated >= r->started - 0.01);
    assert_false(r->steps[STEP_PRECHECK].wanted);
    assert_int_equal(r->steps[STEP_INIT_DATA].state, PROGRESS_DONE);
    assert_int_equal(r->steps[STEP_CDC].state, PROGRESS_FAILED);
    assert_true(r->steps[STEP_INIT_STRUCT].wanted && r->steps[STEP_INIT_STRUCT].started == 0);
    assert_int_equal(r->tables_done, 1);
    assert_int_equal(r->tables_total, 2);
    assert_int_equal(r->rows_done, 60);
    assert_int_equal(r->rows_total, 100);
    assert_int_equal(r->bytes_done, 1000);
    assert_int_equal(r->bytes_total, 4096);
    assert_int_equal(r->indexes_done, 1);
    assert_int_equal(r->indexes_total, 3);
    assert_true(r->lsn_applied == 0xFEDCBA9876543210 && r->lsn_flushed == 0 && r->lsn_source == 0x156E54A8);
    assert_true(r->commit_time == 1795381632.5);
    assert_int_equal(r->lag_bytes, 77);
    assert_true(r->lag_seconds == 0.4);
    assert_int_equal(r->transactions, 9);
    assert_string_equal(r->slot, "kubeferry");
    assert_int_equal(r->slot_retained_bytes, 4711);
    assert_int_equal(r->differences, -1);
    assert_int_equal(r->note_count, 1);
    assert_string_equal(r->notes[0], "left out: a r\xC3\xB4le \xE2\x80\xA6 \\\xF0\x9F\x90\x98");
    assert_string_equal(r->error.code, "credentials");
    assert_string_equal(r->error.reason, "AccessRefused");
    assert_int_equal(r->error.exit_code, 64);
    assert_false(r->error.retry);
    assert_string_equal(r->error.sqlstate, "28P01");
    assert_string_equal(r->error.message, "source: refused");
    assert_string_equal(r->error.hint, "give another password");
}

static void test_reads_what_is_written(void **state)
{
    ProgressRead read;
    Error err = {0};
    (void)state;

    fill();
    json_object *o = progress_to_json(p);
    const char *text = json_object_to_json_string(o);
    assert_int_equal(progress_read(text, strlen(text), &read, &err), 0);
    json_object_put(o);
    check_common(&read);
    assert_int_equal(read.check_count, 2);
    assert_string_equal(read.checks[0].id, "wal_level");
    assert_int_equal(read.checks[0].verdict, CHECK_PASS);
    assert_string_equal(read.checks[1].remedy, "add a primary key");
    progress_read_free(&read);
}

static void test_reads_the_termination_message(void **state)
{
    ProgressRead read;
    Error err = {0};
    (void)state;

    fill();
    auto_free char *text = progress_to_termination(p);
    assert_true(strlen(text) <= 4096);
    assert_int_equal(progress_read(text, strlen(text), &read, &err), 0);
    check_common(&read);
    assert_int_equal(read.check_count, 1); // those that passed are left out
    assert_int_equal(read.checks[0].verdict, CHECK_FAIL);
    assert_int_equal(read.checks_dropped, 0);
    progress_read_free(&read);
}

static void test_what_is_not_there_reads_as_not_known(void **state)
{
    static const char TEXT[] = "{\"version\":1,\"state\":\"running\",\"step\":\"teleport\",\"later\":{\"a\":[1]},"
                               "\"copy\":{\"secondsLeft\":null},\"verify\":null,\"checks\":[],\"notes\":[],"
                               "\"steps\":[{\"step\":\"teleport\",\"state\":\"beaming\"}]} \n";
    ProgressRead read;
    Error err = {0};
    (void)state;

    assert_int_equal(progress_read(TEXT, strlen(TEXT), &read, &err), 0);
    assert_int_equal(read.step, STEP_COUNT);
    assert_int_equal(read.state, PROGRESS_RUNNING);
    assert_true(read.seconds_left == -1 && read.differences == -1 && read.lsn_applied == 0 && read.commit_time == 0);
    assert_string_equal(read.error.code, "");
    assert_string_equal(read.error.message, "");
    assert_string_equal(read.slot, "");
    assert_int_equal(read.check_count + read.note_count, 0);
    progress_read_free(&read);
    progress_read_free(&read); // twice is harmless
}

static void test_refusals_name_the_place(void **state)
{
    static const struct {
        const char *fields, *message; // behind version and state
    } CASES[] = {
        {"\"task\":7", "$.task: expected a string, found a number"},
        {"\"copy\":[]", "$.copy: expected an object, found a list"},
        {"\"copy\":{\"rowsDone\":\"many\"}", "$.copy.rowsDone: expected a whole number, found a string"},
        {"\"copy\":{\"rowsDone\":-1}", "$.copy.rowsDone: expected 0 or more, found -1"},
        {"\"copy\":{\"secondsLeft\":-0.5}", "$.copy.secondsLeft: expected 0 to 1e+15, found -0.5"},
        {"\"copy\":{\"rowsPerSecond\":1e300}", "$.copy.rowsPerSecond: expected 0 to 1e+15, found 1e+300"},
        {"\"copy\":{\"rowsPerSecond\":Infinity}", "$.copy.rowsPerSecond: expected a number"},
        {"\"stream\":{\"lsnApplied\":\"0/xyz\"}", "$.stream.lsnApplied: expected a position"},
        {"\"stream\":{\"lsnApplied\":12}", "$.stream.lsnApplied: expected a string, found a number"},
        {"\"stream\":{\"commitTime\":\"soon\"}", "$.stream.commitTime: expected a time"},
        {"\"slot\":{\"name\":\"a\\u0000b\"}", "$.slot.name: it holds the character U+0000"},
        {"\"error\":{}", "$.error.code: expected a name"},
        {"\"error\":{\"code\":\"sql\",\"exitCode\":256}", "$.error.exitCode: expected at most 255, found 256"},
        {"\"checks\":[{\"verdict\":\"pass\"},{\"verdict\":\"maybe\"}]", "$.checks[1].verdict: expected pass"},
        {"\"checks\":[null]", "$.checks[0]: found null"},
        {"\"checks\":[1]", "$.checks[0]: expected an object, found a number"},
        {"\"notes\":[\"a\",{}]", "$.notes[1]: expected a string"},
        {"\"steps\":[{\"step\":\"cdc\",\"state\":\"lost\"}]", "$.steps[0].state: there is no state 'lost'"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        ProgressRead read;
        Error err = {0};
        auto_free char *text = memory_printf("{\"version\":1,\"state\":\"running\",%s}", CASES[i].fields);
        assert_int_equal(progress_read(text, strlen(text), &read, &err), -1);
        assert_int_equal(err.code, ERROR_PROTOCOL);
        if (!strstr(err.message, CASES[i].message))
            fail_msg("%s: found '%s'", CASES[i].fields, err.message);
        assert_null(read.task);
    }
}

static void test_refuses_what_is_no_document(void **state)
{
    static const struct {
        const char *text;
        size_t len;
    } CASES[] = {
        {"", 0},
        {"null", 4},
        {"7", 1},
        {"[]", 2},
        {"{}", 2},
        {"{\"version\":1}", 13},
        {"{\"version\":2,\"state\":\"done\"}", 28},
        {"{\"version\":1,\"state\":\"done\"", 27},
        {"{\"version\":1,\"state\":\"done\"}x", 29},
        {"{\"version\":1,\"state\":\"done\"}\0x", 30},
        {"{\"version\":1,\"state\":\"done\",\"task\":\"\xE9\"}", 39},
        {"panic: out of memory", 20},
    };
    ProgressRead read;
    Error err = {0};
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        error_clear(&err);
        assert_int_equal(progress_read(CASES[i].text, CASES[i].len, &read, &err), -1);
        assert_int_equal(err.code, ERROR_PROTOCOL);
        assert_non_null(strstr(err.message, "progress document"));
    }
    auto_free char *long_text = memory_zalloc(PROGRESS_READ_MAX + 1);
    assert_int_equal(progress_read(long_text, PROGRESS_READ_MAX + 1, &read, &err), -1);
    assert_non_null(strstr(err.message, "more than"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_what_is_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads_the_termination_message, setup, teardown),
        cmocka_unit_test(test_what_is_not_there_reads_as_not_known),
        cmocka_unit_test(test_refusals_name_the_place),
        cmocka_unit_test(test_refuses_what_is_no_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
