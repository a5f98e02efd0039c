// SPDX-License-Identifier: Apache-2.0
// A mark in the source's WAL: everything that was committed before the call lies before it.
#pragma once

#include "engine/pg/query.h"

// Writes a message there and waits until it is on the source's disk, so that the stream reaches it also when nothing
// else happens. Where the right to write one is missing, the WAL's end must do. The session is left with
// synchronous_commit on.
MUST_CHECK int marker_write(PGconn *source, const char *content, uint64_t *lsn, Error *err);
