// SPDX-License-Identifier: Apache-2.0
// The verb cutover: the sink takes over. It meets the running cdc process through the ledger.
#pragma once

#include "engine/context.h"

// check: only says whether it could begin, and changes nothing; abort: undoes what a killed one left.
MUST_CHECK int verb_cutover(Context *ctx, bool check, bool abort, Error *err);
