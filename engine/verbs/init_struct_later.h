// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/context.h"
#include "engine/ledger/ledger.h"

// Makes what comes after the rows and is not in the sink yet: indexes, constraints, foreign keys, triggers, views. As a
// rule init-data has made all of it. Rows that are not all in: ERROR_CONDITION.
MUST_CHECK int verb_init_struct_later(Context *ctx, Ledger *ledger, Error *err);
