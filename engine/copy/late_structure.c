// SPDX-License-Identifier: Apache-2.0
// The entries of the dump that wait for the rows. Must not touch what the sink has already.
#include "engine/copy/late_structure.h"

#include "common/base/memory.h"
#include "common/base/stop.h"

#include <string.h>

// Why it would hinder cdc, or NULL.
static const char *waits_for_cutover(const LateStructure *late, bool sees_all, const StructureItem *item)
{
    if (!late->ctx->task->steps[STEP_CDC])
        return NULL;
    if (!late->replica_role && (strcmp(item->type, "FK CONSTRAINT") == 0 || strcmp(item->type, "TRIGGER") == 0))
        return "the sink's role may not set session_replication_role, so it would hinder cdc";
    if (!sees_all && strcmp(item->type, "ROW SECURITY") == 0)
        return "the sink's role does not bypass row security, so it could hinder cdc";
    return NULL;
}

static int look_at_role(PGconn *sink, bool *sees_all, Error *err)
{
    auto_free char *text = NULL;

    if (pg_text(sink, "SELECT r.rolsuper OR r.rolbypassrls FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER",
                &text, err))
        return error_wrap(err, "reading the attributes of the sink's role");
    *sees_all = text && *text == 't';
    return 0;
}

static int make(const LateStructure *late, PGconn *sink, bool sees_all, const StructureItem *item, size_t *made,
                Error *err)
{
    int64_t task = late->ledger->task.id;
    StructureOutcome outcome = STRUCTURE_EXISTED;
    const char *reason = waits_for_cutover(late, sees_all, item);
    int rc = reason ? structure_hold(late->structure, sink, task, item, reason, err)
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
    bool sees_all = false;
    const StructureItem *items;
    size_t count = structure_items(late->structure, &items), known = late->relations->count, ignored = 0;
    auto_free const LedgerRelation **sorted = ledger_relations_by_oid(late->relations);

    if (context_connect_sink(late->ctx, &sink, err) || look_at_role(sink, &sees_all, err) ||
        pg_exec(sink, "SET maintenance_work_mem = '256MB'", err))
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (!late->early_too && items[i].early && ledger_relation_find(sorted, known, items[i].relation_oid))
            continue; // built as soon as the table's rows were in
        if (stop_check(err) || make(late, sink, sees_all, &items[i], made ? made : &ignored, err))
            return -1;
    }
    return 0;
}
