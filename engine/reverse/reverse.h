// SPDX-License-Identifier: Apache-2.0
// The way back: a stream from the sink to the source, which begins at the switch. It is a task like any other, with the
// ends swapped: publication and slot on the sink, the ledger on the source. Only one of the two streams runs at any
// time, and each begins behind the last change that the other has applied: nothing goes in circles.
#pragma once

#include "engine/catalog/relations.h"
#include "engine/ledger/ledger.h"

typedef struct Reverse {
    TaskDocument task; // of the way back; borrows all but its name
    Context ctx;
    Ledger ledger; // holds the lock of that task
} Reverse;

// Connects; *out is to be closed in either case.
MUST_CHECK int reverse_open(const Context *ctx, Reverse *out, Error *err);
// Publication, slot and ledger, in place of what an earlier try left. tables: those of the source; what only the sink
// has is not followed. Waits for older transactions of the sink, as making a slot must. Refused: ERROR_CONDITION with
// what to do.
MUST_CHECK int reverse_make(Reverse *r, const RelationList *tables, Error *err);
// The stream will begin at `fence`: what the sink commits from there on.
MUST_CHECK int reverse_arm(Reverse *r, uint64_t fence, Error *err);
void reverse_close(Reverse *r);
// Removes all of it; what is not there is no failure. Another process follows it: ERROR_BUSY.
MUST_CHECK int reverse_remove(const Context *ctx, Error *err);
// Whether the source has a ledger of it.
MUST_CHECK int reverse_exists(const Context *ctx, bool *exists, Error *err);
