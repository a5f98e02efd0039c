// SPDX-License-Identifier: Apache-2.0
// Looks at the sink's tables before the copy. Reads only.
#include "engine/copy/sink_check.h"

#include "common/base/buffer.h"
#include "common/base/memory.h"
#include "engine/pg/array.h"
#include "engine/pg/quote.h"
#include "sql.h"

#include <stdio.h>

enum { TABLES_A_STATEMENT = 100, NAMES_SHOWN = 10 };

typedef struct Finding { // names for an error
    Buffer names;
    size_t count;
} Finding;

static void note(Finding *f, const Relation *r)
{
    if (f->count++ >= NAMES_SHOWN)
        return;
    buffer_puts(&f->names, f->names.len ? ", " : "");
    quote_relation(&f->names, r->schema, r->name);
}

static void finish_names(Finding *f)
{
    if (f->count > NAMES_SHOWN)
        buffer_printf(&f->names, " and %zu more", f->count - NAMES_SHOWN);
}

static int look_at_tables(PGconn *sink, const Relation *const *relations, size_t count, PGresult **res, Error *err)
{
    auto_buffer Buffer schemas = {0};
    auto_buffer Buffer names = {0};

    array_begin(&schemas), array_begin(&names);
    for (size_t i = 0; i < count; i++) {
        array_put(&schemas, relations[i]->schema);
        array_put(&names, relations[i]->name);
    }
    array_end(&schemas), array_end(&names);
    const char *values[] = {schemas.data, names.data};
    return pg_query(sink, sql_sink_tables, 2, values, res, err);
}

// Which of the candidates (positions in relations) hold a row: one statement for many tables.
static int find_rows(PGconn *sink, const Relation *const *relations, const size_t *candidates, const bool *partitioned,
                     size_t count, Finding *filled, Error *err)
{
    auto_buffer Buffer sql = {0};

    for (size_t first = 0; first < count; first += TABLES_A_STATEMENT) {
        auto_pgresult PGresult *res = NULL;
        buffer_clear(&sql, SIZE_MAX);
        for (size_t i = first; i < count && i < first + TABLES_A_STATEMENT; i++) {
            const Relation *r = relations[candidates[i]];
            buffer_printf(&sql, "%sSELECT %zu WHERE EXISTS (SELECT FROM %s", i == first ? "" : " UNION ALL ",
                          candidates[i], partitioned[candidates[i]] ? "" : "ONLY ");
            quote_relation(&sql, r->schema, r->name);
            buffer_putc(&sql, ')');
        }
        if (pg_query(sink, sql.data, 0, NULL, &res, err))
            return error_wrap(err, "looking for rows in the sink's tables");
        for (int i = 0; i < PQntuples(res); i++)
            note(filled, relations[pg_get_int64(res, i, 0)]);
    }
    return 0;
}

static int report(Finding *missing, Finding *wrong, Finding *filled, Error *err)
{
    finish_names(missing), finish_names(wrong), finish_names(filled);
    if (missing->count) {
        error_set(err, ERROR_CONDITION, "the sink lacks %s: %s", missing->count == 1 ? "a table" : "tables",
                  missing->names.data);
        return error_hint(err, "run init-struct first, or create them in the sink");
    }
    if (wrong->count) {
        error_set(err, ERROR_CONDITION, "not ordinary tables on the sink: %s", wrong->names.data);
        return error_hint(err, "drop or rename what carries these names in the sink, then run init-struct");
    }
    if (filled->count) {
        error_set(err, ERROR_CONDITION, "%s of the sink %s rows that this task did not write: %s",
                  filled->count == 1 ? "a table" : "tables", filled->count == 1 ? "holds" : "hold", filled->names.data);
        return error_hint(
            err, "nothing was changed; empty %s (TRUNCATE), leave %s out of the migration, or take another sink",
            filled->count == 1 ? "it" : "them", filled->count == 1 ? "it" : "them");
    }
    return 0;
}

int sink_check(PGconn *sink, const Relation *const *relations, const bool *must_be_empty, bool *partitioned,
               size_t count, Error *err)
{
    auto_pgresult PGresult *res = NULL;
    Finding missing = {0}, wrong = {0}, filled = {0};
    size_t candidate_count = 0;

    if (look_at_tables(sink, relations, count, &res, err))
        return error_wrap(err, "looking at the sink's tables");
    size_t rows = (size_t)PQntuples(res);
    auto_free size_t *candidates = memory_alloc((rows + 1) * sizeof *candidates);
    for (size_t i = 0; i < rows; i++) {
        size_t at = (size_t)pg_get_int64(res, (int)i, 0) - 1;
        char kind = PQgetvalue(res, (int)i, 1)[0];
        partitioned[at] = kind == 'p';
        if (kind == '\0')
            note(&missing, relations[at]);
        else if (kind != 'r' && kind != 'p')
            note(&wrong, relations[at]);
        else if (must_be_empty[at])
            candidates[candidate_count++] = at;
    }
    int rc = find_rows(sink, relations, candidates, partitioned, candidate_count, &filled, err);
    if (rc == 0)
        rc = report(&missing, &wrong, &filled, err);
    buffer_free(&missing.names);
    buffer_free(&wrong.names);
    buffer_free(&filled.names);
    return rc;
}
