// SPDX-License-Identifier: Apache-2.0
// Builds the COPY statements of a relation. Runs nothing.
#include "engine/copy/copy_statement.h"

#include "common/base/memory.h"
#include "engine/catalog/block_range.h"
#include "engine/catalog/modifier.h"
#include "engine/pg/quote.h"

#include <string.h>

static int missing_column(const char *table, const Column *column, bool generated, Error *err)
{
    if (generated)
        error_set(err, ERROR_CONDITION, "column \"%s\" of %s is generated on the sink and ordinary on the source",
                  column->name, table);
    else
        error_set(err, ERROR_CONDITION, "the sink's table %s has no column \"%s\"", table, column->name);
    return error_hint(err, "make the sink's table like the source's (ALTER TABLE), or drop it and run init-struct");
}

static bool same_type(const Column *a, const Column *b)
{
    return strcmp(a->type_name, b->type_name) == 0 && strcmp(a->type_schema, b->type_schema) == 0;
}

// A smaller numeric or timestamp would round what arrives, and nobody would hear of it.
static bool alters(const Column *from, const Column *to)
{
    return same_type(from, to) && !modifier_keeps(from->type_oid, from->modifier, to->modifier);
}

static int altering_column(const char *table, const Column *from, const Column *to, Error *err)
{
    auto_free char *name = quote_ident_text(from->name);

    error_set(err, ERROR_CONDITION, "column %s of %s is %s on the source and %s on the sink, which would alter values",
              name, table, from->type, to->type);
    return error_hint(err, "run on the sink: ALTER TABLE %s ALTER COLUMN %s TYPE %s; then start again", table, name,
                      from->type);
}

static bool same_in_binary(const Column *a, const Column *b)
{
    return a->binary_safe && b->binary_safe && same_type(a, b);
}

int copy_table_match(const char *schema, const char *name, const ColumnList *source, const ColumnList *sink,
                     bool same_encoding, CopyTable *out, Error *err)
{
    Buffer columns = {0};
    size_t copied = 0;

    *out = (CopyTable){.source = quote_relation_text(schema, name), .binary = same_encoding};
    for (size_t i = 0; i < source->count; i++) {
        const Column *from = &source->items[i];
        if (from->generated)
            continue;
        const Column *to = columns_find(sink, from->name);
        bool missing = !to || to->generated;
        if (missing || alters(from, to)) {
            (void)!(missing ? missing_column(out->source, from, to != NULL, err)
                            : altering_column(out->source, from, to, err));
            buffer_free(&columns);
            copy_table_free(out);
            return -1;
        }
        out->binary = out->binary && same_in_binary(from, to);
        if (copied++)
            buffer_puts(&columns, ", ");
        quote_ident(&columns, from->name);
    }
    // A row without columns has no binary form that COPY reads back.
    out->binary = out->binary && copied > 0;
    out->columns = columns.data ? columns.data : memory_strdup("");
    return 0;
}

void copy_table_free(CopyTable *table)
{
    free(table->source);
    free(table->columns);
    *table = (CopyTable){0};
}

void copy_statement_source(const CopyTable *table, const Chunk *chunk, Buffer *sql)
{
    const char *format = table->binary ? " WITH (FORMAT binary)" : "";

    buffer_clear(sql, SIZE_MAX);
    // COPY of a table by name reads that table alone, no children of it; a query needs ONLY.
    if (chunk->whole) {
        buffer_printf(sql, "COPY %s", table->source);
        if (*table->columns)
            buffer_printf(sql, " (%s)", table->columns);
        buffer_printf(sql, " TO STDOUT%s", format);
        return;
    }
    buffer_printf(sql, "COPY (SELECT %s FROM ONLY %s WHERE ", table->columns, table->source);
    block_range_condition(sql, "ctid", (BlockRange){chunk->first_block, chunk->end_block});
    buffer_printf(sql, ") TO STDOUT%s", format);
}

void copy_statement_sink(const CopyTable *table, Buffer *sql)
{
    buffer_clear(sql, SIZE_MAX);
    buffer_printf(sql, "COPY %s", table->source);
    if (*table->columns)
        buffer_printf(sql, " (%s)", table->columns);
    buffer_printf(sql, " FROM STDIN%s", table->binary ? " WITH (FORMAT binary)" : "");
}
