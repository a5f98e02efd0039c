// SPDX-License-Identifier: Apache-2.0
// Which source position is safe on the sink's disk: commits run with synchronous_commit off, so a commit counts only
// when the sink's WAL has been flushed beyond it. Not thread-safe: the owner locks.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct FeedbackEntry {
    uint64_t source_lsn, sink_lsn;
} FeedbackEntry;

typedef struct Feedback {
    FeedbackEntry *entries; // ordered; [first, count)
    size_t first, count, capacity;
    uint64_t flushed; // source LSN
} Feedback;

// A commit that brought the sink to source_lsn; the sink's WAL stood at sink_lsn after it.
void feedback_committed(Feedback *f, uint64_t source_lsn, uint64_t sink_lsn);
// The sink's WAL is on disk up to sink_flush_lsn.
void feedback_flushed(Feedback *f, uint64_t sink_flush_lsn);
static inline int feedback_is_pending(const Feedback *f)
{
    return f->first < f->count;
}
void feedback_free(Feedback *f);
