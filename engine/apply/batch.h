// SPDX-License-Identifier: Apache-2.0
// A run of changes in the source's order, with their memory: filled by the reader, emptied by the applier.
#pragma once

#include "engine/apply/target.h"

// Tables: a transaction of the sink locks each table that it changes, with its indexes, and the lock table of a server
// with default settings has room for a few thousand.
enum { BATCH_BYTES = 6 * 1024 * 1024, BATCH_CHANGES = 40000, BATCH_TARGETS = 250 };

typedef enum ChangeOp { CHANGE_INSERT = 'I', CHANGE_UPDATE = 'U', CHANGE_DELETE = 'D', CHANGE_TRUNCATE = 'T' } ChangeOp;

typedef struct Change {
    ChangeOp op;
    Target *target;     // NULL for a TRUNCATE
    const Value *key;   // key_count values that find the row (update, delete); points into row's order for no old key
    const Value *old;   // the whole old row, only when the target has no key (identity full); else NULL
    const Value *row;   // column_count values (insert, update)
    bool key_changed;   // an update whose new key differs from `key`
    bool complete;      // row has no unchanged TOAST value
    Target **truncated; // TRUNCATE: the targets
    uint32_t truncated_count;
    bool restart_identity;
    uint64_t commit_lsn; // of its transaction, for messages
} Change;

typedef struct Batch {
    Change *changes;
    size_t count, capacity;
    size_t committed;    // changes up to the last commit in it
    size_t target_count; // distinct ones
    uint32_t generation; // of its content, for Target.seen_generation
    Arena arena;
    bool ends_at_commit;  // false: a part of a transaction whose rest comes in the next batch
    uint64_t end_lsn;     // position after the last commit in it; 0 when none
    double commit_time;   // of that commit
    int64_t transactions; // commits in it
    double *commit_times; // of each commit, for the lag's distribution; transactions of them at most are kept
    size_t commit_count, commit_capacity;
    double opened; // monotonic: when the first change came
} Batch;

void batch_reset(Batch *b);
void batch_free(Batch *b);
bool batch_is_full(const Batch *b);
static inline bool batch_is_empty(const Batch *b)
{
    return b->count == 0 && b->transactions == 0;
}
// Forgets the changes after the last commit.
void batch_cut(Batch *b);
// Notes the end of a source transaction.
void batch_commit(Batch *b, uint64_t end_lsn, double commit_time);
// Adds an insert, update or delete, whose values point into memory of the batch's arena. A row that cannot be found
// (its key is a TOASTed value that did not come): ERROR_PROTOCOL… names the relation.
MUST_CHECK int batch_add(Batch *b, Target *t, const PgoutputMessage *m, uint64_t commit_lsn, Error *err);
void batch_add_truncate(Batch *b, Target **targets, uint32_t count, bool restart_identity, uint64_t commit_lsn);
