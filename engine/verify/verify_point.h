// SPDX-License-Identifier: Apache-2.0
// The point that both ends are compared at: transactions on both that show the same moment, one pair for each worker.
#pragma once

#include "engine/context.h"
#include "engine/verify/verify_sql.h"

typedef struct VerifyPair { // one worker's connections, in open read-only transactions
    PGconn *source, *sink;
    PGcancel *cancel_source, *cancel_sink; // usable from another thread
} VerifyPair;

typedef struct VerifyPoint {
    VerifyPair pairs[TASK_JOBS_MAX];
    int count;
    bool still;   // neither end takes writes
    bool exact;   // false: the ends were taken one after the other
    uint64_t lsn; // when exact: everything committed before it, and nothing after, is seen on both ends
    VerifyDialect dialect;
    double deadline; // monotonic: beyond it the comparison fails; 0: none
} VerifyPoint;

// With a slot: meets the cdc process through the ledger, or, when none runs, applies up to the point itself. Without:
// ordinary snapshots. Tables still being copied, another verify under way, an old transaction that holds up the slot
// for 30 s: an error. Whatever happens, a cdc process that was held goes on.
MUST_CHECK int verify_point_take(const Context *ctx, Progress *progress, VerifyPoint *out, Error *err);
// While neither end takes writes: ordinary snapshots, which then show the same moment.
MUST_CHECK int verify_point_take_still(const Context *ctx, Progress *progress, double deadline, VerifyPoint *out,
                                       Error *err);
// Gives the locks on tables back that a pair's statements took: a transaction that reads 20,000 tables would otherwise
// overflow the lock table of the server.
MUST_CHECK int verify_pair_unlock(const VerifyPair *pair, Error *err);
// Ends the statements that still run and closes the connections.
void verify_point_release(VerifyPoint *point);
// Ends the statements that still run, from any thread.
void verify_point_cancel(VerifyPoint *point);
