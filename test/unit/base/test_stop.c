// SPDX-License-Identifier: Apache-2.0
#include "common/base/stop.h"
#include "test/unit/cmocka_all.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

// One test only: a wish to stop cannot be taken back.
static void test_signal_wakes_all_waits(void **state)
{
    Error err = {0};
    (void)state;
    assert_int_equal(stop_init(&err), 0);
    assert_false(stop_requested());
    assert_false(stop_sleep_ms(1));
    assert_int_equal(stop_check(&err), 0);
    raise(SIGTERM);
    struct pollfd p = {.fd = stop_fd(), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 1);
    assert_true(stop_requested());
    assert_true(stop_sleep_ms(60000)); // at once
    assert_int_equal(stop_check(&err), -1);
    assert_int_equal(err.code, ERROR_STOPPED);

    pid_t child = fork();
    if (child == 0) {
        raise(SIGTERM); // the second one
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 75);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_signal_wakes_all_waits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
