// SPDX-License-Identifier: Apache-2.0
// Runs the workers of one copy to their end: rows of planned chunks, then indexes and constraints of each relation.
// Workers of other processes (copy_help.h) are let in to the chunks.
#pragma once

#include "engine/copy/copy_job.h"
#include "engine/stream/slot.h"

typedef struct CopyRun {
    const Context *ctx;
    Ledger *ledger;
    const RelationList *list;         // of the source, for the structure
    const LedgerRelations *relations; // states as they are now
    SlotSnapshot *snapshot;           // released as soon as all rows are in
    bool replica_role, same_encoding;
    bool large_objects;   // are to be copied
    Structure *structure; // out: NULL when init-struct is not wanted; the caller closes it
    bool snapshot_lost;   // out, with a failure
} CopyRun;

MUST_CHECK int copy_run(CopyRun *run, Error *err);
