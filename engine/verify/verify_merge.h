// SPDX-License-Identifier: Apache-2.0
// Compares two ordered runs of row hashes, in constant memory, and says of each row that differs how it does.
#pragma once

#include "common/base/error.h"

#include <stdint.h>

typedef enum VerifyClass {
    VERIFY_MISSING,   // on the sink
    VERIFY_EXTRA,     // on the sink
    VERIFY_DIFFERENT, // the key is on both ends, the row is not the same
    VERIFY_CLASSES
} VerifyClass;

// One end's rows, ordered by key hash, then row hash. Embedded by what reads them.
typedef struct VerifyRows {
    int64_t key, hash; // of the current row
    bool ended;
    int (*next)(struct VerifyRows *rows, Error *err); // to the first row, then to the next one
    char *(*describe)(const struct VerifyRows *rows); // the current row for people; caller frees
} VerifyRows;

// Told of each key that differs: how many rows of it in that class. description: borrowed; NULL when not wanted.
typedef struct VerifyFound {
    void *context;
    bool (*wants_description)(void *context);
    void (*found)(void *context, VerifyClass class, int64_t rows, const char *description);
} VerifyFound;

MUST_CHECK int verify_merge(VerifyRows *source, VerifyRows *sink, const VerifyFound *found, Error *err);
