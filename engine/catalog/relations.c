// SPDX-License-Identifier: Apache-2.0
// Reads the relations to migrate and their columns from a server's catalogue.
#include "engine/catalog/relations.h"

#include "common/base/memory.h"
#include "engine/pg/array.h"
#include "sql.h"

#include <stdio.h>
#include <string.h>

enum { PARAMETERS = 8 };

// Three parallel array literals: whole schemas, schemas of single tables, names of single tables.
static void put_arrays(const ObjectList *list, Buffer arrays[3])
{
    for (int i = 0; i < 3; i++)
        array_begin(&arrays[i]);
    for (size_t i = 0; i < list->count; i++) {
        const ObjectName *name = &list->items[i];
        if (!name->table) {
            array_put(&arrays[0], name->schema);
            continue;
        }
        array_put(&arrays[1], name->schema);
        array_put(&arrays[2], name->table);
    }
    for (int i = 0; i < 3; i++)
        array_end(&arrays[i]);
}

static void read_relations(const PGresult *res, RelationList *out)
{
    out->count = (size_t)PQntuples(res);
    out->items = arena_zalloc(&out->arena, (out->count + 1) * sizeof *out->items);
    for (int i = 0; i < PQntuples(res); i++) {
        out->items[i] = (Relation){
            .oid = (uint32_t)pg_get_int64(res, i, 0),
            .schema = arena_strdup(&out->arena, PQgetvalue(res, i, 1)),
            .name = arena_strdup(&out->arena, PQgetvalue(res, i, 2)),
            .kind = PQgetvalue(res, i, 3)[0],
            .identity = PQgetvalue(res, i, 4)[0],
            .is_partition = pg_get_bool(res, i, 5),
            .unlogged = pg_get_bool(res, i, 6),
            .rows = pg_get_int64(res, i, 7),
            .heap_blocks = pg_get_int64(res, i, 8),
            .bytes = pg_get_int64(res, i, 9),
            .has_key = pg_get_bool(res, i, 10),
            .parent = (uint32_t)pg_get_int64(res, i, 11),
        };
    }
}

static bool is_in_list(const RelationList *list, const ObjectName *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].schema, name->schema) == 0 &&
            (!name->table || strcmp(list->items[i].name, name->table) == 0))
            return true;
    return false;
}

static int check_all_found(const ObjectList *objects, const RelationList *found, Error *err)
{
    for (size_t i = 0; i < objects->count; i++) {
        const ObjectName *name = &objects->items[i];
        if (is_in_list(found, name))
            continue;
        error_set(err, ERROR_CONDITION, "no table matches %s%s%s on the source", name->schema, name->table ? "." : "",
                  name->table ? name->table : "");
        return error_hint(err,
                          "correct --migration-object (names are taken as written, case included) or create the table");
    }
    if (found->count > 0)
        return 0;
    error_set(err, ERROR_CONDITION, "no table matches: the source database has no user table");
    return error_hint(err, "check that the source names the right database");
}

// only: the oid of the one relation to look for, NULL: all.
static int query_relations(PGconn *source, const ObjectList *objects, const ObjectList *excluded, const char *only,
                           PGresult **out, Error *err)
{
    Buffer arrays[6] = {{0}};
    const char *values[PARAMETERS];

    put_arrays(objects, arrays);
    put_arrays(excluded, arrays + 3);
    for (int i = 0; i < 6; i++)
        values[i] = arrays[i].data;
    values[6] = objects->count == 0 ? "true" : "false";
    values[7] = only;
    int rc = pg_query(source, sql_relations, PARAMETERS, values, out, err);
    for (int i = 0; i < 6; i++)
        buffer_free(&arrays[i]);
    return rc ? error_wrap(err, "listing the tables of the source") : 0;
}

int relations_load(PGconn *source, const ObjectList *objects, const ObjectList *excluded, RelationList *out, Error *err)
{
    auto_pgresult PGresult *res = NULL;

    *out = (RelationList){0};
    if (query_relations(source, objects, excluded, NULL, &res, err))
        return -1;
    read_relations(res, out);
    return check_all_found(objects, out, err);
}

int relations_wants(PGconn *source, const ObjectList *objects, const ObjectList *excluded, uint32_t oid, bool *wanted,
                    Error *err)
{
    char only[16];
    auto_pgresult PGresult *res = NULL;

    snprintf(only, sizeof only, "%u", oid);
    if (query_relations(source, objects, excluded, only, &res, err))
        return -1;
    *wanted = PQntuples(res) > 0;
    return 0;
}

void relations_free(RelationList *list)
{
    arena_free(&list->arena);
    *list = (RelationList){0};
}

const Relation *relations_find_oid(const RelationList *list, uint32_t oid)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].oid == oid)
            return &list->items[i];
    return NULL;
}

static void read_columns(const PGresult *res, Arena *arena, ColumnList *out)
{
    out->count = (size_t)PQntuples(res);
    out->items = arena_zalloc(arena, (out->count + 1) * sizeof *out->items);
    for (int i = 0; i < PQntuples(res); i++) {
        out->items[i] = (Column){
            .name = arena_strdup(arena, PQgetvalue(res, i, 0)),
            .type = arena_strdup(arena, PQgetvalue(res, i, 1)),
            .type_schema = arena_strdup(arena, PQgetvalue(res, i, 2)),
            .type_name = arena_strdup(arena, PQgetvalue(res, i, 3)),
            .type_oid = (uint32_t)pg_get_int64(res, i, 4),
            .generated = pg_get_bool(res, i, 5),
            .identity = pg_get_bool(res, i, 6),
            .not_null = pg_get_bool(res, i, 7),
            .is_key = pg_get_bool(res, i, 8),
            .is_primary = pg_get_bool(res, i, 9),
            .binary_safe = pg_get_bool(res, i, 10),
            .modifier = (int32_t)pg_get_int64(res, i, 11),
        };
    }
}

int columns_load(PGconn *conn, const char *schema, const char *name, Arena *arena, ColumnList *out, Error *err)
{
    const char *values[] = {schema, name};
    auto_pgresult PGresult *res = NULL;

    *out = (ColumnList){0};
    if (pg_query(conn, sql_columns, 2, values, &res, err))
        return error_wrap(err, "reading the columns of %s.%s", schema, name);
    read_columns(res, arena, out);
    return 0;
}

int columns_load_again(PGconn *conn, bool *prepared, const char *schema, const char *name, Arena *arena,
                       ColumnList *out, Error *err)
{
    static const char STATEMENT[] = "kubeferry_columns";
    const char *values[] = {schema, name};
    auto_pgresult PGresult *res = NULL;

    *out = (ColumnList){0};
    if (!*prepared && (!PQsendPrepare(conn, STATEMENT, sql_columns, 2, NULL) ||
                       pg_finish_query(conn, "PREPARE the columns' query", NULL, err)))
        return err->code ? -1 : pg_error(conn, NULL, err, "preparing a statement");
    *prepared = true;
    if (!PQsendQueryPrepared(conn, STATEMENT, 2, values, NULL, NULL, 0))
        return pg_error(conn, NULL, err, "sending a prepared statement");
    if (pg_finish_query(conn, STATEMENT, &res, err))
        return error_wrap(err, "reading the columns of %s.%s", schema, name);
    read_columns(res, arena, out);
    return 0;
}

const Column *columns_find(const ColumnList *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0)
            return &list->items[i];
    return NULL;
}
