// SPDX-License-Identifier: Apache-2.0
// Statements on a connection. Every wait ends when a stop is requested: the statement is then cancelled on the server
// and the connection is of no more use (ERROR_STOPPED).
#pragma once

#include "engine/pg/connection.h"

// From now on no wait of the process for an answer takes longer (ERROR_UNREACHABLE), and sessions made later wait less
// for a lock; -1, as at the start: no limit.
void pg_limit_answers(int timeout_ms);
int pg_answer_limit(void); // milliseconds; -1: none
// One or more statements by the simple protocol; results are dropped.
MUST_CHECK int pg_exec(PGconn *conn, const char *sql, Error *err);
MUST_CHECK int pg_execf(PGconn *conn, Error *err, const char *fmt, ...) PRINTF_LIKE(3, 4);
// One statement with text parameters (NULL is SQL NULL). *out is never NULL on success; the caller PQclears it.
MUST_CHECK int pg_query(PGconn *conn, const char *sql, int count, const char *const *values, PGresult **out,
                        Error *err);
// The same, when there is nothing to read; *rows (may be NULL) gets the number of rows touched.
MUST_CHECK int pg_run(PGconn *conn, const char *sql, int count, const char *const *values, int64_t *rows, Error *err);
// A prepared statement with binary parameters. *rows as above.
MUST_CHECK int pg_run_prepared(PGconn *conn, const char *name, int count, const char *const *values, const int *lengths,
                               const int *formats, int64_t *rows, Error *err);
// The rest of a statement that was sent: the last result, or the first failure. For COPY see copy/relay.
MUST_CHECK int pg_finish_query(PGconn *conn, const char *sql, PGresult **out, Error *err);
// The single value of a statement without parameters. Caller frees; *out is NULL for SQL NULL or no row.
MUST_CHECK int pg_text(PGconn *conn, const char *sql, char **out, Error *err);

int64_t pg_get_int64(const PGresult *res, int row, int column); // 0 for NULL
bool pg_get_bool(const PGresult *res, int row, int column);
double pg_get_double(const PGresult *res, int row, int column);
uint64_t pg_get_lsn(const PGresult *res, int row, int column); // 0 for NULL
