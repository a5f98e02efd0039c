// SPDX-License-Identifier: Apache-2.0
// Runs workers that help in a copy which another process coordinates (copy_run.h): they take chunks from the queue in
// the ledger, read in the snapshot that it exported, and build nothing.
#pragma once

#include "engine/copy/copy_job.h"
#include "engine/ledger/ledger_share.h"

typedef struct CopyHelp {
    const Context *ctx;
    PGconn *sink;       // to look at the ledger
    const Share *share; // as published: SHARE_COPYING
    const LedgerRelations *relations;
    bool replica_role, same_encoding;
    double patience;    // seconds that may pass without a coordinator
    double *seen;       // when there was one last, on the monotonic clock
    bool snapshot_lost; // out, with a failure: who exported it is gone, so only a new plan helps
} CopyHelp;

// 0: all rows of the plan are in.
MUST_CHECK int copy_help(CopyHelp *help, Error *err);
