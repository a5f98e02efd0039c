// SPDX-License-Identifier: Apache-2.0
// Edit distance between short words.
#include "common/base/nearest.h"

#include <string.h>

enum { MAX_WORD = 64 };

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t row[MAX_WORD + 1];

    for (size_t k = 0; k <= b_len; k++)
        row[k] = k;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t k = 1; k <= b_len; k++) {
            size_t above = row[k];
            row[k] = smallest(above + 1, row[k - 1] + 1, diagonal + (a[i - 1] != b[k - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

const char *nearest_word(const char *typed, const char *const *words, size_t count)
{
    size_t typed_len = strlen(typed);
    const char *best = NULL;
    size_t best_distance = typed_len < 4 ? 2 : typed_len / 3 + 2; // as many edits or more are no slip

    if (typed_len == 0 || typed_len > MAX_WORD)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t len = words[i] ? strlen(words[i]) : 0;
        if (len == 0 || len > MAX_WORD)
            continue;
        size_t d = distance(typed, typed_len, words[i], len);
        if (d < best_distance) {
            best_distance = d;
            best = words[i];
        }
    }
    return best;
}
