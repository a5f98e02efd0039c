// SPDX-License-Identifier: Apache-2.0
// The task's publication on the source. Must not touch one that is not ours.
#include "engine/stream/publication.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "engine/pg/array.h"
#include "engine/pg/query.h"
#include "engine/pg/quote.h"
#include "sql.h"

#include <stdio.h>
#include <string.h>

// A statement locks each table that it names; the lock table of a server with default settings has room for thousands.
enum { TABLES_A_STATEMENT = 500, ROOTS_SINCE = 130000 };

int publication_look(const Context *ctx, PGconn *source, PublicationInfo *out, Error *err)
{
    const char *values[] = {ctx->publication};
    auto_pgresult PGresult *res = NULL;

    *out = (PublicationInfo){0};
    if (pg_query(source, sql_publication, 1, values, &res, err))
        return error_wrap(err, "looking for publication %s on the source", ctx->publication);
    if (PQntuples(res) == 0)
        return 0;
    auto_free char *comment = memory_printf("kubeferry task %s", ctx->task->name);
    out->exists = true;
    out->ours = strcmp(PQgetvalue(res, 0, 0), comment) == 0;
    out->all_tables = pg_get_bool(res, 0, 1);
    out->all_changes = pg_get_bool(res, 0, 2);
    out->via_root = pg_get_bool(res, 0, 3);
    out->filtered = pg_get_bool(res, 0, 4);
    return 0;
}

// ---- which tables to name ----------------------------------------------------------------------------------------

static int compare_oid(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

typedef struct Members { // the relations to name in the publication
    const Relation **items;
    size_t count;
} Members;

static Members choose_members(const RelationList *list, bool by_root)
{
    Members members = {.items = memory_alloc((list->count + 1) * sizeof *members.items)};
    auto_free uint32_t *roots = memory_alloc((list->count + 1) * sizeof *roots);
    size_t root_count = 0;

    for (size_t i = 0; by_root && i < list->count; i++)
        if (list->items[i].kind == 'p')
            roots[root_count++] = list->items[i].oid;
    qsort(roots, root_count, sizeof *roots, compare_oid);
    for (size_t i = 0; i < list->count; i++) {
        const Relation *r = &list->items[i];
        if ((r->kind == 'p' && !by_root) || r->unlogged)
            continue;
        // Below a root that is named itself.
        if (r->parent && bsearch(&r->parent, roots, root_count, sizeof *roots, compare_oid))
            continue;
        members.items[members.count++] = r;
    }
    return members;
}

static bool can_name_roots(const Context *ctx, int version)
{
    return version >= ROOTS_SINCE && ctx->task->excluded.count == 0;
}

// Keeps those that the publication lacks.
static int keep_missing(const Context *ctx, PGconn *source, Members *members, Error *err)
{
    auto_buffer Buffer oids = {0};
    char number[16];
    auto_pgresult PGresult *res = NULL;

    array_begin(&oids);
    for (size_t i = 0; i < members->count; i++) {
        snprintf(number, sizeof number, "%u", members->items[i]->oid);
        array_put(&oids, number);
    }
    array_end(&oids);
    const char *values[] = {ctx->publication, oids.data};
    if (pg_query(source, sql_publication_missing, 2, values, &res, err))
        return error_wrap(err, "reading the tables of publication %s", ctx->publication);
    // The answer keeps the order: positions from 1.
    members->count = (size_t)PQntuples(res);
    for (size_t i = 0; i < members->count; i++)
        members->items[i] = members->items[pg_get_int64(res, (int)i, 0) - 1];
    return 0;
}

// ---- statements --------------------------------------------------------------------------------------------------

static void put_tables(Buffer *sql, const Members *members, size_t first)
{
    for (size_t i = first; i < members->count && i < first + TABLES_A_STATEMENT; i++) {
        const Relation *r = members->items[i];
        buffer_puts(sql, i == first ? " TABLE " : ", ");
        if (r->kind == 'r')
            buffer_puts(sql, "ONLY ");
        quote_relation(sql, r->schema, r->name);
    }
}

static void put_create(Buffer *sql, const Context *ctx, int version, const Members *members)
{
    buffer_puts(sql, "CREATE PUBLICATION ");
    quote_ident(sql, ctx->publication);
    if (members->count > 0) {
        buffer_puts(sql, " FOR");
        put_tables(sql, members, 0);
    }
    if (version >= ROOTS_SINCE)
        buffer_puts(sql, " WITH (publish_via_partition_root = false)");
}

static void put_add(Buffer *sql, const Context *ctx, const Members *members, size_t first)
{
    buffer_puts(sql, "ALTER PUBLICATION ");
    quote_ident(sql, ctx->publication);
    buffer_puts(sql, " ADD");
    put_tables(sql, members, first);
}

static void put_comment(Buffer *sql, const Context *ctx)
{
    auto_free char *comment = memory_printf("kubeferry task %s", ctx->task->name);
    buffer_puts(sql, "COMMENT ON PUBLICATION ");
    quote_ident(sql, ctx->publication);
    buffer_puts(sql, " IS ");
    quote_literal(sql, comment);
}

static void put_statements(Buffer *sql, const Context *ctx, int version, const Members *members, bool exists)
{
    size_t first = 0;

    if (!exists) {
        put_create(sql, ctx, version, members);
        buffer_puts(sql, ";");
        first = TABLES_A_STATEMENT;
    }
    for (; first < members->count; first += TABLES_A_STATEMENT) {
        buffer_puts(sql, sql->len ? " " : "");
        put_add(sql, ctx, members, first);
        buffer_puts(sql, ";");
    }
}

char *publication_statements(const Context *ctx, int source_version, const RelationList *relations)
{
    Buffer sql = {0};
    Members members = choose_members(relations, can_name_roots(ctx, source_version));

    put_statements(&sql, ctx, source_version, &members, false);
    free(members.items);
    return sql.data;
}

static int not_permitted(const Context *ctx, PGconn *source, const Members *members, bool exists, Error *err)
{
    auto_buffer Buffer sql = {0};

    put_statements(&sql, ctx, PQserverVersion(source), members, exists);
    if (strcmp(err->sqlstate, "42501") != 0)
        return -1;
    err->code = ERROR_CONDITION;
    return error_hint(err, "let the tables' owner (or a superuser) run: %s", sql.data);
}

static int add_tables(const Context *ctx, PGconn *source, const Members *members, size_t first, Error *err)
{
    auto_buffer Buffer sql = {0};

    for (; first < members->count; first += TABLES_A_STATEMENT) {
        buffer_clear(&sql, SIZE_MAX);
        put_add(&sql, ctx, members, first);
        if (pg_exec(source, sql.data, err))
            return -1;
    }
    return 0;
}

static int create(const Context *ctx, PGconn *source, const Members *members, Error *err)
{
    auto_buffer Buffer sql = {0};

    // The comment with the publication in one transaction: there is never one of ours without the proof.
    put_create(&sql, ctx, PQserverVersion(source), members);
    buffer_puts(&sql, "; ");
    put_comment(&sql, ctx);
    if (pg_exec(source, sql.data, err) || add_tables(ctx, source, members, TABLES_A_STATEMENT, err)) {
        error_wrap(err, "making publication %s on the source", ctx->publication);
        return not_permitted(ctx, source, members, false, err);
    }
    log_info("publication", "made publication %s on the source", ctx->publication);
    return 0;
}

static int check_prepared(const Context *ctx, PGconn *source, const PublicationInfo *info, const Members *missing,
                          Error *err)
{
    auto_buffer Buffer sql = {0};

    if (!info->all_changes || info->via_root || info->filtered) {
        error_set(err, ERROR_CONDITION, "publication %s on the source %s", ctx->publication,
                  info->filtered       ? "has row filters or column lists: rows would be missing in the sink"
                  : !info->all_changes ? "does not publish every kind of change (insert, update, delete, truncate)"
                                       : "publishes partitions as their root (publish_via_partition_root)");
        return error_hint(
            err, "drop it, or ALTER PUBLICATION \"%s\" SET (publish = 'insert, update, delete, truncate'%s)",
            ctx->publication, PQserverVersion(source) >= ROOTS_SINCE ? ", publish_via_partition_root = false" : "");
    }
    if (missing->count == 0)
        return 0;
    put_statements(&sql, ctx, PQserverVersion(source), missing, true);
    error_set(
        err, ERROR_CONDITION,
        "publication %s on the source was prepared by somebody else and lacks %zu of the tables, \"%s\".\"%s\" first",
        ctx->publication, missing->count, missing->items[0]->schema, missing->items[0]->name);
    return error_hint(err, "run: %s", sql.data);
}

static int complete(const Context *ctx, PGconn *source, Members *missing, Error *err)
{
    if (add_tables(ctx, source, missing, 0, err)) {
        error_wrap(err, "adding tables to publication %s on the source", ctx->publication);
        return not_permitted(ctx, source, missing, true, err);
    }
    if (missing->count)
        log_info("publication", "added %zu tables to publication %s", missing->count, ctx->publication);
    return 0;
}

int publication_ensure(const Context *ctx, PGconn *source, const RelationList *relations, bool *made, Error *err)
{
    PublicationInfo info;

    if (publication_look(ctx, source, &info, err))
        return -1;
    *made = !info.exists || info.ours;
    // A prepared one may name roots or leaves: what counts is that each leaf is in it.
    Members members = choose_members(relations, *made && can_name_roots(ctx, PQserverVersion(source)));
    int rc;
    if (!info.exists)
        rc = create(ctx, source, &members, err);
    else if (!info.all_tables && keep_missing(ctx, source, &members, err))
        rc = -1;
    else {
        if (info.all_tables)
            members.count = 0;
        rc = info.ours ? complete(ctx, source, &members, err) : check_prepared(ctx, source, &info, &members, err);
    }
    free(members.items);
    return rc;
}

int publication_drop(const Context *ctx, PGconn *source, bool force, bool *dropped, bool *left, Error *err)
{
    auto_buffer Buffer sql = {0};
    PublicationInfo info;

    *dropped = *left = false;
    if (publication_look(ctx, source, &info, err))
        return -1;
    if (!info.exists)
        return 0;
    if (!info.ours && !force) {
        *left = true;
        return 0;
    }
    buffer_puts(&sql, "DROP PUBLICATION IF EXISTS ");
    quote_ident(&sql, ctx->publication);
    if (pg_exec(source, sql.data, err))
        return error_wrap(err, "dropping publication %s on the source", ctx->publication);
    *dropped = true;
    log_info("publication", "dropped publication %s on the source", ctx->publication);
    return 0;
}
