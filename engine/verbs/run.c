// SPDX-License-Identifier: Apache-2.0
// All steps in order.
#include "engine/verbs/run.h"

#include "common/base/log.h"
#include "engine/ledger/ledger.h"
#include "engine/start.h"
#include "engine/verbs/cdc.h"
#include "engine/verbs/init_data.h"
#include "engine/verbs/init_struct.h"
#include "engine/verbs/init_struct_later.h"
#include "engine/verbs/precheck.h"

// Whether the rows are in already, so that only following is left. When an end cannot be reached the answer is no: the
// precheck then tells what is wrong with either.
static bool rows_are_in(const TaskDocument *task, Progress *progress)
{
    Context ctx;
    Ledger ledger = {0};
    Error ignored = {0};
    bool found = false;

    bool in = context_open(&ctx, task, progress, &ignored) == 0 &&
              ledger_open_shared(&ctx, &ledger, &found, &ignored) == 0 && found && ledger.task.data_done;
    ledger_close(&ledger);
    context_close(&ctx);
    return in;
}

static int run_steps(Context *ctx, Ledger *ledger, Error *err)
{
    const bool *steps = ctx->task->steps;

    if (steps[STEP_INIT_STRUCT] && !ledger->task.structure_done && verb_init_struct(ctx, ledger, err))
        return error_wrap(err, "init-struct");
    if (steps[STEP_INIT_DATA] && verb_init_data(ctx, ledger, err))
        return error_wrap(err, "init-data");
    if (steps[STEP_INIT_STRUCT_LATER] && verb_init_struct_later(ctx, ledger, err))
        return error_wrap(err, "init-struct-later");
    if (steps[STEP_CDC] && verb_cdc(ctx, ledger, err))
        return error_wrap(err, "cdc");
    return 0;
}

int verb_run(const TaskDocument *task, Progress *progress, Error *err)
{
    Context ctx;
    Ledger ledger = {0};

    if (rows_are_in(task, progress))
        log_info("run", "task \"%s\" goes on: its rows are in the sink already", task->name);
    else if (task->steps[STEP_PRECHECK] && verb_precheck(task, progress, err))
        return -1;
    int rc = start_task(&ctx, &ledger, task, progress, err) || run_steps(&ctx, &ledger, err) ? -1 : 0;
    ledger_close(&ledger);
    context_close(&ctx);
    return rc;
}
