// SPDX-License-Identifier: Apache-2.0
// A source table as the stream describes it, matched with its table in the sink. Made when a Relation message comes,
// and compared with the sink then, not at every row.
#pragma once

#include "engine/ledger/ledger_relation.h"
#include "engine/stream/pgoutput.h"

typedef struct TargetColumn {
    const char *name;
    const char *type;            // the sink's, ready for a cast, without its modifier
    const char *operator_schema; // where its "=" lives
    bool is_key;                 // finds the row
    bool identity_always;        // an UPDATE may not set it
    bool skip;                   // generated in the sink: never written
} TargetColumn;

typedef struct Target {
    uint32_t source_oid;
    const char *schema, *name;
    char *label; // "schema"."name"
    uint16_t column_count;
    TargetColumn *columns; // in the source's order
    uint16_t key_count;    // 0: no key, rows are found by their whole image (replica identity full)
    uint16_t *keys;        // indexes of the key columns
    bool full;             // replica identity full: old rows come whole
    bool in_order;         // changes may not be folded: foreign keys or triggers of the sink see each one
    bool replace_only;     // an UPDATE cannot set one of its columns (GENERATED ALWAYS identity outside of the key)
    bool wanted;           // false: not a table of this task, its changes are passed over
    uint64_t snapshot_lsn; // changes committed before it are in the copy already
    uint32_t number;       // distinct for each Target of a stream
    struct StatementSet *statements; // prepared in the sink; owned by statement.c
    const void *seen_by;             // the batch that counted it last, and which content of it; batch.c
    uint32_t seen_generation;
} Target;

typedef struct TargetMap TargetMap;

// catalog: a connection to the sink for look-ups, borrowed. replica_role: the applying session runs as replica.
MUST_CHECK int target_map_open(const Context *ctx, PGconn *catalog, int64_t task_id, bool replica_role, TargetMap **out,
                               Error *err);
void target_map_close(TargetMap *map);
// A Type message: the name of a type that is not built in, needed to compare the next Relation message.
void target_map_type(TargetMap *map, const PgoutputMessage *type);
// A Relation message. The same description as before changes nothing. A difference between source and sink that would
// lose data (a new, dropped, renamed or retyped column, a new partition, a renamed table): ERROR_CONDITION that names
// relation and column and says what to do.
MUST_CHECK int target_map_relation(TargetMap *map, const PgoutputMessage *relation, Error *err);
// The target of a source table; NULL when no Relation message came for it.
Target *target_map_find(TargetMap *map, uint32_t source_oid);
// Fills kubeferry.relation.columns (the source's column names) where it is not filled yet, so that a column dropped on
// the source later is noticed.
MUST_CHECK int target_note_columns(const Context *ctx, Ledger *ledger, Error *err);
