// SPDX-License-Identifier: Apache-2.0
// How long things took, in buckets, as Prometheus wants to read it. Zero-initialised is empty.
#pragma once

#include "common/base/buffer.h"

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 15 }; // 1 ms to 60 s

typedef struct Histogram {
    uint64_t counts[HISTOGRAM_BUCKETS + 1]; // each its own; the last one: longer than every bound
    double sum;                             // seconds
} Histogram;

void histogram_observe(Histogram *h, double seconds);
// The lines name_bucket, name_sum and name_count. labels: `a="b"`, or "".
void histogram_put(const Histogram *h, const char *name, const char *labels, Buffer *out);
