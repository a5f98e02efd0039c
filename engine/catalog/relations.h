// SPDX-License-Identifier: Apache-2.0
// The relations to migrate, as the source's catalogue has them. Columns are loaded one relation at a time: with 20,000
// tables all of them at once would be most of the engine's memory.
#pragma once

#include "common/base/arena.h"
#include "common/contract/object_list.h"
#include "engine/pg/query.h"

typedef struct Relation {
    uint32_t oid;
    const char *schema, *name; // in the list's arena
    char kind;                 // 'r' holds rows; 'p' partitioned: holds none, its partitions are relations of their own
    char identity;             // replica identity: 'd' default, 'n' nothing, 'f' full, 'i' index
    bool has_key;              // an index gives the replica identity (primary key, or the index of identity 'i')
    bool is_partition;
    uint32_t parent; // nearest partitioned ancestor's oid, 0: none
    bool unlogged;
    int64_t rows;        // reltuples, an estimate; 0 when never analysed
    int64_t heap_blocks; // of the main fork
    int64_t bytes;       // heap and TOAST
} Relation;

typedef struct RelationList {
    Relation *items;
    size_t count;
    Arena arena;
} RelationList;

typedef struct Column {
    const char *name;
    const char *type;        // format_type: "numeric(10,2)"
    const char *type_schema; // of the type itself
    const char *type_name;
    uint32_t type_oid;
    int32_t modifier; // of the type, -1: none
    bool generated;   // GENERATED ALWAYS AS (…): never copied
    bool identity;    // GENERATED … AS IDENTITY
    bool not_null;
    bool is_key;      // part of the replica identity's index
    bool is_primary;  // part of the primary key
    bool binary_safe; // its binary form means the same in any server (no OIDs inside)
} Column;

typedef struct ColumnList {
    Column *items; // in attribute order, dropped ones left out
    size_t count;
} ColumnList;

// All ordinary and partitioned tables that the object list names (empty: all user tables), less `excluded` (which
// wins), biggest first. System schemas, the schema kubeferry, temporary tables, extension members and foreign tables
// are never among them. A named table or schema that does not exist, or nothing at all: ERROR_CONDITION that names it.
MUST_CHECK int relations_load(PGconn *source, const ObjectList *objects, const ObjectList *excluded, RelationList *out,
                              Error *err);
void relations_free(RelationList *list);
// Whether one table of the source is among those that the object list names.
MUST_CHECK int relations_wants(PGconn *source, const ObjectList *objects, const ObjectList *excluded, uint32_t oid,
                               bool *wanted, Error *err);
const Relation *relations_find_oid(const RelationList *list, uint32_t oid); // linear; NULL: none
// Columns of one table of either end, in the arena. An empty list when the table does not exist.
MUST_CHECK int columns_load(PGconn *conn, const char *schema, const char *name, Arena *arena, ColumnList *out,
                            Error *err);
// The same for one table after another on one connection: the statement, whose planning takes longer than its run, is
// prepared at the first call. *prepared, false at first, belongs to the connection.
MUST_CHECK int columns_load_again(PGconn *conn, bool *prepared, const char *schema, const char *name, Arena *arena,
                                  ColumnList *out, Error *err);
const Column *columns_find(const ColumnList *list, const char *name);
