// SPDX-License-Identifier: Apache-2.0
// The net effect of a run of changes, one entry a key.
#include "engine/apply/fold.h"

#include "common/base/memory.h"

#include <string.h>

enum { TABLE_MIN = 1024 };

static uint32_t hash_key(const Target *t, const Value *key)
{
    uint64_t h = 14695981039346656037u ^ t->number;
    for (uint16_t k = 0; k < t->key_count; k++) {
        for (uint32_t i = 0; i < key[k].len; i++)
            h = (h ^ (unsigned char)key[k].data[i]) * 1099511628211u;
        h = (h ^ 0xff) * 1099511628211u;
    }
    return (uint32_t)(h ^ h >> 32);
}

static bool same_key(const FoldEntry *e, const Target *t, const Value *key)
{
    if (e->target != t)
        return false;
    for (uint16_t k = 0; k < t->key_count; k++)
        if (e->key[k].len != key[k].len || memcmp(e->key[k].data, key[k].data, key[k].len) != 0)
            return false;
    return true;
}

static void grow_table(Fold *f)
{
    size_t size = f->table_size ? f->table_size * 2 : TABLE_MIN;
    free(f->table);
    f->table = memory_zalloc(size * sizeof *f->table);
    f->table_size = size;
    for (size_t i = 0; i < f->count; i++) {
        if (!f->entries[i].key)
            continue; // a row without a key: never looked up
        size_t at = f->entries[i].hash & (size - 1);
        while (f->table[at])
            at = (at + 1) & (size - 1);
        f->table[at] = (uint32_t)i + 1;
    }
}

static FoldEntry *new_entry(Fold *f, Target *t, const Value *key, uint32_t hash)
{
    if (f->count == f->capacity) {
        f->capacity = f->capacity ? f->capacity * 2 : 512;
        f->entries = memory_realloc(f->entries, f->capacity * sizeof *f->entries);
    }
    FoldEntry *e = &f->entries[f->count++];
    *e = (FoldEntry){.target = t, .key = key, .hash = hash, .op = NET_NOTHING};
    return e;
}

// The entry of a key; made with NET_NOTHING when it is new.
static FoldEntry *entry_of(Fold *f, Target *t, const Value *key)
{
    uint32_t hash = hash_key(t, key);

    if (f->count * 2 >= f->table_size)
        grow_table(f);
    size_t at = hash & (f->table_size - 1);
    for (; f->table[at]; at = (at + 1) & (f->table_size - 1)) {
        FoldEntry *e = &f->entries[f->table[at] - 1];
        if (e->hash == hash && same_key(e, t, key))
            return e;
    }
    FoldEntry *e = new_entry(f, t, key, hash);
    f->table[at] = (uint32_t)f->count;
    return e;
}

// The key columns of a new row, in key order; NULL when one of them did not come.
static const Value *key_of_row(Fold *f, const Target *t, const Value *row)
{
    Value *key = arena_alloc(&f->arena, (size_t)t->key_count * sizeof *key + 1);
    for (uint16_t k = 0; k < t->key_count; k++) {
        key[k] = row[t->keys[k]];
        if (key[k].kind != VALUE_TEXT)
            return NULL;
    }
    return key;
}

static uint32_t mask_of_row(Fold *f, const Target *t, const Value *row)
{
    size_t words = ((size_t)t->column_count + 63) / 64;
    uint64_t *bits = arena_zalloc(&f->arena, words * sizeof *bits + 1);
    bool any = false;

    for (uint16_t i = 0; i < t->column_count; i++) {
        if (row[i].kind != VALUE_UNCHANGED)
            continue;
        bits[i / 64] |= 1ull << i % 64;
        any = true;
    }
    if (!any)
        return 0;
    for (uint32_t m = 0; m < f->mask_count; m++)
        if (f->masks[m].column_count == t->column_count &&
            memcmp(f->masks[m].unchanged, bits, words * sizeof *bits) == 0)
            return m + 1;
    if (f->mask_count == f->mask_capacity) {
        f->mask_capacity = f->mask_capacity ? f->mask_capacity * 2 : 16;
        f->masks = memory_realloc(f->masks, f->mask_capacity * sizeof *f->masks);
    }
    f->masks[f->mask_count++] = (FoldMask){.column_count = t->column_count, .unchanged = bits};
    return f->mask_count;
}

// The later row, with what it leaves out taken from the earlier one.
static const Value *merge(Fold *f, const Target *t, const Value *earlier, const Change *later)
{
    if (later->complete)
        return later->row;
    Value *row = arena_alloc(&f->arena, (size_t)t->column_count * sizeof *row + 1);
    for (uint16_t i = 0; i < t->column_count; i++)
        row[i] = later->row[i].kind == VALUE_UNCHANGED ? earlier[i] : later->row[i];
    return row;
}

static FoldResult add_insert(Fold *f, const Change *c)
{
    if (c->target->key_count == 0) {
        FoldEntry *e = new_entry(f, c->target, NULL, 0);
        e->op = NET_INSERT;
        e->row = c->row;
        return FOLD_TAKEN;
    }
    const Value *key = key_of_row(f, c->target, c->row);
    if (!key || !c->complete)
        return FOLD_ALONE;
    FoldEntry *e = entry_of(f, c->target, key);
    if (e->op == NET_INSERT || e->op == NET_UPDATE || e->op == NET_REPLACE)
        return FOLD_ALONE;
    e->op = e->op == NET_DELETE ? NET_REPLACE : NET_INSERT;
    e->row = c->row;
    return FOLD_TAKEN;
}

static FoldResult add_delete(Fold *f, Target *t, const Value *key)
{
    FoldEntry *e = entry_of(f, t, key);
    if (e->op == NET_DELETE)
        return FOLD_ALONE;
    e->op = e->op == NET_INSERT ? NET_NOTHING : NET_DELETE;
    e->row = NULL;
    return FOLD_TAKEN;
}

// Whether the fold knows the whole row of this key, so that an update's missing values can be filled in.
static bool knows_row(const FoldEntry *e)
{
    return e->op == NET_INSERT || e->op == NET_REPLACE;
}

static FoldResult add_key_update(Fold *f, const Change *c)
{
    Target *t = c->target;
    FoldEntry *old = entry_of(f, t, c->key);

    if (!c->complete && !knows_row(old))
        return FOLD_ALONE;
    if (old->op == NET_DELETE)
        return FOLD_ALONE;
    const Value *row = c->complete ? c->row : merge(f, t, old->row, c);
    const Value *new_key = key_of_row(f, t, row);
    if (!new_key)
        return FOLD_ALONE;
    FoldEntry *to = entry_of(f, t, new_key); // may move the entries
    if (to->op != NET_NOTHING && to->op != NET_DELETE)
        return FOLD_ALONE;
    to->op = to->op == NET_DELETE ? NET_REPLACE : NET_INSERT;
    to->row = row;
    return add_delete(f, t, c->key);
}

static FoldResult add_update(Fold *f, const Change *c)
{
    Target *t = c->target;

    if (c->key_changed)
        return add_key_update(f, c);
    FoldEntry *e = entry_of(f, t, c->key);
    switch (e->op) {
    case NET_INSERT:
    case NET_REPLACE:
        e->row = merge(f, t, e->row, c);
        return FOLD_TAKEN;
    case NET_NOTHING:
    case NET_UPDATE:
        if (t->replace_only && !(c->complete && e->op == NET_NOTHING))
            return FOLD_ALONE;
        if (t->replace_only) {
            e->op = NET_REPLACE;
            e->row = c->row;
            return FOLD_TAKEN;
        }
        e->row = e->op == NET_UPDATE ? merge(f, t, e->row, c) : c->row;
        e->mask = c->complete ? 0 : mask_of_row(f, t, e->row);
        e->op = NET_UPDATE;
        return FOLD_TAKEN;
    case NET_DELETE:
        break;
    }
    return FOLD_ALONE;
}

FoldResult fold_add(Fold *f, const Change *c)
{
    if (c->op == CHANGE_TRUNCATE || c->target->in_order)
        return FOLD_ALONE;
    if (c->op == CHANGE_INSERT)
        return add_insert(f, c);
    if (c->target->key_count == 0)
        return FOLD_ALONE;
    return c->op == CHANGE_DELETE ? add_delete(f, c->target, c->key) : add_update(f, c);
}

void fold_reset(Fold *f)
{
    f->count = 0;
    f->mask_count = 0;
    if (f->table)
        memset(f->table, 0, f->table_size * sizeof *f->table);
    arena_reset(&f->arena);
}

void fold_free(Fold *f)
{
    free(f->entries);
    free(f->table);
    free(f->masks);
    arena_free(&f->arena);
    *f = (Fold){0};
}
