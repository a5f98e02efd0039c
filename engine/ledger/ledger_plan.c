// SPDX-License-Identifier: Apache-2.0
// Set-based writes of the ledger's relations and chunks.
#include "engine/ledger/ledger_plan.h"

#include "common/base/lsn.h"
#include "common/base/memory.h"
#include "engine/pg/array.h"

#include <stdio.h>

static void put_number(Buffer *array, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    array_put(array, text);
}

static void put_ids(Buffer *array, const int32_t *ids, size_t count)
{
    array_begin(array);
    for (size_t i = 0; i < count; i++)
        put_number(array, ids[i]);
    array_end(array);
}

static int insert_chunks(PGconn *conn, const char *task, const Chunk *chunks, size_t count, Error *err)
{
    Buffer arrays[6] = {{0}};
    const char *values[7] = {task};

    for (int i = 0; i < 6; i++)
        array_begin(&arrays[i]);
    for (size_t i = 0; i < count; i++) {
        put_number(&arrays[0], chunks[i].relation);
        put_number(&arrays[1], chunks[i].number);
        put_number(&arrays[2], chunks[i].first_block);
        put_number(&arrays[3], chunks[i].end_block);
        array_put(&arrays[4], chunks[i].whole ? "t" : "f");
        put_number(&arrays[5], chunks[i].bytes);
    }
    for (int i = 0; i < 6; i++) {
        array_end(&arrays[i]);
        values[i + 1] = arrays[i].data;
    }
    int rc =
        pg_run(conn,
               "INSERT INTO kubeferry.chunk (task, relation, chunk, first_block, end_block, whole, bytes)"
               " SELECT $1, * FROM ROWS FROM (pg_catalog.unnest($2::integer[]), pg_catalog.unnest($3::integer[]),"
               " pg_catalog.unnest($4::bigint[]), pg_catalog.unnest($5::bigint[]), pg_catalog.unnest($6::boolean[]),"
               " pg_catalog.unnest($7::bigint[])) AS c",
               7, values, NULL, err);
    for (int i = 0; i < 6; i++)
        buffer_free(&arrays[i]);
    return rc;
}

int ledger_plan(PGconn *conn, int64_t task_id, const int32_t *relations, size_t count, uint64_t snapshot_lsn,
                const Chunk *chunks, size_t chunk_count, Error *err)
{
    auto_buffer Buffer ids = {0};
    char task[24];
    LsnText lsn = lsn_format(snapshot_lsn);

    snprintf(task, sizeof task, "%lld", (long long)task_id);
    put_ids(&ids, relations, count);
    const char *values[] = {task, ids.data, snapshot_lsn ? lsn.text : NULL};
    if (pg_run(conn, "DELETE FROM kubeferry.chunk WHERE task = $1 AND relation = ANY ($2::integer[])", 2, values, NULL,
               err) ||
        insert_chunks(conn, task, chunks, chunk_count, err) ||
        pg_run(
            conn,
            "UPDATE kubeferry.relation r SET state = 'waiting', snapshot_lsn = $3::pg_lsn, rows = 0, bytes = 0,"
            " chunks_left = (SELECT count(*) FROM kubeferry.chunk c WHERE c.task = r.task AND c.relation = r.relation)"
            " WHERE r.task = $1 AND r.relation = ANY ($2::integer[])",
            3, values, NULL, err))
        return error_wrap(err, "planning the chunks of %zu relations", count);
    return 0;
}

int ledger_relations_touched(PGconn *conn, int64_t task_id, int32_t **ids, size_t *count, Error *err)
{
    char task[24];
    const char *values[] = {task};
    auto_pgresult PGresult *res = NULL;

    *ids = NULL;
    *count = 0;
    snprintf(task, sizeof task, "%lld", (long long)task_id);
    if (pg_query(conn, "SELECT DISTINCT relation FROM kubeferry.chunk WHERE task = $1 AND done ORDER BY relation", 1,
                 values, &res, err))
        return error_wrap(err, "reading the chunks of the ledger");
    *count = (size_t)PQntuples(res);
    *ids = memory_alloc((*count + 1) * sizeof **ids);
    for (size_t i = 0; i < *count; i++)
        (*ids)[i] = (int32_t)pg_get_int64(res, (int)i, 0);
    return 0;
}

int ledger_relations_forget(PGconn *conn, int64_t task_id, const int32_t *relations, size_t count, Error *err)
{
    auto_buffer Buffer ids = {0};
    char task[24];

    snprintf(task, sizeof task, "%lld", (long long)task_id);
    put_ids(&ids, relations, count);
    const char *values[] = {task, ids.data};
    if (pg_run(conn, "DELETE FROM kubeferry.relation WHERE task = $1 AND relation = ANY ($2::integer[])", 2, values,
               NULL, err))
        return error_wrap(err, "forgetting relations that the source no longer has");
    return 0;
}

int ledger_relations_begin(PGconn *conn, int64_t task_id, uint64_t snapshot_lsn, Error *err)
{
    char task[24];
    LsnText lsn = lsn_format(snapshot_lsn);
    const char *values[] = {task, lsn.text};

    snprintf(task, sizeof task, "%lld", (long long)task_id);
    if (pg_run(conn,
               "UPDATE kubeferry.relation SET state = 'done', snapshot_lsn = $2 WHERE task = $1 AND state = 'waiting'",
               2, values, NULL, err))
        return error_wrap(err, "noting where the changes of the relations begin");
    return 0;
}
