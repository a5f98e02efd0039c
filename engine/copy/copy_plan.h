// SPDX-License-Identifier: Apache-2.0
// What is to be copied: relations that are not complete in the sink, cut into chunks.
#pragma once

#include "engine/ledger/ledger_plan.h"

typedef struct PlanItem {     // one relation whose rows are not complete
    int32_t id;               // in the ledger
    bool touched;             // holds rows of an earlier try: to be emptied
    bool partitioned;         // the sink's table is, whatever the source's is
    const Relation *relation; // borrowed
} PlanItem;

// Bytes a chunk should have: small enough that all workers end together, large enough that a chunk is worth its round
// trips.
int64_t copy_plan_chunk_bytes(int64_t total_bytes, int jobs);
// How many chunks a relation gets. by_ctid: the source reads ctid ranges without reading the whole table (14+).
size_t copy_plan_count(const Relation *relation, int64_t chunk_bytes, bool by_ctid);
// Fills `count` chunks that cover every block exactly once; the last one is open-ended.
void copy_plan_cut(const Relation *relation, int32_t id, size_t count, Chunk *chunks);

// Empties what an earlier try left, and writes the chunks of all items with the snapshot's LSN, many relations a
// transaction: emptied and planned is one step, so that rows of an unknown origin never look like ours.
MUST_CHECK int copy_plan_write(PGconn *sink, int64_t task_id, const PlanItem *items, size_t count, int64_t chunk_bytes,
                               bool by_ctid, uint64_t snapshot_lsn, Error *err);
