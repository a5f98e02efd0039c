// SPDX-License-Identifier: Apache-2.0
// The path of a row in the initial copy. Knows nothing of chunks, snapshots or the ledger.
#include "engine/copy/relay.h"

#include "common/base/stop.h"
#include "engine/pg/query.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    BATCH_BYTES = 128 * 1024, // one CopyData message for the sink
    BATCH_KEEP = 1024 * 1024, // more than this is given back after a large row
    DIRECT_BYTES = 64 * 1024, // a row above it is not copied into the batch
    TLS_POLL_MS = 50,         // bytes may wait inside the TLS layer where poll(2) does not see them
    WAKE_BYTES = 64 * 1024,   // the source is listened to once so much is there: it sends 8 KB at a time,
    WAKE_POLL_MS = 5          // or after that
};

typedef enum Wake { WAKE_TIMEOUT, WAKE_SOURCE, WAKE_SINK, WAKE_SINK_SPEAKS, WAKE_STOP } Wake;

// What a wait is for. The sink says nothing during COPY unless something is wrong: its first byte ends every wait.
typedef enum WaitFor { FOR_SOURCE_ROWS, FOR_SINK_ROOM, FOR_SINK_ANSWER } WaitFor;

static Wake relay_wait(const Relay *r, WaitFor what)
{
    struct pollfd p[4] = {
        {.fd = stop_fd(), .events = POLLIN},
        {.fd = r->abort_fd, .events = POLLIN},
        {.fd = PQsocket(r->sink), .events = (short)(POLLIN | (what == FOR_SINK_ROOM ? POLLOUT : 0))},
        {.fd = what == FOR_SOURCE_ROWS ? PQsocket(r->source) : -1, .events = POLLIN},
    };
    int timeout = -1;

    if (what == FOR_SOURCE_ROWS && !PQsslInUse(r->source))
        timeout = WAKE_POLL_MS;
    else if (PQsslInUse(r->source) || PQsslInUse(r->sink))
        timeout = TLS_POLL_MS;
    while (poll(p, 4, timeout) < 0 && errno == EINTR)
        ;
    if (p[0].revents || p[1].revents)
        return WAKE_STOP;
    if (p[2].revents & (POLLIN | POLLERR | POLLHUP))
        return WAKE_SINK_SPEAKS;
    if (p[2].revents)
        return WAKE_SINK;
    return p[3].revents ? WAKE_SOURCE : WAKE_TIMEOUT;
}

static int relay_stopped(Error *err)
{
    if (stop_check(err))
        return -1;
    return error_set(err, ERROR_STOPPED, "given up since another worker failed");
}

static int source_failed(const Relay *r, const PGresult *res, Error *err)
{
    return pg_error(r->source, res, err, "reading %s on the source", r->label);
}

static int sink_failed(const Relay *r, const PGresult *res, Error *err)
{
    const char *context = res ? PQresultErrorField(res, PG_DIAG_CONTEXT) : NULL;

    pg_error(r->sink, res, err, "writing %s on the sink", r->label);
    if (context && *context) { // "COPY accounts, line 17, column balance: …"
        char hint[sizeof err->hint];
        strcpy(hint, err->hint);
        error_hint(err, "%s%sat %.300s", hint, *hint ? "; " : "", context);
    }
    return -1;
}

// The sink spoke in the middle of the copy: ends it and takes what it has to say.
static int sink_spoke(const Relay *r, Error *err)
{
    PQsetnonblocking(r->sink, 0);
    if (!PQconsumeInput(r->sink))
        return sink_failed(r, NULL, err);
    if (PQputCopyEnd(r->sink, "kubeferry gives this copy up") < 0)
        return sink_failed(r, NULL, err);
    auto_pgresult PGresult *res = PQgetResult(r->sink);
    if (!res || PQresultStatus(res) != PGRES_FATAL_ERROR)
        return error_set(err, ERROR_TRANSIENT, "writing %s on the sink: the copy was interrupted", r->label);
    sink_failed(r, res, err);
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    if (state && strcmp(state, "57014") == 0 && !stop_requested())
        err->code = ERROR_TRANSIENT;
    return -1;
}

static int flush_sink(const Relay *r, Error *err)
{
    for (;;) {
        int pending = PQflush(r->sink);
        if (pending == 0)
            return 0;
        if (pending < 0)
            return sink_spoke(r, err);
        Wake wake = relay_wait(r, FOR_SINK_ROOM);
        if (wake == WAKE_STOP)
            return relay_stopped(err);
        if (wake == WAKE_SINK_SPEAKS)
            return sink_spoke(r, err);
    }
}

static int send_bytes(const Relay *r, const char *bytes, size_t len, Error *err)
{
    while (len > 0) {
        size_t part = len < BATCH_BYTES * 2 ? len : BATCH_BYTES;
        if (PQputCopyData(r->sink, bytes, (int)part) < 0)
            return sink_spoke(r, err);
        if (flush_sink(r, err))
            return -1;
        bytes += part;
        len -= part;
    }
    return 0;
}

static int send_batch(Relay *r, Error *err)
{
    if (r->batch.len == 0)
        return 0;
    if (send_bytes(r, r->batch.data, r->batch.len, err))
        return -1;
    buffer_clear(&r->batch, BATCH_KEEP);
    return 0;
}

// Takes rows until the batch is full. Returns what PQgetCopyData said last: 0 none there yet, -1 end, -2 failure, else
// the batch is full.
static int fill_batch(Relay *r, int64_t *rows, int64_t *bytes, Error *err)
{
    char *row = NULL;
    int n = 1;

    while (r->batch.len < BATCH_BYTES) {
        n = PQgetCopyData(r->source, &row, 1);
        if (n <= 0)
            break;
        *rows += 1;
        *bytes += n;
        if (n < DIRECT_BYTES) {
            buffer_append(&r->batch, row, (size_t)n);
            PQfreemem(row);
            continue;
        }
        int rc = send_batch(r, err) || send_bytes(r, row, (size_t)n, err);
        PQfreemem(row);
        if (rc)
            return -3;
    }
    return n;
}

// Waking up for each 8 KB costs more than working on them. See SO_RCVLOWAT in socket(7); poll(2) heeds it since
// Linux 4.18.
static void set_wake_bytes(const Relay *r, int bytes)
{
    if (!PQsslInUse(r->source)) // a server that is near by a socket file has no such mark, and needs none
        (void)!setsockopt(PQsocket(r->source), SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

static int read_more(const Relay *r, Error *err)
{
    return PQconsumeInput(r->source) ? 0 : source_failed(r, NULL, err);
}

// More bytes from the source, or a wake-up for another reason.
static int wait_for_source(const Relay *r, Error *err)
{
    switch (relay_wait(r, FOR_SOURCE_ROWS)) {
    case WAKE_STOP:
        return relay_stopped(err);
    case WAKE_SINK_SPEAKS:
        return sink_spoke(r, err);
    case WAKE_TIMEOUT:
    case WAKE_SOURCE:
    case WAKE_SINK:
        break;
    }
    return read_more(r, err);
}

static int pump(Relay *r, int64_t *rows, int64_t *bytes, Error *err)
{
    int64_t told_rows = r->binary ? 1 : 0, told_bytes = 0; // the end of a binary stream is a message and no row

    for (;;) {
        int64_t before = *rows;
        int n = fill_batch(r, rows, bytes, err);
        if (n == -3)
            return -1;
        if (n == -2)
            return source_failed(r, NULL, err);
        if (r->batch.len >= BATCH_BYTES || n == -1) {
            if (send_batch(r, err))
                return -1;
            progress_worker_rows(r->progress, r->worker, *rows - told_rows, *bytes - told_bytes);
            told_rows = *rows;
            told_bytes = *bytes;
        }
        if (n == -1)
            return 0;
        // libpq reads 16 KB at a time: after some rows there may be more.
        if (n == 0 && (*rows > before ? read_more(r, err) : wait_for_source(r, err)))
            return -1;
    }
}

static int start_copy(PGconn *conn, const char *sql, ExecStatusType expected, Error *err)
{
    auto_pgresult PGresult *res = NULL;

    if (!PQsendQuery(conn, sql))
        return pg_error(conn, NULL, err, "sending COPY");
    if (pg_finish_query(conn, sql, &res, err))
        return -1;
    if (PQresultStatus(res) != expected)
        return error_set(err, ERROR_PROTOCOL, "\"%s\" did not start a copy", sql);
    return 0;
}

static int finish_source(Relay *r, int64_t *rows, Error *err)
{
    auto_pgresult PGresult *res = NULL;

    if (pg_finish_query(r->source, r->source_sql, &res, err))
        return error_wrap(err, "reading %s on the source", r->label);
    *rows = strtoll(PQcmdTuples(res), NULL, 10);
    return 0;
}

// The answer comes only when the sink has worked through what is on its way.
static int await_answer(const Relay *r, Error *err)
{
    for (;;) {
        int pending = PQflush(r->sink);
        if (pending < 0)
            return sink_failed(r, NULL, err);
        if (pending == 0 && !PQisBusy(r->sink))
            return 0;
        if (relay_wait(r, pending ? FOR_SINK_ROOM : FOR_SINK_ANSWER) == WAKE_STOP)
            return relay_stopped(err);
        if (!PQconsumeInput(r->sink))
            return sink_failed(r, NULL, err);
    }
}

static int finish_sink(Relay *r, int64_t *rows, Error *err)
{
    if (PQputCopyEnd(r->sink, NULL) < 0)
        return sink_failed(r, NULL, err);
    if (await_answer(r, err))
        return -1;
    PQsetnonblocking(r->sink, 0);
    auto_pgresult PGresult *res = PQgetResult(r->sink);
    if (!res || PQresultStatus(res) != PGRES_COMMAND_OK)
        return sink_failed(r, res, err);
    *rows = strtoll(PQcmdTuples(res), NULL, 10);
    PGresult *more;
    while ((more = PQgetResult(r->sink)))
        PQclear(more);
    return 0;
}

int relay_run(Relay *r, int64_t *rows, int64_t *bytes, Error *err)
{
    int64_t messages = 0, read = 0, written = 0;

    *rows = *bytes = 0;
    buffer_clear(&r->batch, BATCH_KEEP);
    if (start_copy(r->sink, r->sink_sql, PGRES_COPY_IN, err))
        return error_wrap(err, "writing %s on the sink", r->label);
    if (start_copy(r->source, r->source_sql, PGRES_COPY_OUT, err))
        return error_wrap(err, "reading %s on the source", r->label);
    PQsetnonblocking(r->sink, 1);
    set_wake_bytes(r, WAKE_BYTES);
    int rc = pump(r, &messages, bytes, err);
    set_wake_bytes(r, 1);
    if (rc || finish_source(r, &read, err) || finish_sink(r, &written, err))
        return -1;
    if (read != written) {
        error_set(err, ERROR_CONDITION, "the source gave %lld rows of %s and the sink kept %lld", (long long)read,
                  r->label, (long long)written);
        return error_hint(
            err, "a trigger or rule of the sink's table swallows rows: disable it for the time of the migration");
    }
    *rows = read;
    return 0;
}
