// SPDX-License-Identifier: Apache-2.0
// The statements of verify as text. Both ends get the same expressions, so equal rows give equal numbers.
#pragma once

#include "common/base/buffer.h"
#include "engine/catalog/block_range.h"
#include "engine/verify/verify_plan.h"

enum {
    VERIFY_SHOWN_COLUMNS = 8, // columns that a listed row is named by, at most
    VERIFY_SHOWN_BYTES = 80,  // of one value
};

// How the two ends can be made to say the same of the same row.
typedef struct VerifyDialect {
    bool extended;    // hashtextextended on both ends; else md5 of the UTF-8 text
    bool send_floats; // the ends print floats differently (one is older than 12): take their binary form
    uint32_t sample;  // of 1024 rows; 0: all of them
    bool send_chars;  // the same for "char" (16)
} VerifyDialect;

// same_hash: both ends gave the same number for verify_sql_probe, which is so for the same byte order and encoding.
VerifyDialect verify_dialect(int source_version, int sink_version, bool same_hash);
extern const char verify_sql_probe[]; // from version 11 on

// One SELECT: index, bucket, number of rows, sum of the rows' hashes; a row a bucket that is not empty.
// range: NULL takes the whole table.
void verify_sql_buckets(Buffer *sql, const VerifyDialect *dialect, const VerifyPlan *plan, const BlockRange *range,
                        bool sink, size_t index);
// The rows of some buckets, $1 a bitmap of them (bytea): key hash, row hash, then the columns that name the row (the
// key's, or the first ones), each cut; ordered by the two hashes.
void verify_sql_rows(Buffer *sql, const VerifyDialect *dialect, const VerifyPlan *plan, bool sink);
// The columns that verify_sql_rows gives after the two hashes.
const VerifyColumn *verify_sql_shown(const VerifyPlan *plan, size_t *count);
