// SPDX-License-Identifier: Apache-2.0
// The progress document as JSON, in full and cut to a termination message (docs/progress-document.md).
#include "common/base/clock.h"
#include "common/base/lsn.h"
#include "common/base/memory.h"
#include "common/contract/progress_document.h"

#include <stdio.h>
#include <string.h>

enum {
    TERMINATION_MAX = 4096,
    TERMINATION_TEXT_MAX = 600,
    PLAIN = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE
};

static void add_text(json_object *o, const char *key, const char *text)
{
    json_object_object_add(o, key, json_object_new_string(text));
}

static void add_integer(json_object *o, const char *key, int64_t value)
{
    json_object_object_add(o, key, json_object_new_int64(value));
}

static void add_seconds(json_object *o, const char *key, double value)
{
    char text[64];
    snprintf(text, sizeof text, "%.4f", value);
    json_object_object_add(o, key, json_object_new_double_s(value, text));
}

static void add_rate(json_object *o, const char *key, double value)
{
    char text[64];
    snprintf(text, sizeof text, "%.1f", value);
    json_object_object_add(o, key, json_object_new_double_s(value, text));
}

static void add_time(json_object *o, const char *key, double epoch)
{
    char text[CLOCK_TEXT_SIZE];
    if (epoch <= 0) {
        json_object_object_add(o, key, NULL);
        return;
    }
    clock_format(epoch, text);
    add_text(o, key, text);
}

static void add_lsn(json_object *o, const char *key, uint64_t lsn)
{
    if (lsn == 0)
        json_object_object_add(o, key, NULL);
    else
        add_text(o, key, lsn_format(lsn).text);
}

static json_object *steps_to_json(const Progress *p)
{
    json_object *list = json_object_new_array();
    double now = clock_now();

    for (int i = 0; i < STEP_COUNT; i++) {
        const ProgressStep *step = &p->steps[i];
        bool off = !p->wanted[i] && step->state == PROGRESS_WAITING;
        json_object *o = json_object_new_object();
        add_text(o, "step", step_name((Step)i));
        add_text(o, "state", off ? "off" : progress_state_name(step->state));
        add_time(o, "startedAt", step->started);
        add_time(o, "finishedAt", step->finished);
        if (step->started > 0)
            add_rate(o, "seconds", (step->finished > 0 ? step->finished : now) - step->started);
        json_object_array_add(list, o);
    }
    return list;
}

static json_object *running_to_json(const Progress *p)
{
    json_object *list = json_object_new_array();
    double now = clock_monotonic();

    for (int i = 0; i < TASK_JOBS_MAX; i++) {
        const ProgressRunning *running = &p->running[i];
        if (!running->active)
            continue;
        json_object *o = json_object_new_object();
        add_integer(o, "worker", i);
        add_text(o, "relation", running->relation);
        add_text(o, "what", running->what);
        add_integer(o, "rows", running->rows);
        add_integer(o, "bytes", running->bytes);
        add_integer(o, "bytesTotal", running->bytes_total);
        add_rate(o, "seconds", now - running->since);
        json_object_array_add(list, o);
    }
    return list;
}

static json_object *copy_to_json(const Progress *p, const ProgressRates *rates)
{
    json_object *o = json_object_new_object();

    add_integer(o, "tablesDone", p->tables_done);
    add_integer(o, "tablesTotal", p->tables_total);
    add_integer(o, "rowsDone", p->rows_done);
    add_integer(o, "rowsTotalEstimate", p->rows_total);
    add_integer(o, "bytesDone", p->bytes_done);
    add_integer(o, "bytesTotal", p->bytes_total);
    add_integer(o, "indexesDone", p->indexes_done);
    add_integer(o, "indexesTotal", p->indexes_total);
    add_rate(o, "rowsPerSecond", rates->rows);
    add_rate(o, "bytesPerSecond", rates->bytes);
    if (rates->seconds_left >= 0)
        add_rate(o, "secondsLeft", rates->seconds_left);
    else
        json_object_object_add(o, "secondsLeft", NULL);
    return o;
}

static json_object *stream_to_json(const Progress *p, const ProgressRates *rates)
{
    json_object *o = json_object_new_object();

    add_lsn(o, "lsnApplied", p->lsn_applied);
    add_lsn(o, "lsnFlushed", p->lsn_flushed);
    add_lsn(o, "lsnSource", p->lsn_source);
    add_time(o, "commitTime", p->commit_time);
    add_integer(o, "lagBytes", p->lag_bytes);
    add_seconds(o, "lagSeconds", p->lag_seconds);
    add_integer(o, "transactions", p->transactions);
    add_integer(o, "changes", p->changes);
    add_integer(o, "inserts", p->inserts);
    add_integer(o, "updates", p->updates);
    add_integer(o, "deletes", p->deletes);
    add_integer(o, "truncates", p->truncates);
    add_integer(o, "batches", p->batches);
    add_integer(o, "replays", p->replays);
    add_integer(o, "reconnects", p->reconnects);
    add_rate(o, "transactionsPerSecond", rates->transactions);
    add_rate(o, "changesPerSecond", rates->changes);
    return o;
}

static json_object *slot_to_json(const Progress *p)
{
    json_object *o = json_object_new_object();
    add_text(o, "name", p->slot);
    add_integer(o, "retainedBytes", p->slot_retained_bytes);
    return o;
}

static json_object *verify_to_json(const Progress *p)
{
    json_object *o = json_object_new_object();
    add_integer(o, "tables", p->verified_tables);
    add_integer(o, "rows", p->verified_rows);
    add_integer(o, "bytes", p->verified_bytes);
    add_rate(o, "seconds", p->verify_seconds);
    if (p->differences >= 0)
        add_integer(o, "differences", p->differences);
    else
        json_object_object_add(o, "differences", NULL);
    return o;
}

static json_object *cutover_to_json(const ProgressCutover *cutover)
{
    if (!cutover->state[0])
        return NULL;
    json_object *o = json_object_new_object();
    add_text(o, "state", cutover->state);
    if (cutover->block[0])
        add_text(o, "block", cutover->block);
    add_time(o, "startedAt", cutover->started);
    add_time(o, "blockedAt", cutover->blocked);
    add_time(o, "releasedAt", cutover->released);
    if (cutover->blocked > 0)
        add_seconds(o, "blockedSeconds", (cutover->released > 0 ? cutover->released : clock_now()) - cutover->blocked);
    return o;
}

static json_object *check_to_json(const ProgressCheck *check)
{
    json_object *o = json_object_new_object();
    add_text(o, "id", check->id);
    add_text(o, "verdict", progress_verdict_name(check->verdict));
    add_text(o, "message", check->message);
    if (*check->remedy)
        add_text(o, "remedy", check->remedy);
    return o;
}

static json_object *check_list(const Progress *p, CheckVerdict *worst)
{
    json_object *list = json_object_new_array();
    *worst = CHECK_PASS;
    for (size_t i = 0; i < p->check_count; i++) {
        json_object_array_add(list, check_to_json(&p->checks[i]));
        if (p->checks[i].verdict > *worst)
            *worst = p->checks[i].verdict;
    }
    return list;
}

json_object *progress_checks_to_json(Progress *p)
{
    json_object *o = json_object_new_object();
    CheckVerdict worst;

    pthread_mutex_lock(&p->lock);
    json_object *list = check_list(p, &worst);
    pthread_mutex_unlock(&p->lock);
    add_text(o, "verdict", progress_verdict_name(worst));
    json_object_object_add(o, "checks", list);
    return o;
}

static void add_cut_text(json_object *o, const char *key, const char *text, size_t max)
{
    size_t len = strlen(text);
    if (len <= max) {
        add_text(o, key, text);
        return;
    }
    while (max > 0 && ((unsigned char)text[max] & 0xC0) == 0x80) // not in the middle of a character
        max--;
    auto_free char *cut = memory_printf("%.*s…", (int)max, text);
    add_text(o, key, cut);
}

static json_object *error_to_json(const Error *error, size_t text_max)
{
    const ErrorClass *class = error_class(error->code);

    if (error->code == ERROR_NONE)
        return NULL;
    json_object *o = json_object_new_object();
    add_text(o, "code", class->name);
    add_text(o, "reason", class->reason);
    add_integer(o, "exitCode", class->exit_code);
    json_object_object_add(o, "retry", json_object_new_boolean(class->retry));
    if (error->sqlstate[0])
        add_text(o, "sqlstate", error->sqlstate);
    add_cut_text(o, "message", error->message, text_max);
    if (error->hint[0])
        add_cut_text(o, "hint", error->hint, text_max);
    return o;
}

// Everything but the lists that may be long. Under the lock.
static json_object *head_to_json(const Progress *p, const ProgressRates *rates, size_t text_max)
{
    json_object *o = json_object_new_object();

    add_integer(o, "version", PROGRESS_VERSION);
    add_text(o, "task", p->task);
    add_text(o, "verb", p->verb);
    add_integer(o, "worker", p->worker);
    add_text(o, "state", progress_state_name(p->state));
    add_text(o, "step", step_name(p->step));
    add_text(o, "phase", p->phase);
    add_time(o, "startedAt", p->started);
    add_time(o, "updatedAt", clock_now());
    json_object_object_add(o, "error", error_to_json(&p->error, text_max));
    json_object_object_add(o, "steps", steps_to_json(p));
    json_object_object_add(o, "copy", copy_to_json(p, rates));
    json_object_object_add(o, "stream", stream_to_json(p, rates));
    json_object_object_add(o, "slot", slot_to_json(p));
    json_object_object_add(o, "verify", verify_to_json(p));
    json_object_object_add(o, "cutover", cutover_to_json(&p->cutover));
    return o;
}

json_object *progress_to_json(Progress *p)
{
    double p50 = progress_lag_quantile(p, 0.5), p99 = progress_lag_quantile(p, 0.99);
    ProgressRates rates;
    CheckVerdict worst;

    progress_rates(p, &rates);
    pthread_mutex_lock(&p->lock);
    json_object *o = head_to_json(p, &rates, sizeof p->error.hint);
    json_object_object_add(json_object_object_get(o, "copy"), "running", running_to_json(p));
    json_object_object_add(o, "checks", check_list(p, &worst));
    json_object *notes = json_object_new_array();
    for (size_t i = 0; i < p->note_count; i++)
        json_object_array_add(notes, json_object_new_string(p->notes[i]));
    json_object_object_add(o, "notes", notes);
    add_integer(o, "notesDropped", (int64_t)p->notes_dropped);
    pthread_mutex_unlock(&p->lock);
    add_seconds(json_object_object_get(o, "stream"), "lagP50Seconds", p50);
    add_seconds(json_object_object_get(o, "stream"), "lagP99Seconds", p99);
    return o;
}

static size_t text_size(json_object *o)
{
    size_t len;
    json_object_to_json_string_length(o, PLAIN, &len);
    return len;
}

// Puts item at the end of list when it fits into *room (a comma comes with it); else it is given back, and false.
static bool add_if_room(json_object *list, json_object *item, size_t *room)
{
    size_t need = text_size(item) + 1;
    if (need > *room) {
        json_object_put(item);
        return false;
    }
    *room -= need;
    json_object_array_add(list, item);
    return true;
}

static json_object *cut_check(const ProgressCheck *check)
{
    json_object *o = json_object_new_object();
    add_text(o, "id", check->id);
    add_text(o, "verdict", progress_verdict_name(check->verdict));
    add_cut_text(o, "message", check->message, TERMINATION_TEXT_MAX / 2);
    if (*check->remedy)
        add_cut_text(o, "remedy", check->remedy, TERMINATION_TEXT_MAX / 2);
    return o;
}

// Failed checks, then warnings, then notes, as room is. Under the lock.
static void add_lists(json_object *o, const Progress *p, size_t room)
{
    json_object *checks = json_object_new_array(), *notes = json_object_new_array();
    int64_t checks_dropped = 0, notes_dropped = (int64_t)p->notes_dropped;

    for (int verdict = CHECK_FAIL; verdict >= CHECK_WARN; verdict--)
        for (size_t i = 0; i < p->check_count; i++)
            if ((int)p->checks[i].verdict == verdict)
                checks_dropped += !add_if_room(checks, cut_check(&p->checks[i]), &room);
    for (size_t i = 0; i < p->note_count; i++)
        notes_dropped += !add_if_room(notes, json_object_new_string(p->notes[i]), &room);
    json_object_object_add(o, "checks", checks);
    json_object_object_add(o, "notes", notes);
    add_integer(o, "checksDropped", checks_dropped);
    add_integer(o, "notesDropped", notes_dropped);
}

char *progress_to_termination(Progress *p)
{
    static const char LISTS[] = ",\"checks\":[],\"notes\":[],\"checksDropped\":99999,\"notesDropped\":9999999999";
    ProgressRates rates;
    json_object *o = NULL;
    size_t used = TERMINATION_MAX;

    progress_rates(p, &rates);
    pthread_mutex_lock(&p->lock);
    // Quotes and control characters grow in JSON: cut the error's text further until the rest fits.
    for (size_t text_max = TERMINATION_TEXT_MAX; used + sizeof LISTS > TERMINATION_MAX; text_max /= 2) {
        json_object_put(o);
        o = head_to_json(p, &rates, text_max);
        used = text_size(o);
        if (text_max == 0)
            break;
    }
    add_lists(o, p, used + sizeof LISTS < TERMINATION_MAX ? TERMINATION_MAX - used - sizeof LISTS : 0);
    pthread_mutex_unlock(&p->lock);
    char *text = memory_strdup(json_object_to_json_string_ext(o, PLAIN));
    json_object_put(o);
    return text;
}
