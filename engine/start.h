// SPDX-License-Identifier: Apache-2.0
// How a verb begins: the two ends, then the task. An end that does not answer may be waited for, and so may another
// process that still holds the task (a pod that was replaced, whose session the sink has not given up yet).
#pragma once

#include "engine/context.h"
#include "engine/ledger/ledger.h"

typedef struct Patience { // from the task's wait_seconds
    const Context *ctx;
    double until; // on the monotonic clock
    bool told;    // the wait was logged
} Patience;

void patience_begin(Patience *patience, const Context *ctx, int seconds);
// After a failure: true when it may pass and there is time left; then a pause was made and the caller tries again.
// what: "the source". The phase of the progress document says what is waited for. A stop ends the wait: *err is then
// ERROR_STOPPED.
bool patience_wait(Patience *patience, const char *what, Error *err);

// context_open, with so many seconds of patience. *ctx is to be closed in either case.
MUST_CHECK int start_context(Context *ctx, const TaskDocument *task, Progress *progress, int seconds, Error *err);
// context_open and ledger_open, with the task's patience. Both are to be closed in either case.
MUST_CHECK int start_task(Context *ctx, Ledger *ledger, const TaskDocument *task, Progress *progress, Error *err);
