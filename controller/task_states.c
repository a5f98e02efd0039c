// SPDX-License-Identifier: Apache-2.0
#include "controller/task_states.h"

enum {
    FORCE_AFTER_S = 60,   // a forced end waits so long for the clean one
    WORKERS_WAIT_S = 120, // workers that do not end (their node is gone) are waited for so long
};

// ---- guards --------------------------------------------------------------------------------------------------------

static const WorkFacts *current(const TaskFacts *f)
{
    static const WorkFacts NONE = {.state = WORK_ABSENT};
    return f->current >= 0 ? &f->works[f->current] : &NONE;
}

static bool current_is(const TaskFacts *f, WorkState state)
{
    return f->current >= 0 && current(f)->state == state;
}

static bool any(const TaskFacts *f, bool (*is)(const WorkFacts *))
{
    for (size_t i = 0; i < f->plan.count; i++)
        if (is(&f->works[f->plan.works[i]]))
            return true;
    return false;
}

static bool deleting(const TaskFacts *f)
{
    return f->task->deleted > 0;
}

static bool cleanup_is(const TaskFacts *f, WorkState state)
{
    return deleting(f) && f->works[WORK_CLEANUP].state == state;
}

static bool released(const TaskFacts *f)
{
    return deleting(f) && f->task->finalizer < 0;
}

static bool deleted_untouched(const TaskFacts *f)
{
    return deleting(f) && !f->touched;
}

static bool deleted_with_workers(const TaskFacts *f)
{
    return deleting(f) && f->workers_left && f->now - f->task->deleted < WORKERS_WAIT_S;
}

static bool cleanup_done(const TaskFacts *f)
{
    return cleanup_is(f, WORK_DONE);
}

static bool cleanup_failed(const TaskFacts *f)
{
    return cleanup_is(f, WORK_FAILED) || cleanup_is(f, WORK_EXHAUSTED);
}

static bool cleanup_given_up(const TaskFacts *f)
{
    bool too_long = f->task->cleanup_since > 0 && f->monotonic - f->task->cleanup_since > FORCE_AFTER_S;

    return deleting(f) && f->spec.force_delete && (cleanup_failed(f) || (too_long && !cleanup_done(f)));
}

static bool cleanup_retry_due(const TaskFacts *f)
{
    return (cleanup_failed(f) && f->now >= task_facts_retry_time(&f->works[WORK_CLEANUP])) ||
           cleanup_is(f, WORK_WAITING);
}

static bool cleanup_absent(const TaskFacts *f)
{
    return cleanup_is(f, WORK_ABSENT);
}

static bool no_finalizer(const TaskFacts *f)
{
    return f->task->finalizer < 0;
}

static bool unsupported(const TaskFacts *f)
{
    return f->unsupported;
}

static bool template_missing(const TaskFacts *f)
{
    return !f->template;
}

static bool unplanned(const TaskFacts *f)
{
    return !f->planned;
}

static bool suspended_at_work(const TaskFacts *f)
{
    return f->spec.suspend && f->current >= 0 && any(f, work_at_work);
}

static bool suspended_failure(const TaskFacts *f) // so that going on is a new try
{
    return f->spec.suspend && f->current >= 0 && work_is_failed(current(f));
}

static bool suspended(const TaskFacts *f)
{
    return f->spec.suspend && f->current >= 0;
}

static bool is_foreign(const WorkFacts *w)
{
    return w->state == WORK_FOREIGN;
}

static bool foreign(const TaskFacts *f)
{
    return any(f, is_foreign);
}

static bool is_outdated(const WorkFacts *w)
{
    return w->outdated;
}

static bool outdated(const TaskFacts *f)
{
    return any(f, is_outdated);
}

// Works before the current one are done, whether their Jobs are there or not.
static bool jobs_absent(const TaskFacts *f)
{
    bool from_here = false;

    for (size_t i = 0; i < f->plan.count; i++) {
        from_here = from_here || f->plan.works[i] == f->current;
        if (from_here && f->works[f->plan.works[i]].state == WORK_ABSENT)
            return true;
    }
    return false;
}

static bool failed(const TaskFacts *f)
{
    return current_is(f, WORK_FAILED);
}

static bool exhausted(const TaskFacts *f)
{
    return current_is(f, WORK_EXHAUSTED);
}

static bool retry_due(const TaskFacts *f)
{
    return (failed(f) || exhausted(f)) && f->now >= task_facts_retry_time(current(f));
}

static bool ending(const TaskFacts *f)
{
    return current_is(f, WORK_ENDING);
}

static bool waiting(const TaskFacts *f)
{
    return current_is(f, WORK_WAITING);
}

static bool is_blocked(const TaskFacts *f, const WorkFacts *w)
{
    bool told = w->pod && w->pod->exit_code < 0 && *w->pod->problem;

    return (w->state == WORK_STARTING && (told || task_facts_patience(f, w) == 0)) ||
           (w->state == WORK_RETRYING && told);
}

static bool blocked(const TaskFacts *f)
{
    return is_blocked(f, current(f));
}

static bool cleanup_blocked(const TaskFacts *f)
{
    return deleting(f) && is_blocked(f, &f->works[WORK_CLEANUP]);
}

static bool retrying(const TaskFacts *f)
{
    return current_is(f, WORK_RETRYING);
}

// Of the switch and of the one back, which follow the same rules.
static bool withdrawn(const TaskFacts *f, int work, const SpecSwitch *wanted)
{
    const WorkFacts *w = &f->works[work];

    return !wanted->requested && (work_at_work(w) || w->state == WORK_WAITING ||
                                  (work_is_failed(w) && !task_facts_switch_is(f, work, "done")));
}

// Its checks refused it, or something was away, before any write was kept away: it may be tried again by itself. So
// must what ended in the middle, which the next one undoes or, after the switch, finishes.
static bool may_repeat(const TaskFacts *f, int work)
{
    bool kept_away = f->words[work] && f->words[work]->cutover_blocked > 0;

    return f->works[work].state == WORK_EXHAUSTED && !(kept_away && task_facts_switch_is(f, work, "undone"));
}

static bool repeat_now(const TaskFacts *f, int work)
{
    const WorkFacts *w = &f->works[work];
    bool due = may_repeat(f, work) && f->now >= task_facts_retry_time(w);

    return w->state == WORK_WAITING || (work_is_failed(w) && (w->outdated || due)); // waiting: it had been withdrawn
}

// The worker that followed changes ends by itself only after a switch: what comes after that may still be left to do.
static bool stream_ended(const TaskFacts *f)
{
    return f->current < 0 && task_plan_has(&f->plan, STEP_CDC);
}

static bool is_switching(const TaskFacts *f, int work)
{
    const WorkFacts *w = &f->works[work];

    return work_at_work(w) || (w->state == WORK_ENDING && stream_ended(f)); // it makes room for the next try
}

static bool cut_over(const TaskFacts *f)
{
    return f->works[WORK_CUTOVER].state == WORK_DONE;
}

static bool cutover_ended(const TaskFacts *f)
{
    return cut_over(f) && f->current < 0;
}

static bool cutover_ending(const TaskFacts *f)
{
    return cut_over(f) && f->current == STEP_CDC;
}

static bool cutover_withdrawn(const TaskFacts *f)
{
    return withdrawn(f, WORK_CUTOVER, &f->spec.cutover);
}

static bool cutover_again(const TaskFacts *f)
{
    return repeat_now(f, WORK_CUTOVER);
}

static bool cutover_waiting(const TaskFacts *f)
{
    return work_is_failed(&f->works[WORK_CUTOVER]) && may_repeat(f, WORK_CUTOVER);
}

static bool cutover_failed(const TaskFacts *f)
{
    return work_is_failed(&f->works[WORK_CUTOVER]);
}

static bool cutting_over(const TaskFacts *f)
{
    return is_switching(f, WORK_CUTOVER);
}

static bool rolled_back(const TaskFacts *f)
{
    return f->works[WORK_ROLLBACK].state == WORK_DONE;
}

// The Service of a switch that has taken place does not lead there yet.
static bool service_is_behind(const TaskFacts *f, int work, const SpecSwitch *wanted)
{
    return wanted->service && !task_service_is_switched(f->task, work);
}

static bool sink_service_behind(const TaskFacts *f)
{
    return cut_over(f) && !rolled_back(f) && service_is_behind(f, WORK_CUTOVER, &f->spec.cutover);
}

static bool source_service_behind(const TaskFacts *f)
{
    return rolled_back(f) && service_is_behind(f, WORK_ROLLBACK, &f->spec.rollback);
}

static bool rollback_ended(const TaskFacts *f)
{
    return rolled_back(f) && f->current < 0;
}

static bool rollback_withdrawn(const TaskFacts *f)
{
    return withdrawn(f, WORK_ROLLBACK, &f->spec.rollback);
}

static bool rollback_again(const TaskFacts *f)
{
    return repeat_now(f, WORK_ROLLBACK);
}

static bool rollback_waiting(const TaskFacts *f)
{
    return work_is_failed(&f->works[WORK_ROLLBACK]) && may_repeat(f, WORK_ROLLBACK);
}

static bool rollback_failed(const TaskFacts *f)
{
    return work_is_failed(&f->works[WORK_ROLLBACK]);
}

static bool rolling_back(const TaskFacts *f)
{
    return is_switching(f, WORK_ROLLBACK);
}

static bool rollback_begin(const TaskFacts *f)
{
    bool ready = (f->current == (int)WORK_REVERSE && f->following) ||
                 (stream_ended(f) && cut_over(f) && task_spec_both_ways(&f->spec));

    return ready && f->spec.rollback.requested && f->works[WORK_ROLLBACK].state == WORK_ABSENT;
}

static bool verify_again(const TaskFacts *f)
{
    const WorkFacts *w = &f->works[WORK_VERIFY];

    return f->current == STEP_CDC && f->following && f->verify_wanted && (work_is_failed(w) || w->state == WORK_DONE);
}

static bool verify_begin(const TaskFacts *f)
{
    return f->current == STEP_CDC && f->following && f->verify_wanted && f->works[WORK_VERIFY].state == WORK_ABSENT;
}

// A verification that is at work comes first: the switch may ask for its result.
static bool cutover_begin(const TaskFacts *f)
{
    bool ready = (f->current == STEP_CDC && f->following) || stream_ended(f);

    return ready && f->spec.cutover.requested && f->works[WORK_CUTOVER].state == WORK_ABSENT &&
           !work_at_work(&f->works[WORK_VERIFY]);
}

static bool at_stream(const TaskFacts *f)
{
    return f->current == STEP_CDC || f->current == (int)WORK_REVERSE;
}

static bool following(const TaskFacts *f)
{
    return at_stream(f) && f->following;
}

static bool all_done(const TaskFacts *f)
{
    return f->current < 0;
}

static bool always(const TaskFacts *f)
{
    (void)f;
    return true;
}

// ---- the table -----------------------------------------------------------------------------------------------------

static const TaskRow ROWS[] = {
    // Deleted: stop the workers, clean the source, go.
    {"released", released, ACTION_NONE, OUTCOME_KEEP, "", "", "The finalizer is gone, and soon the task."},
    {"deleted-untouched", deleted_untouched, ACTION_REMOVE_FINALIZER, OUTCOME_KEEP, "", "",
     "No worker has left anything on either end: there is nothing to clean up."},
    {"deleted-with-workers", deleted_with_workers, ACTION_DELETE_WORKERS, OUTCOME_WORKING, "", "Terminating",
     "The workers are being stopped before slot and publication are dropped."},
    {"cleanup-done", cleanup_done, ACTION_REMOVE_FINALIZER, OUTCOME_KEEP, "", "",
     "Slot and publication are gone from the source."},
    {"cleanup-given-up", cleanup_given_up, ACTION_LET_GO, OUTCOME_KEEP, "", "",
     "isForceDelete lets the task go although slot and publication may be left."},
    {"cleanup-retry", cleanup_retry_due, ACTION_DELETE_CLEANUP, OUTCOME_KEEP, "", "",
     "Cleaning up has failed and is tried again."},
    {"cleanup-failed", cleanup_failed, ACTION_NONE, OUTCOME_WORKING, "", "CleanupFailed",
     "Slot and publication could not be dropped; it is tried again until it succeeds."},
    {"cleanup-absent", cleanup_absent, ACTION_CREATE_CLEANUP, OUTCOME_WORKING, "", "Terminating",
     "A worker is being started that drops slot and publication."},
    {"cleanup-blocked", cleanup_blocked, ACTION_NONE, OUTCOME_WORKING, "", "WaitingForWorker",
     "The pod that cleans up cannot start."},
    {"cleaning-up", deleting, ACTION_NONE, OUTCOME_WORKING, "", "Terminating",
     "Slot and publication are being dropped from the source."},

    // Not ready to begin.
    {"no-finalizer", no_finalizer, ACTION_ADD_FINALIZER, OUTCOME_KEEP, "Prepare", "Pending",
     "The finalizer comes first: from then on nothing is left behind."},
    {"unsupported", unsupported, ACTION_NONE, OUTCOME_STALLED, "", "UnsupportedField",
     "The spec asks for something that is not built."},
    {"template-missing", template_missing, ACTION_NONE, OUTCOME_WORKING, "", "WaitingForTemplate",
     "There is no template of that name yet."},
    {"template-unusable", unplanned, ACTION_NONE, OUTCOME_STALLED, "", "TemplateUnusable",
     "The template cannot serve this task."},

    // Held.
    {"suspended-failure", suspended_failure, ACTION_DELETE_CURRENT, OUTCOME_KEEP, "Pause", "Suspended",
     "What failed is put away, so that going on is a new try."},
    {"suspending", suspended_at_work, ACTION_SUSPEND_ALL, OUTCOME_WORKING, "Pause", "Suspended",
     "The workers are being stopped."},
    {"suspended", suspended, ACTION_NONE, OUTCOME_WORKING, "Pause", "Suspended",
     "Held by spec.suspend; the source keeps its WAL for the task meanwhile."},

    // Jobs as they should be.
    {"foreign-job", foreign, ACTION_NONE, OUTCOME_WORKING, "", "NameTaken",
     "A Job of the name that a worker needs belongs to something else."},
    {"outdated", outdated, ACTION_DELETE_OUTDATED, OUTCOME_KEEP, "", "Pending",
     "Jobs that have not begun, or failed, are made anew from the present spec."},
    {"retry", retry_due, ACTION_DELETE_CURRENT, OUTCOME_KEEP, "", "Retrying", "The step is tried again."},
    {"jobs-absent", jobs_absent, ACTION_CREATE_JOBS, OUTCOME_KEEP, "InitPrepared", "Pending",
     "All Jobs are made at once; the first runs, the others wait."},
    {"ending", ending, ACTION_NONE, OUTCOME_KEEP, "", "Pending", "The old Job must be gone before the new one."},

    // Trouble.
    {"failed", failed, ACTION_NONE, OUTCOME_STALLED, "", NULL, "The step failed for a reason that a person must mend."},
    {"exhausted", exhausted, ACTION_NONE, OUTCOME_WORKING, "", NULL, "The step failed often and is tried again later."},
    {"blocked", blocked, ACTION_NONE, OUTCOME_WORKING, "", "WaitingForWorker", "The worker's pod cannot start."},
    {"retrying", retrying, ACTION_NONE, OUTCOME_WORKING, "", NULL, "The worker failed and Kubernetes starts another."},

    // The switch, and comparing both ends.
    {"service", sink_service_behind, ACTION_SERVICE_TO_SINK, OUTCOME_KEEP, "", "CuttingOver",
     "The switch has taken place: the Service is made to lead to the sink."},
    {"service-back", source_service_behind, ACTION_SERVICE_TO_SOURCE, OUTCOME_KEEP, "", "RollingBack",
     "The switch back has taken place: the Service is made to lead to the source."},
    {"rolled-back", rollback_ended, ACTION_NONE, OUTCOME_READY, "Done", "RolledBack",
     "The source has everything that was committed on the sink; applications use the source again."},
    {"rollback-ending", rolled_back, ACTION_NONE, OUTCOME_WORKING, "Running", "RollingBack",
     "The switch back has taken place, and the worker that followed changes is ending."},
    {"rollback-withdrawn", rollback_withdrawn, ACTION_DELETE_ROLLBACK, OUTCOME_KEEP, "", "StreamingBack",
     "The switch back is no longer asked for: the sink keeps its writes."},
    {"rollback-again", rollback_again, ACTION_DELETE_ROLLBACK, OUTCOME_KEEP, "", "RollingBack",
     "The switch back is tried again."},
    {"rollback-waiting", rollback_waiting, ACTION_NONE, OUTCOME_WORKING, "Running", "RollbackWaiting",
     "The switch back cannot begin yet, or ended in the middle, and is tried again."},
    {"rollback-failed", rollback_failed, ACTION_NONE, OUTCOME_STALLED, "Running", "RollbackFailed",
     "The switch back has not taken place; the sink takes writes, and its changes are followed."},
    {"rolling-back", rolling_back, ACTION_NONE, OUTCOME_WORKING, "Running", "RollingBack",
     "The switch back to the source is under way."},
    {"rollback-begin", rollback_begin, ACTION_CREATE_ROLLBACK, OUTCOME_KEEP, "", "RollingBack",
     "The switch back is asked for, and the sink's changes are followed: it begins."},
    {"cut-over", cutover_ended, ACTION_NONE, OUTCOME_READY, "Done", "CutOver",
     "The sink has everything that was committed on the source; applications use the sink."},
    {"cutover-ending", cutover_ending, ACTION_NONE, OUTCOME_WORKING, "Running", "CuttingOver",
     "The switch has taken place, and the worker that followed changes is ending."},
    {"cutover-withdrawn", cutover_withdrawn, ACTION_DELETE_CUTOVER, OUTCOME_KEEP, "", "Streaming",
     "The switch is no longer asked for: the source keeps its writes."},
    {"cutover-again", cutover_again, ACTION_DELETE_CUTOVER, OUTCOME_KEEP, "", "CuttingOver",
     "The switch is tried again."},
    {"cutting-over", cutting_over, ACTION_NONE, OUTCOME_WORKING, "Running", "CuttingOver",
     "The switch to the sink is under way."},
    {"verify-again", verify_again, ACTION_DELETE_VERIFY, OUTCOME_KEEP, "", "Streaming",
     "The next verification is due: the last one's Job makes room."},
    {"verify-begin", verify_begin, ACTION_CREATE_VERIFY, OUTCOME_KEEP, "", "Streaming",
     "Both ends are compared, while changes are followed."},
    {"cutover-waiting", cutover_waiting, ACTION_NONE, OUTCOME_WORKING, "Running", "CutoverWaiting",
     "The switch cannot begin yet, or ended in the middle, and is tried again."},
    {"cutover-failed", cutover_failed, ACTION_NONE, OUTCOME_STALLED, "Running", "CutoverFailed",
     "The switch has not taken place; the source takes writes, and changes are followed."},
    {"cutover-begin", cutover_begin, ACTION_CREATE_CUTOVER, OUTCOME_KEEP, "", "CuttingOver",
     "The switch is asked for, and changes are followed: it begins."},

    // At work.
    {"next-step", waiting, ACTION_RESUME_CURRENT, OUTCOME_KEEP, "Init", NULL,
     "The step before is done: this one begins."},
    {"following", following, ACTION_NONE, OUTCOME_READY, "Running", NULL, "Changes are followed."},
    {"before-following", at_stream, ACTION_NONE, OUTCOME_WORKING, "Running", "Connecting",
     "The worker that follows changes is starting."},
    {"done", all_done, ACTION_NONE, OUTCOME_READY, "Done", "Done", "Everything is done."},
    {"at-work", always, ACTION_NONE, OUTCOME_WORKING, "Init", NULL, "A step is at work."},
};

const TaskRow *task_states_rows(size_t *count)
{
    *count = sizeof ROWS / sizeof *ROWS;
    return ROWS;
}

const TaskRow *task_states_decide(const TaskFacts *facts)
{
    const TaskRow *row = ROWS;

    while (!row->when(facts))
        row++;
    return row;
}

const char *task_action_name(TaskAction action)
{
    static const char *const NAMES[ACTION_COUNT] = {
        [ACTION_NONE] = "",
        [ACTION_ADD_FINALIZER] = "add the finalizer",
        [ACTION_REMOVE_FINALIZER] = "remove the finalizer",
        [ACTION_LET_GO] = "remove the finalizer, with an Event that names what is left",
        [ACTION_CREATE_JOBS] = "create the Jobs that are absent",
        [ACTION_DELETE_OUTDATED] = "delete the outdated Jobs",
        [ACTION_DELETE_CURRENT] = "delete the Job of the step",
        [ACTION_RESUME_CURRENT] = "resume the Job of the step",
        [ACTION_SUSPEND_ALL] = "suspend the Jobs at work",
        [ACTION_DELETE_WORKERS] = "delete the Jobs at work",
        [ACTION_CREATE_CLEANUP] = "create the Job that cleans up",
        [ACTION_DELETE_CLEANUP] = "delete the Job that cleaned up, to make it anew",
        [ACTION_CREATE_VERIFY] = "create the Job that verifies",
        [ACTION_DELETE_VERIFY] = "delete the Job that verified",
        [ACTION_CREATE_CUTOVER] = "create the Job that switches",
        [ACTION_DELETE_CUTOVER] = "delete the Job that switches",
        [ACTION_CREATE_ROLLBACK] = "create the Job that switches back",
        [ACTION_DELETE_ROLLBACK] = "delete the Job that switches back",
        [ACTION_SERVICE_TO_SINK] = "patch the Service",
        [ACTION_SERVICE_TO_SOURCE] = "patch the Service",
    };
    return NAMES[action];
}

void task_states_markdown(Buffer *out)
{
    static const char *const OUTCOMES[] = {[OUTCOME_KEEP] = "as before",
                                           [OUTCOME_WORKING] = "Reconciling",
                                           [OUTCOME_STALLED] = "Stalled",
                                           [OUTCOME_READY] = "Ready"};

    buffer_puts(
        out,
        "# The life of a task\n\n"
        "Made by `kubeferry-controller --states-markdown` from the table in controller/task_states.c; do not edit.\n\n"
        "Whenever something about a task changes, the controller puts together what is so, and takes the first "
        "row of this table that is true: it says what is done next, and what the status shows. `taskStatus` "
        "empty: as far as the task has come (Prepare, InitPrepared, Init, InitFinished, Running, Done). "
        "`reason` empty: the one of the step at work, or of its failure.\n\n"
        "| row | when | what is done | condition | reason | taskStatus |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        buffer_printf(out, "| %s | %s | %s | %s | %s | %s |\n", ROWS[i].id, ROWS[i].why,
                      task_action_name(ROWS[i].action), OUTCOMES[ROWS[i].outcome], ROWS[i].reason ? ROWS[i].reason : "",
                      ROWS[i].status);
}
