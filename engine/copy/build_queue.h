// SPDX-License-Identifier: Apache-2.0
// What is to be built for relations whose rows are in: their indexes and constraints, then ANALYZE. Biggest relation
// first; several indexes of one relation at once, everything else of it one after the other in the dump's order. In
// memory only: the ledger's relation states say on a restart what is still to be done. Not locked: the owner does that.
#pragma once

#include "engine/structure/structure.h"

#include <stdint.h>

typedef struct BuildRelation BuildRelation;

typedef struct BuildQueue {
    const StructureItem **items; // early ones by relation, INDEX entries first in each
    size_t item_count;
    BuildRelation **waiting; // heap: rows are in, nothing started; smallest ledger id (biggest relation) first
    size_t waiting_count, waiting_capacity;
    BuildRelation **active;
    size_t active_count, active_capacity;
    bool open; // the items are known
} BuildQueue;

typedef struct BuildWork { // one piece for one worker
    BuildRelation *relation;
    int32_t id;                // of the relation in the ledger
    const StructureItem *item; // NULL: nothing left to build, finish the relation (ANALYZE, state done)
} BuildWork;

// A relation's rows are all in. May be called before build_queue_open.
void build_queue_add(BuildQueue *q, int32_t id, uint32_t source_oid);
// The structure is known; NULL: nothing is to be built. The items stay borrowed.
void build_queue_open(BuildQueue *q, const Structure *structure);
// The next piece that may run now; false: none at the moment.
bool build_queue_take(BuildQueue *q, BuildWork *out);
// The piece was done. Often the worker may go on with another of the same relation at once: *out, true.
bool build_queue_done(BuildQueue *q, const BuildWork *work, BuildWork *out);
bool build_queue_is_empty(const BuildQueue *q); // nothing waits and nothing runs
void build_queue_free(BuildQueue *q);
