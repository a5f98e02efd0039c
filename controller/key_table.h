// SPDX-License-Identifier: Apache-2.0
// Values by a text, in the order in which they came: json-c's hash table, cleared of what was taken out. (Its deleted
// slots are never used up by looking: a table that many keys went through would become a list.) Zero-initialised is
// empty.
#pragma once

#include <json-c/linkhash.h>
#include <stddef.h>

typedef struct KeyTable {
    struct lh_table *table; // NULL while nothing was ever put in
    int removed;            // since it was last rebuilt
} KeyTable;

void *key_table_get(const KeyTable *t, const char *key); // NULL: not there
// key: not in the table yet; it and value are borrowed until they are taken out.
void key_table_put(KeyTable *t, const char *key, void *value);
void key_table_remove(KeyTable *t, const char *key); // nothing happens when it is not there
size_t key_table_count(const KeyTable *t);
void *key_table_oldest(const KeyTable *t); // the one that was put in first; NULL: empty
void key_table_free(KeyTable *t);          // not the keys and values

// The values in order: for (struct lh_entry *e = key_table_first(&t); e; e = lh_entry_next(e)) … lh_entry_v(e)
struct lh_entry *key_table_first(const KeyTable *t);
