// SPDX-License-Identifier: Apache-2.0
// Waiting at the start. Once a verb is at work it has retries of its own.
#include "engine/start.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/stop.h"

enum { PAUSE_MS = 1000 };

void patience_begin(Patience *patience, const Context *ctx, int seconds)
{
    *patience = (Patience){.ctx = ctx, .until = clock_monotonic() + seconds};
}

bool patience_wait(Patience *patience, const char *what, Error *err)
{
    double left = patience->until - clock_monotonic();

    if ((!error_is_retryable(err) && err->code != ERROR_BUSY) || left <= 0)
        return false;
    if (!patience->told)
        log_warn("engine", "waiting for %s, %.0f s at most: %s", what, left, err->message);
    patience->told = true;
    progress_phase(patience->ctx->progress, "waiting for %s", what);
    if (stop_sleep_ms(left * 1000 < PAUSE_MS ? (int)(left * 1000) + 1 : PAUSE_MS) && stop_check(err))
        return false;
    return true;
}

static int open_context(Context *ctx, const TaskDocument *task, Progress *progress, Patience *patience, Error *err)
{
    while (context_open(ctx, task, progress, err)) {
        // The source is asked first: its version is known when it answered.
        if (!patience_wait(patience, ctx->source_version ? "the sink" : "the source", err))
            return -1;
        context_close(ctx);
        error_clear(err);
    }
    return 0;
}

int start_context(Context *ctx, const TaskDocument *task, Progress *progress, int seconds, Error *err)
{
    Patience patience;

    *ctx = (Context){.progress = progress};
    patience_begin(&patience, ctx, seconds);
    return open_context(ctx, task, progress, &patience, err);
}

int start_task(Context *ctx, Ledger *ledger, const TaskDocument *task, Progress *progress, Error *err)
{
    Patience patience;

    *ctx = (Context){.progress = progress};
    *ledger = (Ledger){0};
    patience_begin(&patience, ctx, task->wait_seconds);
    if (open_context(ctx, task, progress, &patience, err))
        return -1;
    while (ledger_open(ctx, ledger, err)) {
        bool busy = err->code == ERROR_BUSY;
        if (!patience_wait(&patience, busy ? "the process that holds the task" : "the sink", err))
            return -1;
        error_clear(err);
    }
    progress_phase(progress, "starting");
    return 0;
}
