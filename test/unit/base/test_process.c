// SPDX-License-Identifier: Apache-2.0
#include "common/base/process.h"

#include "common/base/stop.h"
#include "test/unit/cmocka_all.h"

#include <pthread.h>
#include <time.h>

static int run(const char *script, const char *const *environment, size_t max, ProcessResult *result, Error *err)
{
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    ProcessCommand command = {.argv = argv, .environment = environment, .output_max = max};
    return process_run(&command, result, err);
}

static void test_output_and_status(void **state)
{
    auto_process_result ProcessResult result = {0};
    const char *environment[] = {"KUBEFERRY_X=a b", "HOME=/nowhere", NULL};
    Error err = {0};
    (void)state;
    assert_int_equal(run("echo \"$KUBEFERRY_X $HOME\"; echo oops >&2; cat; exit 7", environment, 100, &result, &err),
                     0);
    assert_int_equal(result.exit_status, 7);
    assert_string_equal(buffer_text(&result.output), "a b /nowhere\n");
    assert_string_equal(buffer_text(&result.errors), "oops\n");
}

static void test_bound(void **state)
{
    auto_process_result ProcessResult result = {0};
    Error err = {0};
    (void)state;
    assert_int_equal(run("head -c 300000 /dev/zero | tr '\\0' x; echo done >&2", NULL, 1000, &result, &err), 0);
    assert_int_equal(result.output.len, 1000);
    assert_string_equal(buffer_text(&result.errors), "done\n");
}

static void test_signal_and_missing(void **state)
{
    auto_process_result ProcessResult result = {0}, none = {0};
    const char *argv[] = {"/nowhere/tool", NULL};
    ProcessCommand command = {.argv = argv};
    Error err = {0};
    (void)state;
    assert_int_equal(run("kill -9 $$", NULL, 10, &result, &err), 0);
    assert_int_equal(result.exit_status, 137);
    assert_int_equal(process_run(&command, &none, &err), -1);
    assert_int_equal(err.code, ERROR_SYSTEM);
}

static void *stop_soon(void *arg)
{
    struct timespec t = {.tv_nsec = 100 * 1000 * 1000};
    nanosleep(&t, NULL);
    stop_request();
    return arg;
}

static void test_stop_kills_it(void **state) // the last one: the wish to stop stays
{
    auto_process_result ProcessResult result = {0};
    Error err = {0};
    pthread_t thread;
    time_t start = time(NULL);
    (void)state;
    assert_int_equal(stop_init(&err), 0);
    pthread_create(&thread, NULL, stop_soon, NULL);
    assert_int_equal(run("exec sleep 60", NULL, 10, &result, &err), -1);
    pthread_join(thread, NULL);
    assert_int_equal(err.code, ERROR_STOPPED);
    assert_int_equal(result.exit_status, 137);
    assert_true(time(NULL) - start < 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_and_status),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_signal_and_missing),
        cmocka_unit_test(test_stop_kills_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
