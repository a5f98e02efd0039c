// SPDX-License-Identifier: Apache-2.0
#include "controller/key_table.h"

#include <stdint.h>
#include <stdlib.h>

enum { SIZE_MIN = 64 };

void *key_table_get(const KeyTable *t, const char *key)
{
    void *value = NULL;

    if (t->table)
        lh_table_lookup_ex(t->table, key, &value);
    return value;
}

void key_table_put(KeyTable *t, const char *key, void *value)
{
    if (!t->table)
        t->table = lh_kchar_table_new(SIZE_MIN, NULL);
    if (!t->table || lh_table_insert(t->table, key, value))
        abort(); // out of memory
}

// Once as many were taken out as half the table has slots, it is made anew in the size that what is left needs.
static void rebuild(KeyTable *t)
{
    int size = t->table->count * 4;

    if (lh_table_resize(t->table, size > SIZE_MIN ? size : SIZE_MIN))
        abort(); // out of memory
    t->removed = 0;
}

void key_table_remove(KeyTable *t, const char *key)
{
    if (!t->table || lh_table_delete(t->table, key))
        return;
    if (++t->removed > t->table->size / 2)
        rebuild(t);
}

size_t key_table_count(const KeyTable *t)
{
    return t->table ? (size_t)t->table->count : 0;
}

struct lh_entry *key_table_first(const KeyTable *t)
{
    return t->table ? lh_table_head(t->table) : NULL;
}

void *key_table_oldest(const KeyTable *t)
{
    struct lh_entry *first = key_table_first(t);

    return first ? lh_entry_v(first) : NULL;
}

void key_table_free(KeyTable *t)
{
    if (t->table)
        lh_table_free(t->table);
    *t = (KeyTable){0};
}
