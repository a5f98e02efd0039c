// SPDX-License-Identifier: Apache-2.0
// Compares both ends of a task at one LSN. Writes nothing on either end but the barrier and its result in the ledger.
#include "engine/verbs/verify.h"

#include "engine/ledger/ledger_verification.h"
#include "engine/verify/verify_compare.h"

// What the cutover wants to know. A task without a ledger (its rows came by other means) has no place for it.
static int note(const Context *ctx, Progress *progress, const VerifyPoint *point, bool resumed, Error *err)
{
    Ledger ledger = {0};
    bool found = false;

    if (ledger_open_shared(ctx, &ledger, &found, err))
        return -1;
    pthread_mutex_lock(&progress->lock);
    const Verification result = {.lsn =
                                     point->exact && !resumed ? point->lsn : 0, // else the tables are not of one moment
                                 .sample = ctx->task->verify_sample,
                                 .tables = progress->verified_tables,
                                 .rows = progress->verified_rows,
                                 .differences = progress->differences};
    pthread_mutex_unlock(&progress->lock);
    int rc = found ? ledger_verification_put(ledger.conn, ledger.task.id, &result, err) : 0;
    ledger_close(&ledger);
    return rc;
}

static int compare(const Context *ctx, Progress *progress, VerifyPoint *point, bool resume, bool *equal, Error *err)
{
    VerifyResume before;

    int rc = verify_resume_open(ctx, resume, &before, err) ||
                     verify_compare(ctx, progress, point, &before, equal, err) || verify_resume_end(&before, err) ||
                     note(ctx, progress, point, before.done && PQntuples(before.done) > 0, err)
                 ? -1
                 : 0;
    verify_resume_close(&before);
    return rc;
}

int verb_verify(Context *ctx, Progress *progress, bool resume, bool *equal, Error *err)
{
    VerifyPoint point;

    *equal = false;
    if (verify_point_take(ctx, progress, &point, err))
        return error_wrap(err, "verify");
    int rc = compare(ctx, progress, &point, resume, equal, err);
    verify_point_release(&point);
    if (rc)
        return error_wrap(err, "verify");
    progress_phase(progress, *equal ? "both ends are equal" : "both ends differ");
    if (!point.exact)
        progress_note(progress, "verify took both ends one after the other, as the task has no slot: writes in between "
                                "show as differences");
    return 0;
}
