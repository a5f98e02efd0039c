// SPDX-License-Identifier: Apache-2.0
// The cleanup verb. Must not open the ledger for writing: that would make the task anew.
#include "engine/verbs/cleanup.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/context.h"
#include "engine/ledger/ledger_cutover.h"
#include "engine/reverse/reverse.h"
#include "engine/stream/publication.h"
#include "engine/stream/slot.h"
#include "engine/stream/source_gate.h"

#include <stdio.h>
#include <string.h>

// Whoever waits for a cleanup (a deletion, a Job) is to hear of an end that does not answer within half a minute.
enum { ANSWER_MS = 15000, POLL_MS = 500, HOLDER_POLLS = 30 };

typedef struct Cleanup {
    Context ctx;
    bool force;
    Ledger ledger;    // conn NULL: the sink does not answer
    bool known;       // the ledger has the task
    Error sink_error; // why the sink does not answer
    PGconn *source;
} Cleanup;

static bool is_absence(const Error *err)
{
    return err->code == ERROR_UNREACHABLE || err->code == ERROR_TRANSIENT || strcmp(err->sqlstate, "3D000") == 0;
}

// ---- the sink -----------------------------------------------------------------------------------------------------

static void warn_of_held_objects(const Cleanup *c)
{
    Error ignored = {0};
    auto_pgresult PGresult *res = NULL;
    char id[24];
    const char *values[] = {id};

    snprintf(id, sizeof id, "%lld", (long long)c->ledger.task.id);
    if (pg_query(c->ledger.conn,
                 "SELECT identity FROM kubeferry.object WHERE task = $1 AND state = 'held' ORDER BY identity", 1,
                 values, &res, &ignored) ||
        PQntuples(res) == 0)
        return;
    log_warn(
        "cleanup",
        "%d objects were held back until the cutover and are not in the sink; make them by hand if the sink is kept",
        PQntuples(res));
    for (int i = 0; i < PQntuples(res) && i < 20; i++)
        log_warn("cleanup", "held back and not made: %s", PQgetvalue(res, i, 0));
}

// A process that was killed a moment ago, or whose machine is gone, still has its session there for a while.
static int wait_for_holder(const Cleanup *c, Error *err)
{
    bool running = true, told = false;

    for (int polls = 0; polls <= HOLDER_POLLS; polls++) {
        if (ledger_is_running(&c->ctx, c->ledger.conn, &running, err))
            return -1;
        if (!running)
            return 0;
        if (!told)
            log_info("cleanup", "another process holds the task; waiting for its end");
        told = true;
        if (c->force && polls >= HOLDER_POLLS / 2 && ledger_end_holder(&c->ctx, c->ledger.conn, err))
            return -1;
        if (stop_sleep_ms(POLL_MS))
            return stop_check(err);
    }
    error_set(err, ERROR_BUSY, "task \"%s\" is being run by another process", c->ctx.task->name);
    return error_hint(err, "stop that process first (SIGTERM), then run cleanup again; if it is gone for good, --force "
                           "ends what is left of it");
}

static int open_sink(Cleanup *c, Error *err)
{
    return ledger_open_shared(&c->ctx, &c->ledger, &c->known, err) || wait_for_holder(c, err) ? -1 : 0;
}

static int look_at_sink(Cleanup *c, Error *err)
{
    if (open_sink(c, &c->sink_error) == 0)
        return 0;
    bool absent = is_absence(&c->sink_error), held = c->sink_error.code == ERROR_BUSY;
    if (c->sink_error.code == ERROR_STOPPED || held || (!absent && !c->force)) {
        *err = c->sink_error;
        return -1;
    }
    log_warn("cleanup", "the sink does not answer, its bookkeeping stays for now: %s", c->sink_error.message);
    ledger_close(&c->ledger);
    c->known = false;
    return 0;
}

// ---- the source ---------------------------------------------------------------------------------------------------

static bool is_proven(const Cleanup *c, const PublicationInfo *publication)
{
    return c->force || (c->known && c->ledger.task.slot_state != SLOT_NONE) ||
           (publication->exists && publication->ours);
}

static int clean_slot(const Cleanup *c, const PublicationInfo *publication, bool *left, Error *err)
{
    SlotInfo slot;
    bool dropped;

    *left = false;
    if (slot_look(c->source, c->ctx.slot, &slot, err))
        return -1;
    if (!slot.exists)
        return 0;
    bool ours = slot.logical && strcmp(slot.plugin, "pgoutput") == 0 && strcmp(slot.database, PQdb(c->source)) == 0;
    if (ours && is_proven(c, publication))
        return slot_drop(&c->ctx, c->source, &dropped, err);
    *left = true;
    log_warn("cleanup", "replication slot %s (plugin %s, database %s) stays: nothing proves that this task made it%s",
             c->ctx.slot, slot.plugin, slot.database, ours ? "; --force drops it" : "");
    return 0;
}

static int clean_source(Cleanup *c, bool *slot_left, Error *err)
{
    PublicationInfo publication;
    bool dropped, left;

    if (context_connect_source(&c->ctx, PG_ORDINARY, &c->source, err)) {
        error_wrap(err, "slot %s and publication %s could not be dropped", c->ctx.slot, c->ctx.publication);
        if (err->code == ERROR_TRANSIENT)
            err->code = ERROR_UNREACHABLE;
        return -1;
    }
    // The publication is proof of the slot: the slot goes first.
    if (publication_look(&c->ctx, c->source, &publication, err) || clean_slot(c, &publication, slot_left, err) ||
        publication_drop(&c->ctx, c->source, false, &dropped, &left, err))
        return -1;
    if (left)
        log_info("cleanup", "publication %s stays: it was not made by this task", c->ctx.publication);
    return 0;
}

// What a cutover with --reverse has left: slot and publication on the sink, a ledger on the source.
static int clean_way_back(Cleanup *c, Error *err)
{
    bool exists = false;

    if (reverse_exists(&c->ctx, &exists, err))
        return -1;
    return exists ? reverse_remove(&c->ctx, err) : 0;
}

// Only the ledger knows what the source's setting was: it must not go without a word.
static int warn_of_closed_source(const Cleanup *c, Error *err)
{
    CutoverRow row = {0};

    if (!c->known || ledger_cutover_get(c->ledger.conn, c->ledger.task.id, &row, err))
        return c->known ? -1 : 0;
    if (!row.source_changed)
        return 0;
    auto_free char *remedy = source_gate_remedy(c->source, row.restore);
    if (row.state == CUTOVER_DONE) {
        log_warn("cleanup", "the source's database stays read-only since the cutover; to take writes there again: %s",
                 remedy);
        return 0;
    }
    log_warn("cleanup",
             "a cutover that did not come to its end has left the source's database read-only: it takes writes again");
    return source_gate_open(&c->ctx, c->source, row.restore, err);
}

// ---- in order -----------------------------------------------------------------------------------------------------

static int sink_is_needed(const Cleanup *c, bool slot_left, Error *err)
{
    *err = c->sink_error;
    if (err->code != ERROR_CREDENTIALS)
        err->code = ERROR_UNREACHABLE;
    error_wrap(err, "the source is %s; the bookkeeping in the sink (schema kubeferry) could not be removed",
               slot_left ? "not clean: without the sink nothing proves whose the slot is" : "clean");
    return error_hint(err, "run cleanup again when the sink answers, or with --force if it is gone for good");
}

static int clean(Cleanup *c, Error *err)
{
    bool slot_left = false;

    if (look_at_sink(c, err) || clean_source(c, &slot_left, err))
        return -1;
    if (!c->ledger.conn) {
        if (!c->force)
            return sink_is_needed(c, slot_left, err);
        log_warn("cleanup", "the bookkeeping in the sink was not removed");
        return 0;
    }
    if (c->known)
        warn_of_held_objects(c);
    if (clean_way_back(c, err) || warn_of_closed_source(c, err))
        return -1;
    if (ledger_remove(c->ledger.conn, c->ctx.task->name, err))
        return -1;
    log_info("cleanup", "nothing of task \"%s\" is left%s", c->ctx.task->name,
             slot_left ? " but the slot named above" : "");
    return 0;
}

int verb_cleanup(const TaskDocument *task, Progress *progress, bool force, Error *err)
{
    Cleanup c = {.force = force};

    context_name(&c.ctx, task, progress);
    progress_phase(progress, "cleaning up");
    pg_limit_answers(ANSWER_MS);
    int rc = clean(&c, err);
    if (c.source)
        PQfinish(c.source);
    ledger_close(&c.ledger);
    context_close(&c.ctx);
    return rc;
}
