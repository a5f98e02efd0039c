// SPDX-License-Identifier: Apache-2.0
// Folding: the net effect of a run of changes, one entry a key. Pure: no connection.
//
//   before \ then    insert     update            delete
//   (nothing)        insert     update(mask)      delete
//   insert           -          insert, merged    nothing
//   update           -          update, merged    delete
//   delete           replace    -                 -
//   replace          -          replace, merged   delete
//   nothing          insert     -                 -
//
// An update that changes the key is a delete of the old and an insert of the new one; when it leaves TOAST values out
// that the run does not know, it cannot be folded and ends the run (FOLD_ALONE). A "-" does not happen on a source
// whose keys are unique; it ends the run too, so that the changes meet the sink in their order. Inserts into a table
// without a key are gathered as they come.
#pragma once

#include "engine/apply/batch.h"

typedef enum NetOp { NET_NOTHING, NET_INSERT, NET_UPDATE, NET_DELETE, NET_REPLACE } NetOp;

typedef struct FoldEntry {
    Target *target;
    const Value *key; // key_count values
    const Value *row; // merged; NULL for delete
    uint32_t hash;
    NetOp op;
    uint32_t mask; // update: 1 + index in Fold.masks; 0: all columns
} FoldEntry;

typedef struct FoldMask { // which columns an update leaves alone (unchanged TOAST)
    uint16_t column_count;
    uint64_t *unchanged; // bit per column
} FoldMask;

typedef struct Fold {
    FoldEntry *entries;
    size_t count, capacity;
    uint32_t *table; // entry + 1, open addressing
    size_t table_size;
    FoldMask *masks; // 1-based by FoldEntry.mask
    uint32_t mask_count, mask_capacity;
    Arena arena; // merged rows
} Fold;

typedef enum FoldResult {
    FOLD_TAKEN, // the change is in the fold
    FOLD_ALONE  // it is not: apply the fold first, then this change by itself, then go on with an empty fold
} FoldResult;

FoldResult fold_add(Fold *f, const Change *c);
void fold_reset(Fold *f);
void fold_free(Fold *f);
