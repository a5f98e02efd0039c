// SPDX-License-Identifier: Apache-2.0
#include "engine/verify/verify_scan.h"

int verify_scan(const VerifyPair *pair, const char *source_sql, const char *sink_sql, PGresult **source,
                PGresult **sink, Error *err)
{
    if (!PQsendQuery(pair->source, source_sql))
        return pg_error(pair->source, NULL, err, "sending a statement to the source");
    if (!PQsendQuery(pair->sink, sink_sql))
        return pg_error(pair->sink, NULL, err, "sending a statement to the sink");
    if (pg_finish_query(pair->source, "checksums", source, err))
        return error_wrap(err, "reading the source");
    if (pg_finish_query(pair->sink, "checksums", sink, err))
        return error_wrap(err, "reading the sink");
    return 0;
}
