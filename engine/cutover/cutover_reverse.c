// SPDX-License-Identifier: Apache-2.0
// What a cutover has to do with the other direction: the way back that it leaves, and, when it is itself the way back,
// the sink that the first one has closed.
#include "engine/cutover/cutover.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "engine/stream/source_gate.h"

#include <string.h>

int cutover_reverse_make(Cutover *c, Error *err)
{
    if (!c->ctx->task->cutover.reverse)
        return 0;
    progress_phase(c->ctx->progress, "making the way back");
    if (ledger_cutover_reverse(c->ledger.conn, c->ledger.task.id, c->owner, err))
        return -1;
    c->made_reverse = true;
    c->reverse = memory_zalloc(sizeof *c->reverse);
    return reverse_open(c->ctx, c->reverse, err) || reverse_make(c->reverse, &c->relations, err) ? -1 : 0;
}

// All that cdc has applied lies before the sink's WAL of now; all that applications will write comes after.
int cutover_reverse_arm(Cutover *c, Error *err)
{
    auto_pgresult PGresult *res = NULL;

    if (!c->reverse)
        return 0;
    if (pg_query(c->sink, "SELECT pg_catalog.pg_current_wal_insert_lsn()", 0, NULL, &res, err))
        return -1;
    return reverse_arm(c->reverse, pg_get_lsn(res, 0, 0), err);
}

int cutover_reverse_remove(Cutover *c, Error *err)
{
    if (c->reverse) {
        reverse_close(c->reverse);
        free(c->reverse);
    }
    c->reverse = NULL;
    if (!c->made_reverse)
        return 0;
    if (reverse_remove(c->ctx, err))
        return -1;
    c->made_reverse = false;
    return 0;
}

// The row of the other direction is in the ledger of what is the source here.
static int other_direction(Cutover *c, const char *sql, PGresult **out, Error *err)
{
    TaskDocument other = *c->ctx->task;
    auto_free char *ledger = NULL;

    *out = NULL;
    if (pg_text(c->source, "SELECT pg_catalog.to_regclass('kubeferry.cutover')::text", &ledger, err))
        return -1;
    if (!ledger)
        return 0;
    other.name = memory_strdup(c->ctx->task->name);
    task_document_turn(&other);
    const char *values[] = {other.name};
    int rc = pg_query(c->source, sql, 1, values, out, err);
    free(other.name);
    return rc ? error_wrap(err, "looking at the cutover in the other direction") : 0;
}

int cutover_note_reopen(Cutover *c, Error *err)
{
    auto_pgresult PGresult *res = NULL;

    if (other_direction(c,
                        "SELECT c.restore FROM kubeferry.cutover c JOIN kubeferry.task t ON t.id = c.task"
                        " WHERE t.name = $1 AND c.state = 'done' AND c.restore IS NOT NULL",
                        &res, err))
        return -1;
    if (!res || PQntuples(res) == 0)
        return 0;
    return ledger_cutover_reopen(c->ledger.conn, c->ledger.task.id, c->owner, PQgetvalue(res, 0, 0), err);
}

int cutover_reopen(Cutover *c, Error *err)
{
    auto_pgconn PGconn *sink = NULL;
    auto_pgresult PGresult *res = NULL;
    CutoverRow row;

    if (ledger_cutover_get(c->ledger.conn, c->ledger.task.id, &row, err))
        return -1;
    if (!row.reopens)
        return 0;
    if (context_connect_sink(c->ctx, &sink, err) || source_gate_open(c->ctx, sink, row.reopen, err))
        return error_wrap(err, "the database that takes over was closed by the cutover in the other direction");
    log_info("cutover", "the database that has taken over takes writes again");
    return other_direction(
        c, "UPDATE kubeferry.cutover SET restore = NULL WHERE task = (SELECT id FROM kubeferry.task WHERE name = $1)",
        &res, err);
}
