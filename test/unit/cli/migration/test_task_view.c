// SPDX-License-Identifier: Apache-2.0
#include "cli/migration/task_view.h"
#include "test/unit/cmocka_all.h"

static json_object *task;

static TaskView view_of(const char *text)
{
    TaskView view;

    json_object_put(task);
    task = json_tokener_parse(text);
    assert_true(task != NULL);
    task_view_read(task, &view);
    return view;
}

static int teardown(void **state)
{
    (void)state;
    json_object_put(task);
    task = NULL;
    return 0;
}

#define CONDITION(type, status, reason, message)                                                                       \
    "{\"type\":\"" type "\",\"status\":\"" status "\",\"reason\":\"" reason "\",\"message\":\"" message "\"}"
#define STATUS(more) "{\"metadata\":{\"name\":\"a\"},\"status\":{\"taskStatus\":\"Running\"," more "}}"

static void test_what_a_state_is_called(void **state)
{
    bool good;
    (void)state;
    TaskView view = view_of("{}");
    assert_string_equal(view.state, "");
    assert_false(task_view_settled(&view, &good));
    view = view_of(STATUS("\"conditions\":[" CONDITION("Stalled", "False", "No",
                                                       "") "," CONDITION("Ready", "True", "Streaming", "follows") "]"));
    assert_string_equal(view.state, "Running");
    assert_string_equal(view.reason, "Streaming");
    assert_int_equal(view.colour, COLOUR_GOOD);
    assert_true(task_view_settled(&view, &good) && good);
    view = view_of(STATUS("\"conditions\":[" CONDITION("Ready", "False", "Other", "x") "," CONDITION(
        "Stalled", "True", "PrecheckFailed", "why") "]"));
    assert_string_equal(view.state, "Failed");
    assert_string_equal(view.reason, "PrecheckFailed");
    assert_string_equal(view.message, "why");
    assert_true(task_view_settled(&view, &good) && !good);
    view = view_of(STATUS("\"cdc\":{\"failedReason\":\"slot lost\"}")); // without conditions, as others write it
    assert_string_equal(view.state, "Failed");
    assert_string_equal(view.message, "slot lost");
    view = view_of(
        "{\"metadata\":{\"deletionTimestamp\":\"2026-01-02T03:04:05Z\"},\"status\":{\"taskStatus\":\"Running\"}}");
    assert_string_equal(view.state, "Terminating");
    assert_true(task_view_settled(&view, &good) && !good);
    view = view_of("{\"status\":{\"taskStatus\":\"Done\"}}");
    assert_true(task_view_settled(&view, &good) && good);
}

static void test_numbers_and_what_is_missing(void **state)
{
    (void)state;
    TaskView view = view_of(STATUS("\"startTime\":\"2026-01-02T03:04:05Z\",\"progress\":{\"percent\":0,\"rows\":12,"
                                   "\"lagSeconds\":\"0.4\",\"bytes\":\"text\"}"));
    assert_int_equal(view.percent, 0);
    assert_int_equal(view.rows, 12);
    assert_int_equal(view.bytes, -1);
    assert_int_equal(view.seconds_left, -1);
    assert_string_equal(view.lag_seconds, "0.4");
    assert_true(view.started > 0 && view.finished <= 0);
}

static void test_ages(void **state)
{
    static const struct {
        double seconds;
        const char *text;
    } AGES[] = {{-5, "0s"},      {0, "0s"},       {119, "119s"},    {120, "2m"},      {205, "3m25s"},
                {600, "10m"},    {10740, "179m"}, {10800, "3h"},    {12000, "3h20m"}, {28800, "8h"},
                {172799, "47h"}, {172800, "2d"},  {180000, "2d2h"}, {691200, "8d"},   {864000, "10d"}};
    char text[32];
    (void)state;
    for (size_t i = 0; i < sizeof AGES / sizeof *AGES; i++) {
        task_view_age(AGES[i].seconds, text);
        assert_string_equal(text, AGES[i].text);
    }
}

static void test_bars(void **state)
{
    static const struct {
        int64_t percent;
        const char *bar;
    } BARS[] = {{-1, "[----------]   0 %"}, {0, "[----------]   0 %"},   {9, "[----------]   9 %"},
                {56, "[#####-----]  56 %"}, {100, "[##########] 100 %"}, {120, "[##########] 120 %"}};
    const Style ascii = {0}, utf8 = {.utf8 = true};
    (void)state;
    for (size_t i = 0; i < sizeof BARS / sizeof *BARS; i++) {
        auto_buffer Buffer out = {0};
        task_view_bar(&ascii, BARS[i].percent, 10, &out);
        assert_string_equal(out.data, BARS[i].bar);
    }
    auto_buffer Buffer out = {0};
    task_view_bar(&utf8, 50, 2, &out);
    assert_string_equal(out.data, "[█░]  50 %");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_what_a_state_is_called, teardown),
        cmocka_unit_test_teardown(test_numbers_and_what_is_missing, teardown),
        cmocka_unit_test(test_ages),
        cmocka_unit_test(test_bars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
