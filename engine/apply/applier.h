// SPDX-License-Identifier: Apache-2.0
// The thread that applies batches in the sink. What a batch holds up to its last commit is one transaction together
// with the new position; a part of a long transaction stays open until its end comes.
#pragma once

#include "engine/apply/batch.h"

typedef struct Applier Applier;

// Connects to the sink and starts the thread. start: the position as stored in the ledger.
MUST_CHECK int applier_start(const Context *ctx, const Ledger *ledger, const LedgerPosition *start, Applier **out,
                             Error *err);
// Ends the thread (a statement that runs is cancelled when a stop was requested, else awaited) and closes the
// connection.
void applier_stop(Applier *a);
// Whether the session applies as replica (foreign keys and ordinary triggers off).
bool applier_is_replica(const Applier *a);
// Readable when the applier became idle or failed.
int applier_fd(const Applier *a);
void applier_clear_fd(Applier *a);
bool applier_is_idle(Applier *a);
// Hands a batch over; only while idle. The applier uses it until it is idle again.
void applier_give(Applier *a, Batch *batch);
// -1 with the failure, if there was one; the applier does nothing more then.
MUST_CHECK int applier_check(Applier *a, Error *err);
// Everything before it is applied and flushed to the sink's disk: what may be told to the source. 0: not known yet.
uint64_t applier_flushed(Applier *a);
// Everything before it is applied.
uint64_t applier_applied(Applier *a);
