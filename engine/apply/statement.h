// SPDX-License-Identifier: Apache-2.0
// One statement over arrays for many rows of one table: each column travels as one text[] in binary form and is cast to
// the column's type in the sink. Statements are prepared once and kept.
#pragma once

#include "common/base/buffer.h"
#include "engine/apply/fold.h"

typedef enum StatementKind {
    STATEMENT_INSERT,
    STATEMENT_UPDATE,     // key unchanged
    STATEMENT_UPDATE_KEY, // sets the key columns too
    STATEMENT_DELETE,
    STATEMENT_UPDATE_IMAGE, // no key: one row whose whole image is `old` (one row a statement)
    STATEMENT_DELETE_IMAGE
} StatementKind;

typedef struct StatementRow {
    const Value *key, *row, *old; // what the kind needs
} StatementRow;

// Serves one connection and the Targets of one stream; it must outlive their use.
typedef struct StatementRunner {
    PGconn *sink; // borrowed
    uint32_t epoch, prepared, next_name;
    Arena arena;    // what is known of prepared statements; Target.statements points into it
    Buffer *arrays; // one a parameter
    size_t array_count;
} StatementRunner;

void statement_runner_free(StatementRunner *r);
// unchanged: columns that an update leaves alone, NULL: none. *touched: rows that the statement found.
MUST_CHECK int statement_run(StatementRunner *r, StatementKind kind, Target *t, const FoldMask *unchanged,
                             const StatementRow *rows, size_t count, int64_t *touched, Error *err);
// TRUNCATE of several tables in one statement.
MUST_CHECK int statement_truncate(StatementRunner *r, Target *const *targets, size_t count, bool restart_identity,
                                  Error *err);
