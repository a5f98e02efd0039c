// SPDX-License-Identifier: Apache-2.0
// What an engine process is doing, for people, the controller and dashboards: one struct, written by the steps, read by
// /progress, /metrics, the terminal view and the termination message. All functions may be called from any thread.
#pragma once

#include "common/base/error.h"
#include "common/contract/steps.h"
#include "common/contract/task_document.h"

#include <json-c/json.h>
#include <pthread.h>
#include <stdint.h>

typedef enum ProgressState {
    PROGRESS_WAITING,
    PROGRESS_RUNNING,
    PROGRESS_DONE,
    PROGRESS_FAILED,
    PROGRESS_STOPPED
} ProgressState;
typedef enum CheckVerdict { CHECK_PASS, CHECK_WARN, CHECK_FAIL } CheckVerdict;

typedef struct ProgressCheck {
    char *id; // "wal_level"
    CheckVerdict verdict;
    char *message; // what was found
    char *remedy;  // "" when passed
} ProgressCheck;

typedef struct ProgressRunning { // one worker's current relation
    bool active;
    char relation[160]; // quoted "schema"."name", for display
    const char *what;   // "copy", "index", "verify": a literal
    int64_t rows, bytes, bytes_total;
    double since; // monotonic seconds
} ProgressRunning;

typedef struct ProgressStep {
    ProgressState state;
    double started, finished; // seconds since the epoch, 0: not yet
} ProgressStep;

typedef struct ProgressCutover {
    char state[16];                    // of the ledger: "preparing", "draining", "checking", "done", "undone"; "": none
    char block[16];                    // how writes are kept from the source
    double started, blocked, released; // seconds since the epoch, 0: not yet; released: done or undone
} ProgressCutover;

typedef struct ProgressSample { // the counters at one moment, for rates
    double at;                  // monotonic seconds
    int64_t bytes, rows, transactions, changes;
} ProgressSample;

enum { PROGRESS_SAMPLES = 16 };

typedef struct Progress {
    pthread_mutex_t lock;
    char task[TASK_NAME_MAX + 1];
    char verb[24];  // "run", "cdc", …
    int worker;     // which of several processes that copy the rows; 0 coordinates, its counts are those of all
    char phase[64]; // a few words: "copying rows", "building indexes", "streaming", "caught up"
    Step step;
    ProgressState state;     // of the whole verb
    bool wanted[STEP_COUNT]; // the steps that this process is to do
    ProgressStep steps[STEP_COUNT];
    double started;
    int64_t tables_done, tables_total, rows_done, rows_total, bytes_done, bytes_total; // rows_total is an estimate
    int64_t indexes_done, indexes_total;
    ProgressRunning running[TASK_JOBS_MAX];
    uint64_t lsn_applied, lsn_flushed, lsn_source; // 0: not known yet
    double commit_time; // of the last applied transaction, seconds since the epoch; 0: none yet
    double lag_seconds;
    int64_t lag_bytes;
    int64_t transactions, changes, inserts, updates, deletes, truncates, batches, replays, reconnects;
    int64_t lag_histogram[64]; // commit on the source to commit on the sink: bucket i counts lags < 2^(i/2) * 0.1 ms
    double lag_sum;            // seconds, of all lags that were counted
    char slot[64];
    int64_t slot_retained_bytes;
    ProgressCheck *checks;
    size_t check_count;
    char **notes; // what was skipped or left out, one sentence each (at most 100 are kept, then counted)
    size_t note_count, notes_dropped;
    int64_t verified_tables, verified_rows, differences; // verify; differences -1: not verified
    int64_t verified_bytes;                              // of the tables that were compared
    double verify_seconds;                               // that it took
    ProgressCutover cutover;
    Error error;                              // code ERROR_NONE: none
    ProgressSample samples[PROGRESS_SAMPLES]; // a ring of the last seconds
    size_t sample_count;                      // ever taken
} Progress;

typedef struct ProgressRates { // over the last 15 s or so; a second each
    double bytes, rows, transactions, changes;
    double seconds_left; // of the copy; -1: not known
} ProgressRates;

enum { PROGRESS_VERSION = 1 };

void progress_init(Progress *p, const TaskDocument *task, const char *verb);
void progress_free(Progress *p);
void progress_want(Progress *p, Step step); // of a verb whose name is not a step's
void progress_step_start(Progress *p, Step step);
// The last wanted step that is done makes the whole verb done.
void progress_step_end(Progress *p, Step step, ProgressState state);
void progress_phase(Progress *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
// Totals of init-data; to be set before the first rows are counted (resumed work counts in *_done too).
void progress_set_totals(Progress *p, int64_t tables, int64_t rows, int64_t bytes, int64_t indexes);
void progress_worker_start(Progress *p, int worker, const char *relation, const char *what, int64_t bytes_total);
// What came since the last call. For "copy" it counts in the totals, too.
void progress_worker_rows(Progress *p, int worker, int64_t rows, int64_t bytes);
void progress_worker_end(Progress *p, int worker);
// What all processes together have copied so far, as committed; what our workers have in hand comes on top. The counts
// do not go back, unless this is their end: then they are the totals, too, which were estimates until then.
void progress_copied(Progress *p, int64_t rows, int64_t bytes, bool final);
void progress_table_done(Progress *p, int64_t tables); // so many more
void progress_index_done(Progress *p);
void progress_check(Progress *p, const char *id, CheckVerdict verdict, const char *message, const char *remedy);
void progress_note(Progress *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
void progress_cutover(Progress *p, const char *state);
void progress_cutover_blocked(Progress *p, const char *block); // the first call counts
void progress_fail(Progress *p, const Error *err);             // state failed (stopped for ERROR_STOPPED)
void progress_lag(Progress *p, double seconds);      // one commit became visible on the sink: feeds the histogram
double progress_lag_quantile(Progress *p, double q); // seconds; 0 when nothing was measured
void progress_rates(Progress *p, ProgressRates *out);
const char *progress_state_name(ProgressState state);    // "running"
const char *progress_verdict_name(CheckVerdict verdict); // "pass"
// {"verdict":"fail","checks":[…]}: what precheck found. A new reference; the caller puts it.
json_object *progress_checks_to_json(Progress *p);
// The document (docs/progress-document.md), a new reference; the caller puts it.
json_object *progress_to_json(Progress *p);
// The document for the termination message: compact, at most 4096 bytes, checks that failed first, then notes as room
// is.
char *progress_to_termination(Progress *p);
// Prometheus text. Caller frees.
char *progress_to_metrics(Progress *p);
