// SPDX-License-Identifier: Apache-2.0
// view_format.c, view_frame.c, view_print.c, and view.c on a pipe.
#include "common/base/memory.h"
#include "common/base/view_format.h"
#include "engine/view.h"
#include "engine/view_frame.h"
#include "test/unit/cmocka_all.h"

#include <locale.h>
#include <unistd.h>

static Progress *p;
static TaskDocument task;

static int setup(void **state)
{
    (void)state;
    task_document_init(&task);
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

static void test_numbers(void **state)
{
    char t[VIEW_NUMBER_SIZE];
    (void)state;
    assert_string_equal(view_format_bytes(0, t), "0 B");
    assert_string_equal(view_format_bytes(999, t), "999 B");
    assert_string_equal(view_format_bytes(1023, t), "1.0 kB");
    assert_string_equal(view_format_bytes(1.5 * 1024 * 1024, t), "1.5 MB");
    assert_string_equal(view_format_count(0, t), "0");
    assert_string_equal(view_format_count(999, t), "999");
    assert_string_equal(view_format_count(1234567, t), "1,234,567");
    assert_string_equal(view_format_clock(3723.4, t), "1:02:03");
    assert_string_equal(view_format_clock(-1, t), "0:00:00");
    assert_string_equal(view_format_duration(0.0032, t), "3.2 ms");
    assert_string_equal(view_format_duration(41, t), "41.0 s");
    assert_string_equal(view_format_lsn(0x56E54A8, t), "0/56E54A8");
    assert_string_equal(view_format_lsn(0, t), "-");
}

static void cut(const char *text, int columns, bool utf8, const char *expected, int used)
{
    auto_buffer Buffer out = {0};
    assert_int_equal(view_format_cut(&out, text, columns, utf8), used);
    assert_string_equal(buffer_text(&out), expected);
}

static void test_cut_by_columns(void **state)
{
    (void)state;
    cut("abcdef", 3, true, "abc", 3);
    cut("a\033[2Jb\n", 20, true, "a?[2Jb?", 7);
    cut("\xE8\xA1\xA8\xE8\xA1\xA8", 3, true, "\xE8\xA1\xA8", 2); // two columns each
    cut("\xC3\xBC!", 10, true, "\xC3\xBC!", 2);
    cut("\xC3\xBC.", 10, false, "??.", 3);
    cut("\xFFz", 10, true, "?z", 2);
}

static void fill(void)
{
    progress_step_start(p, STEP_INIT_DATA);
    progress_set_totals(p, 20, 1000, 4000, 5);
    progress_phase(p, "copying rows");
    for (int i = 0; i < 30; i++)
        progress_worker_start(p, i, "\"public\".\"a_table_with_a_very_long_name_that_fills_the_line_and_more\"", "copy",
                              4000);
    progress_worker_rows(p, 0, 100, 1000);
}

static void test_frame_fits_any_terminal(void **state)
{
    static const int WIDTHS[] = {20, 40, 80, 200};
    (void)state;
    fill();
    for (size_t i = 0; i < sizeof WIDTHS / sizeof *WIDTHS; i++) {
        auto_buffer Buffer out = {0};
        const ViewStyle style = {.width = WIDTHS[i], .height = 12, .utf8 = i % 2 == 0};
        int lines = view_frame(p, &style, &out), seen = 0;
        for (char *line = strtok(out.data, "\n"); line; line = strtok(NULL, "\n"), seen++) {
            auto_buffer Buffer ignored = {0};
            assert_in_range(view_format_cut(&ignored, line, 1000, style.utf8), 1, WIDTHS[i] - 1);
            assert_null(strchr(line, '\033'));
        }
        assert_int_equal(seen, lines);
        assert_in_range(lines, 4, 11);
    }
}

static void test_frame_says_what_goes_on(void **state)
{
    auto_buffer Buffer copy = {0}, stream = {0};
    const ViewStyle style = {.width = 120, .height = 40};
    (void)state;
    fill();
    view_frame(p, &style, &copy);
    assert_non_null(strstr(copy.data, "kubeferry kubeferry  init-data  copying rows"));
    assert_non_null(strstr(copy.data, "[#######.......................]  25.0 %  100 rows"));
    assert_non_null(strstr(copy.data, "1.0 kB of 3.9 kB"));
    assert_non_null(strstr(copy.data, "0 of 20 tables  100 rows  0 of 5 indexes"));
    for (int i = 0; i < 30; i++)
        progress_worker_end(p, i);
    progress_step_start(p, STEP_CDC);
    p->lsn_applied = 0x10;
    p->lag_bytes = 2048;
    view_frame(p, &style, &stream);
    assert_non_null(strstr(stream.data, "applied 0/10  source -  lag 2.0 kB"));
}

static char *printed(void (*print)(Progress *, LogFormat, FILE *), LogFormat format)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    print(p, format, out);
    fclose(out);
    return text;
}

static void test_checks(void **state)
{
    (void)state;
    progress_check(p, "wal_level", CHECK_PASS, "logical", NULL);
    progress_check(p, "slots", CHECK_FAIL, "none is\033free", "run:\n  SELECT 1");
    auto_free char *text = printed(view_print_checks, LOG_TEXT);
    assert_string_equal(text, "FAIL  slots                       none is free\n"
                              "        run:\n"
                              "          SELECT 1\n"
                              "2 checks: 1 passed, 0 warnings, 1 failed\n");
    strcpy(p->verb, "precheck"); // which shows what passed, too
    auto_free char *all = printed(view_print_checks, LOG_TEXT);
    assert_ptr_equal(strstr(all, "ok    wal_level                   logical\nFAIL"), all);
    auto_free char *json = printed(view_print_checks, LOG_JSON);
    json_object *o = json_tokener_parse(json);
    assert_string_equal(json_object_get_string(json_object_object_get(o, "verdict")), "fail");
    json_object_put(o);
}

static void test_report(void **state)
{
    (void)state;
    fill();
    progress_step_end(p, STEP_INIT_DATA, PROGRESS_DONE);
    p->changes = 1234;
    p->transactions = 10;
    progress_step_start(p, STEP_CDC);
    progress_lag(p, 0.003);
    p->differences = 0;
    p->verified_rows = 5000;
    progress_note(p, "left out %s", "a comment");
    auto_free char *text = printed(view_print_report, LOG_TEXT);
    assert_non_null(strstr(text, "init-data    done"));
    assert_non_null(strstr(text, "100 rows"));
    assert_non_null(strstr(text, "1,234 changes of 10 transactions applied, lag p50 "));
    assert_non_null(strstr(text, "5,000 rows of 0 tables compared, differences: 0\n"));
    assert_non_null(strstr(text, "note: left out a comment\n"));
    auto_free char *json = printed(view_print_report, LOG_JSON);
    assert_true(json[0] == '{');
}

static void test_lines_on_a_pipe(void **state)
{
    char text[4096];
    Error err = {0};
    FILE *file = tmpfile();
    int saved = dup(STDOUT_FILENO);
    (void)state;
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    int started = view_start(p, &err);
    progress_step_start(p, STEP_CDC);
    progress_phase(p, "streaming");
    usleep(500000);
    progress_step_end(p, STEP_CDC, PROGRESS_STOPPED);
    view_stop();
    view_stop();
    dup2(saved, STDOUT_FILENO);
    close(saved);
    assert_int_equal(started, 0);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_non_null(strstr(text, " UTC kubeferry cdc, streaming: applied -"));
    assert_non_null(strstr(text, " UTC kubeferry cdc, stopped"));
    assert_null(strchr(text, '\033'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_cut_by_columns),
        cmocka_unit_test_setup_teardown(test_frame_fits_any_terminal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_frame_says_what_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_checks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_report, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_on_a_pipe, setup, teardown),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
