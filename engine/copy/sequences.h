// SPDX-License-Identifier: Apache-2.0
// Sequences: their values do not travel with the rows or the changes, so they are set from a fresh read of the source.
#pragma once

#include "common/base/buffer.h"
#include "engine/context.h"

// Sets each sequence of the sink that the migrated tables own or use (or that stands in a schema that is migrated
// whole) to what the source's has now, and sequenceMargin values further. Both connections are outside of a
// transaction. One that the sink lacks, that has other bounds there or that may not be read is left out with a note.
// What was read is never behind the rows that were copied before the call.
MUST_CHECK int sequences_sync(const Context *ctx, PGconn *source, PGconn *sink, Error *err);

// ---- piece by piece ----------------------------------------------------------------------------------------------
enum { SEQUENCES_A_STATEMENT = 100 };
enum { SEQUENCE_SCHEMA, SEQUENCE_NAME, SEQUENCE_READABLE, SEQUENCE_OID }; // columns of the list

typedef struct SequenceValues { // read from the source; zero-initialised: none
    Buffer arrays[4];           // schemas, names, values, whether the value was given out
    int count;
} SequenceValues;

// The sequences of the task. The caller PQclears.
MUST_CHECK int sequences_list(const Context *ctx, PGconn *source, PGresult **out, Error *err);
// Reads those of the list that `rows` names, `count` of them and at most SEQUENCES_A_STATEMENT; one that may not be
// read is passed over.
MUST_CHECK int sequences_read(PGconn *source, const PGresult *list, const int *rows, int count, SequenceValues *out,
                              Error *err);
// Writes them to the sink; *set (may be NULL): how many were there to be set.
MUST_CHECK int sequences_write(PGconn *sink, const SequenceValues *values, int64_t margin, int64_t *set, Error *err);
void sequence_values_free(SequenceValues *values);
