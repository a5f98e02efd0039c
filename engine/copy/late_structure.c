// SPDX-License-Identifier: Apache-2.0
// The entries of the dump that wait for the rows. Must not touch what the sink has already.
#include "engine/copy/late_structure.h"

#include "common/base/memory.h"
#include "common/base/stop.h"

#include <string.h>

static bool waits_for_cutover(const LateStructure *late, const StructureItem *item)
{
    return late->ctx->task->steps[STEP_CDC] && !late->replica_role &&
           (strcmp(item->type, "FK CONSTRAINT") == 0 || strcmp(item->type, "TRIGGER") == 0);
}

static int make(const LateStructure *late, PGconn *sink, const StructureItem *item, size_t *made, Error *err)
{
    int64_t task = late->ledger->task.id;
    StructureOutcome outcome = STRUCTURE_EXISTED;
    int rc = waits_for_cutover(late, item)
                 ? structure_hold(late->structure, sink, task, item,
                                  "the sink's role may not set session_replication_role, so it would hinder cdc", err)
                 : structure_execute(late->structure, late->ctx, sink, task, item, &outcome, err);

    if (rc)
        return error_wrap(err, "making %s in the sink", item->identity);
    *made += outcome == STRUCTURE_MADE;
    progress_index_done(late->ctx->progress);
    return 0;
}

int late_structure_make(const LateStructure *late, size_t *made, Error *err)
{
    auto_pgconn PGconn *sink = NULL;
    const StructureItem *items;
    size_t count = structure_items(late->structure, &items), known = late->relations->count, ignored = 0;
    auto_free const LedgerRelation **sorted = ledger_relations_by_oid(late->relations);

    if (context_connect_sink(late->ctx, &sink, err) || pg_exec(sink, "SET maintenance_work_mem = '256MB'", err))
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (!late->early_too && items[i].early && ledger_relation_find(sorted, known, items[i].relation_oid))
            continue; // built as soon as the table's rows were in
        if (stop_check(err) || make(late, sink, &items[i], made ? made : &ignored, err))
            return -1;
    }
    return 0;
}
