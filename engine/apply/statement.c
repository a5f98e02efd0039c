// SPDX-License-Identifier: Apache-2.0
// Builds, prepares and runs the statements that apply changes. Knows nothing of batches or order.
#include "engine/apply/statement.h"

#include "common/base/memory.h"
#include "engine/pg/quote.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_OID = 25, TEXT_ARRAY_OID = 1009, MAX_PREPARED = 2000, KEEP_BYTES = 8 * 1024 * 1024 };

typedef struct Prepared {
    struct Prepared *next;
    StatementKind kind;
    uint64_t *unchanged; // NULL: none
    uint32_t epoch, name;
} Prepared;

struct StatementSet { // hangs on a Target
    Prepared *first;
};

void statement_runner_free(StatementRunner *r)
{
    for (size_t i = 0; i < r->array_count; i++)
        buffer_free(&r->arrays[i]);
    free(r->arrays);
    arena_free(&r->arena);
    *r = (StatementRunner){0};
}

static bool is_unchanged(const FoldMask *mask, uint16_t column)
{
    return mask && mask->unchanged[column / 64] >> column % 64 & 1;
}

// Whether a statement of this kind writes the column.
static bool writes(const Target *t, StatementKind kind, const FoldMask *mask, uint16_t column)
{
    const TargetColumn *c = &t->columns[column];

    switch (kind) {
    case STATEMENT_INSERT:
        return !c->skip;
    case STATEMENT_UPDATE:
        return !c->skip && !c->is_key && !c->identity_always && !is_unchanged(mask, column);
    case STATEMENT_UPDATE_KEY:
        return !c->skip && !is_unchanged(mask, column) && !(c->identity_always && !c->is_key);
    case STATEMENT_UPDATE_IMAGE:
        return !c->skip && !c->identity_always;
    case STATEMENT_DELETE:
    case STATEMENT_DELETE_IMAGE:
        break;
    }
    return false;
}

static bool by_key(StatementKind kind)
{
    return kind == STATEMENT_UPDATE || kind == STATEMENT_UPDATE_KEY || kind == STATEMENT_DELETE;
}

static bool by_image(StatementKind kind)
{
    return kind == STATEMENT_UPDATE_IMAGE || kind == STATEMENT_DELETE_IMAGE;
}

// ---- text of a statement -----------------------------------------------------------------------------------------

typedef struct Parameters {
    int writes, finds; // columns written come first, then those that find the row
} Parameters;

static Parameters count_parameters(const Target *t, StatementKind kind, const FoldMask *mask)
{
    Parameters p = {.finds = by_key(kind) ? t->key_count : 0};
    for (uint16_t i = 0; i < t->column_count; i++) {
        p.writes += writes(t, kind, mask, i);
        p.finds += by_image(kind) && !t->columns[i].skip;
    }
    return p;
}

// "ROWS FROM (unnest($from), …) AS alias(c<from>, …)": unnest with several arguments cannot be schema-qualified.
static void put_unnest(Buffer *sql, int from, int count, const char *alias)
{
    buffer_puts(sql, "ROWS FROM (");
    for (int i = 0; i < count; i++)
        buffer_printf(sql, "%spg_catalog.unnest($%d)", i ? "," : "", from + i);
    buffer_printf(sql, ") AS %s(", alias);
    for (int i = 0; i < count; i++)
        buffer_printf(sql, "%sc%d", i ? "," : "", from + i);
    buffer_putc(sql, ')');
}

static void put_insert(Buffer *sql, const Target *t)
{
    int n = 0;
    auto_buffer Buffer values = {0};

    buffer_printf(sql, "INSERT INTO %s (", t->label);
    for (uint16_t i = 0; i < t->column_count; i++) {
        if (!writes(t, STATEMENT_INSERT, NULL, i))
            continue;
        buffer_puts(sql, n ? "," : "");
        quote_ident(sql, t->columns[i].name);
        n++;
        buffer_printf(&values, "%su.c%d::%s", n > 1 ? "," : "", n, t->columns[i].type);
    }
    buffer_printf(sql, ") OVERRIDING SYSTEM VALUE SELECT %s FROM ", buffer_text(&values));
    put_unnest(sql, 1, n, "u");
}

static void put_set_list(Buffer *sql, const Target *t, StatementKind kind, const FoldMask *mask)
{
    int n = 0;
    for (uint16_t i = 0; i < t->column_count; i++) {
        if (!writes(t, kind, mask, i))
            continue;
        buffer_puts(sql, n++ ? "," : "");
        quote_ident(sql, t->columns[i].name);
        buffer_printf(sql, "=u.c%d::%s", n, t->columns[i].type);
    }
}

static void put_key_condition(Buffer *sql, const Target *t, int first)
{
    for (uint16_t k = 0; k < t->key_count; k++) {
        const TargetColumn *c = &t->columns[t->keys[k]];
        buffer_puts(sql, k ? " AND t." : "t.");
        quote_ident(sql, c->name);
        buffer_puts(sql, " OPERATOR(");
        quote_ident(sql, c->operator_schema);
        buffer_printf(sql, ".=) u.c%d::%s", first + k, c->type);
    }
}

// The one row whose image is the old one. *= compares what the bytes say, also for types that have no "=".
static void put_image_condition(Buffer *sql, const Target *t, int first, int count)
{
    auto_buffer Buffer mine = {0};
    auto_buffer Buffer theirs = {0};
    int n = 0;

    for (uint16_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].skip)
            continue;
        buffer_puts(&mine, n ? ",x." : "x.");
        quote_ident(&mine, t->columns[i].name);
        buffer_printf(&theirs, "%so.c%d::%s", n ? "," : "", first + n, t->columns[i].type);
        n++;
    }
    buffer_printf(sql,
                  "t.ctid = ANY (ARRAY(SELECT (SELECT x.ctid FROM ONLY %s AS x WHERE ROW(%s)::record "
                  "OPERATOR(pg_catalog.*=) ROW(%s)::record"
                  " LIMIT 1) FROM ",
                  t->label, buffer_text(&mine), buffer_text(&theirs));
    put_unnest(sql, first, count, "o");
    buffer_puts(sql, "))");
}

static void put_statement(Buffer *sql, const Target *t, StatementKind kind, const FoldMask *mask)
{
    Parameters p = count_parameters(t, kind, mask);

    switch (kind) {
    case STATEMENT_INSERT:
        put_insert(sql, t);
        break;
    case STATEMENT_UPDATE:
    case STATEMENT_UPDATE_KEY:
        buffer_printf(sql, "UPDATE ONLY %s AS t SET ", t->label);
        put_set_list(sql, t, kind, mask);
        buffer_puts(sql, " FROM ");
        put_unnest(sql, 1, p.writes + p.finds, "u");
        buffer_puts(sql, " WHERE ");
        put_key_condition(sql, t, p.writes + 1);
        break;
    case STATEMENT_DELETE:
        buffer_printf(sql, "DELETE FROM ONLY %s AS t USING ", t->label);
        put_unnest(sql, 1, p.finds, "u");
        buffer_puts(sql, " WHERE ");
        put_key_condition(sql, t, 1);
        break;
    case STATEMENT_UPDATE_IMAGE:
        buffer_printf(sql, "UPDATE ONLY %s AS t SET ", t->label);
        put_set_list(sql, t, kind, mask);
        buffer_puts(sql, " FROM ");
        put_unnest(sql, 1, p.writes, "u");
        buffer_puts(sql, " WHERE ");
        put_image_condition(sql, t, p.writes + 1, p.finds);
        break;
    case STATEMENT_DELETE_IMAGE:
        buffer_printf(sql, "DELETE FROM ONLY %s AS t WHERE ", t->label);
        put_image_condition(sql, t, 1, p.finds);
        break;
    }
}

// ---- preparing ---------------------------------------------------------------------------------------------------

static int forget_all(StatementRunner *r, Error *err)
{
    // With thousands of tables the sink's backend would otherwise keep a plan for each.
    r->epoch++;
    r->prepared = 0;
    return pg_exec(r->sink, "DEALLOCATE ALL", err);
}

static Prepared *find_known(const Target *t, StatementKind kind, const FoldMask *mask)
{
    size_t bytes = ((size_t)t->column_count + 63) / 64 * sizeof(uint64_t);
    for (Prepared *p = t->statements ? t->statements->first : NULL; p; p = p->next)
        if (p->kind == kind && !p->unchanged == !mask && (!mask || memcmp(p->unchanged, mask->unchanged, bytes) == 0))
            return p;
    return NULL;
}

static Prepared *add_known(StatementRunner *r, Target *t, StatementKind kind, const FoldMask *mask)
{
    size_t bytes = ((size_t)t->column_count + 63) / 64 * sizeof(uint64_t);
    Prepared *p = arena_zalloc(&r->arena, sizeof *p);

    if (!t->statements)
        t->statements = arena_zalloc(&r->arena, sizeof *t->statements);
    *p = (Prepared){.next = t->statements->first, .kind = kind};
    if (mask)
        p->unchanged = arena_copy(&r->arena, mask->unchanged, bytes);
    t->statements->first = p;
    return p;
}

// Finds the statement, or prepares it; one that was forgotten is prepared again.
static int prepare(StatementRunner *r, Target *t, StatementKind kind, const FoldMask *mask, int parameters,
                   Prepared **out, Error *err)
{
    auto_buffer Buffer sql = {0};
    char name[24];

    *out = find_known(t, kind, mask);
    if (*out && (*out)->epoch == r->epoch)
        return 0;
    if (r->prepared >= MAX_PREPARED && forget_all(r, err))
        return -1;
    put_statement(&sql, t, kind, mask);
    snprintf(name, sizeof name, "kf%u", ++r->next_name);
    auto_free Oid *types = memory_alloc((size_t)(parameters + 1) * sizeof *types);
    for (int i = 0; i < parameters; i++)
        types[i] = TEXT_ARRAY_OID;
    if (!PQsendPrepare(r->sink, name, sql.data, parameters, types))
        return pg_error(r->sink, NULL, err, "preparing a statement for %s", t->label);
    if (pg_finish_query(r->sink, sql.data, NULL, err))
        return error_wrap(err, "preparing a statement for %s", t->label);
    r->prepared++;
    if (!*out)
        *out = add_known(r, t, kind, mask);
    (*out)->epoch = r->epoch;
    (*out)->name = r->next_name;
    return 0;
}

// ---- parameters --------------------------------------------------------------------------------------------------

static void begin_array(Buffer *b, size_t count)
{
    buffer_clear(b, SIZE_MAX);
    buffer_put_u32(b, count ? 1 : 0); // dimensions
    buffer_put_u32(b, 1);             // may hold NULLs
    buffer_put_u32(b, TEXT_OID);
    buffer_put_u32(b, (uint32_t)count);
    buffer_put_u32(b, 1); // lower bound
}

static void put_element(Buffer *b, const Value *v)
{
    if (v->kind == VALUE_NULL) {
        buffer_put_u32(b, UINT32_MAX);
        return;
    }
    buffer_put_u32(b, v->len);
    buffer_append(b, v->data, v->len);
}

static void fill_arrays(StatementRunner *r, StatementKind kind, const Target *t, const FoldMask *mask,
                        const StatementRow *rows, size_t count)
{
    int n = 0;

    for (uint16_t i = 0; i < t->column_count; i++) {
        if (!writes(t, kind, mask, i))
            continue;
        Buffer *b = &r->arrays[n++];
        begin_array(b, count);
        for (size_t k = 0; k < count; k++)
            put_element(b, &rows[k].row[i]);
    }
    for (uint16_t i = 0; by_key(kind) && i < t->key_count; i++) {
        Buffer *b = &r->arrays[n++];
        begin_array(b, count);
        for (size_t k = 0; k < count; k++)
            put_element(b, &rows[k].key[i]);
    }
    for (uint16_t i = 0; by_image(kind) && i < t->column_count; i++) {
        if (t->columns[i].skip)
            continue;
        Buffer *b = &r->arrays[n++];
        begin_array(b, count);
        for (size_t k = 0; k < count; k++)
            put_element(b, &rows[k].old[i]);
    }
}

static int execute(StatementRunner *r, const Prepared *p, int parameters, int64_t *touched, Error *err)
{
    char name[24];
    size_t size = (size_t)parameters + 1;
    auto_free const char **values = memory_alloc(size * sizeof *values);
    auto_free int *lengths = memory_alloc(size * sizeof *lengths);
    auto_free int *formats = memory_alloc(size * sizeof *formats);

    snprintf(name, sizeof name, "kf%u", p->name);
    for (int i = 0; i < parameters; i++) {
        values[i] = r->arrays[i].data;
        lengths[i] = (int)r->arrays[i].len;
        formats[i] = 1;
    }
    return pg_run_prepared(r->sink, name, parameters, values, lengths, formats, touched, err);
}

// What one statement needed is kept for the next, but not what a huge one needed.
static void trim_arrays(StatementRunner *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->array_count; i++)
        kept += r->arrays[i].cap;
    for (size_t i = 0; i < r->array_count && kept > KEEP_BYTES; i++)
        buffer_free(&r->arrays[i]);
}

static void need_arrays(StatementRunner *r, int count)
{
    if ((size_t)count <= r->array_count)
        return;
    r->arrays = memory_realloc(r->arrays, (size_t)count * sizeof *r->arrays);
    memset(r->arrays + r->array_count, 0, ((size_t)count - r->array_count) * sizeof *r->arrays);
    r->array_count = (size_t)count;
}

int statement_run(StatementRunner *r, StatementKind kind, Target *t, const FoldMask *unchanged,
                  const StatementRow *rows, size_t count, int64_t *touched, Error *err)
{
    Parameters p = count_parameters(t, kind, unchanged);
    Prepared *prepared;

    if (p.writes == 0 && kind == STATEMENT_INSERT) { // a table without columns
        for (size_t i = 0; i < count; i++)
            if (pg_execf(r->sink, err, "INSERT INTO %s DEFAULT VALUES", t->label))
                return -1;
        *touched = (int64_t)count;
        return 0;
    }
    if (p.writes == 0 && kind != STATEMENT_DELETE && kind != STATEMENT_DELETE_IMAGE) { // nothing that could differ
        *touched = (int64_t)count;
        return 0;
    }
    if (prepare(r, t, kind, unchanged, p.writes + p.finds, &prepared, err))
        return -1;
    need_arrays(r, p.writes + p.finds);
    fill_arrays(r, kind, t, unchanged, rows, count);
    int rc = execute(r, prepared, p.writes + p.finds, touched, err);
    trim_arrays(r);
    if (rc)
        return error_wrap(err, "%s %s (%zu rows)",
                          kind == STATEMENT_INSERT ? "inserting into"
                          : p.writes               ? "updating"
                                                   : "deleting from",
                          t->label, count);
    return 0;
}

int statement_truncate(StatementRunner *r, Target *const *targets, size_t count, bool restart_identity, Error *err)
{
    auto_buffer Buffer sql = {0};

    buffer_puts(&sql, "TRUNCATE ONLY ");
    for (size_t i = 0; i < count; i++)
        buffer_printf(&sql, "%s%s", i ? ", ONLY " : "", targets[i]->label);
    buffer_puts(&sql, restart_identity ? " RESTART IDENTITY" : "");
    return count ? pg_exec(r->sink, sql.data, err) : 0;
}
