// SPDX-License-Identifier: Apache-2.0
// Looks beside the stream once a second: how far the source is, how much WAL the slot holds, what the lag is; writes
// the position line that users know, and a line of metrics, every 10 s; polls the sequences. Never touches the stream
// or the sink.
#pragma once

#include "engine/apply/sequence_watch.h"

typedef struct Monitor Monitor;

MUST_CHECK int monitor_start(const Context *ctx, SequenceWatch *sequences, Monitor **out, Error *err);
void monitor_stop(Monitor *m);
