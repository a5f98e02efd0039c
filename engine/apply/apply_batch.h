// SPDX-License-Identifier: Apache-2.0
// Applies the changes of one batch inside the caller's transaction: folded, or, when the sink objects, one by one in
// the source's order.
#pragma once

#include "engine/apply/statement.h"

typedef struct ApplyCounts {
    int64_t inserts, updates, deletes, truncates; // of the source's changes
    int64_t replays;
} ApplyCounts;

// The transaction must have a savepoint named kubeferry as its last one; it is kept. A row that the source changed and
// the sink lacks (or has twice): ERROR_DIVERGED with table, key and LSN.
MUST_CHECK int apply_batch(StatementRunner *runner, Fold *fold, const Batch *batch, ApplyCounts *counts, Error *err);
