// SPDX-License-Identifier: Apache-2.0
// The applier's side of the meeting with verify.
#include "engine/apply/barrier.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/lsn.h"

#include <stdio.h>

enum { LOOK_IDLE_MS = 1000, LOOK_BUSY_MS = 50, GRACE_S = 2 };

static int set(BarrierServer *b, BarrierState state, const char *snapshot, Error *err)
{
    if (ledger_barrier_set(b->catalog, b->task_id, state, b->now.target_lsn, snapshot, err))
        return -1;
    b->now.state = state;
    return 0;
}

// A verify holds this lock while it is at the barrier (verify/verify_point.c): free, it has died.
static int is_gone(BarrierServer *b, bool *gone, Error *err)
{
    char task[24];
    const char *values[] = {task};
    auto_pgresult PGresult *res = NULL;

    snprintf(task, sizeof task, "%lld", (long long)b->task_id);
    if (pg_query(b->catalog,
                 "SELECT pg_catalog.pg_try_advisory_lock(k.name, $1::bigint::int),"
                 "       pg_catalog.pg_advisory_unlock(k.name, $1::bigint::int)"
                 "  FROM (SELECT pg_catalog.hashtext('kubeferry verify') AS name) k",
                 1, values, &res, err))
        return error_wrap(err, "looking whether the verify is alive");
    *gone = pg_get_bool(res, 0, 0);
    return 0;
}

int barrier_look(BarrierServer *b, Error *err)
{
    double now = clock_monotonic();
    if (now < b->next_look)
        return 0;
    if (ledger_barrier_get(b->catalog, b->task_id, &b->now, err))
        return -1;
    bool gone = false;
    if (b->now.state != BARRIER_NONE && b->now.age_seconds > GRACE_S && is_gone(b, &gone, err))
        return -1;
    if (gone) {
        log_warn("apply", "the verify that asked to pause is gone: going on without it");
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
