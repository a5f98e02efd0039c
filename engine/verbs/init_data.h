// SPDX-License-Identifier: Apache-2.0
// The init-data step: all rows that one moment of the source shows, then their indexes and constraints.
#pragma once

#include "engine/ledger/ledger.h"

// Resumable: what an earlier run finished is not done again. Reopens *ledger when its connection is lost.
// ERROR_CONDITION: a sink table is missing or holds rows of somebody else, the slot was lost, no right to publish.
MUST_CHECK int verb_init_data(Context *ctx, Ledger *ledger, Error *err);
