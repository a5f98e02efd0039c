// SPDX-License-Identifier: Apache-2.0
// Which snapshot the copy reads, by the slot's state in the ledger.
#include "engine/copy/copy_snapshot.h"

#include "common/base/log.h"
#include "common/base/lsn.h"

static int check_unknown(const Context *ctx, PGconn *source, Error *err)
{
    SlotInfo info;

    if (slot_look(source, ctx->slot, &info, err))
        return -1;
    if (!info.exists)
        return 0;
    error_set(err, ERROR_CONDITION,
              "the source has a replication slot %s that this task's ledger in the sink does not know", ctx->slot);
    return error_hint(
        err,
        "if an earlier task of this name left it: kubeferry-engine cleanup --name %s (with --force when its sink is "
        "gone); else use another --name",
        ctx->task->name);
}

int copy_snapshot_check(const Context *ctx, const Ledger *ledger, PGconn *source, Error *err)
{
    if (!ctx->task->steps[STEP_CDC])
        return 0;
    switch (ledger->task.slot_state) {
    case SLOT_NONE:
        return check_unknown(ctx, source, err);
    case SLOT_CREATING:
        break;
    case SLOT_READY:
        return slot_check_usable(ctx, source, err);
    }
    return 0;
}

static int make_slot(const Context *ctx, Ledger *ledger, PGconn *source, bool publication_made, SlotSnapshot *out,
                     Error *err)
{
    // The intent was noted, the end was not: what is there is ours, and its snapshot is gone.
    if (ledger->task.slot_state == SLOT_CREATING && slot_drop(ctx, source, NULL, err))
        return -1;
    if (ledger_slot_creating(ledger, publication_made, err) || slot_create(ctx, source, out, err) ||
        ledger_slot_ready(ledger, out->lsn, err))
        return -1;
    log_info("copy", "made replication slot %s at %s", ctx->slot, lsn_format(out->lsn).text);
    return 0;
}

int copy_snapshot_open(const Context *ctx, Ledger *ledger, PGconn *source, bool needed, bool publication_made,
                       SlotSnapshot *out, Error *err)
{
    int rc = 0;

    *out = (SlotSnapshot){0};
    if (!ctx->task->steps[STEP_CDC])
        rc = needed ? slot_export_plain(ctx, out, err) : 0;
    else if (ledger->task.slot_state != SLOT_READY)
        rc = make_slot(ctx, ledger, source, publication_made, out, err);
    else if (needed) {
        rc = slot_create_temporary(ctx, source, out, err);
        if (rc == 0)
            log_info("copy", "copying what is not complete under a new snapshot at %s", lsn_format(out->lsn).text);
    }
    if (rc)
        slot_release(out);
    return rc;
}
