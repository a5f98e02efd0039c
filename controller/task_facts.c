// SPDX-License-Identifier: Apache-2.0
#include "controller/task_facts.h"

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/contract/exit_codes.h"
#include "controller/json_hash.h"
#include "controller/task_secret.h"

#include <string.h>

enum {
    FAILED_RETRY_S = 30, // a person must mend it: looked at again after that, and twice as long each time
    FAILED_RETRY_MAX_S = 600,
    EXHAUSTED_RETRY_S = 15,
    EXHAUSTED_RETRY_MAX_S = 300,
    SOON_RETRY_S = 10, // cleaning up, and the switches
    SOON_RETRY_MAX_S = 120,
    START_S = 45, // a pod that has not started after that is worth a word
    FRESH_S = 30, // what a worker said counts as the present for so long
};

bool work_at_work(const WorkFacts *work)
{
    return work->state == WORK_STARTING || work->state == WORK_RUNNING || work->state == WORK_RETRYING;
}

double task_facts_patience(const TaskFacts *facts, const WorkFacts *work)
{
    if (work->state != WORK_STARTING || (work->pod && work->pod->exit_code >= 0))
        return -1;
    double since = work->pod ? work->pod->created : work->job->started > 0 ? work->job->started : work->job->created;
    double left = since + START_S - facts->now;
    return left > 0 ? left : 0;
}

bool work_is_failed(const WorkFacts *work)
{
    return work->state == WORK_FAILED || work->state == WORK_EXHAUSTED;
}

bool task_facts_switch_is(const TaskFacts *facts, int work, const char *state)
{
    return facts->words[work] && strcmp(facts->words[work]->cutover_state, state) == 0;
}

double task_facts_retry_time(const WorkFacts *work)
{
    bool soon = work->job->work >= WORK_CUTOVER, person = work->state == WORK_FAILED;
    int first = soon ? SOON_RETRY_S : person ? FAILED_RETRY_S : EXHAUSTED_RETRY_S;
    int most = soon ? SOON_RETRY_MAX_S : person ? FAILED_RETRY_MAX_S : EXHAUSTED_RETRY_MAX_S;
    double delay = first;

    for (int i = 1; i < work->job->attempt && delay < most; i++)
        delay *= 2;
    return work->job->failed_at + (delay < most ? delay : most);
}

char *task_facts_slot(const TaskFacts *facts)
{
    char *slot = memory_strdup(facts->task->name);

    for (char *p = slot; *p; p++)
        *p = *p == '-' || *p == '.' ? '_' : *p;
    return slot;
}

char *task_facts_job_name(const TaskFacts *facts, int work)
{
    return task_plan_job_name(facts->task->name, work, task_plan_order(&facts->plan, work));
}

json_object *task_facts_job(const TaskFacts *facts, const WorkerSettings *settings, int work, bool suspend,
                            char **inputs)
{
    int attempt = facts->task->attempt[work];
    const JobWish wish = {.task = facts->task,
                          .spec = &facts->spec,
                          .plan = &facts->plan,
                          .template = facts->template,
                          .secret = facts->secret,
                          .work = work,
                          .attempt = attempt > 0 ? attempt : 1,
                          .suspend = suspend};

    return task_job(settings, &wish, inputs);
}

// ---- one work ------------------------------------------------------------------------------------------------------

static WorkState failed_state(const WorkerJob *job)
{
    const WorkerPod *pod = worker_job_failed_pod(job);
    bool person = strcmp(job->failed_reason, "PodFailurePolicy") == 0 ||
                  (pod && (pod->exit_code == EXIT_CONFIG || pod->exit_code == EXIT_CONDITION));

    return person ? WORK_FAILED : WORK_EXHAUSTED;
}

static WorkState state_of(const WorkerJob *job, const Task *task)
{
    const WorkerPod *pod = worker_job_pod(job);

    if (!job->exists)
        return WORK_ABSENT;
    if (strcmp(job->owner, task->uid) != 0)
        return job->deleted ? WORK_ENDING : WORK_FOREIGN;
    if (job->deleted)
        return WORK_ENDING;
    if (job->complete)
        return WORK_DONE;
    if (job->failed)
        return failed_state(job);
    if (job->suspended)
        return WORK_WAITING;
    if (pod && pod->running && !pod->deleted)
        return WORK_RUNNING;
    // Between two pods, and while the next one starts.
    return job->pods_failed > 0 || (pod && pod->exit_code > 0) ? WORK_RETRYING : WORK_STARTING;
}

// A pod of any Job of that name whose container may still run.
static bool has_live_pod(const WorkerJob *job)
{
    for (const WorkerPod *pod = job ? job->pods : NULL; pod; pod = pod->next)
        if (pod->exit_code < 0 && strcmp(pod->phase, "Succeeded") != 0 && strcmp(pod->phase, "Failed") != 0)
            return true;
    return false;
}

static void look_at_work(TaskFacts *facts, const Store *store, int work)
{
    auto_free char *name = task_facts_job_name(facts, work);
    WorkFacts *w = &facts->works[work];

    w->job = store_job(store, facts->task->namespace_name, name);
    w->state = w->job ? state_of(w->job, facts->task) : WORK_ABSENT;
    w->pod = w->job ? worker_job_pod(w->job) : NULL;
    w->failed = w->job ? worker_job_failed_pod(w->job) : NULL;
    bool ours = w->job && w->job->exists && w->state != WORK_FOREIGN;
    facts->jobs_exist = facts->jobs_exist || ours;
    w->live_pod = has_live_pod(w->job);
    if (work != WORK_CLEANUP)
        facts->workers_left = facts->workers_left || work_at_work(w) || w->live_pod;
    facts->begun = facts->begun || (ours && (w->job->started > 0 || w->job->pods));
}

// Whether a worker may have left something on either end. Only what is certain counts as a no: a Job that is absent may
// have run, and one that was suspended has forgotten when it began. While precheck is not done, nothing after it has
// begun.
static bool is_touched(const TaskFacts *facts)
{
    const WorkFacts *precheck = &facts->works[STEP_PRECHECK];
    bool before_all = precheck->job && precheck->job->exists && precheck->state != WORK_FOREIGN &&
                      precheck->state != WORK_DONE && precheck->state != WORK_ENDING;

    for (int work = 0; work < WORK_COUNT; work++) {
        const WorkFacts *w = &facts->works[work];
        bool ours = w->job && w->job->exists && w->state != WORK_FOREIGN;
        if (work != STEP_PRECHECK && ours &&
            (work == WORK_CLEANUP || w->job->started > 0 || w->job->pods || w->job->pods_failed > 0 ||
             w->job->complete || w->job->failed))
            return true;
    }
    return facts->begun && !before_all;
}

// Only what could be made anew is compared: a worker at work is left alone.
static void compare_inputs(TaskFacts *facts, const WorkerSettings *settings, int work)
{
    WorkFacts *w = &facts->works[work];

    if (w->state != WORK_WAITING && w->state != WORK_FAILED && w->state != WORK_EXHAUSTED)
        return;
    auto_free char *inputs = NULL;
    json_object_put(task_facts_job(facts, settings, work, true, &inputs));
    w->outdated = strcmp(inputs, w->job->inputs) != 0;
}

// ---- the whole -----------------------------------------------------------------------------------------------------

// Once cdc has begun, the steps before it are done, whether their Jobs are still there or not.
static bool is_done(const TaskFacts *facts, int work)
{
    const WorkerJob *cdc = facts->works[STEP_CDC].job;
    bool followed = task_plan_has(&facts->plan, STEP_CDC) && cdc && cdc->exists && cdc->started > 0;

    return facts->works[work].state == WORK_DONE || (work < STEP_CDC && followed) ||
           (facts->works[work].state == WORK_ABSENT && work < STEP_CDC && facts->task->seen.init_finished > 0);
}

static void find_current(TaskFacts *facts)
{
    facts->current = -1;
    for (size_t i = 0; i < facts->plan.count; i++)
        if (!is_done(facts, facts->plan.works[i])) {
            facts->current = facts->plan.works[i];
            return;
        }
}

static void read_last_words(TaskFacts *facts, const WorkerPod *pod)
{
    Error ignored;

    if (!pod || !*pod->message || facts->has_last_words)
        return;
    facts->has_last_words = progress_read(pod->message, strlen(pod->message), &facts->last_words, &ignored) == 0;
}

// A running worker's answer, else the last words of the one that failed, or of the last one that was done.
static void listen_to_worker(TaskFacts *facts)
{
    const TaskProgress *progress = facts->task->progress;
    int work = facts->task->deleted > 0 ? (int)WORK_CLEANUP
               : facts->current >= 0    ? facts->current
               : facts->plan.count > 0  ? facts->plan.works[facts->plan.count - 1]
                                        : 0;
    const WorkFacts *w = &facts->works[work];
    bool heard = w->state == WORK_RUNNING && progress && progress->work == work &&
                 strcmp(progress->pod, w->pod->name) == 0; // and not of the pod before

    if (heard && facts->monotonic - progress->at < FRESH_S) {
        facts->said = &progress->said;
        facts->following = (work == STEP_CDC || work == WORK_REVERSE) && progress->said.state == PROGRESS_RUNNING &&
                           progress->said.lsn_applied > 0;
        return;
    }
    if (w->state == WORK_RUNNING)
        return;
    read_last_words(facts, w->failed);
    read_last_words(facts, w->pod);
    for (size_t i = facts->plan.count; i-- > 0 && !facts->has_last_words;) // of the step before
        if (facts->works[facts->plan.works[i]].state == WORK_DONE)
            read_last_words(facts, facts->works[facts->plan.works[i]].pod);
    if (facts->has_last_words)
        facts->said = &facts->last_words;
}

// ---- beside cdc
// ------------------------------------------------------------------------------------------------------

static ProgressRead *words_of(const WorkFacts *w)
{
    const WorkerPod *pod = w->failed && !(w->pod && w->pod->exit_code == 0) ? w->failed : w->pod;
    ProgressRead *words;
    Error ignored;

    if (!pod || !*pod->message)
        return NULL;
    words = memory_alloc(sizeof *words);
    if (progress_read(pod->message, strlen(pod->message), words, &ignored) == 0)
        return words;
    free(words);
    return NULL;
}

static bool verification_is_due(const TaskFacts *facts)
{
    const SpecVerification *wanted = &facts->spec.verification;
    const SeenStatus *seen = &facts->task->seen;
    const WorkFacts *w = &facts->works[WORK_VERIFY];
    bool exists = w->state != WORK_ABSENT;
    double last = exists ? w->job->created : seen->verify_started;

    if (work_at_work(w) || w->state == WORK_ENDING || w->state == WORK_FOREIGN)
        return false;
    if (*wanted->request &&
        json_hash_text(wanted->request) != (exists ? json_hash_text(w->job->request) : seen->verify_request))
        return true;
    return wanted->every_minutes > 0 && facts->now - last >= wanted->every_minutes * 60.0;
}

static void look_beside(TaskFacts *facts)
{
    for (int work = WORK_VERIFY; work <= WORK_ROLLBACK; work++)
        facts->words[work] = words_of(&facts->works[work]);
    facts->verify_wanted = verification_is_due(facts);
}

// ---- the whole -----------------------------------------------------------------------------------------------------

static void make_plan(TaskFacts *facts)
{
    Task *task = facts->task;

    facts->unsupported = task_spec_unsupported(&facts->spec, task->namespace_name, &facts->problem);
    facts->planned = facts->template && task_plan_make(&facts->spec, facts->template, &facts->plan, &facts->problem);
    if (!facts->planned)
        task_plan_guess(&facts->spec, &facts->plan);
    facts->document = task_secret_document(task, &facts->spec, &facts->plan);
    facts->secret = task_secret_name(task, &facts->spec, facts->document);
}

void task_facts_gather(const Store *store, const WorkerSettings *settings, Task *task, TaskFacts *out)
{
    *out = (TaskFacts){.task = task, .now = clock_now(), .monotonic = clock_monotonic(), .current = -1};
    task_spec_read(task->spec, task->spec_len, &out->spec);
    out->template = store_template(store, out->spec.template);
    make_plan(out);
    for (size_t i = 0; i < out->plan.count; i++)
        look_at_work(out, store, out->plan.works[i]);
    for (int work = STEP_COUNT; work < WORK_COUNT; work++)
        look_at_work(out, store, work);
    if (out->works[WORK_CUTOVER].state == WORK_DONE && task_spec_both_ways(&out->spec))
        out->plan.works[out->plan.count++] = WORK_REVERSE; // from the switch on
    out->begun = out->begun || task->seen.started > 0;
    out->touched = is_touched(out);
    if (out->planned && !out->unsupported)
        for (size_t i = 0; i < out->plan.count; i++)
            compare_inputs(out, settings, out->plan.works[i]);
    if (out->planned && !out->unsupported)
        for (int work = WORK_CUTOVER; work <= WORK_ROLLBACK; work++)
            compare_inputs(out, settings, work);
    find_current(out);
    listen_to_worker(out);
    look_beside(out);
}

void task_facts_free(TaskFacts *facts)
{
    task_spec_free(&facts->spec);
    buffer_free(&facts->problem);
    json_object_put(facts->document);
    free(facts->secret);
    if (facts->has_last_words)
        progress_read_free(&facts->last_words);
    for (int work = 0; work < WORK_COUNT; work++) {
        if (facts->words[work])
            progress_read_free(facts->words[work]);
        free(facts->words[work]);
    }
    *facts = (TaskFacts){0};
}
