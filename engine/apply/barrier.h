// SPDX-License-Identifier: Apache-2.0
// The applier's side of the meeting with verify: pause at a commit, go on exactly to the LSN of verify's snapshot on
// the source, give it a snapshot of the sink there, go on. States: ledger_relation.h.
#pragma once

#include "engine/ledger/ledger_relation.h"

typedef struct BarrierServer {
    const Context *ctx;
    PGconn *catalog; // borrowed
    int64_t task_id;
    Barrier now;      // as last read
    double next_look; // monotonic seconds
    PGconn *exporter; // holds the exported snapshot
} BarrierServer;

// Reads the barrier about once a second, more often while a verify waits. Gives up on a verify that has gone away.
MUST_CHECK int barrier_look(BarrierServer *b, Error *err);
// Where the reader must stop: true with *lsn = 0, at the next boundary; with an LSN, before what committed at or after
// it.
bool barrier_wants_pause(const BarrierServer *b, uint64_t *lsn);
// Called when the reader has stopped there and everything before is applied.
MUST_CHECK int barrier_reached(BarrierServer *b, Error *err);
void barrier_close(BarrierServer *b);
