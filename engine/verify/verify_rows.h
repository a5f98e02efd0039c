// SPDX-License-Identifier: Apache-2.0
// What was found for one table: the buckets that differ, and from them its rows.
#pragma once

#include "engine/verify/verify_point.h"
#include "engine/verify/verify_report.h"
#include "engine/verify/verify_resume.h"

typedef struct VerifyWorker {
    const VerifyPair *pair;
    VerifyDialect dialect;
    VerifyReport *report;
    Progress *progress;
    VerifyResume *resume; // NULL: nothing is noted
    int number;           // its place in the progress
} VerifyWorker;

typedef struct VerifyBucket { // one that differs
    uint32_t number;
    int64_t source_rows, sink_rows;
} VerifyBucket;

typedef struct VerifyTable {
    VerifyPlan plan;
    char *name; // quoted, for people
    VerifyBucket *buckets;
    size_t bucket_count, bucket_cap;
    int64_t rows; // of the source
    VerifyCounts counts;
} VerifyTable;

void verify_rows_add_bucket(VerifyTable *table, uint32_t number, int64_t source_rows, int64_t sink_rows);
// Differences of the tables themselves, and what else is to be known of them.
void verify_rows_tell_plan(const VerifyWorker *worker, const VerifyTable *table);
bool verify_rows_are_equal(const VerifyTable *table); // once all buckets are compared
// All buckets are compared: lists the rows of those that differ, and reports the table.
MUST_CHECK int verify_rows_end(const VerifyWorker *worker, VerifyTable *table, Error *err);
