// SPDX-License-Identifier: Apache-2.0
// Sequences: their values do not travel with the rows or the changes, so they are set from a fresh read of the source.
#pragma once

#include "engine/context.h"

// Sets each sequence of the sink that the migrated tables own or use (or that stands in a schema that is migrated
// whole) to what the source's has now. Both connections are outside of a transaction. One that the sink lacks, or that
// may not be read, is left out with a note. What was read is never behind the rows that were copied before the call.
MUST_CHECK int sequences_sync(const Context *ctx, PGconn *source, PGconn *sink, Error *err);
