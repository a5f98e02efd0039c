// SPDX-License-Identifier: Apache-2.0
// Opens a structure: dump, list, pick, script. Writes nothing to the sink.
#include "engine/structure/structure_private.h"

#include "common/base/memory.h"
#include "engine/pg/quote.h"
#include "engine/structure/dump.h"
#include "engine/structure/script.h"

#include <string.h>

typedef struct Sources { // what is read from the source's catalogue
    CatalogSet members, owners;
    DumpExclusions exclusions;
    RolePlan roles;
} Sources;

static void sources_free(Sources *s)
{
    catalog_set_free(&s->members);
    catalog_set_free(&s->owners);
    dependencies_exclusions_free(&s->exclusions);
}

static void add_note(Structure *s, const char *text)
{
    s->notes = memory_realloc(s->notes, (s->note_count + 1) * sizeof *s->notes);
    s->notes[s->note_count++] = arena_strdup(&s->arena, text);
}

static int use_snapshot(PGconn *source, const char *snapshot, Error *err)
{
    auto_buffer Buffer sql = {0};

    buffer_puts(&sql, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    if (snapshot) {
        buffer_puts(&sql, "; SET TRANSACTION SNAPSHOT ");
        quote_literal(&sql, snapshot);
    }
    return pg_exec(source, sql.data, err);
}

static int read_sources(Structure *s, const Context *ctx, const RelationList *relations, const char *snapshot,
                        Sources *out, Error *err)
{
    auto_pgconn PGconn *source = NULL;
    auto_pgconn PGconn *sink = NULL;
    auto_free char *note = NULL;
    const ObjectList *objects = &ctx->task->objects;

    if (context_connect_source(ctx, PG_ORDINARY, &source, err) || context_connect_sink(ctx, &sink, err) ||
        use_snapshot(source, snapshot, err) ||
        dependencies_exclusions(source, relations, objects, &out->exclusions, err) ||
        dependencies_members(source, objects->count ? objects : &ctx->task->excluded, &out->members, err) ||
        dependencies_owners(source, &out->owners, err) ||
        roles_plan(source, sink, &out->exclusions, &out->roles, &note, err))
        return -1;
    if (note)
        add_note(s, note);
    return 0;
}

static const char *const NOTE_TEXTS[FILTER_NOTE_COUNT] = {
    [NOTE_EMPTY_TABLE] = "tables that are not migrated are made without rows, since migrated ones need them",
    [NOTE_FOREIGN_KEY] = "foreign keys to tables that are not migrated are left out",
    [NOTE_ACTION] = "triggers, rules or policies that need tables that are not migrated are left out",
    [NOTE_STANDALONE] = "views or functions that need tables that are not migrated are left out",
    [NOTE_REFUSED] = "publications, subscriptions, event triggers, foreign servers or tables are left out",
    [NOTE_UNKNOWN] = "objects of a kind that is not known are left out",
};

static void keep_notes(Structure *s, const FilterNotes *notes)
{
    for (int i = 0; i < FILTER_NOTE_COUNT; i++) {
        if (notes->of[i].count == 0)
            continue;
        auto_free char *label = toc_label(&s->toc, notes->of[i].example);
        auto_free char *text = memory_printf("%zu %s, for example %s", notes->of[i].count, NOTE_TEXTS[i], label);
        add_note(s, text);
    }
}

static void add_item(Structure *s, const TocEntry *e, const char *type, const char *identity)
{
    s->items[s->item_count++] = (StructureItem){.type = type,
                                                .identity = identity,
                                                .relation_oid = e->relation,
                                                .early = e->early,
                                                .entry = (size_t)(e - s->toc.entries)};
}

static bool is_refreshed(const Sources *sources, const TocEntry *e)
{
    return e->wanted && toc_is(e, "MATERIALIZED VIEW") && catalog_set_find(&sources->owners, e->class_oid, e->oid);
}

static void make_items(Structure *s, const Sources *sources)
{
    size_t count = 0;
    for (size_t i = 0; i < s->toc.count; i++)
        count += (s->toc.entries[i].wanted && s->toc.entries[i].post) || is_refreshed(sources, &s->toc.entries[i]);
    s->items = memory_alloc((2 * count + 1) * sizeof *s->items);
    for (size_t i = 0; i < s->toc.count; i++) {
        const TocEntry *e = &s->toc.entries[i];
        if (e->wanted && e->post)
            add_item(s, e, e->type->name, e->identity);
    }
    // One that reads another stands behind it.
    for (size_t i = 0; i < s->toc.count; i++) {
        const TocEntry *e = &s->toc.entries[i];
        if (!is_refreshed(sources, e))
            continue;
        const char *name = e->identity + strlen(e->type->name);
        add_item(s, e, STRUCTURE_REFRESH, arena_printf(&s->arena, STRUCTURE_REFRESH "%s", name));
        s->items[s->item_count - 1].relation_oid = 0;
        s->items[s->item_count - 1].early = false;
    }
}

static int read_dump(Structure *s, const Context *ctx, const RelationList *relations, const DumpFile *dump,
                     const Sources *sources, Error *err)
{
    FilterScope scope = {.relations = relations,
                         .whole_database = ctx->task->objects.count == 0,
                         .members = &sources->members,
                         .owners = &sources->owners,
                         .privileges = sources->roles.privileges,
                         .publication = ctx->publication};
    FilterNotes notes;
    FILE *list = NULL;

    if (dump_list(dump, &list, err) || toc_load(list, &s->toc, err))
        return -1;
    filter_toc(&s->toc, &scope, &notes);
    keep_notes(s, &notes);
    if (dump_script(dump, &s->toc, &sources->roles, &s->script, err) ||
        script_split(s->script, &s->toc, &s->arena, err))
        return -1;
    make_items(s, sources);
    return 0;
}

int structure_open(const Context *ctx, const RelationList *relations, const char *snapshot, Structure **out, Error *err)
{
    Structure *s = memory_zalloc(sizeof *s);
    Sources sources = {0};
    DumpFile dump = {0};

    *out = NULL;
    int rc = read_sources(s, ctx, relations, snapshot, &sources, err);
    if (!rc)
        rc = dump_make(ctx, &sources.exclusions, snapshot, &dump, err);
    if (!rc)
        rc = read_dump(s, ctx, relations, &dump, &sources, err);
    dump_free(&dump);
    sources_free(&sources);
    if (rc) {
        structure_close(s);
        return -1;
    }
    *out = s;
    return 0;
}

void structure_close(Structure *s)
{
    if (!s)
        return;
    toc_free(&s->toc);
    if (s->script)
        fclose(s->script);
    arena_free(&s->arena);
    free(s->items);
    free(s->notes);
    free(s);
}

size_t structure_items(const Structure *s, const StructureItem **out)
{
    *out = s->items;
    return s->item_count;
}
