// SPDX-License-Identifier: Apache-2.0
// Decides what of a table is compared. Reads the catalogue, never the table.
#include "engine/verify/verify_plan.h"

#include "common/base/memory.h"
#include "engine/pg/array.h"
#include "sql.h"

#include <string.h>

enum { BUCKETS_MIN = 16, BUCKETS_MAX = 16384, ROWS_PER_BUCKET = 64, ROW_BYTES_GUESS = 64 };

uint32_t verify_plan_buckets(const Relation *relation)
{
    // A table that was never analysed says 0 rows.
    int64_t rows = relation->rows > 0 ? relation->rows : relation->bytes / ROW_BYTES_GUESS;
    uint32_t buckets = BUCKETS_MIN;

    while (buckets < BUCKETS_MAX && (int64_t)buckets * ROWS_PER_BUCKET < rows)
        buckets *= 2;
    return buckets;
}

static const VerifyColumn *find_column(const VerifySide *side, const char *name, size_t expected)
{
    // Nearly always at the same place: 1,600 columns are not compared with 1,600.
    if (expected < side->count && strcmp(side->columns[expected].name, name) == 0)
        return &side->columns[expected];
    for (size_t i = 0; i < side->count; i++)
        if (strcmp(side->columns[i].name, name) == 0)
            return &side->columns[i];
    return NULL;
}

// "a", "b": adds one more name.
static const char *add_name(Arena *arena, const char *list, const char *name)
{
    return list ? arena_printf(arena, "%s, \"%s\"", list, name) : arena_printf(arena, "\"%s\"", name);
}

static void choose_columns(const VerifySide *source, const VerifySide *sink, Arena *arena, VerifyPlan *out)
{
    const char *missing = NULL, *extra = NULL;

    out->columns = arena_zalloc(arena, (source->count + 1) * sizeof *out->columns);
    for (size_t i = 0; i < source->count; i++) {
        const VerifyColumn *mine = &source->columns[i];
        const VerifyColumn *theirs = find_column(sink, mine->name, i);
        if (theirs) {
            VerifyColumn *chosen = &out->columns[out->column_count++];
            *chosen = *mine;
            // Types with a form of their own are read by it only when both ends have the type.
            if (strcmp(mine->type, theirs->type) != 0)
                chosen->type = "";
        } else if (!mine->generated) {
            missing = add_name(arena, missing, mine->name);
        }
    }
    for (size_t i = 0; i < sink->count; i++)
        if (!sink->columns[i].generated && !find_column(source, sink->columns[i].name, i))
            extra = add_name(arena, extra, sink->columns[i].name);
    if (missing)
        out->problem = arena_printf(arena, "the sink's table lacks the column %s", missing);
    if (extra)
        out->note = arena_printf(arena, "the sink's table has a column more, which was not compared: %s", extra);
}

static void choose_key(const VerifySide *source, Arena *arena, VerifyPlan *out)
{
    bool by_identity = false;
    size_t wanted = 0;

    for (size_t i = 0; i < source->count; i++)
        by_identity = by_identity || source->columns[i].key;
    for (size_t i = 0; i < source->count; i++)
        wanted += by_identity ? source->columns[i].key : source->columns[i].primary;
    out->key = arena_zalloc(arena, (wanted + 1) * sizeof *out->key);
    for (size_t i = 0; i < out->column_count; i++)
        if (by_identity ? out->columns[i].key : out->columns[i].primary)
            out->key[out->key_count++] = out->columns[i];
    if (out->key_count < wanted) // the sink lacks a part of it
        out->key_count = 0;
}

void verify_plan_make(const Relation *relation, const VerifySide *source, const VerifySide *sink, Arena *arena,
                      VerifyPlan *out)
{
    *out = (VerifyPlan){.relation = relation, .sink_partitioned = sink->kind == 'p'};
    if (!source->kind || !sink->kind) {
        out->problem = source->kind ? "the table does not exist on the sink"
                                    : "the table was dropped on the source while verify was running";
        return;
    }
    out->comparable = true;
    out->buckets = verify_plan_buckets(relation);
    choose_columns(source, sink, arena, out);
    choose_key(source, arena, out);
}

static void read_sides(const PGresult *res, Arena *arena, VerifySide *sides)
{
    int rows = PQntuples(res);

    for (int first = 0, next; first < rows; first = next) {
        int64_t ord = pg_get_int64(res, first, 0);
        for (next = first; next < rows && pg_get_int64(res, next, 0) == ord; next++)
            ;
        VerifySide *side = &sides[ord - 1];
        side->kind = PQgetvalue(res, first, 1)[0];
        side->columns = arena_zalloc(arena, (size_t)(next - first) * sizeof *side->columns);
        for (int i = first; i < next && !PQgetisnull(res, i, 2); i++)
            side->columns[side->count++] = (VerifyColumn){
                .name = arena_strdup(arena, PQgetvalue(res, i, 2)),
                .type = arena_strdup(arena, PQgetvalue(res, i, 3)),
                .generated = pg_get_bool(res, i, 4),
                .key = pg_get_bool(res, i, 5),
                .primary = pg_get_bool(res, i, 6),
            };
    }
}

int verify_plan_load(PGconn *conn, const Relation *const *tables, size_t count, Arena *arena, VerifySide **sides,
                     Error *err)
{
    auto_buffer Buffer schemas = {0};
    auto_buffer Buffer names = {0};
    auto_pgresult PGresult *res = NULL;

    array_begin(&schemas);
    array_begin(&names);
    for (size_t i = 0; i < count; i++) {
        array_put(&schemas, tables[i]->schema);
        array_put(&names, tables[i]->name);
    }
    array_end(&schemas);
    array_end(&names);
    const char *values[] = {schemas.data, names.data};
    if (pg_query(conn, sql_verify_columns, 2, values, &res, err))
        return error_wrap(err, "reading the columns of the tables to verify");
    *sides = arena_zalloc(arena, (count + 1) * sizeof **sides);
    read_sides(res, arena, *sides);
    return 0;
}
