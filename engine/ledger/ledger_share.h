// SPDX-License-Identifier: Apache-2.0
// One copy by several processes. The coordinator, which holds the task's lock and the snapshot, publishes what it
// copies under; workers of other processes read it. All of them end each transaction with the fence: the owner token in
// the task's row stands for one plan and one snapshot, so rows read under an older one are never committed.
#pragma once

#include "engine/ledger/ledger.h"

typedef enum ShareState {
    SHARE_NONE,    // nothing is published by the task's present owner
    SHARE_COPYING, // chunks of the queue are to be copied in the snapshot
    SHARE_COPIED   // all rows are in; the snapshot is gone
} ShareState;

typedef struct Share {
    bool known;       // the task is in the ledger; false: nothing below is filled in
    bool coordinated; // a process holds the task's lock
    bool data_done;
    int64_t task_id;
    char owner[40];
    ShareState state;
    char snapshot[64]; // SHARE_COPYING: its exported name
} Share;

// By the owner of the task. ERROR_BUSY when that is another process by now.
MUST_CHECK int ledger_share_put(Ledger *ledger, ShareState state, const char *snapshot, Error *err);
// Takes no lock and changes nothing. ERROR_CONDITION when the task is of another source.
MUST_CHECK int ledger_share_get(const Context *ctx, PGconn *sink, Share *out, Error *err);
// The last statement before the commit of copied rows: the owner is still this one, and stays it until the commit.
// ERROR_BUSY when it is not.
MUST_CHECK int ledger_fence(PGconn *conn, int64_t task_id, const char *owner, Error *err);

typedef struct CopiedRows { // of all processes, as committed
    int64_t rows, bytes;
    int32_t *complete; // relations whose rows are in and whose indexes are not yet; the caller frees
    size_t complete_count;
} CopiedRows;
MUST_CHECK int ledger_copied(PGconn *conn, int64_t task_id, CopiedRows *out, Error *err);
