// SPDX-License-Identifier: Apache-2.0
// Tables of the task that came to the source after the copy.
#include "engine/apply/new_relation.h"

#include "common/base/memory.h"
#include "engine/catalog/relations.h"
#include "engine/pg/quote.h"
#include "sql.h"

#include <stdio.h>

int new_relation_found(PGconn *sink, int64_t task_id, const char *label, Error *err)
{
    char task[24];
    const char *values[] = {task};

    snprintf(task, sizeof task, "%lld", (long long)task_id);
    if (pg_run(sink, "UPDATE kubeferry.task SET structure_done = false, data_done = false WHERE id = $1", 1, values, NULL, err))
        return error_wrap(err, "writing the ledger");
    error_set(err, ERROR_CONDITION,
              "the source's schema changed while changes were followed: relation %s is new there (a new partition or table)", label);
    return error_hint(err, "start \"run\" again, or init-struct, init-data and cdc, with the same --name: the new table is made and "
                           "copied, everything applied so far is kept");
}

int new_relation_check(const Context *ctx, Ledger *ledger, Error *err)
{
    char task[24];
    const char *question[] = {task};
    auto_pgresult PGresult *known = NULL;
    auto_pgresult PGresult *res = NULL;
    auto_pgconn PGconn *source = NULL;

    snprintf(task, sizeof task, "%lld", (long long)ledger->task.id);
    if (pg_query(ledger->conn,
                 "SELECT coalesce(pg_catalog.array_agg(source_oid), '{}')::text FROM kubeferry.relation WHERE task = $1", 1,
                 question, &known, err))
        return error_wrap(err, "reading the relations of the ledger");
    const char *values[] = {PQgetvalue(known, 0, 0)};
    if (context_connect_source(ctx, PG_ORDINARY, &source, err))
        return -1;
    if (pg_query(source, sql_new_partitions, 1, values, &res, err))
        return error_wrap(err, "looking for new partitions on the source");
    for (int i = 0; i < PQntuples(res); i++) {
        bool wanted = false;
        if (relations_wants(source, &ctx->task->objects, &ctx->task->excluded, (uint32_t)pg_get_int64(res, i, 0), &wanted, err))
            return -1;
        if (!wanted)
            continue;
        auto_free char *label = quote_relation_text(PQgetvalue(res, i, 1), PQgetvalue(res, i, 2));
        return new_relation_found(ledger->conn, ledger->task.id, label, err);
    }
    return 0;
}
