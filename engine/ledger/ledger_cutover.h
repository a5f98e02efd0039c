// SPDX-License-Identifier: Apache-2.0
// Where the cutover process and the cdc process meet, and what tells a later process how far a dead one came.
//
//   cutover: PREPARING(lsn) -> (cdc) has applied up to there, goes on
//            DRAINING(lsn)  -> (cdc) has applied up to there, applies nothing more, only watches
//            CHECKING(lsn)  -> (cdc) has watched up to there: so many changes came after all
//            DONE           -> (cdc) ends
//            UNDONE         -> (cdc) goes on from its stored position
#pragma once

#include "engine/ledger/ledger.h"

typedef enum CutoverState {
    CUTOVER_NONE, // there was none
    CUTOVER_PREPARING,
    CUTOVER_DRAINING,
    CUTOVER_CHECKING,
    CUTOVER_DONE,
    CUTOVER_UNDONE
} CutoverState;

enum { CUTOVER_RESTORE_SIZE = 64 };

typedef struct CutoverRow {
    CutoverState state;
    char owner[40];
    uint64_t target_lsn, answered_lsn; // equal: answered
    int64_t late_changes;
    char late_relation[160];
    bool source_changed;                // the source's database was, or was about to be, made read-only
    char restore[CUTOVER_RESTORE_SIZE]; // what its setting was before; "": none
    bool reopens;                       // the sink is read-only since the cutover in the other direction
    char reopen[CUTOVER_RESTORE_SIZE];  // what to give it back
    bool reverse;                       // a way back was, or was about to be, made
    bool finished;
    double age_seconds; // since the last change
    char done_at[40];   // "" while not done
} CutoverRow;

const char *ledger_cutover_state_name(CutoverState state); // "draining"

MUST_CHECK int ledger_cutover_get(PGconn *conn, int64_t task_id, CutoverRow *out, Error *err);
// Tries to take the lock that says "a cutover is under way"; it lasts as long as the session.
MUST_CHECK int ledger_cutover_lock(PGconn *conn, int64_t task_id, bool *taken, Error *err);
MUST_CHECK int ledger_cutover_unlock(PGconn *conn, int64_t task_id, Error *err);

// ---- the cutover process; ERROR_BUSY when the row is no longer this owner's or was undone by the cdc process -------
// Begins one, in place of an undone one.
MUST_CHECK int ledger_cutover_begin(PGconn *conn, int64_t task_id, const char *owner, Error *err);
MUST_CHECK int ledger_cutover_ask(PGconn *conn, int64_t task_id, const char *owner, CutoverState state,
                                  uint64_t target_lsn, Error *err);
// Before the source's database is changed.
MUST_CHECK int ledger_cutover_blocking(PGconn *conn, int64_t task_id, const char *owner, const char *restore,
                                       Error *err);
// Before a way back is made.
MUST_CHECK int ledger_cutover_reverse(PGconn *conn, int64_t task_id, const char *owner, Error *err);
// What the switch is to give back to the sink. Stays when the cutover is undone.
MUST_CHECK int ledger_cutover_reopen(PGconn *conn, int64_t task_id, const char *owner, const char *reopen, Error *err);
// Only when CHECKING was answered with nothing late. In the caller's transaction.
MUST_CHECK int ledger_cutover_done(PGconn *conn, int64_t task_id, const char *owner, Error *err);
MUST_CHECK int ledger_cutover_finished(PGconn *conn, int64_t task_id, Error *err);

// ---- whoever undoes ----------------------------------------------------------------------------------------------
// The source is as it was. A row that is done is left alone.
MUST_CHECK int ledger_cutover_undone(PGconn *conn, int64_t task_id, Error *err);

// ---- the cdc process ---------------------------------------------------------------------------------------------
// Answers what was asked, unless something else is asked by now.
MUST_CHECK int ledger_cutover_answer(PGconn *conn, int64_t task_id, const CutoverRow *asked, int64_t late_changes,
                                     const char *late_relation, Error *err);
