// SPDX-License-Identifier: Apache-2.0
#include "common/base/log.h"
#include "common/base/secrets.h"
#include "test/unit/cmocka_all.h"

#include <json-c/json.h>
#include <unistd.h>

static char captured[8192];
static int hooks_before, hooks_after;

// Runs write with stderr in a file, whose text is then in captured.
static void capture(void (*write_lines)(void))
{
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_non_null(file);
    dup2(fileno(file), STDERR_FILENO);
    write_lines();
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    captured[fread(captured, 1, sizeof captured - 1, file)] = '\0';
    fclose(file);
}

static void write_text(void)
{
    log_init(LOG_TEXT, LOG_INFO);
    log_debug("copy", "not shown");
    log_info("copy", "two\nlines of %s", "sesame-open");
}

static void write_json(void)
{
    Error err = {0};
    log_init(LOG_JSON, LOG_INFO);
    error_set(&err, ERROR_SQL, "a \"quoted\" \xE9 thing");
    strcpy(err.sqlstate, "42P01");
    error_hint(&err, "mend it");
    log_failure("pg", &err);
}

static void write_sentence(void)
{
    Error err = {0};
    log_init(LOG_TEXT, LOG_INFO);
    error_set(&err, ERROR_CREDENTIALS, "provide the file.");
    error_hint(&err, "look");
    log_failure("pg", &err);
}

static void count_before(void)
{
    hooks_before++;
}

static void count_after(void)
{
    hooks_after++;
}

static void test_text_is_one_line_without_secrets(void **state)
{
    (void)state;
    secrets_register("sesame-open");
    capture(write_text);
    assert_non_null(strstr(captured, " UTC INFO copy - two lines of ***********\n"));
    assert_null(strstr(captured, "not shown"));
    assert_ptr_equal(strchr(captured, '\n') + 1, captured + strlen(captured));
}

static void test_json_is_one_object(void **state)
{
    (void)state;
    capture(write_json);
    json_object *o = json_tokener_parse(captured);
    assert_non_null(o);
    assert_string_equal(json_object_get_string(json_object_object_get(o, "level")), "error");
    assert_string_equal(json_object_get_string(json_object_object_get(o, "logger")), "pg");
    assert_string_equal(json_object_get_string(json_object_object_get(o, "message")),
                        "a \"quoted\" ? thing (SQLSTATE 42P01). What to do: mend it");
    json_object_put(o);
}

static void test_a_sentence_ends_once(void **state)
{
    (void)state;
    capture(write_sentence);
    assert_non_null(strstr(captured, "provide the file. What to do: look\n"));
}

static void test_hooks_stand_around_each_line(void **state)
{
    (void)state;
    log_set_view_hooks(count_before, count_after);
    capture(write_text);
    log_set_view_hooks(NULL, NULL);
    assert_int_equal(hooks_before, 1);
    assert_int_equal(hooks_after, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_one_line_without_secrets),
        cmocka_unit_test(test_json_is_one_object),
        cmocka_unit_test(test_a_sentence_ends_once),
        cmocka_unit_test(test_hooks_stand_around_each_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
