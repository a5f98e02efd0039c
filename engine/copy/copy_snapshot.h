// SPDX-License-Identifier: Apache-2.0
// The snapshot that a copy reads: of the task's slot when that is new, else of a temporary slot, else a plain one.
#pragma once

#include "engine/ledger/ledger.h"
#include "engine/stream/slot.h"

// Refuses before anything is written: a slot of our name that the ledger does not know of, or one that is gone, or
// lost.
MUST_CHECK int copy_snapshot_check(const Context *ctx, const Ledger *ledger, PGconn *source, Error *err);
// With cdc: makes the task's slot when there is none yet (the ledger hears of it before and after), else a temporary
// one; snapshot->lsn is the consistent point. *needed false: all rows are in, so only the task's slot is made if it is
// missing, and *out stays empty when it is not. Without cdc: a plain snapshot, LSN 0.
MUST_CHECK int copy_snapshot_open(const Context *ctx, Ledger *ledger, PGconn *source, bool needed,
                                  bool publication_made, SlotSnapshot *out, Error *err);
