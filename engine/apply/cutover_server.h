// SPDX-License-Identifier: Apache-2.0
// The cdc process's side of a cutover: applies up to a mark, then only watches whether anything comes after it, then
// ends or goes on. The states are in ledger_cutover.h.
#pragma once

#include "engine/ledger/ledger_cutover.h"

typedef struct CutoverServer {
    const Context *ctx;
    PGconn *catalog; // borrowed
    int64_t task_id;
    CutoverRow now; // as last read
    bool watching;  // applied up to the mark: what comes is counted and not applied
    char watched_owner[40];
    int64_t late; // changes seen while watching
    char late_relation[160];
    double next_look; // monotonic seconds
    bool looked;
} CutoverServer;

// Reads the row about once a second, more often during a cutover. One whose process has gone away is undone: the source
// takes writes again.
MUST_CHECK int cutover_server_look(CutoverServer *s, Error *err);
// Whether one is under way: nothing but rows may be written to the sink, and answers are waited for.
bool cutover_server_is_active(const CutoverServer *s);
// Where the reader must pause: before what committed at or after *lsn.
bool cutover_server_wants_pause(const CutoverServer *s, uint64_t *lsn);
// Called when the reader has paused there and everything before is applied.
MUST_CHECK int cutover_server_reached(CutoverServer *s, Error *err);
// A change of the task's tables that came while watching.
void cutover_server_late(CutoverServer *s, const char *relation);
// Called while watching, when everything before lsn has been read, and what was to be applied of it is.
MUST_CHECK int cutover_server_watched(CutoverServer *s, uint64_t lsn, Error *err);
// The cutover is done: cdc ends.
bool cutover_server_is_done(const CutoverServer *s);
// It was undone while watching: what was read was not applied, the stream must begin again at the stored position.
bool cutover_server_must_restart(const CutoverServer *s);
