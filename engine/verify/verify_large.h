// SPDX-License-Identifier: Apache-2.0
// A large table, compared in chunks by several workers: each end is cut by itself into ranges of blocks, and what the
// chunks of an end hold is added up by bucket; the buckets are compared when the last chunk is in.
#pragma once

#include "engine/verify/verify_rows.h"

typedef struct VerifyLarge VerifyLarge;

// In how many chunks the table is compared; 1: it is not worth it, or an end is older than 14 (no TID range scans).
size_t verify_large_chunks(const VerifyPair *pair, const Relation *relation);
VerifyLarge *verify_large_new(const Relation *relation, size_t chunks);
void verify_large_free(VerifyLarge *large);
// The next chunk that nobody has; false when all are taken.
bool verify_large_take(VerifyLarge *large, size_t *chunk);
// Compares chunk number `chunk` (from 0; each once), from any thread. The worker of the last one reports the table.
MUST_CHECK int verify_large_chunk(VerifyLarge *large, const VerifyWorker *worker, size_t chunk, Error *err);
