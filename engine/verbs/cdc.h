// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/ledger/ledger.h"

// Follows the source's changes until a stop is requested, or (--until caught-up) until everything that was committed on
// the source when this was called is in the sink; then the sequences are set once more. The lock of the task is held.
MUST_CHECK int verb_cdc(Context *ctx, Ledger *ledger, Error *err);
