// SPDX-License-Identifier: Apache-2.0
// The beginning of cdc in a task that copies no rows: publication and slot are made, and changes count from there.
#pragma once

#include "engine/ledger/ledger.h"

// Resumable; does nothing once it came to its end. ERROR_CONDITION: a table is missing on the sink, an init-data of
// this task was begun, or what init-data refuses about slot and publication.
MUST_CHECK int cdc_begin(Context *ctx, Ledger *ledger, Error *err);
