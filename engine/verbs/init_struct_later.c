// SPDX-License-Identifier: Apache-2.0
// The verb init-struct-later: one more look at the structure once the rows are in.
#include "engine/verbs/init_struct_later.h"

#include "common/base/log.h"
#include "engine/copy/late_structure.h"
#include "engine/structure/structure.h"

static int load(Context *ctx, const Ledger *ledger, RelationList *list, Arena *arena, LedgerRelations *known,
                Error *err)
{
    auto_pgconn PGconn *source = NULL;

    progress_phase(ctx->progress, "reading the structure of the source");
    if (context_connect_source(ctx, PG_ORDINARY, &source, err) ||
        relations_load(source, &ctx->task->objects, &ctx->task->excluded, list, err))
        return -1;
    return ledger_relations_load(ledger->conn, ledger->task.id, arena, known, err);
}

static int make(Context *ctx, Ledger *ledger, const RelationList *list, const LedgerRelations *known, Structure **out,
                Error *err)
{
    LateStructure late = {.ctx = ctx, .ledger = ledger, .relations = known, .early_too = true};
    const StructureItem *items;
    size_t made = 0;

    if (structure_open(ctx, list, NULL, out, err) ||
        context_can_set_replication_role(ledger->conn, &late.replica_role, err))
        return -1;
    late.structure = *out;
    size_t count = structure_items(*out, &items);
    progress_set_totals(ctx->progress, 0, 0, 0, (int64_t)count);
    progress_phase(ctx->progress, "making what comes after the rows");
    if (late_structure_make(&late, &made, err))
        return -1;
    log_info("structure", "%zu objects come after the rows; %zu were not there and have been made", count, made);
    return 0;
}

int verb_init_struct_later(Context *ctx, Ledger *ledger, Error *err)
{
    RelationList list = {0};
    Arena arena = {0};
    LedgerRelations known = {0};
    Structure *structure = NULL;

    progress_step_start(ctx->progress, STEP_INIT_STRUCT_LATER);
    int rc = ledger_check_rows(ledger, "what comes after them cannot be made", err) ||
                     load(ctx, ledger, &list, &arena, &known, err) || make(ctx, ledger, &list, &known, &structure, err)
                 ? -1
                 : 0;
    structure_close(structure);
    relations_free(&list);
    arena_free(&arena);
    progress_step_end(ctx->progress, STEP_INIT_STRUCT_LATER,
                      rc == 0                      ? PROGRESS_DONE
                      : err->code == ERROR_STOPPED ? PROGRESS_STOPPED
                                                   : PROGRESS_FAILED);
    return rc;
}
