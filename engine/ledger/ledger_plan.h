// SPDX-License-Identifier: Apache-2.0
// Planning the copy of many relations at once, and what an earlier try left behind.
#pragma once

#include "engine/ledger/ledger_relation.h"

// For each of `relations` (ids): forgets its chunks, writes those of `chunks` (of these relations only), sets
// snapshot_lsn (0: none) and state waiting. In the caller's transaction, a fixed number of statements.
MUST_CHECK int ledger_plan(PGconn *conn, int64_t task_id, const int32_t *relations, size_t count, uint64_t snapshot_lsn,
                           const Chunk *chunks, size_t chunk_count, Error *err);
// The ids of relations that have a chunk done, ascending: only these hold rows of ours in the sink. Caller frees *ids.
MUST_CHECK int ledger_relations_touched(PGconn *conn, int64_t task_id, int32_t **ids, size_t *count, Error *err);
// Forgets relations that were never copied and are no longer among the source's.
MUST_CHECK int ledger_relations_forget(PGconn *conn, int64_t task_id, const int32_t *relations, size_t count,
                                       Error *err);
// Those that wait for rows are done without: their changes count from snapshot_lsn on.
MUST_CHECK int ledger_relations_begin(PGconn *conn, int64_t task_id, uint64_t snapshot_lsn, Error *err);
