// SPDX-License-Identifier: Apache-2.0
// The replication connection: START_REPLICATION, the messages inside CopyBoth, and feedback
// (https://www.postgresql.org/docs/current/protocol-replication.html).
#pragma once

#include "engine/context.h"

#include <stdint.h>

typedef struct Replication {
    PGconn *conn;
    double last_feedback; // monotonic seconds
} Replication;

typedef enum ReplicationEventKind {
    REPLICATION_NOTHING,  // nothing is left of what was read
    REPLICATION_DATA,     // one pgoutput message
    REPLICATION_KEEPALIVE // everything before wal_end was sent
} ReplicationEventKind;

typedef struct ReplicationEvent {
    ReplicationEventKind kind;
    char *buffer;     // to be given back with PQfreemem, NULL for nothing
    const char *data; // DATA: the message, followed by a NUL
    size_t len;
    uint64_t wal_end;
    bool reply_requested;
} ReplicationEvent;

// Connects and starts streaming at `from`. A slot that is gone or invalidated, or a publication that is gone:
// ERROR_CONDITION with what to do. A slot still held by a dead process of this task is freed first.
MUST_CHECK int replication_start(const Context *ctx, uint64_t from, Replication *out, Error *err);
void replication_close(Replication *r);
// Takes the next message that replication_fill has read already.
MUST_CHECK int replication_next(Replication *r, ReplicationEvent *out, Error *err);
// Reads once what the socket holds, at most a few kB; never waits.
MUST_CHECK int replication_fill(Replication *r, Error *err);
// Tells the source what the sink has flushed: WAL before it is no longer needed. ask: a keepalive is wanted at once.
MUST_CHECK int replication_feedback(Replication *r, uint64_t flushed, bool ask, Error *err);
