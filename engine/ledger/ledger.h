// SPDX-License-Identifier: Apache-2.0
// The bookkeeping in the sink: schema kubeferry (engine/sql/ledger_schema.sql). What is needed to resume is here and
// nowhere else. Several tasks may share one sink database; each has its own rows.
#pragma once

#include "engine/context.h"
#include "engine/pg/query.h"

#include <stdint.h>

enum { LEDGER_VERSION = 3 }; // an older one is brought up to date, a newer one refused

typedef enum SlotState { SLOT_NONE, SLOT_CREATING, SLOT_READY } SlotState;

typedef struct LedgerTask {
    int64_t id;
    char source_system[24];
    char owner[40];            // token of the process that runs the task now: fences an older one
    SlotState slot_state;      // creating: the intent was written before the slot was made, so a slot found is ours
    bool publication_made;     // false: prepared by somebody else, never dropped by us
    uint64_t consistent_point; // of the slot; 0 until ready
    bool structure_done;
    bool data_done;
    bool finished; // a run without cdc came to its end, and slot and publication are dropped
} LedgerTask;

// The one connection that a process keeps for its ledger and for the lock that says "this task is being run".
typedef struct Ledger {
    PGconn *conn;
    LedgerTask task;
    bool shared; // verify beside a running cdc: holds no lock, may not write but to the barrier
} Ledger;

// Connects, makes the schema when it is missing or of an older version, takes the task's advisory lock, reads or adds
// the task's row and sets a new owner token. Another process runs the task: ERROR_BUSY. Made by a newer kubeferry, or
// the ledger's task belongs to another source (system identifier or database differ): ERROR_CONDITION.
MUST_CHECK int ledger_open(const Context *ctx, Ledger *out, Error *err);
// The same without a lock and without making anything; *found false when the task has no row here.
MUST_CHECK int ledger_open_shared(const Context *ctx, Ledger *out, bool *found, Error *err);
void ledger_close(Ledger *ledger); // gives the lock back
// The session is alive and the owner token is still ours; ERROR_BUSY when another process took over.
MUST_CHECK int ledger_check_owner(Ledger *ledger, Error *err);
// ERROR_CONDITION when the ledger's task, of that system identifier and database, is not of the context's source.
MUST_CHECK int ledger_check_source(const Context *ctx, const char *system, const char *database, Error *err);
// Whether a process holds the task's lock now. Takes no lock itself.
MUST_CHECK int ledger_is_running(const Context *ctx, PGconn *sink, bool *running, Error *err);

// Asks the sink to end the session that holds the task's lock; nobody does: nothing happens.
MUST_CHECK int ledger_end_holder(const Context *ctx, PGconn *sink, Error *err);

MUST_CHECK int ledger_slot_creating(Ledger *ledger, bool publication_made, Error *err);
MUST_CHECK int ledger_slot_ready(Ledger *ledger, uint64_t consistent_point, Error *err);
MUST_CHECK int ledger_slot_dropped(Ledger *ledger, Error *err);
MUST_CHECK int ledger_structure_done(Ledger *ledger, bool done, Error *err);
// ERROR_CONDITION while rows of the task are still to be copied: "…, so <what>".
MUST_CHECK int ledger_check_rows(const Ledger *ledger, const char *what, Error *err);
MUST_CHECK int ledger_data_done(Ledger *ledger, bool done, Error *err);
// Removes the task's rows; the schema too when no other task is left in it. No schema: nothing to do.
MUST_CHECK int ledger_remove(PGconn *sink, const char *task_name, Error *err);

// ---- objects that init-struct made, held back or left out -------------------------------------------------------
typedef enum ObjectState { OBJECT_MADE, OBJECT_HELD, OBJECT_LEFT_OUT } ObjectState;
// identity: "INDEX public.orders_pkey" as pg_restore's list names it. conn: where to write (a worker's own connection).
// Replaces an earlier row of the same identity. reason and statement may be NULL.
MUST_CHECK int ledger_object(PGconn *conn, int64_t task_id, const char *identity, ObjectState state, const char *reason,
                             const char *statement, Error *err);
