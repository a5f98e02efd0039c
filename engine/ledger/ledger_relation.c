// SPDX-License-Identifier: Apache-2.0
// The ledger's relations, the queue of chunks, the position of cdc and the barrier.
#include "engine/ledger/ledger_relation.h"

#include "common/base/lsn.h"
#include "common/base/memory.h"
#include "engine/pg/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_SIZE = 24 };

static const char *const RELATION_STATES[] = {
    [RELATION_WAITING] = "waiting", [RELATION_COPIED] = "copied", [RELATION_DONE] = "done"};
static const char *const BARRIER_STATES[] = {"none", "hold", "holding", "target", "reached"};

typedef struct Number {
    char text[NUMBER_SIZE];
} Number;

static Number number(int64_t value)
{
    Number n;
    snprintf(n.text, sizeof n.text, "%lld", (long long)value);
    return n;
}

static int state_index(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return 0;
}

static int compare_by_oid(const void *a, const void *b)
{
    const LedgerRelation *x = *(const LedgerRelation *const *)a, *y = *(const LedgerRelation *const *)b;
    return x->source_oid < y->source_oid ? -1 : x->source_oid > y->source_oid;
}

static int compare_key(const void *key, const void *element)
{
    uint32_t oid = *(const uint32_t *)key, other = (*(const LedgerRelation *const *)element)->source_oid;
    return oid < other ? -1 : oid > other;
}

const LedgerRelation **ledger_relations_by_oid(const LedgerRelations *relations)
{
    const LedgerRelation **sorted = memory_alloc((relations->count + 1) * sizeof *sorted);

    for (size_t i = 0; i < relations->count; i++)
        sorted[i] = &relations->items[i];
    qsort(sorted, relations->count, sizeof *sorted, compare_by_oid);
    return sorted;
}

const LedgerRelation *ledger_relation_find(const LedgerRelation *const *sorted, size_t count, uint32_t source_oid)
{
    const LedgerRelation *const *found = bsearch(&source_oid, sorted, count, sizeof *sorted, compare_key);
    return found ? *found : NULL;
}

int ledger_relations_load(PGconn *conn, int64_t task_id, Arena *arena, LedgerRelations *out, Error *err)
{
    Number id = number(task_id);
    const char *values[] = {id.text};
    auto_pgresult PGresult *res = NULL;

    if (pg_query(conn,
                 "SELECT relation, source_oid, schema_name, table_name, state, snapshot_lsn, rows, bytes"
                 "  FROM kubeferry.relation WHERE task = $1 ORDER BY relation",
                 1, values, &res, err))
        return error_wrap(err, "reading the relations of the ledger");
    out->count = (size_t)PQntuples(res);
    out->items = arena_zalloc(arena, (out->count + 1) * sizeof *out->items);
    for (int i = 0; i < PQntuples(res); i++) {
        out->items[i] = (LedgerRelation){
            .id = (int32_t)pg_get_int64(res, i, 0),
            .source_oid = (uint32_t)pg_get_int64(res, i, 1),
            .schema = arena_strdup(arena, PQgetvalue(res, i, 2)),
            .name = arena_strdup(arena, PQgetvalue(res, i, 3)),
            .state = (RelationState)state_index(RELATION_STATES, 3, PQgetvalue(res, i, 4)),
            .snapshot_lsn = pg_get_lsn(res, i, 5),
            .rows = pg_get_int64(res, i, 6),
            .bytes = pg_get_int64(res, i, 7),
        };
    }
    return 0;
}

int ledger_relations_add(PGconn *conn, int64_t task_id, const RelationList *list, Error *err)
{
    auto_buffer Buffer oids = {0};
    auto_buffer Buffer schemas = {0};
    auto_buffer Buffer names = {0};
    Number id = number(task_id);

    array_begin(&oids), array_begin(&schemas), array_begin(&names);
    for (size_t i = 0; i < list->count; i++) {
        const Relation *r = &list->items[i];
        if (r->kind != 'r')
            continue;
        array_put(&oids, number(r->oid).text);
        array_put(&schemas, r->schema);
        array_put(&names, r->name);
    }
    array_end(&oids), array_end(&schemas), array_end(&names);
    const char *values[] = {id.text, oids.data, schemas.data, names.data};
    if (pg_run(conn,
               "INSERT INTO kubeferry.relation (task, relation, source_oid, schema_name, table_name)"
               " SELECT $1, (SELECT coalesce(max(relation), 0) FROM kubeferry.relation WHERE task = $1)"
               "        + (row_number() OVER (ORDER BY n.ord))::integer, n.o, n.s, n.t"
               "   FROM ROWS FROM (pg_catalog.unnest($2::oid[]), pg_catalog.unnest($3::text[]), "
               "pg_catalog.unnest($4::text[]))"
               "        WITH ORDINALITY AS n(o, s, t, ord)"
               "  WHERE n.o NOT IN (SELECT r.source_oid FROM kubeferry.relation r WHERE r.task = $1)",
               4, values, NULL, err))
        return error_wrap(err, "writing the relations into the ledger");
    return 0;
}

// One row of chunks as an array element each: what unnest() takes.
static int insert_chunks(PGconn *conn, const char *task, const Chunk *chunks, size_t count, Error *err)
{
    Buffer arrays[6] = {{0}};
    const char *values[7] = {task};

    for (int i = 0; i < 6; i++)
        array_begin(&arrays[i]);
    for (size_t i = 0; i < count; i++) {
        array_put(&arrays[0], number(chunks[i].relation).text);
        array_put(&arrays[1], number(chunks[i].number).text);
        array_put(&arrays[2], number(chunks[i].first_block).text);
        array_put(&arrays[3], number(chunks[i].end_block).text);
        array_put(&arrays[4], chunks[i].whole ? "t" : "f");
        array_put(&arrays[5], number(chunks[i].bytes).text);
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
               " pg_catalog.unnest($7::bigint[]))",
               7, values, NULL, err);
    for (int i = 0; i < 6; i++)
        buffer_free(&arrays[i]);
    return rc;
}

int ledger_relation_plan(PGconn *conn, int64_t task_id, int32_t relation, uint64_t snapshot_lsn, const Chunk *chunks,
                         size_t count, Error *err)
{
    Number id = number(task_id), rel = number(relation), left = number((int64_t)count);
    LsnText lsn = lsn_format(snapshot_lsn);
    const char *key[] = {id.text, rel.text};
    const char *values[] = {id.text, rel.text, lsn.text, left.text};

    if (pg_exec(conn, "BEGIN", err) ||
        pg_run(conn, "DELETE FROM kubeferry.chunk WHERE task = $1 AND relation = $2", 2, key, NULL, err) ||
        pg_run(
            conn,
            "UPDATE kubeferry.relation SET state = 'waiting', snapshot_lsn = $3, chunks_left = $4, rows = 0, bytes = 0"
            " WHERE task = $1 AND relation = $2",
            4, values, NULL, err) ||
        insert_chunks(conn, id.text, chunks, count, err) || pg_exec(conn, "COMMIT", err))
        return error_wrap(err, "planning the chunks of relation %s", rel.text);
    return 0;
}

int ledger_chunk_take(PGconn *conn, int64_t task_id, Chunk *out, bool *found, Error *err)
{
    Number id = number(task_id);
    const char *values[] = {id.text};
    auto_pgresult PGresult *res = NULL;

    if (pg_query(conn,
                 "SELECT relation, chunk, first_block, end_block, whole, bytes FROM kubeferry.chunk"
                 " WHERE task = $1 AND NOT done ORDER BY relation, chunk LIMIT 1 FOR UPDATE SKIP LOCKED",
                 1, values, &res, err))
        return error_wrap(err, "taking a chunk from the queue");
    *found = PQntuples(res) > 0;
    if (*found)
        *out = (Chunk){.relation = (int32_t)pg_get_int64(res, 0, 0),
                       .number = (int32_t)pg_get_int64(res, 0, 1),
                       .first_block = pg_get_int64(res, 0, 2),
                       .end_block = pg_get_int64(res, 0, 3),
                       .whole = pg_get_bool(res, 0, 4),
                       .bytes = pg_get_int64(res, 0, 5)};
    return 0;
}

int ledger_chunk_done(PGconn *conn, int64_t task_id, const Chunk *chunk, int64_t rows, int64_t bytes, int64_t *left,
                      Error *err)
{
    Number id = number(task_id), rel = number(chunk->relation), no = number(chunk->number), r = number(rows),
           b = number(bytes);
    const char *key[] = {id.text, rel.text, no.text};
    const char *counts[] = {id.text, rel.text, r.text, b.text};
    auto_pgresult PGresult *res = NULL;

    if (pg_run(conn, "UPDATE kubeferry.chunk SET done = true WHERE task = $1 AND relation = $2 AND chunk = $3", 3, key,
               NULL, err) ||
        pg_query(conn,
                 "UPDATE kubeferry.relation SET rows = rows + $3, bytes = bytes + $4, chunks_left = chunks_left - 1,"
                 " state = CASE WHEN chunks_left = 1 THEN 'copied' ELSE state END"
                 " WHERE task = $1 AND relation = $2 RETURNING chunks_left",
                 4, counts, &res, err))
        return error_wrap(err, "noting a chunk as done");
    if (PQntuples(res) != 1)
        return error_set(err, ERROR_BUSY, "relation %s is gone from the ledger: the task was cleaned up meanwhile",
                         rel.text);
    *left = pg_get_int64(res, 0, 0);
    return 0;
}

int ledger_relation_state(PGconn *conn, int64_t task_id, int32_t relation, RelationState state, Error *err)
{
    Number id = number(task_id), rel = number(relation);
    const char *values[] = {id.text, rel.text, RELATION_STATES[state]};

    if (pg_run(conn, "UPDATE kubeferry.relation SET state = $3 WHERE task = $1 AND relation = $2", 3, values, NULL,
               err))
        return error_wrap(err, "noting the state of a relation");
    return 0;
}

int ledger_position_load(PGconn *conn, int64_t task_id, LedgerPosition *out, Error *err)
{
    Number id = number(task_id);
    const char *values[] = {id.text};
    auto_pgresult PGresult *res = NULL;

    *out = (LedgerPosition){0};
    if (pg_query(conn,
                 "SELECT lsn, extract(epoch FROM commit_time), transactions, changes FROM kubeferry.progress WHERE "
                 "task = $1",
                 1, values, &res, err))
        return error_wrap(err, "reading the position from the ledger");
    if (PQntuples(res) == 0)
        return 0;
    *out = (LedgerPosition){.lsn = pg_get_lsn(res, 0, 0),
                            .commit_time = pg_get_double(res, 0, 1),
                            .transactions = pg_get_int64(res, 0, 2),
                            .changes = pg_get_int64(res, 0, 3)};
    return 0;
}

int ledger_position_move(PGconn *conn, int64_t task_id, const char *owner, uint64_t expected,
                         const LedgerPosition *next, Error *err)
{
    Number id = number(task_id), transactions = number(next->transactions), changes = number(next->changes);
    LsnText from = lsn_format(expected), to = lsn_format(next->lsn);
    char time_text[40];
    int64_t rows = 0;

    snprintf(time_text, sizeof time_text, "%.6f", next->commit_time);
    const char *values[] = {
        id.text, to.text, next->commit_time > 0 ? time_text : NULL, transactions.text, changes.text, from.text, owner};
    static const char INSERT[] =
        "INSERT INTO kubeferry.progress (task, lsn, commit_time, transactions, changes)"
        " SELECT $1, $2, pg_catalog.to_timestamp($3::float8), $4, $5 FROM kubeferry.task WHERE id = $1 AND owner = $7"
        " AND $6::pg_lsn = '0/0' ON CONFLICT (task) DO NOTHING";
    static const char UPDATE[] =
        "UPDATE kubeferry.progress SET lsn = $2, commit_time = pg_catalog.to_timestamp($3::float8), transactions = $4,"
        " changes = $5 WHERE task = $1 AND lsn = $6 AND EXISTS (SELECT 1 FROM kubeferry.task WHERE id = $1 AND owner = "
        "$7)";
    if (pg_run(conn, expected ? UPDATE : INSERT, 7, values, &rows, err))
        return error_wrap(err, "storing the position %s", to.text);
    if (rows == 1)
        return 0;
    return error_set(
        err, ERROR_BUSY,
        "the position in the sink is no longer %s: another process applies this task, or it was cleaned up", from.text);
}

int ledger_barrier_get(PGconn *conn, int64_t task_id, Barrier *out, Error *err)
{
    Number id = number(task_id);
    const char *values[] = {id.text};
    auto_pgresult PGresult *res = NULL;

    *out = (Barrier){0};
    if (pg_query(conn,
                 "SELECT state, target_lsn, snapshot, extract(epoch FROM pg_catalog.clock_timestamp() - changed_at)"
                 "  FROM kubeferry.barrier WHERE task = $1",
                 1, values, &res, err))
        return error_wrap(err, "reading the barrier of verify");
    if (PQntuples(res) == 0)
        return 0;
    out->state = (BarrierState)state_index(BARRIER_STATES, 5, PQgetvalue(res, 0, 0));
    out->target_lsn = pg_get_lsn(res, 0, 1);
    snprintf(out->snapshot, sizeof out->snapshot, "%s", PQgetvalue(res, 0, 2));
    out->age_seconds = pg_get_double(res, 0, 3);
    return 0;
}

int ledger_barrier_set(PGconn *conn, int64_t task_id, BarrierState state, uint64_t target_lsn, const char *snapshot,
                       Error *err)
{
    Number id = number(task_id);
    LsnText lsn = lsn_format(target_lsn);
    const char *values[] = {id.text, BARRIER_STATES[state], target_lsn ? lsn.text : NULL, snapshot};

    if (pg_run(conn,
               "INSERT INTO kubeferry.barrier (task, state, target_lsn, snapshot) VALUES ($1, $2, $3, $4)"
               " ON CONFLICT (task) DO UPDATE SET state = EXCLUDED.state, target_lsn = EXCLUDED.target_lsn,"
               " snapshot = EXCLUDED.snapshot, changed_at = pg_catalog.clock_timestamp()",
               4, values, NULL, err))
        return error_wrap(err, "setting the barrier of verify");
    return 0;
}
