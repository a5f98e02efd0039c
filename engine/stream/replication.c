// SPDX-License-Identifier: Apache-2.0
// The replication connection. Knows nothing of tables.
#include "engine/stream/replication.h"

#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/lsn.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/pg/query.h"
#include "engine/pg/quote.h"

#include <arpa/inet.h>
#include <string.h>

enum { DATA_HEADER = 25, KEEPALIVE_SIZE = 18, FEEDBACK_SIZE = 34 };

// The highest protocol that the server speaks. Streaming of transactions in progress stays off: only committed ones
// come, so nothing has to be kept aside or undone; the source spills them, and a long one is applied as it arrives.
static int protocol_version(int server_version)
{
    return server_version >= 160000 ? 4 : server_version >= 150000 ? 3 : server_version >= 140000 ? 2 : 1;
}

static int start_failed(const Context *ctx, PGconn *conn, const PGresult *res, Error *err)
{
    pg_error(conn, res, err, "streaming from slot \"%s\"", ctx->slot);
    if (strcmp(err->sqlstate, "42704") == 0 || strcmp(err->sqlstate, "55000") == 0) {
        err->code = ERROR_CONDITION;
        error_hint(err,
                   "the slot or its publication was dropped or invalidated on the source, so changes are lost: run "
                   "\"kubeferry-engine cleanup --name %s\", empty the sink's tables and start again; a larger "
                   "max_slot_wal_keep_size keeps a slot longer",
                   ctx->task->name);
    }
    return -1;
}

// A killed process leaves its walsender behind until the source notices. We hold the task's lock in the sink, so a
// walsender on our slot that carries our name is such a corpse.
static int free_slot(const Context *ctx, Error *err)
{
    auto_pgconn PGconn *conn = NULL;
    const char *values[] = {ctx->slot, ctx->application};
    auto_pgresult PGresult *res = NULL;

    if (context_connect_source(ctx, PG_ORDINARY, &conn, err))
        return -1;
    if (pg_query(conn,
                 "SELECT s.active_pid, pg_catalog.pg_terminate_backend(s.active_pid)"
                 "  FROM pg_catalog.pg_replication_slots s JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid"
                 " WHERE s.slot_name = $1 AND a.application_name = $2",
                 2, values, &res, err))
        return -1;
    if (PQntuples(res) > 0)
        log_info("stream", "slot \"%s\" was still held by a walsender of an earlier process (pid %s): ended it",
                 ctx->slot, PQgetvalue(res, 0, 0));
    return 0;
}

static int try_start(const Context *ctx, uint64_t from, PGconn *conn, Error *err)
{
    auto_buffer Buffer sql = {0};
    auto_buffer Buffer name = {0};
    auto_pgresult PGresult *res = NULL;

    buffer_puts(&sql, "START_REPLICATION SLOT ");
    quote_ident(&sql, ctx->slot);
    quote_ident(&name, ctx->publication);
    buffer_printf(&sql, " LOGICAL %s (proto_version '%d', publication_names ", lsn_format(from).text,
                  protocol_version(PQserverVersion(conn)));
    quote_literal(&sql, name.data);
    buffer_putc(&sql, ')');
    if (!PQsendQuery(conn, sql.data))
        return pg_error(conn, NULL, err, "starting replication");
    while (PQisBusy(conn)) {
        if (pg_wait(conn, false, -1, err) < 0)
            return -1;
        if (!PQconsumeInput(conn))
            return pg_error(conn, NULL, err, "starting replication");
    }
    res = PQgetResult(conn);
    if (PQresultStatus(res) != PGRES_COPY_BOTH)
        return start_failed(ctx, conn, res, err);
    return 0;
}

int replication_start(const Context *ctx, uint64_t from, Replication *out, Error *err)
{
    enum { TRIES = 20, PAUSE_MS = 250 };

    for (int i = 0;; i++) {
        auto_pgconn PGconn *conn = NULL;
        if (context_connect_source(ctx, PG_REPLICATION, &conn, err))
            return -1;
        if (try_start(ctx, from, conn, err) == 0) {
            *out = (Replication){.conn = conn, .last_feedback = clock_monotonic()};
            conn = NULL;
            return 0;
        }
        bool in_use = strcmp(err->sqlstate, "55006") == 0;
        if (!in_use || i >= TRIES)
            return -1;
        if (free_slot(ctx, err))
            return -1;
        if (stop_sleep_ms(PAUSE_MS))
            return stop_check(err);
    }
}

void replication_close(Replication *r)
{
    if (r->conn)
        PQfinish(r->conn);
    r->conn = NULL;
}

static uint64_t read_u64(const char *p)
{
    uint32_t high, low;
    memcpy(&high, p, 4);
    memcpy(&low, p + 4, 4);
    return (uint64_t)ntohl(high) << 32 | ntohl(low);
}

static int stream_ended(Replication *r, Error *err)
{
    auto_pgresult PGresult *res = PQgetResult(r->conn);
    if (PQresultStatus(res) == PGRES_FATAL_ERROR) {
        pg_error(r->conn, res, err, "the source ended the stream");
        if (strcmp(err->sqlstate, "42704") == 0 || strcmp(err->sqlstate, "55000") == 0) {
            err->code = ERROR_CONDITION;
            error_hint(err,
                       "the slot or the publication was dropped or changed on the source while changes were followed; "
                       "put it back, or run cleanup and start again");
        }
        // An internal error of the server may pass; how often is tried decides who follows.
        if (strcmp(err->sqlstate, "XX000") == 0)
            err->code = ERROR_TRANSIENT;
        return -1;
    }
    return error_set(err, ERROR_TRANSIENT, "the source ended the stream");
}

int replication_fill(Replication *r, Error *err)
{
    return PQconsumeInput(r->conn) ? 0 : pg_error(r->conn, NULL, err, "reading the stream of the source");
}

int replication_next(Replication *r, ReplicationEvent *out, Error *err)
{
    *out = (ReplicationEvent){0};
    int len = PQgetCopyData(r->conn, &out->buffer, 1);
    if (len == 0)
        return 0;
    if (len == -1)
        return stream_ended(r, err);
    if (len < 0)
        return pg_error(r->conn, NULL, err, "reading the stream of the source");
    if (out->buffer[0] == 'w' && len >= DATA_HEADER) {
        out->kind = REPLICATION_DATA;
        out->wal_end = read_u64(out->buffer + 1);
        out->data = out->buffer + DATA_HEADER;
        out->len = (size_t)len - DATA_HEADER;
        return 0;
    }
    if (out->buffer[0] == 'k' && len >= KEEPALIVE_SIZE) {
        out->kind = REPLICATION_KEEPALIVE;
        out->wal_end = read_u64(out->buffer + 1);
        out->reply_requested = out->buffer[KEEPALIVE_SIZE - 1] != 0;
        return 0;
    }
    error_set(err, ERROR_PROTOCOL, "unknown replication message 0x%02x of %d bytes",
              (unsigned)(unsigned char)out->buffer[0], len);
    PQfreemem(out->buffer);
    out->buffer = NULL;
    return -1;
}

static void put_u64(Buffer *b, uint64_t value)
{
    buffer_put_u32(b, (uint32_t)(value >> 32));
    buffer_put_u32(b, (uint32_t)value);
}

int replication_feedback(Replication *r, uint64_t flushed, bool ask, Error *err)
{
    auto_buffer Buffer message = {0};

    buffer_putc(&message, 'r');
    put_u64(&message, flushed); // written
    put_u64(&message, flushed); // flushed
    put_u64(&message, flushed); // applied
    put_u64(&message, (uint64_t)clock_postgres_us());
    buffer_putc(&message, ask ? 1 : 0);
    if (PQputCopyData(r->conn, message.data, (int)message.len) <= 0 || PQflush(r->conn) < 0)
        return pg_error(r->conn, NULL, err, "sending feedback to the source");
    r->last_feedback = clock_monotonic();
    return 0;
}
