// SPDX-License-Identifier: Apache-2.0
// Compares a batch of tables over one pair of connections: buckets first, then the rows of those that differ.
#pragma once

#include "engine/verify/verify_point.h"
#include "engine/verify/verify_report.h"
#include "engine/verify/verify_resume.h"

enum { VERIFY_BATCH_TABLES = 32 };

typedef struct VerifyWorker {
    const VerifyPair *pair;
    VerifyDialect dialect;
    VerifyReport *report;
    Progress *progress;
    VerifyResume *resume; // NULL: nothing is noted
    int number; // its place in the progress
} VerifyWorker;

// At most VERIFY_BATCH_TABLES tables: small ones together, a large one alone. Differences go into the report; an error
// is a failure to compare.
MUST_CHECK int verify_table_batch(const VerifyWorker *worker, const Relation *const *tables, size_t count, Error *err);
