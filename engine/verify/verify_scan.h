// SPDX-License-Identifier: Apache-2.0
// The same question to both ends of a pair at the same time.
#pragma once

#include "engine/pg/query.h"
#include "engine/verify/verify_point.h"

// *source, *sink: PQclear them, after a failure too.
MUST_CHECK int verify_scan(const VerifyPair *pair, const char *source_sql, const char *sink_sql, PGresult **source,
                           PGresult **sink, Error *err);
