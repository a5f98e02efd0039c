// SPDX-License-Identifier: Apache-2.0
// Marks the present end of the source's WAL.
#include "engine/stream/marker.h"

#include "common/base/lsn.h"
#include "common/base/memory.h"

int marker_write(PGconn *source, const char *content, uint64_t *lsn, Error *err)
{
    const char *values[] = {content};
    auto_pgresult PGresult *res = NULL;
    auto_free char *text = NULL;
    Error refused = {0};

    if (pg_exec(source, "SET synchronous_commit = on", err))
        return error_wrap(err, "marking the end of the source's WAL");
    if (pg_query(source, "SELECT pg_catalog.pg_logical_emit_message(true, 'kubeferry', $1::text)", 1, values, &res,
                 &refused) == 0) {
        *lsn = pg_get_lsn(res, 0, 0);
    } else {
        if (refused.code != ERROR_SQL) {
            *err = refused;
            return error_wrap(err, "marking the end of the source's WAL");
        }
        if (pg_text(source, "SELECT pg_catalog.pg_current_wal_flush_lsn()", &text, err))
            return error_wrap(err, "reading the end of the source's WAL");
        *lsn = 0;
        if (text && !lsn_parse(text, lsn))
            *lsn = 0;
    }
    return *lsn ? 0 : error_set(err, ERROR_PROTOCOL, "the source gave no LSN");
}
