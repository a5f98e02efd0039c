// SPDX-License-Identifier: Apache-2.0
// The table of contents of a dump, read from `pg_restore -l -v`: a line an entry, with catalogue oids, and below it the
// dump ids that it depends on. Names in it are for people alone: spaces in them make it ambiguous.
#pragma once

#include "common/base/arena.h"
#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

// How the filter treats a type of entry. One row a type in toc.c.
typedef enum TocKind {
    TOC_UNKNOWN, // a type that this program has not heard of: taken when it is asked for, noted when not
    TOC_IGNORED, // settings of the dump, data, and what is never carried over (publications, …) without a word
    TOC_REFUSED, // never carried over, said in a note: event triggers, foreign servers, …
    TOC_TABLE,   // ordinary or partitioned
    TOC_VIEW,    // views and materialized ones
    TOC_SEQUENCE,
    TOC_STANDALONE, // lives in a schema or beside it, needed by others: types, functions, collations, extensions, …
    TOC_CAST,       // nobody depends on it by record, but expressions may use it: comes with its types
    TOC_PART,       // part of the one table, view or domain that it depends on: defaults, constraints, indexes
    TOC_ACTION,     // of one table, may read others: triggers, rules, policies
    TOC_FOREIGN_KEY,
    TOC_ATTACH,   // ties two entries together: partitions, partitioned indexes
    TOC_DEPENDENT // comes with what it is about: comments, ownership of sequences, privileges
} TocKind;

typedef struct TocType {
    const char *name; // "FK CONSTRAINT"
    TocKind kind;
    bool post;    // made after the rows
    bool early;   // (post) needs nothing but its own table's rows
    bool lenient; // when its statement is refused for want of a right or of another object, the task goes on without it
} TocType;

typedef struct TocEntry {
    int32_t id;              // dump id
    uint32_t class_oid, oid; // 0 0: not an object of its own
    const TocType *type;
    uint32_t first_dependency; // in Toc.dependencies
    uint32_t dependency_count;
    long line_offset; // of its line in the list
    bool wanted;
    bool required;        // some migrated table needs it
    bool post;            // made after the rows: by type, or since it depends on such a one
    bool early;           // (post) may be made as soon as the rows of `relation` are in
    uint32_t relation;    // (post) the one migrated table that it depends on; 0: none or several
    const char *identity; // wanted ones, from the script
    int64_t text_offset;  // of its statements in the script
    int64_t text_length;
} TocEntry;

typedef struct Toc {
    TocEntry *entries; // in the dump's order
    size_t count;
    int32_t *dependencies; // indexes into entries; those on entries that are not in the dump are dropped
    size_t dependency_count;
    uint32_t *by_id; // index + 1 of the entry with that dump id, 0: none
    int32_t max_id;
    FILE *list; // the toc's own
} Toc;

// Reads the list from the file, which the Toc takes over (closed by toc_free, on failure too).
MUST_CHECK int toc_load(FILE *list, Toc *out, Error *err);
void toc_free(Toc *toc);
TocEntry *toc_find(const Toc *toc, int32_t id); // NULL: none
static inline TocEntry *toc_dependency(const Toc *toc, const TocEntry *e, uint32_t i)
{
    return &toc->entries[toc->dependencies[e->first_dependency + i]];
}
bool toc_is(const TocEntry *e, const char *type);
bool toc_is_privilege(const TocEntry *e);
// "TABLE public orders", for a note. Caller frees.
char *toc_label(const Toc *toc, const TocEntry *e);
