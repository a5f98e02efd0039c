// SPDX-License-Identifier: Apache-2.0
// Tables of the task that came to the source after the copy, or left the publication.
#include "engine/apply/new_relation.h"

#include "common/base/buffer.h"
#include "common/base/memory.h"
#include "engine/catalog/relations.h"
#include "engine/pg/array.h"
#include "engine/pg/quote.h"
#include "sql.h"

#include <stdio.h>

int new_relation_found(PGconn *sink, int64_t task_id, const char *label, Error *err)
{
    char task[24];
    const char *values[] = {task};

    snprintf(task, sizeof task, "%lld", (long long)task_id);
    if (pg_run(sink, "UPDATE kubeferry.task SET structure_done = false, data_done = false WHERE id = $1", 1, values,
               NULL, err))
        return error_wrap(err, "writing the ledger");
    error_set(
        err, ERROR_CONDITION,
        "the source's schema changed while changes were followed: relation %s is new there (a new partition or table)",
        label);
    return error_hint(
        err, "start \"run\" again, or init-struct, init-data and cdc, with the same --name: the new table is made and "
             "copied, everything applied so far is kept");
}

static int find_new(const Context *ctx, Ledger *ledger, PGconn *source, const char *known, Error *err)
{
    const char *values[] = {known};
    auto_pgresult PGresult *res = NULL;

    if (pg_query(source, sql_new_partitions, 1, values, &res, err))
        return error_wrap(err, "looking for new partitions on the source");
    for (int i = 0; i < PQntuples(res); i++) {
        bool wanted = false;
        if (relations_wants(source, &ctx->task->objects, &ctx->task->excluded, (uint32_t)pg_get_int64(res, i, 0),
                            &wanted, err))
            return -1;
        if (!wanted)
            continue;
        auto_free char *label = quote_relation_text(PQgetvalue(res, i, 1), PQgetvalue(res, i, 2));
        return new_relation_found(ledger->conn, ledger->task.id, label, err);
    }
    return 0;
}

// Its changes since then were not sent, so its rows are copied again.
static int find_lost(const Context *ctx, Ledger *ledger, PGconn *source, const char *known, Error *err)
{
    char task[24];
    const char *values[] = {known, ctx->publication};
    auto_buffer Buffer lost = {0};
    auto_pgresult PGresult *res = NULL;

    if (pg_query(source, sql_lost_tables, 2, values, &res, err))
        return error_wrap(err, "looking for tables that left the publication on the source");
    if (PQntuples(res) == 0)
        return 0;
    snprintf(task, sizeof task, "%lld", (long long)ledger->task.id);
    array_begin(&lost);
    for (int i = 0; i < PQntuples(res); i++)
        array_put(&lost, PQgetvalue(res, i, 0));
    array_end(&lost);
    const char *again[] = {task, lost.data};
    if (pg_run(ledger->conn,
               "WITH r AS (UPDATE kubeferry.relation SET state = 'waiting' WHERE task = $1 AND source_oid = ANY "
               "($2::oid[]))"
               " UPDATE kubeferry.task SET data_done = false WHERE id = $1",
               2, again, NULL, err))
        return error_wrap(err, "writing the ledger");
    auto_free char *label = quote_relation_text(PQgetvalue(res, 0, 1), PQgetvalue(res, 0, 2));
    error_set(err, ERROR_CONDITION,
              "%d tables are no longer in publication \"%s\", %s first: detached from their partitioned table, or "
              "taken out of it",
              PQntuples(res), ctx->publication, label);
    return error_hint(err, "start \"run\" again, or init-data and cdc, with the same --name: these tables are put back "
                           "into the publication "
                           "and copied again, everything else is kept");
}

int new_relation_check(const Context *ctx, Ledger *ledger, Error *err)
{
    char task[24];
    const char *question[] = {task};
    auto_pgresult PGresult *known = NULL;
    auto_pgconn PGconn *source = NULL;

    snprintf(task, sizeof task, "%lld", (long long)ledger->task.id);
    if (pg_query(
            ledger->conn,
            "SELECT coalesce(pg_catalog.array_agg(source_oid), '{}')::text FROM kubeferry.relation WHERE task = $1", 1,
            question, &known, err))
        return error_wrap(err, "reading the relations of the ledger");
    if (context_connect_source(ctx, PG_ORDINARY, &source, err) ||
        find_new(ctx, ledger, source, PQgetvalue(known, 0, 0), err))
        return -1;
    return find_lost(ctx, ledger, source, PQgetvalue(known, 0, 0), err);
}
