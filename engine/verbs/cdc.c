// SPDX-License-Identifier: Apache-2.0
// The step cdc: finds its goal and leaves the work to apply/.
#include "engine/verbs/cdc.h"

#include "common/base/log.h"
#include "common/base/lsn.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/apply/apply.h"
#include "engine/copy/sequences.h"
#include "engine/verbs/cdc_begin.h"

#include <inttypes.h>

// A point on the source that every transaction committed until now lies before. A message written and flushed there
// marks it exactly, also when nothing else happens; where the right to write one is missing, the WAL's end must do.
static int mark_now(const Context *ctx, uint64_t *lsn, Error *err)
{
    static const char MARK[] = "SELECT pg_catalog.pg_logical_emit_message(true, 'kubeferry', 'caught up')";
    auto_pgconn PGconn *source = NULL;
    auto_free char *text = NULL;
    Error refused = {0};

    if (context_connect_source(ctx, PG_ORDINARY, &source, err) || pg_exec(source, "SET synchronous_commit = on", err))
        return -1;
    if (pg_text(source, MARK, &text, &refused) &&
        pg_text(source, "SELECT pg_catalog.pg_current_wal_flush_lsn()", &text, err))
        return -1;
    if (text && lsn_parse(text, lsn))
        return 0;
    return error_set(err, ERROR_PROTOCOL, "the source gave no LSN");
}

static int sync_sequences(const Context *ctx, Ledger *ledger, Error *err)
{
    auto_pgconn PGconn *source = NULL;

    if (context_connect_source(ctx, PG_ORDINARY, &source, err) || sequences_sync(ctx, source, ledger->conn, err))
        return error_wrap(err, "setting the sequences in the sink");
    return 0;
}

int verb_cdc(Context *ctx, Ledger *ledger, Error *err)
{
    Progress *p = ctx->progress;
    uint64_t goal = 0;

    if (!ctx->task->steps[STEP_INIT_DATA] && cdc_begin(ctx, ledger, err))
        return -1;
    // Changes of a table that is not complete would meet rows that are still to come.
    if (ledger_check_rows(ledger, "its changes cannot be followed yet", err))
        return -1;
    progress_step_start(p, STEP_CDC);
    progress_phase(p, "following changes");
    if (ctx->task->until == UNTIL_CAUGHT_UP && mark_now(ctx, &goal, err))
        return -1;
    if (apply_follow(ctx, ledger, goal, err))
        return -1;
    if (stop_requested()) {
        log_info("cdc", "stopped at %s after %" PRId64 " transactions; the same command goes on from there",
                 lsn_format(p->lsn_applied).text, p->transactions);
        progress_step_end(p, STEP_CDC, PROGRESS_STOPPED);
        return ctx->task->until == UNTIL_FOREVER ? stop_check(err) : 0;
    }
    if (sync_sequences(ctx, ledger, err))
        return -1;
    pthread_mutex_lock(&p->lock);
    p->lag_bytes = 0; // what the source has written since is not part of the goal
    p->lag_seconds = 0;
    pthread_mutex_unlock(&p->lock);
    progress_phase(p, "caught up");
    log_info("cdc", "caught up: everything committed on the source before %s is in the sink", lsn_format(goal).text);
    progress_step_end(p, STEP_CDC, PROGRESS_DONE);
    return 0;
}
