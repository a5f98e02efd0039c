// SPDX-License-Identifier: Apache-2.0
#include "engine/verify/verify_large.h"

#include "common/base/memory.h"
#include "engine/pg/quote.h"
#include "engine/verify/verify_scan.h"

static const int64_t CHUNK_BYTES = 64 * 1024 * 1024;

typedef struct Sum { // of a bucket on one end
    int64_t rows;
    uint64_t hashes; // modulo 2^64
} Sum;

struct VerifyLarge {
    const Relation *relation;
    size_t chunks;
    pthread_mutex_t lock; // of all below
    size_t next, left;    // chunks that were taken; that are not in
    bool planned;
    Arena arena;         // of the plan
    VerifyTable table;   // the plan does not change once it is made
    int64_t sink_blocks; // at most; those that came later show nothing in the snapshot
    Sum *sums[2];        // of source and sink, by bucket
};

size_t verify_large_chunks(const VerifyPair *pair, const Relation *relation)
{
    if (PQserverVersion(pair->source) < BLOCK_RANGE_SINCE || PQserverVersion(pair->sink) < BLOCK_RANGE_SINCE ||
        relation->bytes < 2 * CHUNK_BYTES)
        return 1;
    return block_range_count(relation->bytes, relation->heap_blocks, CHUNK_BYTES);
}

VerifyLarge *verify_large_new(const Relation *relation, size_t chunks)
{
    VerifyLarge *large = memory_zalloc(sizeof *large);

    *large = (VerifyLarge){.relation = relation, .chunks = chunks, .left = chunks};
    large->table.name = quote_relation_text(relation->schema, relation->name);
    pthread_mutex_init(&large->lock, NULL);
    return large;
}

void verify_large_free(VerifyLarge *large)
{
    free(large->table.name);
    free(large->table.buckets);
    free(large->sums[0]);
    free(large->sums[1]);
    arena_free(&large->arena);
    pthread_mutex_destroy(&large->lock);
    free(large);
}

bool verify_large_take(VerifyLarge *large, size_t *chunk)
{
    pthread_mutex_lock(&large->lock);
    bool any = large->next < large->chunks;
    if (any)
        *chunk = large->next++;
    pthread_mutex_unlock(&large->lock);
    return any;
}

// ---- the plan, by whoever comes first ------------------------------------------------------------------------------

// A partitioned table has no blocks of its own: then the last chunk takes all.
static int count_sink_blocks(VerifyLarge *large, PGconn *sink, Error *err)
{
    const char *values[] = {large->relation->schema, large->relation->name};
    auto_pgresult PGresult *res = NULL;

    if (pg_query(sink,
                 "SELECT pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::pg_catalog.int8"
                 "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                 " WHERE n.nspname = $1 AND c.relname = $2",
                 2, values, &res, err))
        return -1;
    large->sink_blocks = PQntuples(res) > 0 ? pg_get_int64(res, 0, 0) : 0;
    return 0;
}

static int plan(VerifyLarge *large, const VerifyWorker *worker, Error *err)
{
    const VerifyPair *pair = worker->pair;
    VerifySide *source, *sink;

    if (verify_plan_load(pair->source, &large->relation, 1, &large->arena, &source, err))
        return error_wrap(err, "source");
    if (verify_plan_load(pair->sink, &large->relation, 1, &large->arena, &sink, err) ||
        count_sink_blocks(large, pair->sink, err))
        return error_wrap(err, "sink");
    verify_plan_make(large->relation, source, sink, &large->arena, &large->table.plan);
    for (int end = 0; end < 2; end++)
        large->sums[end] = memory_zalloc((large->table.plan.buckets + 1) * sizeof(Sum));
    verify_rows_tell_plan(worker, &large->table);
    return 0;
}

static int plan_once(VerifyLarge *large, const VerifyWorker *worker, Error *err)
{
    pthread_mutex_lock(&large->lock);
    int rc = large->planned ? 0 : plan(large, worker, err);
    large->planned = rc == 0;
    pthread_mutex_unlock(&large->lock);
    return rc;
}

// ---- a chunk -------------------------------------------------------------------------------------------------------

static uint64_t modulo(const char *number) // of any length, maybe with a sign
{
    uint64_t value = 0;

    for (const char *p = number; *p; p++)
        if (*p >= '0' && *p <= '9')
            value = value * 10 + (uint64_t)(*p - '0');
    return *number == '-' ? -value : value;
}

static int64_t add_sums(Sum *sums, const PGresult *res)
{
    int64_t rows = 0;

    for (int i = 0; i < PQntuples(res); i++) {
        Sum *sum = &sums[pg_get_int64(res, i, 1)];
        int64_t more = pg_get_int64(res, i, 2);
        sum->rows += more;
        sum->hashes += modulo(PQgetvalue(res, i, 3));
        rows += more;
    }
    return rows;
}

static int scan_chunk(VerifyLarge *large, const VerifyWorker *worker, size_t chunk, Error *err)
{
    const VerifyPlan *plan = &large->table.plan;
    const BlockRange source_range = block_range_part(large->relation->heap_blocks, large->chunks, chunk);
    const BlockRange sink_range = block_range_part(large->sink_blocks, large->chunks, chunk);
    auto_buffer Buffer source_sql = {0};
    auto_buffer Buffer sink_sql = {0};
    auto_pgresult PGresult *source = NULL;
    auto_pgresult PGresult *sink = NULL;

    verify_sql_buckets(&source_sql, &worker->dialect, plan, &source_range, false, 0);
    verify_sql_buckets(&sink_sql, &worker->dialect, plan, &sink_range, true, 0);
    if (verify_scan(worker->pair, source_sql.data, sink_sql.data, &source, &sink, err))
        return error_wrap(err, "comparing %s", large->table.name);
    pthread_mutex_lock(&large->lock);
    int64_t rows = add_sums(large->sums[0], source);
    add_sums(large->sums[1], sink);
    pthread_mutex_unlock(&large->lock);
    progress_worker_rows(worker->progress, worker->number, rows, large->relation->bytes / (int64_t)large->chunks);
    return 0;
}

// ---- the table, by whoever brings the last chunk in ----------------------------------------------------------------

static int compare(VerifyLarge *large, const VerifyWorker *worker, Error *err)
{
    VerifyTable *table = &large->table;

    for (uint32_t i = 0; i < table->plan.buckets; i++) {
        const Sum *source = &large->sums[0][i], *sink = &large->sums[1][i];
        if (source->rows != sink->rows || source->hashes != sink->hashes)
            verify_rows_add_bucket(table, i, source->rows, sink->rows);
        table->rows += source->rows;
    }
    bool equal = verify_rows_are_equal(table);
    if (verify_rows_end(worker, table, err))
        return -1;
    return worker->resume ? verify_resume_note(worker->resume, &large->relation, &table->rows, &equal, 1, err) : 0;
}

static int work_on(VerifyLarge *large, const VerifyWorker *worker, size_t chunk, Error *err)
{
    if (plan_once(large, worker, err) || (large->table.plan.comparable && scan_chunk(large, worker, chunk, err)))
        return -1;
    pthread_mutex_lock(&large->lock);
    bool last = --large->left == 0;
    pthread_mutex_unlock(&large->lock);
    if (last && compare(large, worker, err))
        return -1;
    return verify_pair_unlock(worker->pair, err);
}

int verify_large_chunk(VerifyLarge *large, const VerifyWorker *worker, size_t chunk, Error *err)
{
    progress_worker_start(worker->progress, worker->number, large->table.name, "verify",
                          large->relation->bytes / (int64_t)large->chunks);
    int rc = work_on(large, worker, chunk, err);
    progress_worker_end(worker->progress, worker->number);
    return rc;
}
