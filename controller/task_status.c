// SPDX-License-Identifier: Apache-2.0
// JSON merge patch (RFC 7386): a member that is null takes the field away, one that is not there leaves it.
#include "controller/task_status.h"

#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"
#include "controller/json_hash.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { NOTES_MAX = 100 };

static void add_text(json_object *object, const char *name, const char *text) // "": null
{
    json_object_object_add(object, name, *text ? json_object_new_string(text) : NULL);
}

static void add_integer(json_object *object, const char *name, int64_t value, bool known)
{
    json_object_object_add(object, name, known ? json_object_new_int64(value) : NULL);
}

static void add_time(json_object *object, const char *name, double epoch) // 0: null
{
    char text[K8S_TIME_SIZE] = "";

    if (epoch > 0)
        k8s_time_format(epoch, text);
    add_text(object, name, text);
}

static void add_lsn(json_object *object, const char *name, uint64_t lsn)
{
    char text[24] = "";

    if (lsn > 0)
        snprintf(text, sizeof text, "%X/%X", (unsigned)(lsn >> 32), (unsigned)lsn);
    add_text(object, name, text);
}

// Adds the part when it differs from what is there.
static void add_part(json_object *status, const char *name, json_object *part, uint64_t seen)
{
    if (json_hash(part) == seen)
        json_object_put(part);
    else
        json_object_object_add(status, name, part);
}

// ---- what is done beside cdc ---------------------------------------------------------------------------------------

typedef enum VerificationState {
    VERIFICATION_NONE,
    VERIFICATION_RUNNING,
    VERIFICATION_EQUAL,
    VERIFICATION_DIFFERENT,
    VERIFICATION_FAILED
} VerificationState;

static VerificationState verification_state(const TaskFacts *facts)
{
    const WorkFacts *w = &facts->works[WORK_VERIFY];
    int64_t differences = facts->words[WORK_VERIFY] ? facts->words[WORK_VERIFY]->differences : -1;

    if (work_at_work(w))
        return VERIFICATION_RUNNING;
    if (w->state != WORK_DONE && !work_is_failed(w))
        return VERIFICATION_NONE;
    if (differences < 0)
        return VERIFICATION_FAILED;
    return differences == 0 ? VERIFICATION_EQUAL : VERIFICATION_DIFFERENT;
}

static void add_words(json_object *part, const ProgressRead *words)
{
    const char *message = words ? words->error.message : "", *hint = words ? words->error.hint : "";
    auto_free char *text = memory_printf("%s%s%s", message, *message && *hint ? ". " : "", hint);

    add_text(part, "message", text);
}

static double end_of(const WorkerJob *job)
{
    return job->failed ? job->failed_at : job->finished;
}

static json_object *verification(const TaskFacts *facts, VerificationState state)
{
    static const char *const NAMES[] = {"", "Running", "Equal", "Different", "Failed"};
    const WorkerJob *job = facts->works[WORK_VERIFY].job;
    const ProgressRead *words = state > VERIFICATION_RUNNING ? facts->words[WORK_VERIFY] : NULL;
    json_object *part = json_object_new_object();

    add_text(part, "request", job->request);
    add_text(part, "state", NAMES[state]);
    add_time(part, "startTime", job->created);
    add_time(part, "finishTime", state > VERIFICATION_RUNNING ? end_of(job) : 0);
    add_integer(part, "tables", words ? words->verified_tables : 0, words != NULL);
    add_integer(part, "rows", words ? words->verified_rows : 0, words != NULL);
    add_integer(part, "differences", words ? words->differences : 0, words && words->differences >= 0);
    add_words(part, words);
    return part;
}

// status.cutover or status.rollback. service: the one that leads to where the switch went, or "".
static json_object *switch_part(const TaskFacts *facts, int work, const char *state, const char *service)
{
    const WorkFacts *w = &facts->works[work];
    const ProgressRead *words = work_at_work(w) ? NULL : facts->words[work];
    bool over = w->state == WORK_DONE || work_is_failed(w);
    json_object *part = json_object_new_object();
    char seconds[32] = "";

    if (words && words->cutover_blocked > 0 && words->cutover_released > 0)
        snprintf(seconds, sizeof seconds, "%.1f", words->cutover_released - words->cutover_blocked);
    add_text(part, "state", state);
    add_time(part, "startTime", w->job->created);
    add_time(part, "finishTime", over ? end_of(w->job) : 0);
    add_text(part, "blockedSeconds", seconds);
    add_text(part, "service", service);
    add_words(part, words);
    return part;
}

static const char *switch_state(const TaskFacts *facts, int work)
{
    const WorkFacts *w = &facts->works[work];
    bool blocked = facts->words[work] && facts->words[work]->cutover_blocked > 0;

    if (work_at_work(w))
        return "Running";
    if (w->state != WORK_DONE && !work_is_failed(w))
        return "";
    if (w->state == WORK_DONE || task_facts_switch_is(facts, work, "done")) // what comes after it may have failed
        return "Done";
    if (blocked && task_facts_switch_is(facts, work, "undone"))
        return "Undone";
    return w->state == WORK_FAILED ? "Refused" : "Waiting";
}

static void add_switch(json_object *status, const TaskFacts *facts, int work, const SpecSwitch *wanted, uint64_t seen)
{
    const char *name = work_info(work)->verb, *state = switch_state(facts, work);
    bool service = task_service_is_switched(facts->task, work);

    if (*state)
        add_part(status, name, switch_part(facts, work, state, service ? k8s_text(wanted->service, "name") : ""), seen);
    else if (seen != 0 && !wanted->requested && facts->works[work].state == WORK_ABSENT)
        json_object_object_add(status, name, NULL); // withdrawn
}

// ---- taskStatus and conditions -------------------------------------------------------------------------------------

const char *task_status_name(const TaskFacts *facts, const TaskRow *row)
{
    if (*row->status)
        return row->status;
    if (facts->task->deleted > 0 && *facts->task->seen.task_status)
        return facts->task->seen.task_status;
    if (!facts->jobs_exist && !facts->begun)
        return "Prepare";
    if (!facts->begun)
        return "InitPrepared";
    if (facts->current >= STEP_CDC)
        return facts->works[facts->current].state == WORK_WAITING ? "InitFinished" : "Running";
    return facts->current < 0 ? "Done" : "Init";
}

bool task_status_still_stalled(const TaskFacts *facts, const TaskRow *row)
{
    const WorkFacts *w = facts->current >= 0 ? &facts->works[facts->current] : NULL;

    if (w && (w->state == WORK_RETRYING || w->state == WORK_EXHAUSTED)) // it failed anew, for another reason
        return false;
    return row->outcome == OUTCOME_WORKING && facts->task->deleted <= 0 && !facts->spec.suspend &&
           facts->task->seen.stalled_reason && w && w->job && w->job->exists && w->job->attempt > 1 && !w->outdated;
}

typedef struct Judgement {
    char status[CONDITION_VERIFIED]; // 'T', 'F': of those that kstatus reads
    const char *reason, *message;
} Judgement;

static Judgement judge(const TaskFacts *facts, const TaskRow *row, const TaskMessage *message)
{
    static const char BY_OUTCOME[][CONDITION_VERIFIED] = {
        [OUTCOME_KEEP] = {'F', 'T', 'F'},
        [OUTCOME_WORKING] = {'F', 'T', 'F'},
        [OUTCOME_STALLED] = {'F', 'F', 'T'},
        [OUTCOME_READY] = {'T', 'F', 'F'},
    };
    bool still = task_status_still_stalled(facts, row);
    const char *from = BY_OUTCOME[still ? OUTCOME_STALLED : row->outcome];
    Judgement judgement = {.reason = message->reason, .message = buffer_text(&message->text)};

    memcpy(judgement.status, from, sizeof judgement.status);
    if (still) {
        judgement.reason = facts->task->seen.stalled_reason;
        judgement.message = facts->task->seen.stalled_message;
    }
    return judgement;
}

static json_object *condition(const TaskFacts *facts, ConditionType type, char status, const char *reason,
                              const char *message, bool *changed)
{
    const SeenCondition *seen = &facts->task->seen.conditions[type];
    auto_free char *text = memory_printf("%s\n%s", reason, message);
    json_object *object = json_object_new_object();

    *changed = *changed || seen->status != status || seen->text != json_hash_text(text) ||
               seen->generation != facts->task->generation;
    json_object_object_add(object, "type", json_object_new_string(CONDITION_NAMES[type]));
    json_object_object_add(object, "status", json_object_new_string(status == 'T' ? "True" : "False"));
    json_object_object_add(object, "observedGeneration", json_object_new_int64(facts->task->generation));
    add_time(object, "lastTransitionTime", seen->status == status && seen->since > 0 ? seen->since : facts->now);
    json_object_object_add(object, "reason", json_object_new_string(reason));
    json_object_object_add(object, "message", json_object_new_string(message));
    return object;
}

// What the last verification found, or what is known of an earlier one.
static void add_verified(json_object *list, const TaskFacts *facts, bool *changed)
{
    const SeenStatus *seen = &facts->task->seen;
    VerificationState state = verification_state(facts);
    bool equal = state == VERIFICATION_EQUAL;
    char message[160];

    if (equal || state == VERIFICATION_DIFFERENT) {
        const ProgressRead *words = facts->words[WORK_VERIFY];
        snprintf(message, sizeof message, "%lld rows of %lld tables were compared at one moment: %lld differ",
                 (long long)words->verified_rows, (long long)words->verified_tables, (long long)words->differences);
        json_object_array_add(list, condition(facts, CONDITION_VERIFIED, equal ? 'T' : 'F',
                                              equal ? "Equal" : "Different", message, changed));
    } else if (seen->verified_reason) {
        json_object_array_add(list, condition(facts, CONDITION_VERIFIED, seen->conditions[CONDITION_VERIFIED].status,
                                              seen->verified_reason, seen->verified_message, changed));
    }
}

// The reason stands in all three, so that each can be read alone; the message in Ready, and in the one that holds.
static void add_conditions(json_object *status, const TaskFacts *facts, const Judgement *judgement)
{
    json_object *list = json_object_new_array();
    bool changed = false;

    for (int type = 0; type < CONDITION_VERIFIED; type++) {
        bool speaks = type == CONDITION_READY || judgement->status[type] == 'T';
        json_object_array_add(list, condition(facts, (ConditionType)type, judgement->status[type], judgement->reason,
                                              speaks ? judgement->message : "", &changed));
    }
    add_verified(list, facts, &changed);
    if (changed)
        json_object_object_add(status, "conditions", list);
    else
        json_object_put(list);
}

// ---- the parts -----------------------------------------------------------------------------------------------------

static bool is_empty(json_object *object)
{
    json_object_object_foreach(object, name, value)
    {
        (void)name;
        if (value)
            return false;
    }
    return true;
}

static void add_object_part(json_object *status, const char *name, json_object *part, uint64_t seen)
{
    if (is_empty(part) && seen == 0)
        json_object_put(part); // an empty object instead of none is no news
    else
        add_part(status, name, part, seen);
}

static double first_start(const TaskFacts *facts, bool cdc)
{
    double first = 0;

    for (size_t i = 0; i < facts->plan.count; i++) {
        const WorkerJob *job = facts->works[facts->plan.works[i]].job;
        if ((facts->plan.works[i] >= STEP_CDC) != cdc || !job || !job->exists || job->started <= 0)
            continue;
        if (first <= 0 || job->started < first)
            first = job->started;
    }
    return first;
}

static double last_finish(const TaskFacts *facts, bool with_cdc)
{
    double last = 0;

    for (size_t i = 0; i < facts->plan.count; i++) {
        const WorkerJob *job = facts->works[facts->plan.works[i]].job;
        if ((facts->plan.works[i] < STEP_CDC || with_cdc) && job && job->finished > last)
            last = job->finished;
    }
    return last;
}

static double kept(double seen, double now) // what was written stays
{
    return seen > 0 ? seen : now;
}

static void add_failed_reason(json_object *part, const Judgement *judgement, bool here)
{
    add_text(part, "failedReason", here && judgement->status[CONDITION_STALLED] == 'T' ? judgement->message : "");
}

static json_object *initialization(const TaskFacts *facts, const Judgement *judgement)
{
    const SeenStatus *seen = &facts->task->seen;
    json_object *part = json_object_new_object();
    bool done = facts->plan.init_count > 0 && (facts->current < 0 || facts->current >= STEP_CDC);

    add_time(part, "startTime", kept(seen->init_started, first_start(facts, false)));
    add_time(part, "finishTime", done ? kept(seen->init_finished, last_finish(facts, false)) : 0);
    add_failed_reason(part, judgement, facts->current >= 0 && facts->current < STEP_CDC);
    return part;
}

// "Apr 23,2023 09:56:40.778 UTC+0000", in the local zone, as clients know it.
static void add_client_time(json_object *object, const char *name, double epoch)
{
    char day[40] = "", zone[16] = "", text[80] = "";
    time_t seconds = (time_t)floor(epoch);
    struct tm tm;

    if (epoch > 0) {
        localtime_r(&seconds, &tm);
        strftime(day, sizeof day, "%b %d,%Y %H:%M:%S", &tm);
        strftime(zone, sizeof zone, "%z", &tm);
        snprintf(text, sizeof text, "%s.%03d UTC%s", day, (int)((epoch - floor(epoch)) * 1000.0), zone);
    }
    add_text(object, name, text);
}

static json_object *metrics(const ProgressRead *said)
{
    json_object *part = json_object_new_object();

    add_lsn(part, "lsn", said->lsn_applied);
    add_client_time(part, "timestamp", said->commit_time);
    return part;
}

// Member by member: the metrics stay while no worker tells newer ones.
static void add_cdc(json_object *status, const TaskFacts *facts, const Judgement *judgement, bool due)
{
    const SeenStatus *seen = &facts->task->seen;
    bool known = facts->said && facts->said->lsn_applied > 0 && !facts->spec.config[STEP_CDC].metrics_off;
    double started = first_start(facts, true);
    json_object *part = json_object_new_object();

    if (seen->cdc_started <= 0 && started > 0)
        add_time(part, "startTime", started);
    if (due && known)
        add_part(part, "metrics", metrics(facts->said), seen->cdc_metrics);
    add_failed_reason(part, judgement, facts->current >= STEP_CDC);
    if (json_hash(k8s_member(part, "failedReason")) == seen->cdc_failed)
        json_object_object_del(part, "failedReason");
    if (json_object_object_length(part) > 0)
        json_object_object_add(status, "cdc", part);
    else
        json_object_put(part);
}

static void add_copy_counts(json_object *part, const TaskFacts *facts)
{
    const ProgressRead *said = facts->said;
    const int64_t *seen = facts->task->seen.copy;
    bool copied = said->tables_total > 0 || said->bytes_total > 0;
    bool all = said->steps[STEP_INIT_DATA].state == PROGRESS_DONE; // the total is an estimate
    int64_t percent = said->bytes_total > 0 && !all ? said->bytes_done * 100 / said->bytes_total : copied ? 100 : 0;
    const int64_t now[COPY_COUNTS] = {
        [COPY_PERCENT] = percent < 100 ? percent : 100, [COPY_ROWS] = said->rows_done,
        [COPY_ROWS_TOTAL] = said->rows_total,           [COPY_BYTES] = said->bytes_done,
        [COPY_BYTES_TOTAL] = said->bytes_total,         [COPY_TABLES] = said->tables_done,
        [COPY_TABLES_TOTAL] = said->tables_total,       [COPY_INDEXES] = said->indexes_done,
        [COPY_INDEXES_TOTAL] = said->indexes_total,
    };

    for (int i = 0; i < COPY_COUNTS; i++)
        add_integer(part, COPY_COUNT_NAMES[i], copied ? now[i] : seen[i], copied || seen[i] >= 0);
}

static json_object *notes(const ProgressRead *said)
{
    json_object *list = json_object_new_array();

    for (size_t i = 0; i < said->note_count && i < NOTES_MAX; i++)
        json_object_array_add(list, json_object_new_string(said->notes[i]));
    return list;
}

static json_object *progress(const TaskFacts *facts)
{
    const ProgressRead *said = facts->said;
    bool copying = said->state == PROGRESS_RUNNING && said->step == STEP_INIT_DATA;
    bool following = said->lsn_applied > 0;
    json_object *part = json_object_new_object();
    char lag[32] = "";

    if (following)
        snprintf(lag, sizeof lag, "%.1f", said->lag_seconds);
    add_text(part, "step", said->step < STEP_COUNT ? step_api_name(said->step) : "");
    add_text(part, "phase", said->phase);
    add_copy_counts(part, facts);
    add_integer(part, "rowsPerSecond", (int64_t)said->rows_per_second, copying);
    add_integer(part, "secondsLeft", (int64_t)said->seconds_left, copying && said->seconds_left >= 0);
    add_lsn(part, "lsnApplied", said->lsn_applied);
    add_lsn(part, "lsnSource", said->lsn_source);
    add_integer(part, "lagBytes", said->lag_bytes, following);
    add_text(part, "lagSeconds", lag);
    add_time(part, "lastCommitTime", said->commit_time);
    add_integer(part, "slotRetainedBytes", said->slot_retained_bytes, *said->slot != '\0');
    json_object_object_add(part, "notes", said->note_count > 0 ? notes(said) : NULL);
    return part;
}

// Those that passed are left out: a worker's last words, which are all that is left of most, have no room for them.
static json_object *prechecks(const ProgressRead *said)
{
    static const char *const VERDICTS[] = {[CHECK_PASS] = "pass", [CHECK_WARN] = "warn", [CHECK_FAIL] = "fail"};
    json_object *list = json_object_new_array();

    for (size_t i = 0; i < said->check_count && i < NOTES_MAX; i++) {
        const ProgressCheck *check = &said->checks[i];
        if (check->verdict == CHECK_PASS)
            continue;
        json_object *item = json_object_new_object();
        add_text(item, "id", check->id);
        add_text(item, "verdict", VERDICTS[check->verdict]);
        add_text(item, "message", check->message);
        if (check->remedy && *check->remedy)
            add_text(item, "remedy", check->remedy);
        json_object_array_add(list, item);
    }
    return list;
}

// ---- the whole -----------------------------------------------------------------------------------------------------

static void add_times(json_object *status, const TaskFacts *facts)
{
    const SeenStatus *seen = &facts->task->seen;
    double init = first_start(facts, false), following = first_start(facts, true);
    double started = init > 0 ? init : following;

    if (seen->started <= 0 && started > 0)
        add_time(status, "startTime", started);
    if (facts->current < 0 && facts->plan.count > 0 && seen->finished <= 0)
        add_time(status, "finishTime", kept(last_finish(facts, true), facts->now));
    if (facts->current >= 0 && seen->finished > 0)
        add_time(status, "finishTime", 0);
}

static void add_side_works(json_object *status, const TaskFacts *facts)
{
    const SeenStatus *seen = &facts->task->seen;
    VerificationState verified = verification_state(facts);

    if (verified != VERIFICATION_NONE)
        add_part(status, "verification", verification(facts, verified), seen->verification);
    add_switch(status, facts, WORK_CUTOVER, &facts->spec.cutover, seen->cutover);
    add_switch(status, facts, WORK_ROLLBACK, &facts->spec.rollback, seen->rollback);
}

static void add_heads(json_object *status, const TaskFacts *facts, const TaskRow *row)
{
    const SeenStatus *seen = &facts->task->seen;
    const char *name = task_status_name(facts, row);

    if (strcmp(seen->task_status, name) != 0)
        add_text(status, "taskStatus", name);
    add_times(status, facts);
}

char *task_status_patch(const TaskFacts *facts, const TaskRow *row, const TaskMessage *message, StatusDue due)
{
    const SeenStatus *seen = &facts->task->seen;
    const Judgement judgement = judge(facts, row, message);
    json_object *status = json_object_new_object();
    char *text = NULL;

    add_heads(status, facts, row);
    add_conditions(status, facts, &judgement);
    add_object_part(status, "initialization", initialization(facts, &judgement), seen->initialization);
    add_cdc(status, facts, &judgement, due.metrics);
    add_side_works(status, facts);
    if (due.progress && facts->said)
        add_object_part(status, "progress", progress(facts), seen->progress);
    if (facts->said && facts->said->check_count > 0)
        add_part(status, "prechecks", prechecks(facts->said), seen->prechecks);
    if (json_object_object_length(status) > 0 || seen->generation != facts->task->generation) {
        json_object *patch = json_object_new_object();
        json_object_object_add(status, "observedGeneration", json_object_new_int64(facts->task->generation));
        json_object_object_add(patch, "status", status);
        text = memory_strdup(json_object_to_json_string_ext(patch, JSON_C_TO_STRING_PLAIN));
        json_object_put(patch);
    } else {
        json_object_put(status);
    }
    return text;
}
