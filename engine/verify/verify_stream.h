// SPDX-License-Identifier: Apache-2.0
// The rows of verify_sql_rows as they arrive from one end, one at a time.
#pragma once

#include "common/base/buffer.h"
#include "engine/pg/connection.h"
#include "engine/verify/verify_merge.h"
#include "engine/verify/verify_plan.h"

typedef struct VerifyStream {
    VerifyRows rows; // first: verify_merge sees the stream through it
    PGconn *conn;    // borrowed
    PGresult *current;
    const VerifyColumn *shown; // borrowed
    size_t shown_count;
} VerifyStream;

// Sends the statement; both ends are sent theirs before either is read, so that they work at the same time.
MUST_CHECK int verify_stream_open(VerifyStream *stream, PGconn *conn, const char *sql, const char *bitmap,
                                  const VerifyColumn *shown, size_t shown_count, Error *err);
// Forgets what is left; the connection is of use again only if the stream ended.
void verify_stream_close(VerifyStream *stream);
// Adds name=value; a long value is cut at 80 bytes, NULL value: NULL.
void verify_stream_describe(Buffer *out, const char *name, const char *value);
