// SPDX-License-Identifier: Apache-2.0
// The row of kubeferry.verification.
#include "engine/ledger/ledger_verification.h"

#include "common/base/lsn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int ledger_verification_get(PGconn *conn, int64_t task_id, Verification *out, Error *err)
{
    char id[24];
    const char *values[] = {id};
    auto_pgresult PGresult *res = NULL;

    *out = (Verification){0};
    snprintf(id, sizeof id, "%" PRId64, task_id);
    if (pg_query(
            conn,
            "SELECT finished_at::timestamptz(0), lsn, sample, tables, rows, differences FROM kubeferry.verification"
            " WHERE task = $1",
            1, values, &res, err))
        return error_wrap(err, "reading the last verification");
    if (PQntuples(res) == 0)
        return 0;
    *out = (Verification){.known = true,
                          .lsn = pg_get_lsn(res, 0, 1),
                          .sample = pg_get_double(res, 0, 2),
                          .tables = pg_get_int64(res, 0, 3),
                          .rows = pg_get_int64(res, 0, 4),
                          .differences = pg_get_int64(res, 0, 5)};
    snprintf(out->finished_at, sizeof out->finished_at, "%s", PQgetvalue(res, 0, 0));
    return 0;
}

int ledger_verification_put(PGconn *conn, int64_t task_id, const Verification *result, Error *err)
{
    char id[24], sample[32], tables[24], rows[24], differences[24];
    LsnText lsn = lsn_format(result->lsn);
    const char *values[] = {id, result->lsn ? lsn.text : NULL, sample, tables, rows, differences};

    snprintf(id, sizeof id, "%" PRId64, task_id);
    snprintf(sample, sizeof sample, "%g", result->sample);
    snprintf(tables, sizeof tables, "%" PRId64, result->tables);
    snprintf(rows, sizeof rows, "%" PRId64, result->rows);
    snprintf(differences, sizeof differences, "%" PRId64, result->differences);
    if (pg_run(conn,
               "INSERT INTO kubeferry.verification (task, finished_at, lsn, sample, tables, rows, differences)"
               " VALUES ($1, pg_catalog.clock_timestamp(), $2, $3, $4, $5, $6) ON CONFLICT (task) DO UPDATE"
               " SET finished_at = EXCLUDED.finished_at, lsn = EXCLUDED.lsn, sample = EXCLUDED.sample,"
               " tables = EXCLUDED.tables, rows = EXCLUDED.rows, differences = EXCLUDED.differences",
               6, values, NULL, err) == 0)
        return 0;
    if (strcmp(err->sqlstate, "42P01") != 0)
        return error_wrap(err, "noting the result of verify in the ledger");
    error_clear(err);
    return 0;
}
