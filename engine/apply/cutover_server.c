// SPDX-License-Identifier: Apache-2.0
// Serves the cutover process through the ledger. Decides nothing about the stream itself: that does the reader.
#include "engine/apply/cutover_server.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/lsn.h"
#include "engine/reverse/reverse.h"
#include "engine/stream/source_gate.h"

#include <stdio.h>
#include <string.h>

enum { LOOK_IDLE_MS = 1000, LOOK_ACTIVE_MS = 10, GRACE_S = 2 };
static const char LOGGER[] = "cutover";

bool cutover_server_is_active(const CutoverServer *s)
{
    return s->now.state >= CUTOVER_PREPARING && s->now.state <= CUTOVER_CHECKING;
}

static bool is_answered(const CutoverServer *s)
{
    return s->now.target_lsn == 0 || s->now.answered_lsn == s->now.target_lsn;
}

// ---- a cutover whose process has died ----------------------------------------------------------------------------

static int open_source(const CutoverServer *s, Error *err)
{
    auto_pgconn PGconn *source = NULL;

    if (!s->now.source_changed)
        return 0;
    return context_connect_source(s->ctx, PG_ORDINARY, &source, err) ||
                   source_gate_open(s->ctx, source, s->now.restore, err)
               ? -1
               : 0;
}

// Under the lock of the cutover: no other can begin meanwhile.
static int undo(CutoverServer *s, Error *err)
{
    if (ledger_cutover_get(s->catalog, s->task_id, &s->now, err))
        return -1;
    if (!cutover_server_is_active(s))
        return 0;
    log_warn(LOGGER, "the process of the cutover is gone: undoing it, changes are followed as before");
    if (open_source(s, err) || (s->now.reverse && reverse_remove(s->ctx, err)) ||
        ledger_cutover_undone(s->catalog, s->task_id, err))
        return error_wrap(err, "undoing a cutover whose process is gone");
    if (s->now.source_changed)
        log_warn(LOGGER, "the source's database takes writes again");
    s->now.state = CUTOVER_UNDONE;
    return 0;
}

static int undo_if_gone(CutoverServer *s, Error *err)
{
    bool gone = false;

    if (!cutover_server_is_active(s) || s->now.age_seconds < GRACE_S)
        return 0;
    if (ledger_cutover_lock(s->catalog, s->task_id, &gone, err))
        return -1;
    if (!gone)
        return 0;
    int rc = undo(s, err);
    Error ignored = {0}; // the lock ends with the session at the latest
    if (ledger_cutover_unlock(s->catalog, s->task_id, &ignored) && rc == 0) {
        *err = ignored;
        return -1;
    }
    return rc;
}

// ---- looking -----------------------------------------------------------------------------------------------------

static void watch(CutoverServer *s)
{
    s->watching = true;
    snprintf(s->watched_owner, sizeof s->watched_owner, "%s", s->now.owner);
}

static void show(const CutoverServer *s)
{
    progress_cutover(s->ctx->progress, ledger_cutover_state_name(s->now.state));
}

int cutover_server_look(CutoverServer *s, Error *err)
{
    CutoverState before = s->now.state;

    if (clock_monotonic() < s->next_look)
        return 0;
    if (ledger_cutover_get(s->catalog, s->task_id, &s->now, err) || undo_if_gone(s, err))
        return -1;
    // A process that was started again in the middle, whether or not it had paused at the mark before the last check
    // was asked for: what its stored position lacks came after the mark.
    if (s->now.state == CUTOVER_CHECKING && !s->watching)
        watch(s);
    if (s->now.state != before || !s->looked)
        show(s);
    s->looked = true;
    s->next_look = clock_monotonic() + (cutover_server_is_active(s) ? LOOK_ACTIVE_MS : LOOK_IDLE_MS) / 1000.0;
    return 0;
}

bool cutover_server_wants_pause(const CutoverServer *s, uint64_t *lsn)
{
    *lsn = s->now.target_lsn;
    // The answer to DRAINING may be that of an earlier process, whose position was lost with the sink's last commits.
    return !s->watching && (s->now.state == CUTOVER_DRAINING || (s->now.state == CUTOVER_PREPARING && !is_answered(s)));
}

static int answer(CutoverServer *s, Error *err)
{
    if (ledger_cutover_answer(s->catalog, s->task_id, &s->now, s->late, s->late ? s->late_relation : NULL, err))
        return -1;
    s->now.answered_lsn = s->now.target_lsn;
    return 0;
}

int cutover_server_reached(CutoverServer *s, Error *err)
{
    if (s->now.state == CUTOVER_DRAINING) {
        watch(s);
        log_info(LOGGER, "everything before %s is applied; nothing more is until the cutover is done or undone",
                 lsn_format(s->now.target_lsn).text);
    }
    return answer(s, err);
}

void cutover_server_late(CutoverServer *s, const char *relation)
{
    if (s->late++ == 0)
        snprintf(s->late_relation, sizeof s->late_relation, "%s", relation);
}

int cutover_server_watched(CutoverServer *s, uint64_t lsn, Error *err)
{
    if (s->now.state != CUTOVER_CHECKING || is_answered(s) || lsn < s->now.target_lsn)
        return 0;
    return answer(s, err);
}

bool cutover_server_is_done(const CutoverServer *s)
{
    return s->now.state == CUTOVER_DONE;
}

bool cutover_server_must_restart(const CutoverServer *s)
{
    return s->watching && !cutover_server_is_done(s) &&
           (!cutover_server_is_active(s) || strcmp(s->watched_owner, s->now.owner) != 0);
}
