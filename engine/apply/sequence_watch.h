// SPDX-License-Identifier: Apache-2.0
// Sequences as they move on the source while changes are followed: looked at with one statement by the monitor's
// thread, written to the sink by the reader's, which knows when the sink must be left alone. They are a few seconds
// behind; the cutover sets them exactly.
#pragma once

#include "engine/context.h"

typedef struct SequenceWatch SequenceWatch;

SequenceWatch *sequence_watch_new(const Context *ctx);
void sequence_watch_free(SequenceWatch *w); // NULL is allowed
// Finds those that have moved since the last time and keeps what they have now until it is written. Only a lost
// connection is a failure.
MUST_CHECK int sequence_watch_poll(SequenceWatch *w, PGconn *source, Error *err);
// Writes what waits; costs nothing when nothing does. Only a lost connection is a failure.
MUST_CHECK int sequence_watch_write(SequenceWatch *w, PGconn *sink, Error *err);
