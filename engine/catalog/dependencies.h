// SPDX-License-Identifier: Apache-2.0
// What the source's catalogue says beside a dump: which schemas need not be dumped, what stands in a schema, and which
// relation a foreign key, trigger, rule or policy belongs to.
#pragma once

#include "engine/catalog/relations.h"

// What pg_dump is to leave out.
typedef struct DumpExclusion {
    const char *schema;
    const char *table; // NULL: the whole schema
} DumpExclusion;

typedef struct DumpExclusions {
    DumpExclusion *items;
    size_t count;
    Arena arena;
} DumpExclusions;

// Objects of catalogues, sorted by (class, oid).
typedef struct CatalogKey {
    uint32_t class_oid, oid;
    uint32_t owner; // relation that it belongs to, 0: not known
    uint32_t other; // table that a foreign key points to, else 0
} CatalogKey;

typedef struct CatalogSet {
    CatalogKey *items;
    size_t count, cap;
} CatalogSet;

// objects: as the task names them (empty: the whole database).
MUST_CHECK int dependencies_exclusions(PGconn *source, const RelationList *relations, const ObjectList *objects,
                                       DumpExclusions *out, Error *err);
void dependencies_exclusions_free(DumpExclusions *e);
// What stands in the schemas that the list names whole, and the schemas themselves.
MUST_CHECK int dependencies_members(PGconn *source, const ObjectList *list, CatalogSet *out, Error *err);
// Foreign keys, triggers, rules and policies with the relation that they belong to; beside them, as pg_class, the
// materialized views that hold rows.
MUST_CHECK int dependencies_owners(PGconn *source, CatalogSet *out, Error *err);

void catalog_set_add(CatalogSet *set, CatalogKey key); // to be sorted afterwards
void catalog_set_sort(CatalogSet *set);
const CatalogKey *catalog_set_find(const CatalogSet *set, uint32_t class_oid, uint32_t oid); // NULL: none
void catalog_set_free(CatalogSet *set);
