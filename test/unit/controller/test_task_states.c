// SPDX-License-Identifier: Apache-2.0
// One case for every row of the table; the last test sees to it that none is missing.
#include "test/unit/cmocka_all.h"

#include "controller/task_states.h"
#include "test/unit/controller/task_fixture.h"

typedef struct Case {
    const char *row;
    void (*change)(TaskFacts *facts);
} Case;

static WorkerJob jobs[WORK_COUNT];
static WorkerPod pod = {.name = "p", .problem = "", .message = "", .exit_code = -1};
static Template template;

static void set(TaskFacts *f, int work, WorkState state)
{
    jobs[work] = (WorkerJob){.work = work, .exists = true, .attempt = 1, .failed_at = 1000};
    f->works[work] = (WorkFacts){.job = &jobs[work], .state = state};
}

// A task whose second step is at work.
static TaskFacts at_work(Task *task)
{
    TaskFacts f = {.task = task, .template = &template, .planned = true, .now = 1000, .monotonic = 1000};

    f.plan =
        (TaskPlan){.works = {STEP_PRECHECK, STEP_INIT_STRUCT, STEP_INIT_DATA, STEP_CDC}, .count = 4, .init_count = 3};
    task_spec_read(task->spec, task->spec_len, &f.spec);
    set(&f, STEP_PRECHECK, WORK_DONE);
    set(&f, STEP_INIT_STRUCT, WORK_RUNNING);
    set(&f, STEP_INIT_DATA, WORK_WAITING);
    set(&f, STEP_CDC, WORK_WAITING);
    f.current = STEP_INIT_STRUCT;
    f.jobs_exist = f.begun = f.touched = true;
    return f;
}

static void nothing(TaskFacts *f)
{
    (void)f;
}

static void delete_it(TaskFacts *f)
{
    f->task->deleted = 999;
}

static void released(TaskFacts *f)
{
    delete_it(f);
    f->task->finalizer = -1;
}

static void deleted_untouched(TaskFacts *f)
{
    delete_it(f);
    f->touched = false;
}

static void deleted_with_workers(TaskFacts *f)
{
    delete_it(f);
    f->workers_left = true;
}

static void workers_that_do_not_end(TaskFacts *f)
{
    deleted_with_workers(f);
    f->now += 1000;
}

static void cleanup_done(TaskFacts *f)
{
    delete_it(f);
    set(f, WORK_CLEANUP, WORK_DONE);
}

static void cleanup_failed(TaskFacts *f)
{
    delete_it(f);
    set(f, WORK_CLEANUP, WORK_FAILED);
}

static void cleanup_failed_and_forced(TaskFacts *f)
{
    cleanup_failed(f);
    f->spec.force_delete = true;
}

static void cleanup_hangs_and_is_forced(TaskFacts *f)
{
    delete_it(f);
    set(f, WORK_CLEANUP, WORK_STARTING);
    f->spec.force_delete = true;
    f->task->cleanup_since = f->monotonic - 100;
}

static void cleanup_retry(TaskFacts *f)
{
    cleanup_failed(f);
    f->now += 11;
}

static void cleaning_up(TaskFacts *f)
{
    delete_it(f);
    set(f, WORK_CLEANUP, WORK_RUNNING);
}

static void forced_but_just_begun(TaskFacts *f)
{
    cleaning_up(f);
    f->spec.force_delete = true;
    f->task->cleanup_since = f->monotonic - 10;
}

static void cleanup_blocked(TaskFacts *f)
{
    delete_it(f);
    set(f, WORK_CLEANUP, WORK_STARTING);
    pod.problem = "secret \"a\" not found";
    f->works[WORK_CLEANUP].pod = &pod;
}

static void no_finalizer(TaskFacts *f)
{
    f->task->finalizer = -1;
}

static void unsupported(TaskFacts *f)
{
    f->unsupported = true;
}

static void template_missing(TaskFacts *f)
{
    f->template = NULL;
    f->planned = false;
}

static void unplanned(TaskFacts *f)
{
    f->planned = false;
}

static void suspend(TaskFacts *f)
{
    f->spec.suspend = true;
}

static void suspended(TaskFacts *f)
{
    suspend(f);
    set(f, STEP_INIT_STRUCT, WORK_WAITING);
}

static void suspended_failure(TaskFacts *f)
{
    suspend(f);
    set(f, STEP_INIT_STRUCT, WORK_FAILED);
}

static void foreign(TaskFacts *f)
{
    set(f, STEP_INIT_DATA, WORK_FOREIGN);
}

static void outdated(TaskFacts *f)
{
    f->works[STEP_INIT_DATA].outdated = true;
}

static void failed(TaskFacts *f)
{
    set(f, STEP_INIT_STRUCT, WORK_FAILED);
    f->now += 29;
}

static void retry(TaskFacts *f)
{
    set(f, STEP_INIT_STRUCT, WORK_FAILED);
    f->now += 30;
}

static void second_retry_is_later(TaskFacts *f)
{
    set(f, STEP_INIT_STRUCT, WORK_FAILED);
    jobs[STEP_INIT_STRUCT].attempt = 2;
    f->now += 59;
}

static void exhausted(TaskFacts *f)
{
    set(f, STEP_INIT_STRUCT, WORK_EXHAUSTED);
}

static void jobs_absent(TaskFacts *f)
{
    f->works[STEP_CDC] = (WorkFacts){.state = WORK_ABSENT};
}

static void absent_but_done(TaskFacts *f)
{
    f->works[STEP_PRECHECK] = (WorkFacts){.state = WORK_ABSENT};
}

static void ending(TaskFacts *f)
{
    set(f, STEP_INIT_STRUCT, WORK_ENDING);
}

static void blocked(TaskFacts *f)
{
    set(f, STEP_INIT_STRUCT, WORK_STARTING);
    pod.problem = "ErrImagePull";
    f->works[STEP_INIT_STRUCT].pod = &pod;
}

static void starting(TaskFacts *f)
{
    set(f, STEP_INIT_STRUCT, WORK_STARTING);
    jobs[STEP_INIT_STRUCT].started = f->now - 10;
}

static void starting_for_long(TaskFacts *f)
{
    starting(f);
    f->now += 100;
}

static void retrying(TaskFacts *f)
{
    set(f, STEP_INIT_STRUCT, WORK_RETRYING);
}

static void next_step(TaskFacts *f)
{
    set(f, STEP_INIT_STRUCT, WORK_DONE);
    f->current = STEP_INIT_DATA;
}

static void before_following(TaskFacts *f)
{
    set(f, STEP_CDC, WORK_RUNNING);
    f->current = STEP_CDC;
}

static void following(TaskFacts *f)
{
    before_following(f);
    f->following = true;
}

static char state_none[] = "", state_undone[] = "undone", state_done[] = "done";
static ProgressRead words;

static void cutover_begin(TaskFacts *f)
{
    following(f);
    f->spec.cutover.requested = true;
}

static void verification_before_cutover(TaskFacts *f)
{
    cutover_begin(f);
    set(f, WORK_VERIFY, WORK_RUNNING);
}

static void cutting_over(TaskFacts *f)
{
    cutover_begin(f);
    set(f, WORK_CUTOVER, WORK_RUNNING);
}

static void cutover_withdrawn(TaskFacts *f)
{
    cutting_over(f);
    f->spec.cutover.requested = false;
}

// Its Job was suspended, to end its pod: it is deleted, or made anew when the switch is wanted again.
static void cutover_withdrawn_and_stopped(TaskFacts *f)
{
    cutover_withdrawn(f);
    set(f, WORK_CUTOVER, WORK_WAITING);
}

static void cutover_withdrawn_and_wanted_again(TaskFacts *f)
{
    cutover_withdrawn_and_stopped(f);
    f->spec.cutover.requested = true;
}

static void cutover_refused(TaskFacts *f)
{
    cutover_begin(f);
    set(f, WORK_CUTOVER, WORK_FAILED);
    f->now += 10000;
}

static void cutover_not_ready(TaskFacts *f)
{
    cutover_begin(f);
    set(f, WORK_CUTOVER, WORK_EXHAUSTED);
    words = (ProgressRead){.cutover_state = state_none};
    f->words[WORK_CUTOVER] = &words;
}

static void cutover_again(TaskFacts *f)
{
    cutover_not_ready(f);
    f->now += 10;
}

static void cutover_undone_is_not_repeated(TaskFacts *f)
{
    cutover_again(f);
    words.cutover_blocked = 1;
    words.cutover_state = state_undone;
}

static void cutover_done_but_for_the_rest(TaskFacts *f)
{
    cutover_undone_is_not_repeated(f);
    words.cutover_state = state_done;
    f->current = -1;
}

static void cutover_makes_room(TaskFacts *f)
{
    cutover_done_but_for_the_rest(f);
    set(f, WORK_CUTOVER, WORK_ENDING);
}

static void cutover_begins_for_the_rest(TaskFacts *f)
{
    cutover_makes_room(f);
    set(f, WORK_CUTOVER, WORK_ABSENT);
}

static void cutover_withdrawn_too_late(TaskFacts *f)
{
    cutover_done_but_for_the_rest(f);
    f->spec.cutover.requested = false;
    f->now -= 10;
}

static void verification_after_a_failed_cutover(TaskFacts *f)
{
    cutover_refused(f);
    f->verify_wanted = true;
}

static void cutover_changed(TaskFacts *f)
{
    cutover_undone_is_not_repeated(f);
    f->works[WORK_CUTOVER].outdated = true;
}

static void cutover_ending(TaskFacts *f)
{
    cutover_begin(f);
    set(f, WORK_CUTOVER, WORK_DONE);
}

static void cut_over(TaskFacts *f)
{
    cutover_ending(f);
    f->current = -1;
}

static void service(TaskFacts *f)
{
    cut_over(f);
    f->spec.cutover.service = f->spec.root;
}

static void service_is_switched(TaskFacts *f)
{
    service(f);
    f->task->service_patched[WORK_CUTOVER] = true;
}

static void following_back(TaskFacts *f)
{
    cut_over(f);
    f->plan.works[f->plan.count++] = WORK_REVERSE;
    set(f, WORK_REVERSE, WORK_RUNNING);
    f->current = WORK_REVERSE;
    f->following = true;
}

static void way_back_absent(TaskFacts *f)
{
    following_back(f);
    f->works[WORK_REVERSE] = (WorkFacts){.state = WORK_ABSENT};
}

static void rollback_begin(TaskFacts *f)
{
    following_back(f);
    f->spec.rollback.requested = true;
}

static void rolling_back(TaskFacts *f)
{
    rollback_begin(f);
    set(f, WORK_ROLLBACK, WORK_STARTING);
}

static void rollback_withdrawn(TaskFacts *f)
{
    rolling_back(f);
    f->spec.rollback.requested = false;
}

static void rollback_failed(TaskFacts *f)
{
    rollback_begin(f);
    set(f, WORK_ROLLBACK, WORK_FAILED);
}

static void rollback_waiting(TaskFacts *f)
{
    rollback_begin(f);
    set(f, WORK_ROLLBACK, WORK_EXHAUSTED);
}

static void rollback_again(TaskFacts *f)
{
    rollback_waiting(f);
    f->now += 10;
}

static void rollback_ending(TaskFacts *f)
{
    rollback_begin(f);
    set(f, WORK_ROLLBACK, WORK_DONE);
}

static void rolled_back(TaskFacts *f)
{
    rollback_ending(f);
    f->current = -1;
}

static void service_back(TaskFacts *f)
{
    rolled_back(f);
    f->spec.cutover.service = f->spec.rollback.service = f->spec.root; // the one of the cutover does not count any more
}

static void service_is_back(TaskFacts *f)
{
    service_back(f);
    f->task->service_patched[WORK_ROLLBACK] = true;
}

static void verify_begin(TaskFacts *f)
{
    following(f);
    f->verify_wanted = true;
}

static void verify_again(TaskFacts *f)
{
    verify_begin(f);
    set(f, WORK_VERIFY, WORK_DONE);
}

static void done(TaskFacts *f)
{
    f->current = -1;
}

static const Case CASES[] = {
    {"at-work", nothing},
    {"at-work", absent_but_done},
    {"released", released},
    {"deleted-untouched", deleted_untouched},
    {"deleted-with-workers", deleted_with_workers},
    {"cleanup-absent", workers_that_do_not_end},
    {"cleanup-done", cleanup_done},
    {"cleanup-given-up", cleanup_failed_and_forced},
    {"cleanup-given-up", cleanup_hangs_and_is_forced},
    {"cleaning-up", forced_but_just_begun},
    {"cleanup-failed", cleanup_failed},
    {"cleanup-retry", cleanup_retry},
    {"cleanup-absent", delete_it},
    {"cleaning-up", cleaning_up},
    {"cleanup-blocked", cleanup_blocked},
    {"no-finalizer", no_finalizer},
    {"unsupported", unsupported},
    {"template-missing", template_missing},
    {"template-unusable", unplanned},
    {"suspended-failure", suspended_failure},
    {"suspending", suspend},
    {"suspended", suspended},
    {"foreign-job", foreign},
    {"outdated", outdated},
    {"failed", failed},
    {"retry", retry},
    {"failed", second_retry_is_later},
    {"exhausted", exhausted},
    {"jobs-absent", jobs_absent},
    {"ending", ending},
    {"blocked", blocked},
    {"at-work", starting},
    {"blocked", starting_for_long},
    {"retrying", retrying},
    {"next-step", next_step},
    {"before-following", before_following},
    {"following", following},
    {"done", done},
    {"cutover-begin", cutover_begin},
    {"following", verification_before_cutover},
    {"cutting-over", cutting_over},
    {"cutover-withdrawn", cutover_withdrawn},
    {"cutover-withdrawn", cutover_withdrawn_and_stopped},
    {"cutover-again", cutover_withdrawn_and_wanted_again},
    {"cutover-failed", cutover_refused},
    {"cutover-waiting", cutover_not_ready},
    {"cutover-again", cutover_again},
    {"cutover-failed", cutover_undone_is_not_repeated},
    {"cutover-again", cutover_changed},
    {"cutover-again", cutover_done_but_for_the_rest},
    {"cutting-over", cutover_makes_room},
    {"cutover-begin", cutover_begins_for_the_rest},
    {"cutover-waiting", cutover_withdrawn_too_late},
    {"verify-begin", verification_after_a_failed_cutover},
    {"cutover-ending", cutover_ending},
    {"cut-over", cut_over},
    {"service", service},
    {"cut-over", service_is_switched},
    {"following", following_back},
    {"jobs-absent", way_back_absent},
    {"rollback-begin", rollback_begin},
    {"rolling-back", rolling_back},
    {"rollback-withdrawn", rollback_withdrawn},
    {"rollback-failed", rollback_failed},
    {"rollback-waiting", rollback_waiting},
    {"rollback-again", rollback_again},
    {"rollback-ending", rollback_ending},
    {"rolled-back", rolled_back},
    {"service-back", service_back},
    {"rolled-back", service_is_back},
    {"verify-begin", verify_begin},
    {"verify-again", verify_again},
};

static void test_each_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        Task *task = fixture_task(FIXTURE_TASK);
        TaskFacts facts = at_work(task);
        CASES[i].change(&facts);
        assert_string_equal(task_states_decide(&facts)->id, CASES[i].row);
        pod.problem = "";
        task_spec_free(&facts.spec);
        task_free(task);
    }
}

static void test_no_row_without_a_case(void **state)
{
    size_t count;
    const TaskRow *rows = task_states_rows(&count);
    (void)state;

    for (size_t r = 0; r < count; r++) {
        bool found = false;
        for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
            found = found || strcmp(CASES[i].row, rows[r].id) == 0;
        if (!found)
            fail_msg("row %s has no case", rows[r].id);
        assert_true(rows[r].action == ACTION_NONE || *task_action_name(rows[r].action));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_row),
        cmocka_unit_test(test_no_row_without_a_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
