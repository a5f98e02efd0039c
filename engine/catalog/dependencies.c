// SPDX-License-Identifier: Apache-2.0
// Asks the source's catalogue about dependencies, with packed answers: a database may hold hundreds of thousands of
// objects.
#include "engine/catalog/dependencies.h"

#include "common/base/memory.h"
#include "engine/pg/array.h"
#include "sql.h"

#include <stdio.h>

static void put_whole_schemas(const ObjectList *list, Buffer *array)
{
    array_begin(array);
    for (size_t i = 0; i < list->count; i++)
        if (!list->items[i].table)
            array_put(array, list->items[i].schema);
    array_end(array);
}

static void put_oids(const RelationList *relations, Buffer *array)
{
    array_begin(array);
    for (size_t i = 0; i < relations->count; i++)
        buffer_printf(array, "%s%u", i ? "," : "", relations->items[i].oid);
    array_end(array);
}

int dependencies_exclusions(PGconn *source, const RelationList *relations, const ObjectList *objects,
                            DumpExclusions *out, Error *err)
{
    auto_buffer Buffer oids = {0}, schemas = {0};
    auto_pgresult PGresult *res = NULL;

    *out = (DumpExclusions){0};
    put_oids(relations, &oids);
    put_whole_schemas(objects, &schemas);
    const char *values[] = {oids.data, schemas.data, objects->count == 0 ? "true" : "false"};
    if (pg_query(source, sql_dependencies, 3, values, &res, err))
        return error_wrap(err, "finding what the tables depend on");
    out->count = (size_t)PQntuples(res);
    out->items = arena_zalloc(&out->arena, (out->count + 1) * sizeof *out->items);
    for (int i = 0; i < PQntuples(res); i++) {
        out->items[i].schema = arena_strdup(&out->arena, PQgetvalue(res, i, 0));
        if (!PQgetisnull(res, i, 1))
            out->items[i].table = arena_strdup(&out->arena, PQgetvalue(res, i, 1));
    }
    return 0;
}

void dependencies_exclusions_free(DumpExclusions *e)
{
    arena_free(&e->arena);
    *e = (DumpExclusions){0};
}

void catalog_set_add(CatalogSet *set, CatalogKey key)
{
    if (set->count == set->cap) {
        set->cap = set->cap ? set->cap + set->cap / 2 : 256;
        set->items = memory_realloc(set->items, set->cap * sizeof *set->items);
    }
    set->items[set->count++] = key;
}

static int compare_keys(const void *a, const void *b)
{
    const CatalogKey *x = a, *y = b;
    if (x->class_oid != y->class_oid)
        return x->class_oid < y->class_oid ? -1 : 1;
    return x->oid < y->oid ? -1 : x->oid > y->oid;
}

void catalog_set_sort(CatalogSet *set)
{
    if (set->count > 0)
        qsort(set->items, set->count, sizeof *set->items, compare_keys);
}

const CatalogKey *catalog_set_find(const CatalogSet *set, uint32_t class_oid, uint32_t oid)
{
    CatalogKey key = {.class_oid = class_oid, .oid = oid};
    return set->count ? bsearch(&key, set->items, set->count, sizeof *set->items, compare_keys) : NULL;
}

void catalog_set_free(CatalogSet *set)
{
    free(set->items);
    *set = (CatalogSet){0};
}

static uint32_t next_oid(const char **text)
{
    char *end;
    uint32_t oid = (uint32_t)strtoul(*text, &end, 10);
    *text = end;
    return oid;
}

static void unpack(const PGresult *res, bool with_owner, CatalogSet *out)
{
    for (int i = 0; i < PQntuples(res); i++) {
        const char *text = PQgetvalue(res, i, 1); // "" for SQL NULL
        uint32_t class_oid = (uint32_t)pg_get_int64(res, i, 0);
        while (*text) {
            CatalogKey key = {.class_oid = class_oid, .oid = next_oid(&text)};
            if (with_owner) {
                key.owner = next_oid(&text);
                key.other = next_oid(&text);
            }
            catalog_set_add(out, key);
        }
    }
    catalog_set_sort(out);
}

int dependencies_members(PGconn *source, const ObjectList *list, CatalogSet *out, Error *err)
{
    auto_buffer Buffer schemas = {0};
    auto_pgresult PGresult *res = NULL;

    *out = (CatalogSet){0};
    put_whole_schemas(list, &schemas);
    const char *values[] = {schemas.data};
    if (pg_query(source, sql_structure_members, 1, values, &res, err))
        return error_wrap(err, "listing the objects of the schemas");
    unpack(res, false, out);
    return 0;
}

int dependencies_owners(PGconn *source, CatalogSet *out, Error *err)
{
    auto_pgresult PGresult *res = NULL;

    *out = (CatalogSet){0};
    if (pg_query(source, sql_structure_owners, 0, NULL, &res, err))
        return error_wrap(err, "listing the foreign keys, triggers, rules and policies of the source");
    unpack(res, true, out);
    return 0;
}
