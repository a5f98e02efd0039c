// SPDX-License-Identifier: Apache-2.0
// Writing into the progress struct. Its forms for readers are in progress_json.c and progress_metrics.c.
#include "common/contract/progress_document.h"

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/secrets.h"
#include "common/base/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NOTES_MAX = 100, LAG_BUCKETS = 64 };
static const double LAG_UNIT_SECONDS = 0.0001;
static const double SAMPLE_SECONDS = 1.0;

const char *progress_state_name(ProgressState state)
{
    static const char *const NAMES[] = {"waiting", "running", "done", "failed", "stopped"};
    return NAMES[state];
}

const char *progress_verdict_name(CheckVerdict verdict)
{
    static const char *const NAMES[] = {"pass", "warn", "fail"};
    return NAMES[verdict];
}

// A copy that is fit to leave the process. Caller frees.
static char *clean_copy(const char *text)
{
    char *copy = memory_strdup(text);
    secrets_scrub(copy);
    utf8_repair(copy);
    return copy;
}

void progress_init(Progress *p, const TaskDocument *task, const char *verb)
{
    Step only;

    *p = (Progress){.state = PROGRESS_RUNNING, .started = clock_now(), .differences = -1};
    pthread_mutex_init(&p->lock, NULL);
    snprintf(p->task, sizeof p->task, "%s", task->name);
    snprintf(p->verb, sizeof p->verb, "%s", verb);
    if (step_parse(verb, strlen(verb), &only))
        p->wanted[only] = true;
    else if (strcmp(verb, "run") == 0)
        memcpy(p->wanted, task->steps, sizeof p->wanted);
    for (int i = 0; i < STEP_COUNT; i++)
        if (p->wanted[STEP_COUNT - 1 - i])
            p->step = (Step)(STEP_COUNT - 1 - i);
    auto_free char *slot = task_document_slot(task);
    snprintf(p->slot, sizeof p->slot, "%s", slot);
}

void progress_free(Progress *p)
{
    for (size_t i = 0; i < p->check_count; i++) {
        free(p->checks[i].id);
        free(p->checks[i].message);
        free(p->checks[i].remedy);
    }
    for (size_t i = 0; i < p->note_count; i++)
        free(p->notes[i]);
    free(p->checks);
    free(p->notes);
    pthread_mutex_destroy(&p->lock);
}

void progress_want(Progress *p, Step step)
{
    pthread_mutex_lock(&p->lock);
    p->wanted[step] = true;
    p->step = step;
    pthread_mutex_unlock(&p->lock);
}

void progress_step_start(Progress *p, Step step)
{
    pthread_mutex_lock(&p->lock);
    p->step = step;
    p->state = PROGRESS_RUNNING;
    p->steps[step] = (ProgressStep){PROGRESS_RUNNING, clock_now(), 0};
    p->phase[0] = '\0';
    p->sample_count = 0;
    pthread_mutex_unlock(&p->lock);
}

void progress_step_end(Progress *p, Step step, ProgressState state)
{
    bool all_done = true;

    pthread_mutex_lock(&p->lock);
    p->steps[step].state = state;
    p->steps[step].finished = clock_now();
    for (int i = 0; i < STEP_COUNT; i++)
        all_done = all_done && (!p->wanted[i] || p->steps[i].state == PROGRESS_DONE);
    if (state != PROGRESS_DONE || all_done)
        p->state = state;
    pthread_mutex_unlock(&p->lock);
}

void progress_phase(Progress *p, const char *fmt, ...)
{
    va_list args;
    char text[sizeof p->phase];

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    utf8_repair(text);
    pthread_mutex_lock(&p->lock);
    memcpy(p->phase, text, sizeof text);
    pthread_mutex_unlock(&p->lock);
}

void progress_set_totals(Progress *p, int64_t tables, int64_t rows, int64_t bytes, int64_t indexes)
{
    pthread_mutex_lock(&p->lock);
    p->tables_total = tables;
    p->rows_total = rows;
    p->bytes_total = bytes;
    p->indexes_total = indexes;
    p->sample_count = 0;
    pthread_mutex_unlock(&p->lock);
}

static ProgressSample now_sample(const Progress *p)
{
    return (ProgressSample){clock_monotonic(), p->bytes_done, p->rows_done, p->transactions, p->changes};
}

// Under the lock.
static void take_sample(Progress *p)
{
    const ProgressSample now = now_sample(p);
    if (p->sample_count > 0 && now.at - p->samples[(p->sample_count - 1) % PROGRESS_SAMPLES].at < SAMPLE_SECONDS)
        return;
    p->samples[p->sample_count++ % PROGRESS_SAMPLES] = now;
}

void progress_rates(Progress *p, ProgressRates *out)
{
    *out = (ProgressRates){.seconds_left = -1};
    pthread_mutex_lock(&p->lock);
    take_sample(p);
    size_t oldest = p->sample_count > PROGRESS_SAMPLES ? p->sample_count % PROGRESS_SAMPLES : 0;
    const ProgressSample from = p->samples[oldest], now = now_sample(p);
    double seconds = now.at - from.at;
    if (seconds > 0.05) {
        out->bytes = (double)(now.bytes - from.bytes) / seconds;
        out->rows = (double)(now.rows - from.rows) / seconds;
        out->transactions = (double)(now.transactions - from.transactions) / seconds;
        out->changes = (double)(now.changes - from.changes) / seconds;
    }
    if (out->bytes > 0 && p->bytes_total > p->bytes_done)
        out->seconds_left = (double)(p->bytes_total - p->bytes_done) / out->bytes;
    pthread_mutex_unlock(&p->lock);
}

void progress_worker_start(Progress *p, int worker, const char *relation, const char *what, int64_t bytes_total)
{
    ProgressRunning running = {.active = true, .what = what, .bytes_total = bytes_total, .since = clock_monotonic()};

    if (worker < 0 || worker >= TASK_JOBS_MAX)
        return;
    snprintf(running.relation, sizeof running.relation, "%s", relation);
    utf8_repair(running.relation);
    pthread_mutex_lock(&p->lock);
    p->running[worker] = running;
    pthread_mutex_unlock(&p->lock);
}

void progress_worker_rows(Progress *p, int worker, int64_t rows, int64_t bytes)
{
    if (worker < 0 || worker >= TASK_JOBS_MAX)
        return;
    pthread_mutex_lock(&p->lock);
    ProgressRunning *running = &p->running[worker];
    running->rows += rows;
    running->bytes += bytes;
    if (running->what && strcmp(running->what, "copy") == 0) {
        take_sample(p);
        p->rows_done += rows;
        p->bytes_done += bytes;
    }
    pthread_mutex_unlock(&p->lock);
}

void progress_worker_end(Progress *p, int worker)
{
    if (worker < 0 || worker >= TASK_JOBS_MAX)
        return;
    pthread_mutex_lock(&p->lock);
    p->running[worker].active = false;
    pthread_mutex_unlock(&p->lock);
}

void progress_copied(Progress *p, int64_t rows, int64_t bytes, bool final)
{
    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < TASK_JOBS_MAX; i++) {
        const ProgressRunning *running = &p->running[i];
        bool copies = running->active && strcmp(running->what, "copy") == 0;
        rows += copies ? running->rows : 0;
        bytes += copies ? running->bytes : 0;
    }
    take_sample(p);
    p->rows_done = final || rows > p->rows_done ? rows : p->rows_done;
    p->bytes_done = final || bytes > p->bytes_done ? bytes : p->bytes_done;
    if (final) {
        p->rows_total = p->rows_done;
        p->bytes_total = p->bytes_done;
    }
    pthread_mutex_unlock(&p->lock);
}

void progress_table_done(Progress *p, int64_t tables)
{
    pthread_mutex_lock(&p->lock);
    p->tables_done += tables;
    pthread_mutex_unlock(&p->lock);
}

void progress_index_done(Progress *p)
{
    pthread_mutex_lock(&p->lock);
    p->indexes_done++;
    pthread_mutex_unlock(&p->lock);
}

void progress_check(Progress *p, const char *id, CheckVerdict verdict, const char *message, const char *remedy)
{
    ProgressCheck check = {memory_strdup(id), verdict, clean_copy(message), clean_copy(remedy ? remedy : "")};

    pthread_mutex_lock(&p->lock);
    p->checks = memory_realloc(p->checks, (p->check_count + 1) * sizeof *p->checks);
    p->checks[p->check_count++] = check;
    pthread_mutex_unlock(&p->lock);
}

void progress_note(Progress *p, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    char *note = clean_copy(text);
    pthread_mutex_lock(&p->lock);
    if (p->note_count < NOTES_MAX) {
        p->notes = memory_realloc(p->notes, (p->note_count + 1) * sizeof *p->notes);
        p->notes[p->note_count++] = note;
        note = NULL;
    } else {
        p->notes_dropped++;
    }
    pthread_mutex_unlock(&p->lock);
    free(note);
}

void progress_cutover(Progress *p, const char *state)
{
    bool over = strcmp(state, "done") == 0 || strcmp(state, "undone") == 0;

    pthread_mutex_lock(&p->lock);
    snprintf(p->cutover.state, sizeof p->cutover.state, "%s", strcmp(state, "none") == 0 ? "" : state);
    if (strcmp(state, "preparing") == 0)
        p->cutover.started = clock_now();
    if (over && p->cutover.blocked > 0 && p->cutover.released <= 0)
        p->cutover.released = clock_now();
    pthread_mutex_unlock(&p->lock);
}

void progress_cutover_blocked(Progress *p, const char *block)
{
    pthread_mutex_lock(&p->lock);
    snprintf(p->cutover.block, sizeof p->cutover.block, "%s", block);
    if (p->cutover.blocked <= 0)
        p->cutover.blocked = clock_now();
    pthread_mutex_unlock(&p->lock);
}

void progress_fail(Progress *p, const Error *err)
{
    Error error = *err;
    ProgressState state = err->code == ERROR_STOPPED ? PROGRESS_STOPPED : PROGRESS_FAILED;

    secrets_scrub(error.message);
    secrets_scrub(error.hint);
    utf8_repair(error.message);
    utf8_repair(error.hint);
    pthread_mutex_lock(&p->lock);
    p->state = state;
    if (state == PROGRESS_FAILED)
        p->error = error;
    if (p->steps[p->step].state == PROGRESS_RUNNING) {
        p->steps[p->step].state = state;
        p->steps[p->step].finished = clock_now();
    }
    pthread_mutex_unlock(&p->lock);
}

void progress_lag(Progress *p, double seconds)
{
    int bucket = 0;

    if (seconds < 0) // the two clocks differ
        seconds = 0;
    if (seconds >= LAG_UNIT_SECONDS)
        bucket = (int)floor(2 * log2(seconds / LAG_UNIT_SECONDS)) + 1;
    pthread_mutex_lock(&p->lock);
    p->lag_histogram[bucket < LAG_BUCKETS ? bucket : LAG_BUCKETS - 1]++;
    p->lag_sum += seconds;
    pthread_mutex_unlock(&p->lock);
}

// Within a bucket the lags are taken as evenly spread on the logarithmic scale.
double progress_lag_quantile(Progress *p, double q)
{
    int64_t total = 0;
    double seconds = 0;

    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < LAG_BUCKETS; i++)
        total += p->lag_histogram[i];
    double rank = q * (double)total, below = 0;
    for (int i = 0; i < LAG_BUCKETS && total > 0; i++) {
        double here = (double)p->lag_histogram[i];
        if (here > 0 && below + here >= rank) {
            double part = rank > below ? (rank - below) / here : 0;
            seconds = LAG_UNIT_SECONDS * exp2((i - 1 + part) / 2);
            break;
        }
        below += here;
    }
    pthread_mutex_unlock(&p->lock);
    return seconds;
}
