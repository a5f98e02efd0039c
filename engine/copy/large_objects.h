// SPDX-License-Identifier: Apache-2.0
// Large objects (pg_largeobject): copied once, in the snapshot; logical decoding does not carry their changes.
#pragma once

#include "engine/context.h"

// Whether the task takes large objects along: only when no list of tables was given, and the source has some.
MUST_CHECK int large_objects_wanted(const Context *ctx, PGconn *source, bool *wanted, Error *err);
// Before anything is written: the sink holds no large object of somebody else. ERROR_CONDITION.
MUST_CHECK int large_objects_check_sink(const Context *ctx, int64_t task_id, PGconn *source, PGconn *sink, Error *err);
// Whether an earlier try copied them all.
MUST_CHECK int large_objects_are_done(int64_t task_id, PGconn *sink, bool *done, Error *err);
// Copies all, source inside the snapshot's transaction, sink outside of one. What an earlier try left is removed first.
MUST_CHECK int large_objects_copy(const Context *ctx, int64_t task_id, PGconn *source, PGconn *sink, Error *err);
