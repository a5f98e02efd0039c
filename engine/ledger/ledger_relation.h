// SPDX-License-Identifier: Apache-2.0
// The ledger's relations, their chunks (the queue of init-data) and the position of cdc.
#pragma once

#include "engine/catalog/relations.h"
#include "engine/ledger/ledger.h"

typedef enum RelationState {
    RELATION_WAITING, // rows not complete yet
    RELATION_COPIED,  // all rows are in
    RELATION_DONE     // and its indexes and constraints
} RelationState;

typedef struct LedgerRelation {
    int32_t id; // 1…; position in the order of copying
    uint32_t source_oid;
    const char *schema, *name; // in the caller's arena
    RelationState state;
    uint64_t snapshot_lsn; // changes committed before it are in the copy
    int64_t rows, bytes;   // copied, when done
} LedgerRelation;

typedef struct LedgerRelations {
    LedgerRelation *items; // ordered by id
    size_t count;
} LedgerRelations;

// Pointers into relations, sorted by source_oid, for ledger_relation_find. Caller frees.
const LedgerRelation **ledger_relations_by_oid(const LedgerRelations *relations);
// sorted: of ledger_relations_by_oid. NULL: not among them.
const LedgerRelation *ledger_relation_find(const LedgerRelation *const *sorted, size_t count, uint32_t source_oid);
MUST_CHECK int ledger_relations_load(PGconn *conn, int64_t task_id, Arena *arena, LedgerRelations *out, Error *err);
// Adds relations that the ledger does not know yet (kind 'r' only), in state waiting. columns: their signature is taken
// by the first Relation message of cdc and by init-data; see ledger_relation_set_columns.
MUST_CHECK int ledger_relations_add(PGconn *conn, int64_t task_id, const RelationList *list, Error *err);

// ---- chunks ------------------------------------------------------------------------------------------------------
typedef struct Chunk {
    int32_t relation; // LedgerRelation.id
    int32_t number;
    int64_t first_block, end_block; // end -1: open
    bool whole;                     // no ctid condition at all
    int64_t bytes;                  // estimate
} Chunk;

// In one transaction: forgets the chunks of the relation, writes `chunks`, sets snapshot_lsn and state waiting.
MUST_CHECK int ledger_relation_plan(PGconn *conn, int64_t task_id, int32_t relation, uint64_t snapshot_lsn,
                                    const Chunk *chunks, size_t count, Error *err);
// Takes the next chunk of the queue inside the caller's open transaction (FOR UPDATE SKIP LOCKED: it is free again when
// the transaction ends without ledger_chunk_done). *found false: nothing is waiting that is not taken already.
MUST_CHECK int ledger_chunk_take(PGconn *conn, int64_t task_id, Chunk *out, bool *found, Error *err);
// Marks it done in the same transaction; *left counts the chunks of that relation not done yet (0: it is complete now).
// Two workers that end the last two chunks of a relation at once both wait for its row, so exactly one sees 0.
MUST_CHECK int ledger_chunk_done(PGconn *conn, int64_t task_id, const Chunk *chunk, int64_t rows, int64_t bytes,
                                 int64_t *left, Error *err);
MUST_CHECK int ledger_relation_state(PGconn *conn, int64_t task_id, int32_t relation, RelationState state, Error *err);

// ---- position of cdc ---------------------------------------------------------------------------------------------
typedef struct LedgerPosition {
    uint64_t lsn;       // everything that ended before it is applied; stream from here
    double commit_time; // of the last applied transaction, seconds since the epoch; 0: none yet
    int64_t transactions, changes;
} LedgerPosition;

MUST_CHECK int ledger_position_load(PGconn *conn, int64_t task_id, LedgerPosition *out, Error *err); // zeros: none yet
// Moves the position from expected to next, in the caller's transaction if one is open. ERROR_BUSY when the stored
// position is not `expected` or the task's owner is not `owner`: another process has taken over.
MUST_CHECK int ledger_position_move(PGconn *conn, int64_t task_id, const char *owner, uint64_t expected,
                                    const LedgerPosition *next, Error *err);

// ---- meeting point of verify and cdc -----------------------------------------------------------------------------
// verify: HOLD -> (cdc) HOLDING -> TARGET(lsn) -> (cdc) REACHED(snapshot) -> verify imports it -> NONE.
typedef enum BarrierState { BARRIER_NONE, BARRIER_HOLD, BARRIER_HOLDING, BARRIER_TARGET, BARRIER_REACHED } BarrierState;
typedef struct Barrier {
    BarrierState state;
    uint64_t target_lsn;
    char snapshot[64];
    double age_seconds; // since the last change of state
} Barrier;
MUST_CHECK int ledger_barrier_get(PGconn *conn, int64_t task_id, Barrier *out, Error *err);
MUST_CHECK int ledger_barrier_set(PGconn *conn, int64_t task_id, BarrierState state, uint64_t target_lsn,
                                  const char *snapshot, Error *err);
