// SPDX-License-Identifier: Apache-2.0
// The step cdc: finds its goal and leaves the work to apply/.
#include "engine/verbs/cdc.h"

#include "common/base/log.h"
#include "common/base/lsn.h"
#include "common/base/stop.h"
#include "engine/apply/apply.h"
#include "engine/copy/sequences.h"
#include "engine/ledger/ledger_cutover.h"
#include "engine/stream/marker.h"
#include "engine/verbs/cdc_begin.h"

#include <inttypes.h>

static int mark_now(const Context *ctx, uint64_t *lsn, Error *err)
{
    auto_pgconn PGconn *source = NULL;
    return context_connect_source(ctx, PG_ORDINARY, &source, err) || marker_write(source, "caught up", lsn, err) ? -1
                                                                                                                 : 0;
}

static int sync_sequences(const Context *ctx, Ledger *ledger, Error *err)
{
    auto_pgconn PGconn *source = NULL;

    if (context_connect_source(ctx, PG_ORDINARY, &source, err) || sequences_sync(ctx, source, ledger->conn, err))
        return error_wrap(err, "setting the sequences in the sink");
    return 0;
}

static int end_cut_over(const Context *ctx)
{
    log_info("cdc", "cut over: the sink has taken over, nothing more is followed");
    progress_cutover(ctx->progress, ledger_cutover_state_name(CUTOVER_DONE));
    progress_phase(ctx->progress, "cut over");
    progress_step_end(ctx->progress, STEP_CDC, PROGRESS_DONE);
    return 0;
}

int verb_cdc(Context *ctx, Ledger *ledger, Error *err)
{
    Progress *p = ctx->progress;
    CutoverRow cutover;
    uint64_t goal = 0;
    bool cut_over = false;

    if (ledger_cutover_get(ledger->conn, ledger->task.id, &cutover, err))
        return -1;
    if (cutover.state == CUTOVER_DONE) {
        progress_step_start(p, STEP_CDC);
        return end_cut_over(ctx);
    }
    if (!ctx->task->steps[STEP_INIT_DATA] && cdc_begin(ctx, ledger, err))
        return -1;
    // Changes of a table that is not complete would meet rows that are still to come.
    if (ledger_check_rows(ledger, "its changes cannot be followed yet", err))
        return -1;
    progress_step_start(p, STEP_CDC);
    progress_phase(p, "following changes");
    if (ctx->task->until == UNTIL_CAUGHT_UP && mark_now(ctx, &goal, err))
        return -1;
    if (apply_follow(ctx, ledger, goal, &cut_over, err))
        return -1;
    if (cut_over)
        return end_cut_over(ctx);
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
