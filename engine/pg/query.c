// SPDX-License-Identifier: Apache-2.0
// Statements on a connection, with waits that a stop interrupts.
#include "engine/pg/query.h"

#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/lsn.h"
#include "common/base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int answer_timeout_ms = -1;

void pg_limit_answers(int timeout_ms)
{
    answer_timeout_ms = timeout_ms;
}

int pg_answer_limit(void)
{
    return answer_timeout_ms;
}

static void cancel(PGconn *conn)
{
    char ignored[256];
    PGcancel *c = PQgetCancel(conn);
    if (c) {
        PQcancel(c, ignored, sizeof ignored);
        PQfreeCancel(c);
    }
}

// Sends what libpq still holds back and waits until a result is there.
static int wait_for_result(PGconn *conn, Error *err)
{
    const double started = clock_monotonic();

    for (;;) {
        int pending = PQflush(conn);
        if (pending < 0)
            return pg_error(conn, NULL, err, "sending a statement");
        if (!pending && !PQisBusy(conn))
            return 0;
        if (pg_wait(conn, pending > 0, answer_timeout_ms, err) < 0) {
            cancel(conn);
            return -1;
        }
        if (answer_timeout_ms > 0 && (clock_monotonic() - started) * 1000 > answer_timeout_ms)
            return error_set(err, ERROR_UNREACHABLE, "the server has not answered within %d s",
                             answer_timeout_ms / 1000);
        if (!PQconsumeInput(conn))
            return pg_error(conn, NULL, err, "waiting for an answer");
    }
}

// A statement as it may stand in an error: its first line, not too long.
static void excerpt(const char *sql, char *out, size_t size)
{
    while (*sql == '\n' || *sql == ' ')
        sql++;
    size_t n = strcspn(sql, "\n");
    snprintf(out, size, "%.*s%s", (int)(n < 120 ? n : 120), sql, n > 120 || sql[n] ? " …" : "");
}

int pg_finish_query(PGconn *conn, const char *sql, PGresult **out, Error *err)
{
    PGresult *last = NULL;
    bool failed = false;

    if (out)
        *out = NULL;
    for (;;) {
        if (wait_for_result(conn, err)) {
            PQclear(last);
            return -1;
        }
        PGresult *res = PQgetResult(conn);
        if (!res)
            break;
        ExecStatusType status = PQresultStatus(res);
        if (status == PGRES_FATAL_ERROR && !failed) {
            char text[160];
            excerpt(sql, text, sizeof text);
            pg_error(conn, res, err, "statement \"%s\"", text);
            failed = true;
        }
        PQclear(last);
        last = res;
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
            break; // the caller goes on with it
        if (PQstatus(conn) == CONNECTION_BAD)
            break;
    }
    if (!failed && !last) {
        pg_error(conn, NULL, err, "no answer");
        failed = true;
    }
    if (failed || !out) {
        PQclear(last);
        return failed ? -1 : 0;
    }
    *out = last;
    return 0;
}

int pg_exec(PGconn *conn, const char *sql, Error *err)
{
    if (!PQsendQuery(conn, sql))
        return pg_error(conn, NULL, err, "sending a statement");
    return pg_finish_query(conn, sql, NULL, err);
}

int pg_execf(PGconn *conn, Error *err, const char *fmt, ...)
{
    auto_free char *sql = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&sql, fmt, args) < 0)
        sql = NULL;
    va_end(args);
    return sql ? pg_exec(conn, sql, err) : error_set(err, ERROR_SYSTEM, "out of memory for a statement");
}

int pg_query(PGconn *conn, const char *sql, int count, const char *const *values, PGresult **out, Error *err)
{
    *out = NULL;
    if (!PQsendQueryParams(conn, sql, count, NULL, values, NULL, NULL, 0))
        return pg_error(conn, NULL, err, "sending a statement");
    return pg_finish_query(conn, sql, out, err);
}

static void count_rows(const PGresult *res, int64_t *rows)
{
    if (rows)
        *rows = strtoll(PQcmdTuples((PGresult *)(uintptr_t)res), NULL, 10);
}

int pg_run(PGconn *conn, const char *sql, int count, const char *const *values, int64_t *rows, Error *err)
{
    auto_pgresult PGresult *res = NULL;
    if (pg_query(conn, sql, count, values, &res, err))
        return -1;
    count_rows(res, rows);
    return 0;
}

int pg_run_prepared(PGconn *conn, const char *name, int count, const char *const *values, const int *lengths,
                    const int *formats, int64_t *rows, Error *err)
{
    auto_pgresult PGresult *res = NULL;
    if (!PQsendQueryPrepared(conn, name, count, values, lengths, formats, 0))
        return pg_error(conn, NULL, err, "sending a prepared statement");
    if (pg_finish_query(conn, name, &res, err))
        return -1;
    count_rows(res, rows);
    return 0;
}

int pg_text(PGconn *conn, const char *sql, char **out, Error *err)
{
    auto_pgresult PGresult *res = NULL;
    *out = NULL;
    if (pg_query(conn, sql, 0, NULL, &res, err))
        return -1;
    if (PQntuples(res) > 0 && !PQgetisnull(res, 0, 0))
        *out = memory_strdup(PQgetvalue(res, 0, 0));
    return 0;
}

int64_t pg_get_int64(const PGresult *res, int row, int column)
{
    return strtoll(PQgetvalue(res, row, column), NULL, 10);
}

bool pg_get_bool(const PGresult *res, int row, int column)
{
    return PQgetvalue(res, row, column)[0] == 't';
}

double pg_get_double(const PGresult *res, int row, int column)
{
    return strtod(PQgetvalue(res, row, column), NULL);
}

uint64_t pg_get_lsn(const PGresult *res, int row, int column)
{
    uint64_t lsn = 0;
    return lsn_parse(PQgetvalue(res, row, column), &lsn) ? lsn : 0;
}
