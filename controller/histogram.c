// SPDX-License-Identifier: Apache-2.0
#include "controller/histogram.h"

#include <inttypes.h>

static const double BOUNDS[HISTOGRAM_BUCKETS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                 0.5,   1,      2.5,   5,    10,    30,   60};

void histogram_observe(Histogram *h, double seconds)
{
    int i = 0;

    while (i < HISTOGRAM_BUCKETS && seconds > BOUNDS[i])
        i++;
    h->counts[i]++;
    h->sum += seconds;
}

void histogram_put(const Histogram *h, const char *name, const char *labels, Buffer *out)
{
    const char *comma = *labels ? "," : "";
    uint64_t count = 0;

    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += h->counts[i];
        buffer_printf(out, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", name, labels, comma, BOUNDS[i], count);
    }
    count += h->counts[HISTOGRAM_BUCKETS];
    buffer_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, comma, count);
    buffer_printf(out, "%s_sum{%s} %.9g\n", name, labels, h->sum);
    buffer_printf(out, "%s_count{%s} %" PRIu64 "\n", name, labels, count);
}
