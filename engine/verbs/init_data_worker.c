// SPDX-License-Identifier: Apache-2.0
// The life of a helper: look into the ledger, copy while a coordinator has something to copy, look again.
#include "engine/verbs/init_data_worker.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/copy/copy_help.h"
#include "engine/pg/quote.h"

#include <string.h>

enum { LOOK_MS = 1000, PATIENCE_S = 600, TRIES = 8 };

typedef struct Helper {
    const Context *ctx;
    PGconn *sink; // to look at the ledger; NULL: to be made
    double patience, seen;
    char lost_owner[40]; // whose snapshot could not be imported any more
    bool told;           // the wait was logged
    int failures;        // one after the other
} Helper;

// A coordinator that begins ends the sessions of an earlier one by their name; this one may stay.
static int connect(Helper *h, Error *err)
{
    auto_buffer Buffer sql = {0};

    if (h->sink)
        return 0;
    auto_free char *name = memory_printf("%.50s worker", h->ctx->application);
    buffer_puts(&sql, "SET application_name = ");
    quote_literal(&sql, name);
    return context_connect_sink(h->ctx, &h->sink, err) || pg_exec(h->sink, sql.data, err) ? -1 : 0;
}

static void disconnect(Helper *h)
{
    if (h->sink)
        PQfinish(h->sink);
    h->sink = NULL;
}

static int help(Helper *h, const Share *share, Error *err)
{
    Arena arena = {0};
    LedgerRelations relations;
    CopyHelp help = {.ctx = h->ctx,
                     .sink = h->sink,
                     .share = share,
                     .relations = &relations,
                     .same_encoding = h->ctx->same_encoding,
                     .patience = h->patience,
                     .seen = &h->seen};

    progress_phase(h->ctx->progress, "copying rows");
    log_info("copy", "helping with the copy of the task");
    h->told = false;
    int rc = ledger_relations_load(h->sink, share->task_id, &arena, &relations, err) ||
                     context_can_set_replication_role(h->sink, &help.replica_role, err) || copy_help(&help, err)
                 ? -1
                 : 0;
    if (rc && help.snapshot_lost)
        snprintf(h->lost_owner, sizeof h->lost_owner, "%s", share->owner);
    arena_free(&arena);
    return rc;
}

static int wait_for_coordinator(Helper *h, const Share *share, Error *err)
{
    if (clock_monotonic() - h->seen > h->patience) {
        error_set(err, ERROR_TRANSIENT, "no process has coordinated the copy for %.0f s", h->patience);
        return error_hint(err, "start kubeferry-engine init-data with --worker-index 0 and the same --name");
    }
    if (!h->told)
        log_info("copy", share->coordinated ? "waiting until there is something to copy"
                                            : "waiting for the process that coordinates the copy");
    h->told = true;
    progress_phase(h->ctx->progress, "waiting for the coordinator");
    return 0;
}

// Whether what failed belongs to a plan that has ended meanwhile, so that it means nothing.
static bool is_superseded(Helper *h, const Share *share)
{
    Share now;
    Error ignored = {0};

    return h->sink && ledger_share_get(h->ctx, h->sink, &now, &ignored) == 0 &&
           (!now.known || strcmp(now.owner, share->owner) != 0 || now.data_done || now.state != share->state);
}

static int look(Helper *h, bool *done, Error *err)
{
    Share share = {0};

    if (connect(h, err) || ledger_share_get(h->ctx, h->sink, &share, err))
        return -1;
    if (share.coordinated)
        h->seen = clock_monotonic();
    *done = share.data_done || share.state == SHARE_COPIED;
    if (*done)
        return 0;
    if (share.state != SHARE_COPYING || strcmp(share.owner, h->lost_owner) == 0)
        return wait_for_coordinator(h, &share, err);
    if (help(h, &share, err) == 0) {
        *done = true;
        return 0;
    }
    if (err->code == ERROR_STOPPED || !(strcmp(share.owner, h->lost_owner) == 0 || is_superseded(h, &share)))
        return -1;
    log_info("copy", "this plan of the copy has ended: %s", err->message);
    h->failures = 0;
    return 0;
}

static bool may_go_on(Helper *h, const Error *err)
{
    bool passing = error_is_retryable(err) || err->code == ERROR_BUSY;

    disconnect(h);
    // Full disks and the like do not pass by themselves.
    if (!passing || strncmp(err->sqlstate, "53", 2) == 0 || ++h->failures >= TRIES ||
        clock_monotonic() - h->seen > h->patience)
        return false;
    log_warn("copy", "looks again (%d of %d): %s", h->failures, TRIES - 1, err->message);
    return true;
}

static int help_until_done(Helper *h, Error *err)
{
    for (bool done = false; !done;) {
        if (look(h, &done, err) && !may_go_on(h, err))
            return -1;
        if (!done && stop_sleep_ms(LOOK_MS))
            return stop_check(err);
    }
    log_info("copy", "all rows are in");
    return 0;
}

int verb_init_data_worker(const Context *ctx, Error *err)
{
    int wait = ctx->task->wait_seconds;
    Helper h = {.ctx = ctx, .patience = wait > PATIENCE_S ? wait : PATIENCE_S, .seen = clock_monotonic()};

    progress_step_start(ctx->progress, STEP_INIT_DATA);
    int rc = help_until_done(&h, err);
    disconnect(&h);
    progress_step_end(ctx->progress, STEP_INIT_DATA,
                      rc == 0                      ? PROGRESS_DONE
                      : err->code == ERROR_STOPPED ? PROGRESS_STOPPED
                                                   : PROGRESS_FAILED);
    return rc;
}
