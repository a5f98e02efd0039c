// SPDX-License-Identifier: Apache-2.0
// The cutover's side of the meeting with the cdc process.
#include "engine/cutover/cutover.h"

#include "common/base/clock.h"
#include "common/base/lsn.h"
#include "common/base/stop.h"
#include "engine/ledger/ledger_relation.h"
#include "engine/stream/marker.h"

enum { POLL_MS = 5 };

// Says with numbers how far the sink has come.
static int no_answer(Cutover *c, CutoverState state, uint64_t target, double seconds, Error *err)
{
    LedgerPosition position = {0};
    bool running = false;

    if (ledger_position_load(c->ledger.conn, c->ledger.task.id, &position, err) ||
        ledger_is_running(c->ctx, c->ledger.conn, &running, err))
        return -1;
    if (!running) {
        error_set(err, ERROR_TRANSIENT, "no cdc process follows the changes (the sink is at %s, the mark at %s)",
                  lsn_format(position.lsn).text, lsn_format(target).text);
        return error_hint(err, "start it: kubeferry-engine cdc --name %s; see its log if it ends by itself",
                          c->ctx->task->name);
    }
    const char *last = state == CUTOVER_CHECKING ? " (the last check)" : "";
    if (position.lsn >= target)
        error_set(err, ERROR_TRANSIENT,
                  "the cdc process did not say within %.1f s that the sink has reached %s%s; it is at %s", seconds,
                  lsn_format(target).text, last, lsn_format(position.lsn).text);
    else
        error_set(
            err, ERROR_TRANSIENT,
            "the sink did not reach within %.1f s what the source had committed: it is at %s, %.1f MB before %s%s",
            seconds, lsn_format(position.lsn).text, (double)(target - position.lsn) / 1e6, lsn_format(target).text,
            last);
    return error_hint(err, state == CUTOVER_PREPARING
                               ? "wait until the lag is smaller (see lagSeconds of cdc), or allow more with --max-lag"
                               : "see the cdc process's log; allow more with --timeout");
}

int cutover_ask(Cutover *c, CutoverState state, double seconds, CutoverRow *row, Error *err)
{
    double began = clock_monotonic();
    CutoverRow now;
    uint64_t target = 0;

    if (marker_write(c->source, "cutover", &target, err) ||
        ledger_cutover_ask(c->ledger.conn, c->ledger.task.id, c->owner, state, target, err))
        return -1;
    progress_cutover(c->ctx->progress, ledger_cutover_state_name(state));
    for (;;) {
        if (ledger_cutover_get(c->ledger.conn, c->ledger.task.id, &now, err))
            return -1;
        if (now.answered_lsn == target && now.state == state)
            break;
        if (clock_monotonic() - began > seconds)
            return no_answer(c, state, target, seconds, err);
        if (stop_sleep_ms(POLL_MS))
            return stop_check(err);
    }
    if (row)
        *row = now;
    return 0;
}
