// SPDX-License-Identifier: Apache-2.0
// Replication slots on the source: making one with its exported snapshot, looking at one, dropping one.
#pragma once

#include "engine/context.h"

#include <stdint.h>

// A snapshot that other sessions may import while `conn` stays open and idle.
typedef struct SlotSnapshot {
    PGconn *conn;
    uint64_t lsn; // consistent point: what committed before it is in the snapshot; 0: not bound to a slot
    char name[64];
} SlotSnapshot;

typedef struct SlotInfo {
    bool exists;
    bool logical, temporary;
    char plugin[64], database[64];
    char wal_status[16];    // "reserved", "extended", "unreserved", "lost"; "" before 13
    char reason[64];        // invalidation_reason (17+), else ""
    int64_t retained_bytes; // WAL that is kept for it
    uint64_t confirmed;     // confirmed_flush_lsn
    int active_pid;         // 0: not in use
    char application[64];   // application_name of the walsender that uses it, "" when not visible
} SlotInfo;

MUST_CHECK int slot_look(PGconn *source, const char *slot, SlotInfo *out, Error *err);
// The slot exists, belongs to this database and plugin and is not invalidated; else ERROR_CONDITION with what to do.
MUST_CHECK int slot_check_usable(const Context *ctx, PGconn *source, Error *err);

// Makes the task's slot and exports a snapshot to follow it from: changes are to be taken from out->lsn on and no
// earlier, though the slot may begin earlier. Needs the place of a second, temporary slot. Waits for older transactions
// of the source, as PostgreSQL must, and logs every 5 s which; a stop ends the wait and leaves no slot.
MUST_CHECK int slot_create(const Context *ctx, PGconn *source, SlotSnapshot *out, Error *err);
// The same with a temporary slot of another name: a later snapshot with an exact LSN. Gone with *out's connection.
MUST_CHECK int slot_create_temporary(const Context *ctx, PGconn *source, SlotSnapshot *out, Error *err);
// A snapshot without a slot and without an LSN, for a task without cdc.
MUST_CHECK int slot_export_plain(const Context *ctx, SlotSnapshot *out, Error *err);
void slot_release(SlotSnapshot *snapshot); // closes; nothing open: nothing happens

// Drops the slot if it exists. In use: waits, ends a walsender that carries our application name after a while, and
// gives up after about 20 s with ERROR_TRANSIENT that names the user of the slot. *dropped (may be NULL): there was
// one.
MUST_CHECK int slot_drop(const Context *ctx, PGconn *source, bool *dropped, Error *err);
