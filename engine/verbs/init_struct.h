// SPDX-License-Identifier: Apache-2.0
// init-struct: what must be in the sink before the first row.
#pragma once

#include "engine/context.h"
#include "engine/ledger/ledger.h"

// Idempotent: what is there is left as it is. Marks the structure as done in the ledger.
MUST_CHECK int verb_init_struct(Context *ctx, Ledger *ledger, Error *err);
