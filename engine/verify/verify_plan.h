// SPDX-License-Identifier: Apache-2.0
// What of a table is compared: its columns, its key and the number of buckets, from the columns that both ends have.
#pragma once

#include "engine/catalog/relations.h"

typedef struct VerifyColumn {
    const char *name;
    const char *type; // of pg_catalog, domains looked through; "" another
    bool generated, key, primary;
} VerifyColumn;

typedef struct VerifySide { // one table on one end
    char kind;              // 'r', 'p'; '\0': there is no such table
    VerifyColumn *columns;
    size_t count;
} VerifySide;

typedef struct VerifyPlan {
    const Relation *relation; // borrowed
    bool sink_partitioned;    // the sink's table holds its rows in partitions: read without ONLY
    VerifyColumn *columns;    // compared; in the source's order
    size_t column_count;
    VerifyColumn *key;
    size_t key_count;    // 0: no key, the whole row stands for itself
    uint32_t buckets;    // a power of two
    const char *problem; // a difference of the tables themselves; NULL: none
    const char *note;    // something to know that is no difference; NULL: none
    bool comparable;     // false: there are no two tables
} VerifyPlan;

// All of *out lives in the arena.
void verify_plan_make(const Relation *relation, const VerifySide *source, const VerifySide *sink, Arena *arena,
                      VerifyPlan *out);
// The same for a table that does exist on both ends, by the size of it: 16 … 16384, a power of two.
uint32_t verify_plan_buckets(const Relation *relation);
// Columns of `count` tables on one end; *sides gets as many, in the arena.
MUST_CHECK int verify_plan_load(PGconn *conn, const Relation *const *tables, size_t count, Arena *arena,
                                VerifySide **sides, Error *err);
