// SPDX-License-Identifier: Apache-2.0
// The pair of COPY statements that moves one chunk of one relation: which columns, in which format, which blocks.
#pragma once

#include "common/base/buffer.h"
#include "engine/catalog/relations.h"
#include "engine/ledger/ledger_relation.h"

typedef struct CopyTable { // one relation as both ends have it; zero-initialised is empty
    char *source;          // quoted "schema"."name"; both ends use the same name
    char *columns;         // quoted, comma separated; "" when there is nothing to name
    bool binary;           // every column means the same in binary on both ends
} CopyTable;

// Matches the columns of both ends by name. Generated columns are left out on either side. same_encoding: both servers
// store text in one encoding; without it text format converts. A column that the sink lacks, or that is generated there
// only or would alter values there (numeric(6,2) for numeric(10,4)), or no table at all: ERROR_CONDITION with what to
// do. The caller frees *out with copy_table_free.
MUST_CHECK int copy_table_match(const char *schema, const char *name, const ColumnList *source, const ColumnList *sink,
                                bool same_encoding, CopyTable *out, Error *err);
void copy_table_free(CopyTable *table);

// COPY … TO STDOUT for the chunk. Replaces what `sql` held.
void copy_statement_source(const CopyTable *table, const Chunk *chunk, Buffer *sql);
// COPY … FROM STDIN. Replaces what `sql` held.
void copy_statement_sink(const CopyTable *table, Buffer *sql);
