// SPDX-License-Identifier: Apache-2.0
// The structure of the source, as pg_dump has it, cut down to what the task needs and made in the sink entry by entry.
#pragma once

#include "engine/catalog/relations.h"
#include "engine/context.h"
#include "engine/ledger/ledger.h"

typedef struct Structure Structure; // one dump of the source's structure, in ctx->work_dir

typedef struct StructureItem { // one entry of the dump that is made after the first rows, borrowed from the Structure
    const char *type;          // "INDEX", "CONSTRAINT", "FK CONSTRAINT", "TRIGGER", "REFRESH", …
    const char *identity;      // "INDEX public.orders_customer_idx"
    uint32_t relation_oid;     // depends on exactly one migrated table: its oid on the source, else 0
    bool early;                // may run once that table's rows are in; else it waits for the end, in order
    size_t entry;              // of the structure, private
} StructureItem;

typedef enum StructureOutcome { STRUCTURE_MADE, STRUCTURE_EXISTED, STRUCTURE_LEFT_OUT } StructureOutcome;

// Dumps and lists the source's structure and picks what `relations` need. snapshot may be NULL. Every failure of
// pg_dump or pg_restore is one error: ERROR_CONDITION (none found, too old, no right to read), ERROR_TRANSIENT,
// ERROR_STOPPED.
MUST_CHECK int structure_open(const Context *ctx, const RelationList *relations, const char *snapshot, Structure **out,
                              Error *err);
void structure_close(Structure *s); // NULL is allowed

// Everything that comes before the rows, in order. What the sink has already is left as it is. Each is recorded in the
// ledger as made or left out; what was left out is in the progress document's notes.
MUST_CHECK int structure_make_pre_data(Structure *s, const Context *ctx, Ledger *ledger, Error *err);

// What comes after the rows, in the dump's order; REFRESH of materialized views last.
size_t structure_items(const Structure *s, const StructureItem **out);
// Makes one on the given sink connection, outside of a transaction; one that the sink has already is skipped. Recorded
// in the ledger on the same connection. Threads may call it at once, each with a connection of its own.
MUST_CHECK int structure_execute(const Structure *s, const Context *ctx, PGconn *sink, int64_t task_id,
                                 const StructureItem *item, StructureOutcome *outcome, Error *err);
// Records one as held back until the cutover, with its statement.
MUST_CHECK int structure_hold(const Structure *s, PGconn *sink, int64_t task_id, const StructureItem *item,
                              const char *reason, Error *err);
