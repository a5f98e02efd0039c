// SPDX-License-Identifier: Apache-2.0
// What of the structure comes after the rows: foreign keys, triggers, views, and whatever else is not there yet.
#pragma once

#include "engine/ledger/ledger_relation.h"
#include "engine/structure/structure.h"

typedef struct LateStructure {
    const Context *ctx;
    Ledger *ledger;
    const Structure *structure;
    const LedgerRelations *relations; // of the ledger
    bool replica_role;                // the sink's session may set session_replication_role
    bool early_too;                   // else those that are built as soon as a table's rows are in are left out
} LateStructure;

// Makes them one after the other, in the dump's order; what is there already is left. With cdc to follow and without
// the right to switch them off, foreign keys and triggers are held back until the cutover. *made may be NULL.
MUST_CHECK int late_structure_make(const LateStructure *late, size_t *made, Error *err);
