// SPDX-License-Identifier: Apache-2.0
// Picks entries. pg_dump orders its entries so that what one depends on stands before it; the passes here rely on that
// for speed (one forward pass sees all), and for the parts of what was taken late they are repeated until nothing
// changes.
#include "engine/structure/filter.h"

#include "common/base/memory.h"

#include <string.h>

typedef struct Table {
    uint32_t oid;
    bool partitioned;
} Table;

typedef struct Filter {
    Toc *toc;
    const FilterScope *scope;
    FilterNotes *notes;
    Table *tables; // sorted by oid
    size_t table_count;
    bool *blocked; // an entry that needs a table which does not come along
    uint32_t *stack;
    size_t stack_len, stack_cap;
} Filter;

static int compare_tables(const void *a, const void *b)
{
    const Table *x = a, *y = b;
    return x->oid < y->oid ? -1 : x->oid > y->oid;
}

static void collect_tables(Filter *f)
{
    const RelationList *list = f->scope->relations;
    f->tables = memory_alloc((list->count + 1) * sizeof *f->tables);
    f->table_count = list->count;
    for (size_t i = 0; i < list->count; i++)
        f->tables[i] = (Table){list->items[i].oid, list->items[i].kind == 'p'};
    if (f->table_count)
        qsort(f->tables, f->table_count, sizeof *f->tables, compare_tables);
}

static const Table *find_table(const Filter *f, uint32_t oid)
{
    Table key = {.oid = oid};
    return f->table_count ? bsearch(&key, f->tables, f->table_count, sizeof key, compare_tables) : NULL;
}

static bool is_migrated(const Filter *f, const TocEntry *e)
{
    return e->type->kind == TOC_TABLE && find_table(f, e->oid);
}

static bool never_taken(const TocEntry *e)
{
    return e->type->kind == TOC_IGNORED || e->type->kind == TOC_REFUSED;
}

static void note(Filter *f, FilterNote which, const TocEntry *e)
{
    if (f->notes->of[which].count++ == 0)
        f->notes->of[which].example = e;
}

// A sequence that a default uses may be owned by a column of a table that is of no concern here.
static bool is_followed(const TocEntry *e, const TocEntry *dependency)
{
    return !(e->type->kind == TOC_SEQUENCE && dependency->type->kind == TOC_TABLE) && !never_taken(dependency);
}

static void push(Filter *f, const TocEntry *e)
{
    if (f->stack_len == f->stack_cap) {
        f->stack_cap = f->stack_cap ? f->stack_cap * 2 : 256;
        f->stack = memory_realloc(f->stack, f->stack_cap * sizeof *f->stack);
    }
    f->stack[f->stack_len++] = (uint32_t)(e - f->toc->entries);
}

// Takes an entry and all that it depends on.
static void take(Filter *f, const TocEntry *first, bool required)
{
    push(f, first);
    while (f->stack_len > 0) {
        TocEntry *e = &f->toc->entries[f->stack[--f->stack_len]];
        if (e->wanted && (e->required || !required))
            continue;
        if (!e->wanted && e->type->kind == TOC_TABLE && !is_migrated(f, e))
            note(f, NOTE_EMPTY_TABLE, e);
        e->wanted = true;
        e->required = e->required || required;
        for (uint32_t d = 0; d < e->dependency_count; d++) {
            const TocEntry *dependency = toc_dependency(f->toc, e, d);
            if (is_followed(e, dependency))
                push(f, dependency);
        }
    }
}

typedef struct Anchors { // the relations and domains that an entry depends on
    size_t count;
    bool all;      // all are wanted
    bool any;      // one at least is
    bool complete; // all are tables that are migrated, or wanted views or domains: they get their parts
    bool migrated; // one at least is a table that is migrated
} Anchors;

static Anchors anchors(const Filter *f, const TocEntry *e)
{
    Anchors a = {.all = true, .complete = true};
    for (uint32_t d = 0; d < e->dependency_count; d++) {
        const TocEntry *dependency = toc_dependency(f->toc, e, d);
        bool table = dependency->type->kind == TOC_TABLE || toc_is(dependency, "FOREIGN TABLE");
        if (!table && dependency->type->kind != TOC_VIEW &&
            !(toc_is(e, "CHECK CONSTRAINT") && toc_is(dependency, "DOMAIN")))
            continue;
        bool migrated = is_migrated(f, dependency);
        a.count++;
        a.all = a.all && dependency->wanted;
        a.any = a.any || dependency->wanted;
        a.complete = a.complete && dependency->wanted && (!table || migrated);
        a.migrated = a.migrated || migrated;
    }
    return a;
}

static bool dependencies_wanted(const Filter *f, const TocEntry *e)
{
    for (uint32_t d = 0; d < e->dependency_count; d++)
        if (!toc_dependency(f->toc, e, d)->wanted)
            return false;
    return e->dependency_count > 0;
}

// The relation that a trigger, rule, policy or foreign key belongs to gets its parts.
static bool owner_is_wanted(const Filter *f, const TocEntry *e, const Anchors *a)
{
    const CatalogKey *key = catalog_set_find(f->scope->owners, e->class_oid, e->oid);
    if (!key)
        return a->complete && a->count > 0;
    if (find_table(f, key->owner))
        return true;
    for (uint32_t d = 0; d < e->dependency_count; d++) {
        const TocEntry *dependency = toc_dependency(f->toc, e, d);
        if (dependency->oid == key->owner && dependency->type->kind == TOC_VIEW)
            return dependency->wanted;
    }
    return false;
}

static bool foreign_key_is_closed(const Filter *f, const TocEntry *e, const Anchors *a)
{
    const CatalogKey *key = catalog_set_find(f->scope->owners, e->class_oid, e->oid);
    return key ? find_table(f, key->other) != NULL : a->complete;
}

// A cast comes with its types, but only when all of them come.
static bool types_are_wanted(const Filter *f, const TocEntry *e)
{
    bool any = false;
    for (uint32_t d = 0; d < e->dependency_count; d++) {
        const TocEntry *dependency = toc_dependency(f->toc, e, d);
        if (toc_is(dependency, "FUNCTION"))
            continue;
        if (!dependency->wanted)
            return false;
        any = true;
    }
    return any;
}

// Whether an entry comes along since what it is a part of does.
static bool follows(const Filter *f, const TocEntry *e, bool *required)
{
    Anchors a = anchors(f, e);

    *required = a.migrated;
    switch (e->type->kind) {
    case TOC_SEQUENCE:
        return a.any;
    case TOC_PART:
        return toc_is(e, "DEFAULT") ? a.any : a.count > 0 && a.complete;
    case TOC_ACTION:
        return owner_is_wanted(f, e, &a) && a.all;
    case TOC_FOREIGN_KEY:
        return owner_is_wanted(f, e, &a) && foreign_key_is_closed(f, e, &a);
    case TOC_ATTACH:
        return dependencies_wanted(f, e) && a.any;
    case TOC_CAST:
        *required = false;
        return types_are_wanted(f, e);
    default:
        return false;
    }
}

static void take_parts(Filter *f)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < f->toc->count; i++) {
            TocEntry *e = &f->toc->entries[i];
            bool required = false;
            if (e->wanted || !follows(f, e, &required))
                continue;
            take(f, e, required);
            changed = true;
        }
    }
}

static bool depends_on_left_table(const Filter *f, const TocEntry *e)
{
    for (uint32_t d = 0; d < e->dependency_count; d++) {
        const TocEntry *dependency = toc_dependency(f->toc, e, d);
        if (f->blocked[dependency - f->toc->entries])
            return true;
    }
    return false;
}

static void find_blocked(Filter *f)
{
    for (size_t i = 0; i < f->toc->count; i++) {
        const TocEntry *e = &f->toc->entries[i];
        f->blocked[i] = !e->wanted && (never_taken(e) || e->type->kind == TOC_TABLE || depends_on_left_table(f, e));
    }
}

static bool is_seed(const Filter *f, const TocEntry *e)
{
    switch (e->type->kind) {
    case TOC_VIEW:
    case TOC_SEQUENCE:
    case TOC_STANDALONE:
    case TOC_CAST:
    case TOC_UNKNOWN:
        break;
    default:
        return false;
    }
    bool member = catalog_set_find(f->scope->members, e->class_oid, e->oid) != NULL;
    return f->scope->whole_database ? !member : member;
}

// Whole schemas and whole databases: what stands there for itself.
static void take_standalone(Filter *f)
{
    for (size_t i = 0; i < f->toc->count; i++) {
        const TocEntry *e = &f->toc->entries[i];
        if (e->wanted || !is_seed(f, e))
            continue;
        if (!f->blocked[i])
            take(f, e, false);
        else if (e->type->kind != TOC_SEQUENCE) // one owned by a table that stays goes unsaid
            note(f, NOTE_STANDALONE, e);
    }
}

static void take_dependents(Filter *f)
{
    for (size_t i = 0; i < f->toc->count; i++) {
        TocEntry *e = &f->toc->entries[i];
        if (e->wanted || e->type->kind != TOC_DEPENDENT)
            continue;
        if (toc_is_privilege(e) && !f->scope->privileges)
            continue;
        if (toc_is(e, "DEFAULT ACL") && e->dependency_count == 0)
            e->wanted = f->scope->whole_database;
        else
            e->wanted = dependencies_wanted(f, e);
        for (uint32_t d = 0; toc_is(e, "SEQUENCE OWNED BY") && d < e->dependency_count; d++)
            if (toc_dependency(f->toc, e, d)->type->kind == TOC_SEQUENCE &&
                !anchors(f, toc_dependency(f->toc, e, d)).all)
                e->wanted = false;
    }
}

static bool is_own_publication(const Filter *f, const TocEntry *e)
{
    auto_free char *label = toc_is(e, "PUBLICATION") ? toc_label(f->toc, e) : NULL;
    static const char START[] = "PUBLICATION - ";
    return label && f->scope->publication && strncmp(label, START, sizeof START - 1) == 0 &&
           strcmp(label + sizeof START - 1, f->scope->publication) == 0;
}

static void note_left_out(Filter *f)
{
    for (size_t i = 0; i < f->toc->count; i++) {
        const TocEntry *e = &f->toc->entries[i];
        if (e->wanted)
            continue;
        const CatalogKey *key = catalog_set_find(f->scope->owners, e->class_oid, e->oid);
        bool concerns = f->scope->whole_database || catalog_set_find(f->scope->members, e->class_oid, e->oid);
        if (e->type->kind == TOC_REFUSED && concerns && !is_own_publication(f, e))
            note(f, NOTE_REFUSED, e);
        else if (e->type->kind == TOC_UNKNOWN && f->scope->whole_database)
            note(f, NOTE_UNKNOWN, e);
        else if (key && find_table(f, key->owner) && e->type->kind == TOC_FOREIGN_KEY)
            note(f, NOTE_FOREIGN_KEY, e);
        else if (key && find_table(f, key->owner) && e->type->kind == TOC_ACTION)
            note(f, NOTE_ACTION, e);
    }
}

// When an entry is made, and with which table.
static void place(const Filter *f, TocEntry *e)
{
    bool several = false, early = true;
    const Table *table = NULL;

    for (uint32_t d = 0; d < e->dependency_count; d++) {
        const TocEntry *dependency = toc_dependency(f->toc, e, d);
        const Table *other = NULL;
        if (dependency->post) {
            e->post = true;
            early = early && dependency->early;
            // Of the others, an index on a partition depends on that on the parent, and need not wait for it.
            if (e->type->kind == TOC_DEPENDENT && dependency->relation)
                other = find_table(f, dependency->relation);
        } else if (dependency->type->kind == TOC_TABLE) {
            other = find_table(f, dependency->oid);
        }
        several = several || (table && other && table != other);
        table = other ? other : table;
    }
    if (!e->post)
        return;
    e->relation = table && !several ? table->oid : 0;
    // A comment is as early as what it is about.
    e->early = e->relation && !table->partitioned && (e->type->kind == TOC_DEPENDENT ? early : e->type->early);
}

void filter_toc(Toc *toc, const FilterScope *scope, FilterNotes *notes)
{
    Filter f = {.toc = toc, .scope = scope, .notes = notes};

    *notes = (FilterNotes){0};
    collect_tables(&f);
    f.blocked = memory_zalloc(toc->count + 1);
    for (size_t i = 0; i < toc->count; i++)
        if (is_migrated(&f, &toc->entries[i]))
            take(&f, &toc->entries[i], true);
    take_parts(&f);
    find_blocked(&f);
    take_standalone(&f);
    take_parts(&f);
    take_dependents(&f);
    note_left_out(&f);
    for (size_t i = 0; i < toc->count; i++)
        place(&f, &toc->entries[i]);
    free(f.tables);
    free(f.blocked);
    free(f.stack);
}
