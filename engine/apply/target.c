// SPDX-License-Identifier: Apache-2.0
// Matches the stream's relations with the sink's tables and stops at what does not fit.
#include "engine/apply/target.h"

#include "common/base/buffer.h"
#include "common/base/memory.h"
#include "engine/apply/new_relation.h"
#include "engine/catalog/modifier.h"
#include "engine/pg/array.h"
#include "engine/pg/quote.h"
#include "sql.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_USER_OID = 16384, BUCKETS = 4096, NOTE_BATCH = 500 };

typedef struct TypeName {
    struct TypeName *next;
    uint32_t oid;
    char name[64];
} TypeName;

typedef struct Slot { // one source table
    struct Slot *next;
    uint32_t source_oid;
    uint64_t fingerprint; // of the Relation message
    Target *target;
} Slot;

struct TargetMap {
    const Context *ctx;
    PGconn *catalog;
    PGconn *source; // for look-ups on the source, made when first needed
    int64_t task_id;
    bool replica_role;
    uint32_t next_number;
    Arena arena; // all that is found lives as long as the stream
    LedgerRelations relations;
    LedgerRelation **by_oid; // open addressing
    size_t by_oid_size;
    TypeName *types;
    Slot *slots[BUCKETS];
};

static void index_relations(TargetMap *map)
{
    map->by_oid_size = 16;
    while (map->by_oid_size < map->relations.count * 2)
        map->by_oid_size *= 2;
    map->by_oid = arena_zalloc(&map->arena, map->by_oid_size * sizeof(LedgerRelation *));
    for (size_t i = 0; i < map->relations.count; i++) {
        size_t at = map->relations.items[i].source_oid & (map->by_oid_size - 1);
        while (map->by_oid[at])
            at = (at + 1) & (map->by_oid_size - 1);
        map->by_oid[at] = &map->relations.items[i];
    }
}

static LedgerRelation *find_relation(const TargetMap *map, uint32_t oid)
{
    for (size_t at = oid & (map->by_oid_size - 1); map->by_oid[at]; at = (at + 1) & (map->by_oid_size - 1))
        if (map->by_oid[at]->source_oid == oid)
            return map->by_oid[at];
    return NULL;
}

int target_map_open(const Context *ctx, PGconn *catalog, int64_t task_id, bool replica_role, TargetMap **out,
                    Error *err)
{
    TargetMap *map = memory_zalloc(sizeof *map);

    *map = (TargetMap){.ctx = ctx, .catalog = catalog, .task_id = task_id, .replica_role = replica_role};
    if (ledger_relations_load(catalog, task_id, &map->arena, &map->relations, err)) {
        target_map_close(map);
        return -1;
    }
    index_relations(map);
    *out = map;
    return 0;
}

void target_map_close(TargetMap *map)
{
    if (!map)
        return;
    if (map->source)
        PQfinish(map->source);
    arena_free(&map->arena);
    free(map);
}

void target_map_type(TargetMap *map, const PgoutputMessage *type)
{
    TypeName *known = map->types;
    while (known && known->oid != type->type.oid)
        known = known->next;
    if (!known) {
        known = arena_zalloc(&map->arena, sizeof *known);
        *known = (TypeName){.next = map->types, .oid = type->type.oid};
        map->types = known;
    }
    snprintf(known->name, sizeof known->name, "%s", type->type.name);
}

static const char *type_name(const TargetMap *map, uint32_t oid)
{
    for (const TypeName *t = map->types; t; t = t->next)
        if (t->oid == oid)
            return t->name;
    return NULL;
}

static uint64_t fingerprint(const PgoutputMessage *m)
{
    uint64_t h = 14695981039346656037u; // FNV-1a
#define MIX(bytes, len)                                                                                                \
    for (size_t i_ = 0; i_ < (len); i_++)                                                                              \
    h = (h ^ ((const unsigned char *)(bytes))[i_]) * 1099511628211u
    MIX(m->relation.schema, strlen(m->relation.schema) + 1);
    MIX(m->relation.name, strlen(m->relation.name) + 1);
    MIX(&m->relation.identity, 1);
    for (uint16_t i = 0; i < m->relation.column_count; i++) {
        const PgoutputColumn *c = &m->relation.columns[i];
        MIX(c->name, strlen(c->name) + 1);
        MIX(&c->is_key, sizeof c->is_key);
        MIX(&c->type_oid, sizeof c->type_oid);
        MIX(&c->typmod, sizeof c->typmod);
    }
#undef MIX
    return h;
}

static int changed(Error *err, const char *label, const char *what, const char *remedy)
{
    error_set(err, ERROR_CONDITION, "the source's schema changed while changes were followed: relation %s: %s", label,
              what);
    return error_hint(err, "%s; then start again with the same command: everything applied so far is kept", remedy);
}

enum {
    COL_NAME,
    COL_TYPE,
    COL_OID,
    COL_BASE_TYPE,
    COL_GENERATED,
    COL_ALWAYS,
    COL_PRIMARY,
    COL_OPERATOR,
    COL_GUARDED,
    COL_MODIFIER,
    COL_CAST
};

static int sink_column(const PGresult *res, const char *name)
{
    for (int i = 0; i < PQntuples(res); i++)
        if (strcmp(PQgetvalue(res, i, COL_NAME), name) == 0)
            return i;
    return -1;
}

// The column's type as a statement names it. Built-in types have the same oid everywhere: the sink knows them, too.
static char *source_type(const TargetMap *map, const PgoutputColumn *c)
{
    char oid[16], typmod[16];
    const char *values[] = {oid, typmod}, *name = type_name(map, c->type_oid);
    auto_pgresult PGresult *res = NULL;
    Error ignored = {0};

    if (c->type_oid >= FIRST_USER_OID)
        return memory_strdup(name ? name : "<the source's type>");
    snprintf(oid, sizeof oid, "%u", c->type_oid);
    snprintf(typmod, sizeof typmod, "%d", c->typmod);
    if (pg_query(map->catalog, "SELECT pg_catalog.format_type($1::pg_catalog.oid, $2::pg_catalog.int4)", 2, values,
                 &res, &ignored) ||
        PQntuples(res) == 0)
        return memory_printf("<the type with oid %u>", c->type_oid);
    return memory_strdup(PQgetvalue(res, 0, 0));
}

static int check_type(const TargetMap *map, const Target *t, const PgoutputColumn *c, const PGresult *res, int row,
                      Error *err)
{
    const char *source_name = c->type_oid >= FIRST_USER_OID ? type_name(map, c->type_oid) : NULL;
    bool same = c->type_oid < FIRST_USER_OID
                    ? (uint32_t)pg_get_int64(res, row, COL_OID) == c->type_oid
                    : !source_name || strcmp(source_name, PQgetvalue(res, row, COL_BASE_TYPE)) == 0;
    if (same && modifier_keeps(c->type_oid, c->typmod, (int32_t)pg_get_int64(res, row, COL_MODIFIER)))
        return 0;
    auto_free char *type = source_type(map, c);
    auto_free char *name = quote_ident_text(c->name);
    auto_free char *what = memory_printf("column %s has another type on the source (%s) than in the sink (%s)", name,
                                         type, PQgetvalue(res, row, COL_TYPE));
    auto_free char *remedy = memory_printf(
        "run on the sink: ALTER TABLE %s ALTER COLUMN %s TYPE %s (with the source's USING)", t->label, name, type);
    return changed(err, t->label, what, remedy);
}

static int missing_column(const TargetMap *map, const Target *t, const PgoutputColumn *c, Error *err)
{
    auto_free char *type = source_type(map, c);
    auto_free char *name = quote_ident_text(c->name);
    auto_free char *what = memory_printf("column %s was added or renamed on the source and is not in the sink", name);
    auto_free char *remedy = memory_printf("make the same change on the sink: ALTER TABLE %s ADD COLUMN %s %s (with "
                                           "the source's DEFAULT), or ALTER TABLE %s "
                                           "RENAME COLUMN … TO %s",
                                           t->label, name, type, t->label, name);
    return changed(err, t->label, what, remedy);
}

static int fill_columns(TargetMap *map, Target *t, const PgoutputMessage *m, const PGresult *res, Error *err)
{
    t->column_count = m->relation.column_count;
    t->columns = arena_zalloc(&map->arena, (t->column_count + 1u) * sizeof *t->columns);
    for (uint16_t i = 0; i < t->column_count; i++) {
        const PgoutputColumn *c = &m->relation.columns[i];
        int row = sink_column(res, c->name);
        if (row < 0)
            return missing_column(map, t, c, err);
        if (check_type(map, t, c, res, row, err))
            return -1;
        t->columns[i] = (TargetColumn){
            .name = arena_strdup(&map->arena, c->name),
            .type = arena_strdup(&map->arena, PQgetvalue(res, row, COL_CAST)),
            .operator_schema = arena_strdup(&map->arena, PQgetvalue(res, row, COL_OPERATOR)),
            .is_key = t->full ? pg_get_bool(res, row, COL_PRIMARY) : c->is_key,
            .identity_always = pg_get_bool(res, row, COL_ALWAYS),
            .skip = pg_get_bool(res, row, COL_GENERATED),
        };
    }
    return 0;
}

// With identity full the sink's primary key finds the row, when the stream has all of its columns.
static void fill_keys(TargetMap *map, Target *t, const PGresult *res)
{
    int primary = 0;
    for (int i = 0; i < PQntuples(res); i++)
        primary += pg_get_bool(res, i, COL_PRIMARY);
    t->keys = arena_alloc(&map->arena, (t->column_count + 1u) * sizeof *t->keys);
    for (uint16_t i = 0; i < t->column_count; i++)
        if (t->columns[i].is_key)
            t->keys[t->key_count++] = i;
    if (t->full && t->key_count != primary)
        t->key_count = 0;
    for (uint16_t i = 0; i < t->column_count; i++) {
        if (t->key_count == 0)
            t->columns[i].is_key = false;
        if (t->columns[i].identity_always && !t->columns[i].is_key)
            t->replace_only = true;
    }
}

// Columns that the source had when the rows were copied and that it no longer sends.
static int check_dropped(const TargetMap *map, const Target *t, const PGresult *res, Error *err)
{
    char id[24], oid[24];
    const char *values[] = {id, oid};
    auto_pgresult PGresult *known = NULL;

    snprintf(id, sizeof id, "%lld", (long long)map->task_id);
    snprintf(oid, sizeof oid, "%u", t->source_oid);
    if (pg_query(map->catalog,
                 "SELECT pg_catalog.jsonb_array_elements_text(columns::jsonb) FROM kubeferry.relation"
                 " WHERE task = $1 AND source_oid = $2 AND columns IS NOT NULL",
                 2, values, &known, err))
        return error_wrap(err, "reading the columns of %s in the ledger", t->label);
    for (int i = 0; i < PQntuples(known); i++) {
        const char *name = PQgetvalue(known, i, 0);
        bool still_sent = false;
        for (uint16_t c = 0; c < t->column_count && !still_sent; c++)
            still_sent = strcmp(t->columns[c].name, name) == 0;
        int row = sink_column(res, name);
        // A generated column is not sent (before 18 never): the sink computes it.
        if (still_sent || row < 0 || pg_get_bool(res, row, COL_GENERATED))
            continue;
        auto_free char *column = quote_ident_text(name);
        auto_free char *what =
            memory_printf("column %s was dropped or renamed on the source and is still in the sink", column);
        auto_free char *remedy = memory_printf(
            "make the same change on the sink, for example ALTER TABLE %s DROP COLUMN %s", t->label, column);
        return changed(err, t->label, what, remedy);
    }
    return 0;
}

static int match_with_sink(TargetMap *map, Target *t, const PgoutputMessage *m, Error *err)
{
    const char *values[] = {t->schema, t->name};
    auto_pgresult PGresult *res = NULL;

    if (pg_query(map->catalog, sql_target, 2, values, &res, err))
        return error_wrap(err, "reading the columns of %s in the sink", t->label);
    if (PQntuples(res) == 0 && m->relation.column_count > 0) {
        auto_free char *remedy = memory_printf("create the table on the sink, or rename it there as on the source");
        return changed(err, t->label, "there is no such table in the sink", remedy);
    }
    if (fill_columns(map, t, m, res, err) || check_dropped(map, t, res, err))
        return -1;
    fill_keys(map, t, res);
    t->in_order = !map->replica_role && PQntuples(res) > 0 && pg_get_bool(res, 0, COL_GUARDED);
    return 0;
}

// A table that the ledger does not know: one of a wider publication (passed over), or one of ours that is new, such as
// a partition made since the copy.
static int check_unknown(TargetMap *map, const Target *t, Error *err)
{
    const TaskDocument *task = map->ctx->task;
    bool wanted = false;

    if (!map->source && context_connect_source(map->ctx, PG_ORDINARY, &map->source, err))
        return -1;
    if (relations_wants(map->source, &task->objects, &task->excluded, t->source_oid, &wanted, err))
        return error_wrap(err, "looking up %s on the source", t->label);
    if (!wanted)
        return 0;
    return new_relation_found(map->catalog, map->task_id, t->label, err);
}

// A table that has another name than when it was copied: its changes go on once the sink's table is called the same.
// That the source's is called back does not help, since the stream has the name of the time of each change.
static int follow_rename(TargetMap *map, const Target *t, LedgerRelation *known, Error *err)
{
    char id[24], oid[24];
    const char *values[] = {id, oid, t->schema, t->name};
    auto_free char *old = quote_relation_text(known->schema, known->name);
    auto_free char *name = quote_ident_text(t->name);
    int64_t moved = 0;

    snprintf(id, sizeof id, "%lld", (long long)map->task_id);
    snprintf(oid, sizeof oid, "%u", t->source_oid);
    if (pg_run(map->catalog, sql_follow_rename, 4, values, &moved, err))
        return error_wrap(err, "looking for %s in the sink", t->label);
    if (moved) {
        known->schema = t->schema;
        known->name = t->name;
        return 0;
    }
    bool other_schema = strcmp(known->schema, t->schema) != 0;
    auto_free char *schema = quote_ident_text(t->schema);
    auto_free char *what = memory_printf("it was called %s when it was copied, and the sink still has it so", old);
    auto_free char *remedy = other_schema ? memory_printf("make the same change on the sink, so that %s becomes %s "
                                                          "(ALTER TABLE … SET SCHEMA %s, … RENAME TO %s)",
                                                          old, t->label, schema, name)
                                          : memory_printf("run on the sink: ALTER TABLE %s RENAME TO %s", old, name);
    return changed(err, t->label, what, remedy);
}

static int make_target(TargetMap *map, const PgoutputMessage *m, Target **out, Error *err)
{
    Target *t = arena_zalloc(&map->arena, sizeof *t);
    LedgerRelation *known = find_relation(map, m->relation.id);
    auto_buffer Buffer label = {0};

    quote_relation(&label, m->relation.schema, m->relation.name);
    t->source_oid = m->relation.id;
    t->schema = arena_strdup(&map->arena, m->relation.schema);
    t->name = arena_strdup(&map->arena, m->relation.name);
    t->label = arena_strdup(&map->arena, label.data);
    t->full = m->relation.identity == 'f';
    t->number = map->next_number++;
    t->wanted = known != NULL;
    *out = t;
    if (!known)
        return check_unknown(map, t, err);
    t->snapshot_lsn = known->snapshot_lsn;
    bool renamed = strcmp(known->schema, t->schema) != 0 || strcmp(known->name, t->name) != 0;
    if (renamed && follow_rename(map, t, known, err))
        return -1;
    return match_with_sink(map, t, m, err);
}

int target_map_relation(TargetMap *map, const PgoutputMessage *m, Error *err)
{
    Slot **bucket = &map->slots[m->relation.id % BUCKETS];
    uint64_t print = fingerprint(m);
    Target *target;

    Slot *slot = *bucket;
    while (slot && slot->source_oid != m->relation.id)
        slot = slot->next;
    if (slot && slot->fingerprint == print)
        return 0;
    if (make_target(map, m, &target, err))
        return -1;
    if (!slot) {
        slot = arena_zalloc(&map->arena, sizeof *slot);
        slot->next = *bucket;
        slot->source_oid = m->relation.id;
        *bucket = slot;
    }
    // The old target stays in the arena: changes that wait in a batch still point to it.
    slot->fingerprint = print;
    slot->target = target;
    return 0;
}

Target *target_map_find(TargetMap *map, uint32_t source_oid)
{
    for (Slot *slot = map->slots[source_oid % BUCKETS]; slot; slot = slot->next)
        if (slot->source_oid == source_oid)
            return slot->target;
    return NULL;
}

static int note_batch(PGconn *source, PGconn *sink, const char *task, const char *oids, Error *err)
{
    const char *question[] = {oids};
    auto_pgresult PGresult *res = NULL;

    if (pg_query(source,
                 "SELECT pg_catalog.json_agg(pg_catalog.json_build_object('oid', r.attrelid::bigint, 'columns', "
                 "r.names))::text"
                 "  FROM (SELECT a.attrelid, pg_catalog.json_agg(a.attname ORDER BY a.attnum) AS names"
                 "          FROM pg_catalog.pg_attribute a"
                 "         WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped GROUP BY 1) r",
                 1, question, &res, err))
        return error_wrap(err, "reading the columns on the source");
    if (PQgetisnull(res, 0, 0))
        return 0;
    const char *values[] = {task, PQgetvalue(res, 0, 0)};
    return pg_run(sink,
                  "UPDATE kubeferry.relation r SET columns = n.columns::text"
                  "  FROM pg_catalog.json_to_recordset($2::json) AS n(oid oid, columns json)"
                  " WHERE r.task = $1 AND r.source_oid = n.oid AND r.columns IS NULL",
                  2, values, NULL, err);
}

int target_note_columns(const Context *ctx, Ledger *ledger, Error *err)
{
    auto_pgconn PGconn *source = NULL;
    auto_pgresult PGresult *res = NULL;
    char task[24];
    const char *values[] = {task};

    snprintf(task, sizeof task, "%lld", (long long)ledger->task.id);
    if (pg_query(ledger->conn, "SELECT source_oid FROM kubeferry.relation WHERE task = $1 AND columns IS NULL", 1,
                 values, &res, err))
        return error_wrap(err, "reading the relations of the ledger");
    if (PQntuples(res) == 0)
        return 0;
    if (context_connect_source(ctx, PG_ORDINARY, &source, err))
        return -1;
    // The ledger was filled a moment ago: without statistics each batch would go through all of it for each of its
    // rows.
    if (PQntuples(res) > NOTE_BATCH && pg_exec(ledger->conn, "ANALYZE kubeferry.relation", err))
        return error_wrap(err, "analyzing the ledger");
    for (int first = 0; first < PQntuples(res); first += NOTE_BATCH) {
        auto_buffer Buffer oids = {0};
        array_begin(&oids);
        for (int i = first; i < PQntuples(res) && i < first + NOTE_BATCH; i++)
            array_put(&oids, PQgetvalue(res, i, 0));
        array_end(&oids);
        if (note_batch(source, ledger->conn, task, oids.data, err))
            return -1;
    }
    return 0;
}
