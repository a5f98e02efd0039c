// SPDX-License-Identifier: Apache-2.0
// The patch of a status: what it says, and that there is none when nothing differs.
#include "test/unit/cmocka_all.h"

#include "common/base/memory.h"
#include "controller/task_status.h"
#include "test/unit/controller/task_fixture.h"

static const StatusDue ALL = {.progress = true, .metrics = true};

static WorkerJob job = {.exists = true, .attempt = 1, .started = 1700000000};
static Template template;

static TaskFacts following(Task *task, ProgressRead *said)
{
    TaskFacts f = {.task = task, .template = &template, .planned = true, .now = 1700000100, .monotonic = 100};

    f.plan = (TaskPlan){.works = {STEP_PRECHECK, STEP_CDC}, .count = 2, .init_count = 1};
    f.spec.task_type = "initialization-and-cdc";
    f.works[STEP_PRECHECK] = (WorkFacts){.job = &job, .state = WORK_DONE};
    f.works[STEP_CDC] = (WorkFacts){.job = &job, .state = WORK_RUNNING};
    f.current = STEP_CDC;
    f.jobs_exist = f.begun = f.touched = true;
    f.following = said != NULL;
    f.said = said;
    return f;
}

static char *patch_of(const TaskFacts *facts, StatusDue due)
{
    const TaskRow *row = task_states_decide(facts);
    TaskMessage message;

    task_message(facts, row, NULL, &message);
    char *patch = task_status_patch(facts, row, &message, due);
    task_message_free(&message);
    return patch;
}

// As the API server does it, as far as these patches go.
static void merge(json_object *target, json_object *patch)
{
    json_object_object_foreach(patch, name, value)
    {
        if (!value)
            json_object_object_del(target, name);
        else if (json_object_is_type(value, json_type_object)) {
            json_object *child = k8s_member(target, name);
            if (!child)
                json_object_object_add(target, name, child = json_object_new_object());
            merge(child, value);
        } else
            json_object_object_add(target, name, json_object_get(value));
    }
}

static void take(Task *task, const char *patch)
{
    json_object *object = json_object_new_object(), *change = fixture_json(patch);

    merge(object, change);
    task_status_free(&task->seen);
    task_read_status(object, &task->seen);
    json_object_put(object);
    json_object_put(change);
}

static void test_what_it_says(void **state)
{
    Task *task = fixture_task(FIXTURE_TASK);
    ProgressRead said = {.phase = "following changes",
                         .slot = "mytask",
                         .state = PROGRESS_RUNNING,
                         .step = STEP_CDC,
                         .lsn_applied = 0x56E54A8,
                         .lsn_source = 0x56E54B0,
                         .lag_seconds = 0.26,
                         .lag_bytes = 8,
                         .commit_time = 1682243800.778};
    TaskFacts facts = following(task, &said);
    auto_free char *patch = patch_of(&facts, ALL);
    (void)state;

    setenv("TZ", "UTC", 1);
    json_object *status = fixture_json(patch), *inner = k8s_member(status, "status");
    assert_string_equal(k8s_text(inner, "taskStatus"), "Running");
    assert_int_equal(k8s_integer(inner, "observedGeneration", 0), 2);
    assert_true(k8s_condition_true(status, "Ready"));
    assert_false(k8s_condition_true(status, "Reconciling"));
    assert_false(k8s_condition_true(status, "Stalled"));
    assert_string_equal(json_text_of(k8s_at(inner, "cdc", "metrics", NULL)),
                        "{\"lsn\":\"0\\/56E54A8\",\"timestamp\":\"Apr 23,2023 09:56:40.778 UTC+0000\"}");
    assert_string_equal(k8s_text(k8s_member(inner, "progress"), "lagSeconds"), "0.3");
    json_object_put(status);
    task_free(task);
}

static void test_no_write_without_a_difference(void **state)
{
    Task *task = fixture_task(FIXTURE_TASK);
    ProgressRead said = {.phase = "following changes",
                         .slot = "mytask",
                         .state = PROGRESS_RUNNING,
                         .step = STEP_CDC,
                         .lsn_applied = 7,
                         .commit_time = 1682243800.778};
    TaskFacts facts = following(task, &said);
    auto_free char *first = patch_of(&facts, ALL);
    (void)state;

    take(task, first);
    assert_null(patch_of(&facts, ALL));
    facts.said = NULL; // its worker is silent for a while: what it said stays
    facts.following = true;
    assert_null(patch_of(&facts, ALL));
    said.lsn_applied = 8;
    facts.said = &said;
    assert_null(patch_of(&facts, (StatusDue){0}));
    auto_free char *second = patch_of(&facts, ALL);
    assert_null(strstr(second, "conditions"));
    assert_non_null(strstr(second, "0\\/8"));
    task_free(task);
}

static void test_copied_counts_stay(void **state)
{
    Task *task = fixture_task(FIXTURE_TASK);
    ProgressRead copy = {.phase = "copying rows",
                         .slot = "s",
                         .state = PROGRESS_RUNNING,
                         .step = STEP_INIT_DATA,
                         .tables_total = 2,
                         .rows_done = 41,
                         .bytes_done = 30,
                         .bytes_total = 40,
                         .seconds_left = -1};
    ProgressRead stream = {
        .phase = "following changes", .slot = "s", .state = PROGRESS_RUNNING, .step = STEP_CDC, .lsn_applied = 7};
    TaskFacts facts = following(task, &copy);
    auto_free char *first = patch_of(&facts, ALL);
    (void)state;

    assert_non_null(strstr(first, "\"percent\":75"));
    take(task, first);
    facts.said = &stream;
    auto_free char *second = patch_of(&facts, ALL);
    assert_non_null(strstr(second, "\"rows\":41"));
    task_free(task);
}

static void test_a_retry_stays_stalled(void **state)
{
    Task *task = fixture_task(FIXTURE_TASK);
    ProgressCheck check = {
        .id = "source_connection", .verdict = CHECK_FAIL, .message = "password refused", .remedy = "try psql"};
    ProgressRead words = {.phase = "",
                          .slot = "",
                          .state = PROGRESS_FAILED,
                          .checks = &check,
                          .check_count = 1,
                          .error = {.code = "credentials",
                                    .reason = "AccessRefused",
                                    .sqlstate = "28P01",
                                    .message = "password refused",
                                    .hint = "give another"}};
    WorkerJob failed = {.exists = true,
                        .attempt = 1,
                        .failed = true,
                        .failed_at = 1700000090,
                        .started = 1700000080,
                        .failed_reason = "PodFailurePolicy",
                        .failed_message = ""};
    WorkerJob again = {.key = "shop/mytask-cdc", .exists = true, .attempt = 2, .started = 1700000099};
    TaskFacts facts = following(task, &words);
    (void)state;

    facts.following = false;
    facts.works[STEP_CDC] = (WorkFacts){.job = &failed, .state = WORK_FAILED};
    auto_free char *first = patch_of(&facts, ALL);
    json_object *status = fixture_json(first);
    assert_true(k8s_condition_true(status, "Stalled"));
    assert_string_equal(k8s_text(k8s_condition(status, "Stalled"), "reason"), "AccessRefused");
    assert_non_null(
        strstr(k8s_text(k8s_condition(status, "Ready"), "message"), "password refused (SQLSTATE 28P01). give another"));
    assert_non_null(strstr(first, "\"failedReason\":\"password refused"));
    assert_null(strstr(k8s_text(k8s_condition(status, "Ready"), "message"), "source_connection")); // not twice
    json_object_put(status);
    take(task, first);
    facts.said = NULL;
    facts.works[STEP_CDC] = (WorkFacts){.job = &again, .state = WORK_STARTING};
    assert_null(patch_of(&facts, ALL));

    ProgressRead away = words; // the repetition fails as well, and otherwise
    away.error.reason = "EndpointUnreachable";
    away.error.message = "the server is away";
    facts.works[STEP_CDC].state = WORK_RETRYING;
    facts.said = &away;
    auto_free char *otherwise = patch_of(&facts, ALL);
    assert_non_null(strstr(otherwise, "the server is away"));
    status = fixture_json(otherwise);
    assert_false(k8s_condition_true(status, "Stalled"));
    json_object_put(status);

    facts.works[STEP_CDC].state = WORK_RUNNING;
    facts.said = &words;
    facts.following = true;
    auto_free char *second = patch_of(&facts, ALL);
    assert_non_null(strstr(second, "\"failedReason\":null"));
    task_free(task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_says),
        cmocka_unit_test(test_no_write_without_a_difference),
        cmocka_unit_test(test_copied_counts_stay),
        cmocka_unit_test(test_a_retry_stays_stalled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
