// SPDX-License-Identifier: Apache-2.0
// Connections to PostgreSQL with a pinned session, waits that a stop interrupts, and failures put into classes.
#pragma once

#include "common/base/error.h"
#include "common/contract/endpoint.h"

#include <libpq-fe.h>
#include <stdint.h>

typedef enum PgKind {
    PG_ORDINARY,
    PG_REPLICATION // replication=database: for CREATE_REPLICATION_SLOT and START_REPLICATION
} PgKind;

typedef struct PgTarget { // whom to connect to, and as what
    const Endpoint *endpoint;
    const char *role;        // "source" or "sink", for messages
    const char *application; // application_name, "kubeferry <task>"
    const char *encoding;    // client_encoding; NULL: the server's own
} PgTarget;

// Connects (10 s a host) and pins what changes the text of values or ends sessions: DateStyle, IntervalStyle, TimeZone,
// extra_float_digits, bytea_output, lc_monetary, search_path = pg_catalog, row_security = off, all timeouts 0.
// The caller ends with PQfinish. ERROR_CREDENTIALS, ERROR_UNREACHABLE, ERROR_TRANSIENT, ERROR_STOPPED.
MUST_CHECK int pg_connect(const PgTarget *target, PgKind kind, PGconn **out, Error *err);

// From now on every wait of the calling thread ends at this moment of the monotonic clock, with ERROR_TRANSIENT; the
// connection is then of no more use. 0: no limit.
void pg_deadline(double monotonic);

// Waits until the connection's socket is readable and, with for_write, also returns when it is writable.
// Returns 1 ready, 0 after timeout_ms (-1: no limit), -1 with ERROR_STOPPED when a stop was requested.
MUST_CHECK int pg_wait(PGconn *conn, bool for_write, int timeout_ms, Error *err);

// Turns the failure that a result or (res NULL) the connection holds into err, classed by SQLSTATE. Always -1.
int pg_error(PGconn *conn, const PGresult *res, Error *err, const char *fmt, ...) PRINTF_LIKE(4, 5);
ErrorCode pg_error_code(const char *sqlstate);

static inline void pg_finish_slot(PGconn **conn)
{
    if (*conn)
        PQfinish(*conn);
}
static inline void pg_clear_slot(PGresult **res)
{
    PQclear(*res); // NULL is allowed
}
#define auto_pgconn   __attribute__((cleanup(pg_finish_slot)))
#define auto_pgresult __attribute__((cleanup(pg_clear_slot)))
