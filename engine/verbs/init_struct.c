// SPDX-License-Identifier: Apache-2.0
// The verb init-struct. The work is done in engine/structure.
#include "engine/verbs/init_struct.h"

#include "common/base/log.h"
#include "engine/catalog/relations.h"
#include "engine/structure/structure.h"

static int make_structure(Context *ctx, Ledger *ledger, RelationList *relations, Structure **structure, Error *err)
{
    auto_pgconn PGconn *source = NULL;
    const TaskDocument *task = ctx->task;

    progress_phase(ctx->progress, "reading the structure of the source");
    if (context_connect_source(ctx, PG_ORDINARY, &source, err) ||
        relations_load(source, &task->objects, &task->excluded, relations, err))
        return -1;
    log_info("structure", "%zu tables to migrate", relations->count);
    if (structure_open(ctx, relations, NULL, structure, err))
        return -1;
    progress_phase(ctx->progress, "making the structure in the sink");
    if (structure_make_pre_data(*structure, ctx, ledger, err))
        return -1;
    return ledger_structure_done(ledger, true, err);
}

int verb_init_struct(Context *ctx, Ledger *ledger, Error *err)
{
    RelationList relations = {0};
    Structure *structure = NULL;

    progress_step_start(ctx->progress, STEP_INIT_STRUCT);
    int rc = make_structure(ctx, ledger, &relations, &structure, err);
    structure_close(structure);
    relations_free(&relations);
    if (!rc)
        progress_step_end(ctx->progress, STEP_INIT_STRUCT, PROGRESS_DONE);
    else
        progress_step_end(ctx->progress, STEP_INIT_STRUCT,
                          err->code == ERROR_STOPPED ? PROGRESS_STOPPED : PROGRESS_FAILED);
    return rc ? error_wrap(err, "init-struct") : 0;
}
