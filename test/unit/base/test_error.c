// SPDX-License-Identifier: Apache-2.0
#include "common/base/error.h"
#include "test/unit/cmocka_all.h"

static void test_set_replaces_all(void **state)
{
    Error err = {0};
    (void)state;
    assert_int_equal(error_set(&err, ERROR_SQL, "first"), -1);
    strcpy(err.sqlstate, "42P01");
    error_hint(&err, "do this");
    error_set(&err, ERROR_USAGE, "second: %s", err.message);
    assert_string_equal(err.message, "second: first");
    assert_string_equal(err.sqlstate, "");
    assert_string_equal(err.hint, "");
    assert_int_equal(err.code, ERROR_USAGE);
}

static void test_wrap_keeps_the_root(void **state)
{
    Error err = {0};
    char root[1500], context[400];
    (void)state;
    memset(root, 'r', sizeof root);
    root[sizeof root - 1] = '\0';
    memset(context, 'c', sizeof context);
    context[sizeof context - 1] = '\0';
    error_set(&err, ERROR_SYSTEM, "%s", root);
    error_wrap(&err, "%s", context);
    assert_non_null(strstr(err.message, root));
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    char full[2000];
    memset(full, 'f', sizeof full);
    full[sizeof full - 1] = '\0';
    error_set(&err, ERROR_SYSTEM, "%s", full);
    error_wrap(&err, "%s", full);
    assert_int_equal(strspn(err.message, "f"), sizeof err.message - 1);
    error_set(&err, ERROR_SYSTEM, "root");
    error_hint(&err, "stay");
    error_wrap(&err, "table %s", "a");
    assert_string_equal(err.message, "table a: root");
    assert_string_equal(err.hint, "stay");
}

static void test_errno_and_classes(void **state)
{
    Error err = {0};
    (void)state;
    errno = ENOENT;
    error_errno(&err, "open %s", "x");
    assert_string_equal(err.message, "open x: No such file or directory");
    assert_int_equal(err.code, ERROR_SYSTEM);
    error_set(&err, ERROR_UNREACHABLE, "x");
    assert_true(error_is_retryable(&err));
    assert_int_equal(error_class(ERROR_USAGE)->exit_code, 64);
    assert_int_equal(error_class(ERROR_PRECHECK)->exit_code, 78);
    for (int code = 0; code < ERROR_CODE_COUNT; code++)
        assert_non_null(error_class((ErrorCode)code)->name);
    error_clear(&err);
    assert_int_equal(err.code, ERROR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_replaces_all),
        cmocka_unit_test(test_wrap_keeps_the_root),
        cmocka_unit_test(test_errno_and_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
