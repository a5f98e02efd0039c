// SPDX-License-Identifier: Apache-2.0
// Compares a batch of small tables over one pair of connections: buckets first, then the rows of those that differ.
#pragma once

#include "engine/verify/verify_rows.h"

enum { VERIFY_BATCH_TABLES = 32 };

// At most VERIFY_BATCH_TABLES tables: small ones together, one that cannot be cut (verify_large.h) alone. Differences
// go into the report; an error is a failure to compare.
MUST_CHECK int verify_table_batch(const VerifyWorker *worker, const Relation *const *tables, size_t count, Error *err);
