// SPDX-License-Identifier: Apache-2.0
// Following the source's changes: the stream is read, gathered into batches, folded and applied in the sink.
#pragma once

#include "engine/ledger/ledger.h"

// Streams and applies until everything that was committed on the source before `lsn` is applied, and no transaction
// that committed at or after it; then returns with the position stored. Reconnects by itself. Used by verify and by
// init-data.
MUST_CHECK int apply_until(const Context *ctx, Ledger *ledger, uint64_t lsn, Error *err);

// The cdc step: applies until a stop is requested (returns 0), or, with caught_up_lsn not 0, until everything before
// that LSN is applied, or until a cutover is done (*cut_over). Serves verify and the cutover, writes the position line
// every 10 s, stores what it did in the progress.
MUST_CHECK int apply_follow(const Context *ctx, Ledger *ledger, uint64_t caught_up_lsn, bool *cut_over, Error *err);
