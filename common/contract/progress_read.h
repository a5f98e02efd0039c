// SPDX-License-Identifier: Apache-2.0
// The progress document (docs/progress-document.md) as its readers see it: what /progress of a worker answered, or the
// termination message that it left. Nothing of it is trusted: it comes from another process.
#pragma once

#include "common/base/error.h"
#include "common/contract/progress_document.h"
#include "common/contract/steps.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROGRESS_READ_MAX = 4 * 1024 * 1024 }; // bytes; a longer text is refused

typedef struct ProgressReadStep {
    bool wanted; // false: "off", this process is not to do it
    ProgressState state;
    double started, finished; // seconds since the epoch; 0: not yet
} ProgressReadStep;

typedef struct ProgressReadError {
    char *code;    // "credentials"; "": there is no error
    char *reason;  // CamelCase, for a condition
    int exit_code; // what the process ends with
    bool retry;    // a repetition by itself can help
    char *sqlstate, *message, *hint;
} ProgressReadError;

// Texts are never NULL ("" when the document has none); counts, sizes, rates and seconds are 0 or more, the
// last two at most 1e15.
typedef struct ProgressRead {
    char *task, *verb, *phase;
    int64_t worker; // which of several processes that copy the rows; the counts of 0 are those of all
    ProgressState state;
    Step step;               // STEP_COUNT: one that this version does not know, or none
    double started, updated; // seconds since the epoch; 0: not known
    ProgressReadStep steps[STEP_COUNT];
    int64_t tables_done, tables_total, rows_done, rows_total, bytes_done, bytes_total; // rows_total is an estimate
    int64_t indexes_done, indexes_total;
    double rows_per_second, bytes_per_second;
    double seconds_left;                           // of the copy; -1: not known
    uint64_t lsn_applied, lsn_flushed, lsn_source; // 0: not known yet
    double commit_time;                            // of the last applied transaction, seconds since the epoch; 0: none
    int64_t lag_bytes;
    double lag_seconds;
    int64_t transactions, changes; // applied since the process started
    double transactions_per_second, changes_per_second;
    char *slot;
    int64_t slot_retained_bytes;
    int64_t verified_tables, verified_rows;
    int64_t differences;                                       // -1: not verified
    char *cutover_state;                                       // "preparing", …, "done", "undone"; "": there is none
    double cutover_started, cutover_blocked, cutover_released; // seconds since the epoch; 0: not yet
    ProgressCheck *checks; // in the termination message those that passed are left out
    size_t check_count;
    int64_t checks_dropped;
    char **notes;
    size_t note_count;
    int64_t notes_dropped;
    ProgressReadError error;
} ProgressRead;

// text: len bytes, a NUL behind them is not needed. Fields that are not known are passed over, those that are absent
// read as above. ERROR_PROTOCOL, with the path of the field, for a text that is no progress document of this version;
// *out is then empty and needs no freeing (progress_read_free may be called all the same).
MUST_CHECK int progress_read(const char *text, size_t len, ProgressRead *out, Error *err);
void progress_read_free(ProgressRead *p);
