// SPDX-License-Identifier: Apache-2.0
// One cutover: what all of its parts share. The procedure is in cutover_run.c; docs/cutover.md tells it to people.
#pragma once

#include "common/base/buffer.h"
#include "engine/catalog/relations.h"
#include "engine/ledger/ledger_cutover.h"
#include "engine/reverse/reverse.h"
#include "engine/stream/source_gate.h"

typedef struct Cutover {
    const Context *ctx;
    Ledger ledger;  // its session holds the cutover's lock
    char owner[40]; // of the cutover's row
    PGconn *source;
    PGconn *sink;           // the transaction of the switch
    PGconn *locks;          // the transaction that holds the locks of the source's tables; NULL: none
    RelationList relations; // of the source
    Buffer schemas, names;  // of its tables, as parallel arrays
    const char *step;       // what is being done, for messages
    double deadline;        // monotonic; 0: writes are not kept away yet
    Reverse *reverse;       // the way back that is being made; NULL: none
    bool made_reverse;      // it was begun: to be removed when the cutover is undone
    bool begun;             // the ledger's row is ours
    bool source_changed;    // the source's database is read-only, or may be
    SourceGateSweep sweep;  // of the sessions of the source's database
    bool committing;        // the switch was sent to the sink: whether it took place only the sink knows
    bool done;              // it took place
    char restore[CUTOVER_RESTORE_SIZE];
} Cutover;

// ---- parts -------------------------------------------------------------------------------------------------------
// Asks every question and reports all answers (cutover_checks.c). Not ready: ERROR_CONDITION, or ERROR_TRANSIENT when
// it may become so by itself, with the numbers.
MUST_CHECK int cutover_checks(Cutover *c, Error *err);
// Asks the cdc process and waits for its answer, at most `seconds` (cutover_ask.c). *row (may be NULL): with the
// answer.
MUST_CHECK int cutover_ask(Cutover *c, CutoverState state, double seconds, CutoverRow *row, Error *err);
// Keeps writes away as the task wants (cutover_block.c).
MUST_CHECK int cutover_block(Cutover *c, Error *err);
// After the last rows: what cutover_block left open. Only locks leave something.
MUST_CHECK int cutover_block_rest(Cutover *c, Error *err);
// Nothing that has written is still open: ERROR_TRANSIENT names it.
MUST_CHECK int cutover_block_no_writers(Cutover *c, Error *err);
// The same, and (nobody blocks but the user) nothing comes for a second.
MUST_CHECK int cutover_block_is_calm(Cutover *c, Error *err);
// Before the last look at the source: no session that could still write has come to light since.
MUST_CHECK int cutover_block_holds(Cutover *c, Error *err);
// Gives the source back as it was; on connections of its own, whatever state the others are in.
MUST_CHECK int cutover_unblock(Cutover *c, Error *err);
// What init-data held back is made in the open transaction of c->sink (cutover_held.c).
MUST_CHECK int cutover_held_make(Cutover *c, Error *err);
// Foreign keys that were made without looking at the rows that are there: looks, after the switch.
MUST_CHECK int cutover_held_validate(Cutover *c, Error *err);

// The way back (cutover_reverse.c): made before writes are kept away, if the task wants it; armed at the switch;
// removed when the cutover is undone.
MUST_CHECK int cutover_reverse_make(Cutover *c, Error *err);
MUST_CHECK int cutover_reverse_arm(Cutover *c, Error *err);
MUST_CHECK int cutover_reverse_remove(Cutover *c, Error *err);
// A sink that an earlier cutover in the other direction has left read-only: notes what to give back, and gives it back.
MUST_CHECK int cutover_note_reopen(Cutover *c, Error *err);
MUST_CHECK int cutover_reopen(Cutover *c, Error *err);

// ---- the whole ---------------------------------------------------------------------------------------------------
// check: only cutover_checks. 0: done, or was done before.
MUST_CHECK int cutover_run(const Context *ctx, bool check, Error *err);
// Undoes what a dead one left.
MUST_CHECK int cutover_abort(const Context *ctx, Error *err);
