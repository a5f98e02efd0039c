// SPDX-License-Identifier: Apache-2.0
// Reads a result row by row. Never holds more than one row.
#include "engine/verify/verify_stream.h"

#include "engine/pg/query.h"
#include "engine/verify/verify_sql.h"

#include <string.h>

static int wait_for_row(PGconn *conn, Error *err)
{
    for (;;) {
        int pending = PQflush(conn);
        if (pending < 0)
            return pg_error(conn, NULL, err, "sending a statement");
        if (!pending && !PQisBusy(conn))
            return 0;
        if (pg_wait(conn, pending > 0, -1, err) < 0)
            return -1;
        if (!PQconsumeInput(conn))
            return pg_error(conn, NULL, err, "reading rows");
    }
}

static int next_row(VerifyRows *rows, Error *err)
{
    VerifyStream *stream = (VerifyStream *)rows;

    PQclear(stream->current);
    stream->current = NULL;
    for (;;) {
        if (wait_for_row(stream->conn, err))
            return -1;
        PGresult *res = PQgetResult(stream->conn);
        if (!res) {
            rows->ended = true;
            return 0;
        }
        switch (PQresultStatus(res)) {
        case PGRES_SINGLE_TUPLE:
            stream->current = res;
            rows->key = pg_get_int64(res, 0, 0);
            rows->hash = pg_get_int64(res, 0, 1);
            return 0;
        case PGRES_TUPLES_OK: // the end; NULL follows
            PQclear(res);
            break;
        default:
            pg_error(stream->conn, res, err, "listing rows");
            PQclear(res);
            return -1;
        }
    }
}

void verify_stream_describe(Buffer *out, const char *name, const char *value)
{
    if (out->len > 1)
        buffer_puts(out, ", ");
    buffer_printf(out, "%s=", name);
    if (!value) {
        buffer_puts(out, "NULL");
        return;
    }
    size_t len = strlen(value);
    if (len <= VERIFY_SHOWN_BYTES) {
        buffer_append(out, value, len);
        return;
    }
    for (len = VERIFY_SHOWN_BYTES; len > 0 && ((unsigned char)value[len] & 0xC0) == 0x80; len--)
        ; // not in the middle of a character
    buffer_append(out, value, len);
    buffer_puts(out, "…");
}

static char *describe(const VerifyRows *rows)
{
    const VerifyStream *stream = (const VerifyStream *)rows;
    Buffer out = {0};

    buffer_putc(&out, '{');
    for (size_t i = 0; i < stream->shown_count; i++) {
        int column = (int)i + 2;
        bool null = PQgetisnull(stream->current, 0, column);
        verify_stream_describe(&out, stream->shown[i].name, null ? NULL : PQgetvalue(stream->current, 0, column));
    }
    buffer_putc(&out, '}');
    return out.data;
}

int verify_stream_open(VerifyStream *stream, PGconn *conn, const char *sql, const char *bitmap,
                       const VerifyColumn *shown, size_t shown_count, Error *err)
{
    *stream = (VerifyStream){
        .rows = {.next = next_row, .describe = describe}, .conn = conn, .shown = shown, .shown_count = shown_count};
    if (!PQsendQueryParams(conn, sql, 1, NULL, &bitmap, NULL, NULL, 0))
        return pg_error(conn, NULL, err, "sending a statement");
    if (!PQsetSingleRowMode(conn))
        return error_set(err, ERROR_SYSTEM, "libpq refused the single-row mode");
    return 0;
}

void verify_stream_close(VerifyStream *stream)
{
    PQclear(stream->current);
    stream->current = NULL;
}
