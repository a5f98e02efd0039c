// SPDX-License-Identifier: Apache-2.0
// The verb cutover: leaves the work to cutover/.
#include "engine/verbs/cutover.h"

#include "engine/cutover/cutover.h"
#include "engine/view.h"

int verb_cutover(Context *ctx, bool check, bool abort, Error *err)
{
    if (abort)
        return cutover_abort(ctx, err);
    int rc = cutover_run(ctx, check, err);
    if (ctx->progress->check_count > 0)
        view_print_checks(ctx->progress, ctx->task->log_format, stdout);
    return rc;
}
