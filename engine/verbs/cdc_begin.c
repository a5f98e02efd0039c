// SPDX-License-Identifier: Apache-2.0
// What init-data does for the stream, without rows. The rows that the tables of the sink hold came by other means;
// whether they are those of the slot's beginning only the user knows.
#include "engine/verbs/cdc_begin.h"

#include "common/base/log.h"
#include "common/base/lsn.h"
#include "common/base/memory.h"
#include "engine/copy/copy_snapshot.h"
#include "engine/copy/sink_check.h"
#include "engine/ledger/ledger_plan.h"
#include "engine/stream/publication.h"

static int check_untouched(const Ledger *ledger, Error *err)
{
    auto_free int32_t *touched = NULL;
    size_t count = 0;

    if (ledger_relations_touched(ledger->conn, ledger->task.id, &touched, &count, err))
        return -1;
    return count ? ledger_check_rows(ledger, "its changes cannot be followed yet", err) : 0;
}

static int check_tables(const Ledger *ledger, const RelationList *list, Error *err)
{
    auto_free const Relation **relations = memory_alloc((list->count + 1) * sizeof *relations);
    auto_free bool *must_be_empty = memory_zalloc(list->count + 1);
    auto_free bool *partitioned = memory_zalloc(list->count + 1);
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].kind == 'r')
            relations[count++] = &list->items[i];
    return sink_check(ledger->conn, relations, must_be_empty, partitioned, count, err);
}

static int make_slot(Context *ctx, Ledger *ledger, PGconn *source, const RelationList *list, Error *err)
{
    SlotSnapshot snapshot = {0};
    bool made = false;

    if (publication_ensure(ctx, source, list, &made, err) ||
        ledger_relations_add(ledger->conn, ledger->task.id, list, err) ||
        copy_snapshot_open(ctx, ledger, source, false, made, &snapshot, err))
        return -1;
    slot_release(&snapshot);
    return 0;
}

static int begin(Context *ctx, Ledger *ledger, PGconn *source, RelationList *list, Error *err)
{
    uint64_t start;

    if (relations_load(source, &ctx->task->objects, &ctx->task->excluded, list, err) || check_untouched(ledger, err) ||
        copy_snapshot_check(ctx, ledger, source, err) || check_tables(ledger, list, err) ||
        make_slot(ctx, ledger, source, list, err))
        return -1;
    start = ledger->task.consistent_point;
    if (ledger_relations_begin(ledger->conn, ledger->task.id, start, err) || ledger_data_done(ledger, true, err))
        return -1;
    log_info("cdc", "this task copies no rows; changes are followed from %s on", lsn_format(start).text);
    progress_note(ctx->progress, "no rows were copied: the sink's tables must show the source as it was at %s",
                  lsn_format(start).text);
    return 0;
}

int cdc_begin(Context *ctx, Ledger *ledger, Error *err)
{
    auto_pgconn PGconn *source = NULL;
    RelationList list = {0};

    if (ledger->task.data_done)
        return 0;
    progress_phase(ctx->progress, "making publication and slot");
    int rc = context_connect_source(ctx, PG_ORDINARY, &source, err) || begin(ctx, ledger, source, &list, err) ? -1 : 0;
    relations_free(&list);
    return rc;
}
