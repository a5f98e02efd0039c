// SPDX-License-Identifier: Apache-2.0
// Makes one entry in the sink, and understands refusals.
#pragma once

#include "engine/structure/structure_private.h"

typedef struct RestoreEntry {
    const Structure *structure;
    const TocEntry *entry;
    const char *identity;
    const char *statement; // NULL: the entry's own
    int64_t task_id;
    bool pinned;  // the session has restore_pin_session's settings already
    bool check;   // look first whether the sink has it
    bool lenient; // a refusal leaves it out
} RestoreEntry;

// Whether the ledger says that this task made it.
MUST_CHECK int restore_was_made(PGconn *sink, int64_t task_id, const char *identity, bool *made, Error *err);
// Gives a session of our own, for good, what each statement's transaction would else be given.
MUST_CHECK int restore_pin_session(PGconn *sink, Error *err);
// In one transaction of its own: the statement, and its row in the ledger. *refusal gets why one was left
// out.
MUST_CHECK int restore_entry(const RestoreEntry *r, PGconn *sink, StructureOutcome *outcome, Error *refusal,
                             Error *err);
