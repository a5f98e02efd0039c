// SPDX-License-Identifier: Apache-2.0
#include "engine/verify/verify_large.h"

#include "common/base/memory.h"
#include "engine/pg/quote.h"
#include "engine/verify/verify_scan.h"

static const int64_t CHUNK_BYTES = 64 * 1024 * 1024;
enum { CHUNKS_MAX = 100000, RANGE_SCAN_SINCE = 140000 };

typedef struct Sum { // of a bucket on one end
    int64_t rows;
    uint64_t hashes; // modulo 2^64
} Sum;

struct VerifyLarge {
    const Relation *relation;
    size_t chunks;
    pthread_mutex_t lock;
    size_t left;       // chunks that are not in
    int64_t blocks[2]; // of source and sink; -1: not known yet
    Sum *sums[2];      // by bucket
    uint32_t buckets;
};

size_t verify_large_chunks(const VerifyPair *pair, const Relation *relation)
{
    int64_t count = relation->bytes / CHUNK_BYTES;

    if (PQserverVersion(pair->source) < RANGE_SCAN_SINCE || PQserverVersion(pair->sink) < RANGE_SCAN_SINCE)
        return 1;
    count = count > CHUNKS_MAX ? CHUNKS_MAX : count;
    count = count > relation->heap_blocks ? relation->heap_blocks : count;
    return count > 1 ? (size_t)count : 1;
}

VerifyLarge *verify_large_new(const Relation *relation, size_t chunks)
{
    VerifyLarge *large = memory_zalloc(sizeof *large);

    *large = (VerifyLarge){.relation = relation, .chunks = chunks, .left = chunks, .blocks = {-1, -1}};
    pthread_mutex_init(&large->lock, NULL);
    large->buckets = verify_plan_buckets(relation);
    for (int end = 0; end < 2; end++)
        large->sums[end] = memory_zalloc(large->buckets * sizeof(Sum));
    return large;
}

void verify_large_free(VerifyLarge *large)
{
    free(large->sums[0]);
    free(large->sums[1]);
    pthread_mutex_destroy(&large->lock);
    free(large);
}

// ---- a chunk -------------------------------------------------------------------------------------------------------

// Blocks that came after the snapshot belong to the last chunk, and show nothing in it. A partitioned table has none of
// its own: then the last chunk takes all.
static int count_blocks(VerifyLarge *large, const VerifyPair *pair, Error *err)
{
    const char *values[] = {large->relation->schema, large->relation->name};

    for (int end = 0; end < 2; end++) {
        auto_pgresult PGresult *res = NULL;
        if (pg_query(
                end ? pair->sink : pair->source,
                "SELECT pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::pg_catalog.int8"
                "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = $1 AND c.relname = $2",
                2, values, &res, err))
            return -1;
        large->blocks[end] = PQntuples(res) > 0 ? pg_get_int64(res, 0, 0) : 0;
    }
    return 0;
}

static VerifyRange range_of(const VerifyLarge *large, int end, size_t chunk)
{
    int64_t blocks = large->blocks[end], chunks = (int64_t)large->chunks, i = (int64_t)chunk;

    return (VerifyRange){.first_block = blocks * i / chunks,
                         .end_block = i + 1 < chunks ? blocks * (i + 1) / chunks : -1};
}

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

static int scan_chunk(VerifyLarge *large, const VerifyWorker *worker, const VerifyPlan *plan, size_t chunk, Error *err)
{
    const VerifyRange source_range = range_of(large, 0, chunk), sink_range = range_of(large, 1, chunk);
    auto_buffer Buffer source_sql = {0};
    auto_buffer Buffer sink_sql = {0};
    auto_pgresult PGresult *source = NULL;
    auto_pgresult PGresult *sink = NULL;

    verify_sql_buckets(&source_sql, &worker->dialect, plan, &source_range, false, 0);
    verify_sql_buckets(&sink_sql, &worker->dialect, plan, &sink_range, true, 0);
    if (verify_scan(worker->pair, source_sql.data, sink_sql.data, &source, &sink, err))
        return -1;
    pthread_mutex_lock(&large->lock);
    int64_t rows = add_sums(large->sums[0], source);
    add_sums(large->sums[1], sink);
    pthread_mutex_unlock(&large->lock);
    progress_worker_rows(worker->progress, worker->number, rows, large->relation->bytes / (int64_t)large->chunks);
    return 0;
}

// ---- the table -----------------------------------------------------------------------------------------------------

static int compare(VerifyLarge *large, const VerifyWorker *worker, VerifyTable *table, Error *err)
{
    for (uint32_t i = 0; i < large->buckets; i++) {
        const Sum *source = &large->sums[0][i], *sink = &large->sums[1][i];
        if (source->rows != sink->rows || source->hashes != sink->hashes)
            verify_rows_add_bucket(table, i, source->rows, sink->rows);
        table->rows += source->rows;
    }
    bool equal = table->plan.comparable && !table->plan.problem && table->bucket_count == 0;
    if (verify_rows_end(worker, table, err))
        return -1;
    return worker->resume ? verify_resume_note(worker->resume, &large->relation, &table->rows, &equal, 1, err) : 0;
}

static int make_plan(VerifyLarge *large, const VerifyWorker *worker, Arena *arena, VerifyPlan *plan, Error *err)
{
    const VerifyPair *pair = worker->pair;
    VerifySide *source, *sink;

    if (verify_plan_load(pair->source, &large->relation, 1, arena, &source, err))
        return error_wrap(err, "source");
    if (verify_plan_load(pair->sink, &large->relation, 1, arena, &sink, err))
        return error_wrap(err, "sink");
    verify_plan_make(large->relation, source, sink, arena, plan);
    pthread_mutex_lock(&large->lock);
    int rc = large->blocks[1] < 0 ? count_blocks(large, pair, err) : 0;
    pthread_mutex_unlock(&large->lock);
    return rc;
}

static int chunk_of(VerifyLarge *large, const VerifyWorker *worker, VerifyTable *table, Arena *arena, size_t chunk,
                    Error *err)
{
    if (make_plan(large, worker, arena, &table->plan, err))
        return -1;
    if (chunk == 0)
        verify_rows_tell_plan(worker, table);
    if (table->plan.comparable && scan_chunk(large, worker, &table->plan, chunk, err))
        return error_wrap(err, "comparing %s", table->name);
    pthread_mutex_lock(&large->lock);
    bool last = --large->left == 0;
    pthread_mutex_unlock(&large->lock);
    if (last && compare(large, worker, table, err))
        return -1;
    // Gives the locks back.
    return pg_exec(worker->pair->source, "ROLLBACK TO SAVEPOINT " VERIFY_SAVEPOINT, err) ||
                   pg_exec(worker->pair->sink, "ROLLBACK TO SAVEPOINT " VERIFY_SAVEPOINT, err)
               ? -1
               : 0;
}

int verify_large_chunk(VerifyLarge *large, const VerifyWorker *worker, size_t chunk, Error *err)
{
    VerifyTable table = {.name = quote_relation_text(large->relation->schema, large->relation->name)};
    Arena arena = {0};

    progress_worker_start(worker->progress, worker->number, table.name, "verify",
                          large->relation->bytes / (int64_t)large->chunks);
    int rc = chunk_of(large, worker, &table, &arena, chunk, err);
    progress_worker_end(worker->progress, worker->number);
    free(table.name);
    free(table.buckets);
    arena_free(&arena);
    return rc;
}
