// SPDX-License-Identifier: Apache-2.0
// Which source position is safe on the sink's disk.
#include "engine/apply/feedback.h"

#include "common/base/memory.h"

#include <string.h>

void feedback_committed(Feedback *f, uint64_t source_lsn, uint64_t sink_lsn)
{
    if (f->count == f->capacity && f->first > 0) {
        memmove(f->entries, f->entries + f->first, (f->count - f->first) * sizeof *f->entries);
        f->count -= f->first;
        f->first = 0;
    }
    if (f->count == f->capacity) {
        f->capacity = f->capacity ? f->capacity * 2 : 64;
        f->entries = memory_realloc(f->entries, f->capacity * sizeof *f->entries);
    }
    f->entries[f->count++] = (FeedbackEntry){source_lsn, sink_lsn};
}

void feedback_flushed(Feedback *f, uint64_t sink_flush_lsn)
{
    while (f->first < f->count && f->entries[f->first].sink_lsn <= sink_flush_lsn)
        f->flushed = f->entries[f->first++].source_lsn;
    if (f->first == f->count)
        f->first = f->count = 0;
}

void feedback_free(Feedback *f)
{
    free(f->entries);
    *f = (Feedback){0};
}
