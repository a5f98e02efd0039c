// SPDX-License-Identifier: Apache-2.0
// What the processes of one copy tell each other through the ledger.
#include "engine/ledger/ledger_share.h"

#include "common/base/memory.h"

#include <stdio.h>
#include <string.h>

static const char *const STATES[] = {[SHARE_COPYING] = "copying", [SHARE_COPIED] = "copied"};

static void id_text(int64_t id, char out[24])
{
    snprintf(out, 24, "%lld", (long long)id);
}

int ledger_share_put(Ledger *ledger, ShareState state, const char *snapshot, Error *err)
{
    char id[24];
    const char *values[] = {id, ledger->task.owner, STATES[state], snapshot};
    int64_t rows = 0;

    id_text(ledger->task.id, id);
    if (pg_run(ledger->conn,
               "INSERT INTO kubeferry.share (task, owner, state, snapshot)"
               " SELECT t.id, t.owner, $3, $4 FROM kubeferry.task t WHERE t.id = $1 AND t.owner = $2"
               " ON CONFLICT (task) DO UPDATE SET owner = EXCLUDED.owner, state = EXCLUDED.state,"
               " snapshot = EXCLUDED.snapshot",
               4, values, &rows, err))
        return error_wrap(err, "publishing the copy in the ledger");
    return rows == 1 ? 0 : error_set(err, ERROR_BUSY, "the task was taken over by another process, or cleaned up");
}

static bool is_missing(const Error *err)
{
    return strcmp(err->sqlstate, "42P01") == 0 || strcmp(err->sqlstate, "3F000") == 0;
}

int ledger_share_get(const Context *ctx, PGconn *sink, Share *out, Error *err)
{
    const char *values[] = {ctx->task->name};
    auto_pgresult PGresult *res = NULL;

    *out = (Share){0};
    if (pg_query(sink,
                 "SELECT t.source_system, t.source_database, t.id, t.owner, t.data_done, s.state, s.snapshot"
                 "  FROM kubeferry.task t LEFT JOIN kubeferry.share s ON s.task = t.id AND s.owner = t.owner"
                 " WHERE t.name = $1",
                 1, values, &res, err)) {
        if (!is_missing(err)) // no ledger yet, or one of an older version
            return error_wrap(err, "looking for the copy in the ledger");
        error_clear(err);
        return 0;
    }
    if (PQntuples(res) == 0)
        return 0;
    if (ledger_check_source(ctx, PQgetvalue(res, 0, 0), PQgetvalue(res, 0, 1), err) ||
        ledger_is_running(ctx, sink, &out->coordinated, err))
        return -1;
    out->known = true;
    out->task_id = pg_get_int64(res, 0, 2);
    snprintf(out->owner, sizeof out->owner, "%s", PQgetvalue(res, 0, 3));
    out->data_done = pg_get_bool(res, 0, 4);
    for (int state = SHARE_COPYING; state <= SHARE_COPIED; state++)
        if (strcmp(PQgetvalue(res, 0, 5), STATES[state]) == 0)
            out->state = (ShareState)state;
    snprintf(out->snapshot, sizeof out->snapshot, "%s", PQgetvalue(res, 0, 6));
    return 0;
}

int ledger_fence(PGconn *conn, int64_t task_id, const char *owner, Error *err)
{
    char id[24];
    const char *values[] = {id, owner};
    auto_pgresult PGresult *res = NULL;

    id_text(task_id, id);
    // The lock makes who takes the task over wait for this commit, and so see its rows. Without waiting itself: the
    // other one may be removing the rows that this transaction holds.
    if (pg_query(conn, "SELECT FROM kubeferry.task WHERE id = $1 AND owner = $2 FOR SHARE NOWAIT", 2, values, &res,
                 err))
        return error_wrap(err, "checking that the task is still ours");
    return PQntuples(res) == 1
               ? 0
               : error_set(err, ERROR_BUSY, "the task was taken over by another process, or cleaned up");
}

int ledger_copied(PGconn *conn, int64_t task_id, CopiedRows *out, Error *err)
{
    char id[24];
    const char *values[] = {id};
    auto_pgresult PGresult *sums = NULL;
    auto_pgresult PGresult *complete = NULL;

    *out = (CopiedRows){0};
    id_text(task_id, id);
    if (pg_query(conn, "SELECT coalesce(sum(rows), 0), coalesce(sum(bytes), 0) FROM kubeferry.relation WHERE task = $1",
                 1, values, &sums, err) ||
        pg_query(conn, "SELECT relation FROM kubeferry.relation WHERE task = $1 AND state = 'copied'", 1, values,
                 &complete, err))
        return error_wrap(err, "reading from the ledger what is copied");
    out->rows = pg_get_int64(sums, 0, 0);
    out->bytes = pg_get_int64(sums, 0, 1);
    out->complete_count = (size_t)PQntuples(complete);
    out->complete = memory_alloc((out->complete_count + 1) * sizeof *out->complete);
    for (size_t i = 0; i < out->complete_count; i++)
        out->complete[i] = (int32_t)pg_get_int64(complete, (int)i, 0);
    return 0;
}
