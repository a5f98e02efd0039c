// SPDX-License-Identifier: Apache-2.0
// Reads the stream into batches and hands them to the applier: one session, from START_REPLICATION to the first failure
// or the end that was asked for. The caller starts another session after a failure that may pass.
#pragma once

#include "engine/apply/applier.h"
#include "engine/apply/barrier.h"
#include "engine/apply/cutover_server.h"
#include "engine/apply/sequence_watch.h"
#include "engine/stream/replication.h"

typedef struct ReaderGoal {
    uint64_t until_lsn;       // end once everything committed before it is applied, and nothing after; 0: go on
    bool serve_verify;        // meet with verify at its barrier, and with a cutover
    SequenceWatch *sequences; // written to the sink as they move; NULL: none
} ReaderGoal;

typedef enum ReaderEnd {
    READER_REACHED,  // the goal
    READER_STOPPED,  // a stop was requested
    READER_CUT_OVER, // the sink has taken over: nothing more is to be applied
    READER_AGAIN     // a cutover was undone: start again at the stored position, at once
} ReaderEnd;

// Runs one session. position: as stored in the ledger.
MUST_CHECK int reader_session(const Context *ctx, Ledger *ledger, const LedgerPosition *position,
                              const ReaderGoal *goal, ReaderEnd *end, Error *err);
