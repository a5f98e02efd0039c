// SPDX-License-Identifier: Apache-2.0
// Cuts relations into chunks and writes them into the ledger's queue.
#include "engine/copy/copy_plan.h"

#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/catalog/block_range.h"
#include "engine/pg/quote.h"

#include <string.h>

#define MIB (INT64_C(1024) * 1024)
// Emptying locks each table with its TOAST table and indexes: the lock table of a server with default settings has
// room.
enum { TABLES_A_TRANSACTION = 200, CHUNKS_A_JOB = 8 };
static const int64_t CHUNK_BYTES_MIN = 16 * MIB, CHUNK_BYTES_MAX = 512 * MIB;

int64_t copy_plan_chunk_bytes(int64_t total_bytes, int jobs)
{
    int64_t bytes = total_bytes / ((int64_t)jobs * CHUNKS_A_JOB);
    return bytes < CHUNK_BYTES_MIN ? CHUNK_BYTES_MIN : bytes > CHUNK_BYTES_MAX ? CHUNK_BYTES_MAX : bytes;
}

size_t copy_plan_count(const Relation *relation, int64_t chunk_bytes, bool by_ctid)
{
    return by_ctid ? block_range_count(relation->bytes, relation->heap_blocks, chunk_bytes) : 1;
}

void copy_plan_cut(const Relation *relation, int32_t id, size_t count, Chunk *chunks)
{
    for (size_t i = 0; i < count; i++) {
        const BlockRange range = block_range_part(relation->heap_blocks, count, i);
        chunks[i] = (Chunk){.relation = id,
                            .number = (int32_t)i + 1,
                            .first_block = range.first,
                            .end_block = range.end,
                            .whole = count == 1,
                            .bytes = relation->bytes / (int64_t)count};
    }
}

// ---- emptying ----------------------------------------------------------------------------------------------------

// Children of an inheritance parent are relations of their own, and may be complete.
static void put_only(Buffer *sql, const PlanItem *item)
{
    if (!item->partitioned)
        buffer_puts(sql, "ONLY ");
}

static int truncate_tables(PGconn *sink, const PlanItem *items, size_t count, Error *err)
{
    auto_buffer Buffer sql = {0};

    buffer_puts(&sql, "TRUNCATE");
    for (size_t i = 0; i < count; i++) {
        if (!items[i].touched)
            continue;
        buffer_puts(&sql, strchr(sql.data, ' ') ? ", " : " ");
        put_only(&sql, &items[i]);
        quote_relation(&sql, items[i].relation->schema, items[i].relation->name);
    }
    return strchr(sql.data, ' ') ? pg_exec(sink, sql.data, err) : 0;
}

// Without the right to truncate, or with foreign keys that point here: row by row.
static int delete_rows(PGconn *sink, const PlanItem *items, size_t count, Error *err)
{
    auto_buffer Buffer sql = {0};

    for (size_t i = 0; i < count; i++) {
        if (!items[i].touched)
            continue;
        buffer_clear(&sql, SIZE_MAX);
        buffer_puts(&sql, "DELETE FROM ");
        put_only(&sql, &items[i]);
        quote_relation(&sql, items[i].relation->schema, items[i].relation->name);
        if (pg_exec(sink, sql.data, err))
            return error_wrap(err, "emptying %s.%s, whose copy was interrupted", items[i].relation->schema,
                              items[i].relation->name);
    }
    return 0;
}

static int empty_tables(PGconn *sink, const PlanItem *items, size_t count, Error *err)
{
    Error refused = {0};

    if (pg_exec(sink, "SAVEPOINT kubeferry_truncate", err))
        return -1;
    if (truncate_tables(sink, items, count, &refused) == 0)
        return pg_exec(sink, "RELEASE SAVEPOINT kubeferry_truncate", err);
    if (refused.code == ERROR_STOPPED ||
        (strcmp(refused.sqlstate, "42501") != 0 && strcmp(refused.sqlstate, "0A000") != 0)) {
        *err = refused;
        return error_wrap(err, "emptying the tables whose copy was interrupted");
    }
    if (pg_exec(sink, "ROLLBACK TO SAVEPOINT kubeferry_truncate", err))
        return -1;
    return delete_rows(sink, items, count, err);
}

// ---- writing -----------------------------------------------------------------------------------------------------

static int write_group(PGconn *sink, int64_t task_id, const PlanItem *items, size_t count, int64_t chunk_bytes,
                       bool by_ctid, uint64_t snapshot_lsn, Error *err)
{
    auto_free int32_t *ids = memory_alloc(count * sizeof *ids);
    size_t total = 0;

    for (size_t i = 0; i < count; i++) {
        ids[i] = items[i].id;
        total += copy_plan_count(items[i].relation, chunk_bytes, by_ctid);
    }
    auto_free Chunk *chunks = memory_alloc(total * sizeof *chunks);
    for (size_t i = 0, at = 0; i < count; i++) {
        size_t n = copy_plan_count(items[i].relation, chunk_bytes, by_ctid);
        copy_plan_cut(items[i].relation, ids[i], n, chunks + at);
        at += n;
    }
    if (pg_exec(sink, "BEGIN", err) || empty_tables(sink, items, count, err) ||
        ledger_plan(sink, task_id, ids, count, snapshot_lsn, chunks, total, err))
        return -1;
    return pg_exec(sink, "COMMIT", err);
}

int copy_plan_write(PGconn *sink, int64_t task_id, const PlanItem *items, size_t count, int64_t chunk_bytes,
                    bool by_ctid, uint64_t snapshot_lsn, Error *err)
{
    for (size_t first = 0; first < count; first += TABLES_A_TRANSACTION) {
        size_t n = count - first < TABLES_A_TRANSACTION ? count - first : TABLES_A_TRANSACTION;
        if (stop_check(err))
            return -1;
        if (write_group(sink, task_id, items + first, n, chunk_bytes, by_ctid, snapshot_lsn, err))
            return error_wrap(err, "planning the copy");
    }
    return 0;
}
