// SPDX-License-Identifier: Apache-2.0
// The applier's side of the meeting with verify.
#include "engine/apply/barrier.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "engine/pg/lsn.h"

enum { LOOK_IDLE_MS = 1000, LOOK_BUSY_MS = 50, PATIENCE_S = 90 };

static int set(BarrierServer *b, BarrierState state, const char *snapshot, Error *err)
{
    if (ledger_barrier_set(b->catalog, b->task_id, state, b->now.target_lsn, snapshot, err))
        return -1;
    b->now.state = state;
    return 0;
}

int barrier_look(BarrierServer *b, Error *err)
{
    double now = clock_monotonic();
    if (now < b->next_look)
        return 0;
    if (ledger_barrier_get(b->catalog, b->task_id, &b->now, err))
        return -1;
    if (b->now.state != BARRIER_NONE && b->now.age_seconds > PATIENCE_S) {
        log_warn("apply", "a verify asked to pause %.0f s ago and has not come back: going on without it", b->now.age_seconds);
        b->now.target_lsn = 0;
        if (set(b, BARRIER_NONE, NULL, err))
            return -1;
    }
    if (b->now.state == BARRIER_NONE && b->exporter)
        barrier_close(b);
    b->next_look = clock_monotonic() + (b->now.state == BARRIER_NONE ? LOOK_IDLE_MS : LOOK_BUSY_MS) / 1000.0;
    return 0;
}

bool barrier_wants_pause(const BarrierServer *b, uint64_t *lsn)
{
    *lsn = b->now.state == BARRIER_TARGET || b->now.state == BARRIER_REACHED ? b->now.target_lsn : 0;
    return b->now.state != BARRIER_NONE;
}

static int export_snapshot(BarrierServer *b, Error *err)
{
    auto_pgresult PGresult *res = NULL;

    if (context_connect_sink(b->ctx, &b->exporter, err) ||
        pg_exec(b->exporter, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err) ||
        pg_query(b->exporter, "SELECT pg_catalog.pg_export_snapshot()", 0, NULL, &res, err))
        return error_wrap(err, "exporting a snapshot of the sink for verify");
    b->exported_at = clock_monotonic();
    log_info("apply", "paused at %s for a verify", lsn_format(b->now.target_lsn).text);
    return set(b, BARRIER_REACHED, PQgetvalue(res, 0, 0), err);
}

int barrier_reached(BarrierServer *b, Error *err)
{
    if (b->now.state == BARRIER_HOLD)
        return set(b, BARRIER_HOLDING, NULL, err);
    if (b->now.state == BARRIER_TARGET)
        return export_snapshot(b, err);
    return 0;
}

void barrier_close(BarrierServer *b)
{
    if (b->exporter)
        PQfinish(b->exporter);
    b->exporter = NULL;
}
