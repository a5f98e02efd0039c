// SPDX-License-Identifier: Apache-2.0
// Which entries of a dump a task needs: the migrated tables with their parts, everything that those depend on, and, for
// whole schemas or the whole database, what else stands there and can do with what comes along. Asks no server.
#pragma once

#include "engine/catalog/dependencies.h"
#include "engine/structure/toc.h"

typedef struct FilterScope {
    const RelationList *relations; // the tables that are migrated
    bool whole_database;           // no object was named
    const CatalogSet
        *members; // whole_database: what stands in the schemas left out; else what stands in those named whole
    const CatalogSet *owners; // dependencies_owners()
    bool privileges;          // are carried over
    const char *publication;  // the task's own, of which there is nothing to say; may be NULL
} FilterScope;

typedef enum FilterNote {
    NOTE_EMPTY_TABLE, // a table that is not migrated, but which a migrated one needs
    NOTE_FOREIGN_KEY, // to a table that is not migrated
    NOTE_ACTION,      // a rule, policy or trigger that reads a table that is not migrated
    NOTE_STANDALONE,  // a view or function that needs a table that is not migrated
    NOTE_REFUSED,     // event triggers, foreign servers and tables, publications, subscriptions
    NOTE_UNKNOWN,     // of a type that this program does not know
    FILTER_NOTE_COUNT
} FilterNote;

typedef struct FilterNotes {
    struct {
        size_t count;
        const TocEntry *example;
    } of[FILTER_NOTE_COUNT];
} FilterNotes;

// Sets wanted, required, post, early and relation of each entry.
void filter_toc(Toc *toc, const FilterScope *scope, FilterNotes *notes);
