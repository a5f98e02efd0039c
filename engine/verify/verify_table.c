// SPDX-License-Identifier: Apache-2.0
// Compares tables. One scan a table and end when they are equal, one more for the rows of the buckets that differ.
#include "engine/verify/verify_table.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "engine/pg/quote.h"
#include "engine/verify/verify_stream.h"

#include <string.h>

enum {
    STATEMENT_BYTES = 256 * 1024, // a statement over many tables is cut when it is longer
    LISTED_ROWS_MAX = 1000000,    // rows of one table that the servers are asked to sort
};

typedef struct Bucket { // one that differs
    uint32_t number;
    int64_t source_rows, sink_rows;
} Bucket;

typedef struct Table { // the result for one table
    VerifyPlan plan;
    char *name; // quoted, for people
    Bucket *buckets;
    size_t bucket_count, bucket_cap;
    int64_t rows;
    VerifyCounts counts;
} Table;

typedef struct Batch {
    const VerifyWorker *worker;
    Table tables[VERIFY_BATCH_TABLES];
    size_t count;
    Arena arena;
} Batch;

// ---- rows of the buckets that differ ------------------------------------------------------------------------------

typedef struct Listing {
    const VerifyWorker *worker;
    Table *table;
} Listing;

static bool wants_description(void *context)
{
    const Listing *listing = context;
    return verify_report_wants_keys(listing->worker->report);
}

static void found(void *context, VerifyClass class, int64_t rows, const char *description)
{
    const Listing *listing = context;

    listing->table->counts.classes[class] += rows;
    if (description)
        verify_report_key(listing->worker->report, listing->table->name, class, description);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// Buckets beyond what the servers may be asked to sort are counted by what is certain.
static void count_unlisted(Table *table, const Bucket *bucket)
{
    int64_t more = bucket->source_rows - bucket->sink_rows;
    VerifyClass class = more > 0 ? VERIFY_MISSING : more < 0 ? VERIFY_EXTRA : VERIFY_DIFFERENT;

    table->counts.classes[class] += more > 0 ? more : more < 0 ? -more : 1;
    if (bucket->source_rows > 0 && bucket->sink_rows > 0)
        table->counts.at_least = true;
}

// The bitmap of the buckets to list, as bytea's text.
static void choose_buckets(Table *table, Buffer *bitmap)
{
    size_t bytes = table->plan.buckets / 8;
    auto_free unsigned char *bits = memory_zalloc(bytes);
    int64_t rows = 0;

    for (size_t i = 0; i < table->bucket_count; i++) {
        const Bucket *bucket = &table->buckets[i];
        int64_t more = larger(bucket->source_rows, bucket->sink_rows);
        if (i > 0 && rows + more > LISTED_ROWS_MAX) {
            count_unlisted(table, bucket);
            continue;
        }
        rows += more;
        bits[bucket->number / 8] |= (unsigned char)(1u << bucket->number % 8);
    }
    buffer_puts(bitmap, "\\x");
    for (size_t i = 0; i < bytes; i++)
        buffer_printf(bitmap, "%02x", bits[i]);
}

// TRUNCATE and a rewrite are not part of a snapshot: rows that were there in it are not seen any more. Says so for a
// table that seems to differ and has other files now than in the snapshot.
static int check_rewritten(const VerifyWorker *worker, const Table *table, bool sink, Error *err)
{
    const Relation *relation = table->plan.relation;
    const char *values[] = {relation->schema, relation->name};
    auto_pgresult PGresult *res = NULL;

    if (pg_query(sink ? worker->pair->sink : worker->pair->source,
                 "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                 " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r'"
                 "   AND c.relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid)",
                 2, values, &res, err))
        return error_wrap(err, "looking whether %s was truncated", table->name);
    if (PQntuples(res) > 0) {
        const char *text = "was truncated, rewritten or dropped while verify was running, so its rows could not all be "
                           "seen; run verify again";
        log_warn("verify", "%s: on the %s the table %s", table->name, sink ? "sink" : "source", text);
        progress_note(worker->progress, "%s: on the %s the table %s", table->name, sink ? "sink" : "source", text);
    }
    return 0;
}

static int list_rows(const VerifyWorker *worker, Table *table, Error *err)
{
    auto_buffer Buffer source_sql = {0};
    auto_buffer Buffer sink_sql = {0};
    auto_buffer Buffer bitmap = {0};
    Listing listing = {worker, table};
    VerifyFound callbacks = {&listing, wants_description, found};
    VerifyStream source = {0}, sink = {0};
    size_t shown_count;
    const VerifyColumn *shown = verify_sql_shown(&table->plan, &shown_count);

    choose_buckets(table, &bitmap);
    verify_sql_rows(&source_sql, &worker->dialect, &table->plan, false);
    verify_sql_rows(&sink_sql, &worker->dialect, &table->plan, true);
    int rc = verify_stream_open(&source, worker->pair->source, source_sql.data, bitmap.data, shown, shown_count, err) ||
             verify_stream_open(&sink, worker->pair->sink, sink_sql.data, bitmap.data, shown, shown_count, err) ||
             verify_merge(&source.rows, &sink.rows, &callbacks, err);
    verify_stream_close(&source);
    verify_stream_close(&sink);
    if (rc)
        return error_wrap(err, "listing the rows of %s that differ", table->name);
    verify_report_counts(worker->report, table->name, &table->counts);
    return 0;
}

// ---- buckets ------------------------------------------------------------------------------------------------------

static void add_bucket(Table *table, uint32_t number, int64_t source_rows, int64_t sink_rows)
{
    if (table->bucket_count == table->bucket_cap) {
        table->bucket_cap = table->bucket_cap ? 2 * table->bucket_cap : 16;
        table->buckets = memory_realloc(table->buckets, table->bucket_cap * sizeof *table->buckets);
    }
    table->buckets[table->bucket_count++] = (Bucket){number, source_rows, sink_rows};
}

typedef struct Cursor { // over the rows: table, bucket, count, sum
    const PGresult *res;
    int row;
} Cursor;

static bool at_end(const Cursor *c)
{
    return c->row >= PQntuples(c->res);
}

static int64_t place(const Cursor *c) // table and bucket as one number that orders them; beyond all at the end
{
    return at_end(c) ? INT64_MAX : pg_get_int64(c->res, c->row, 0) << 32 | pg_get_int64(c->res, c->row, 1);
}

static void compare_buckets(Batch *batch, const PGresult *source_res, const PGresult *sink_res)
{
    Cursor source = {source_res, 0}, sink = {sink_res, 0};

    while (!at_end(&source) || !at_end(&sink)) {
        int64_t mine = place(&source), theirs = place(&sink), at = mine < theirs ? mine : theirs;
        Table *table = &batch->tables[at >> 32];
        int64_t source_rows = mine == at ? pg_get_int64(source.res, source.row, 2) : 0;
        int64_t sink_rows = theirs == at ? pg_get_int64(sink.res, sink.row, 2) : 0;
        bool same = mine == theirs && source_rows == sink_rows &&
                    strcmp(PQgetvalue(source.res, source.row, 3), PQgetvalue(sink.res, sink.row, 3)) == 0;
        if (!same)
            add_bucket(table, (uint32_t)at, source_rows, sink_rows);
        table->rows += source_rows;
        source.row += mine == at;
        sink.row += theirs == at;
    }
}

// Runs the two statements at the same time on both ends.
static int scan(Batch *batch, const Buffer *source_sql, const Buffer *sink_sql, Error *err)
{
    const VerifyPair *pair = batch->worker->pair;
    auto_pgresult PGresult *source = NULL;
    auto_pgresult PGresult *sink = NULL;

    if (!PQsendQuery(pair->source, source_sql->data))
        return pg_error(pair->source, NULL, err, "sending a statement to the source");
    if (!PQsendQuery(pair->sink, sink_sql->data))
        return pg_error(pair->sink, NULL, err, "sending a statement to the sink");
    if (pg_finish_query(pair->source, "checksums", &source, err))
        return error_wrap(err, "reading %s%s on the source", batch->tables[0].name,
                          batch->count > 1 ? " and others" : "");
    if (pg_finish_query(pair->sink, "checksums", &sink, err))
        return error_wrap(err, "reading %s%s on the sink", batch->tables[0].name,
                          batch->count > 1 ? " and others" : "");
    compare_buckets(batch, source, sink);
    return 0;
}

static int scan_and_clear(Batch *batch, Buffer *source_sql, Buffer *sink_sql, Error *err)
{
    if (source_sql->len == 0)
        return 0;
    buffer_puts(source_sql, " ORDER BY 1, 2");
    buffer_puts(sink_sql, " ORDER BY 1, 2");
    int rc = scan(batch, source_sql, sink_sql, err);
    buffer_clear(source_sql, STATEMENT_BYTES);
    buffer_clear(sink_sql, STATEMENT_BYTES);
    return rc;
}

static int scan_all(Batch *batch, Error *err)
{
    const VerifyDialect *dialect = &batch->worker->dialect;
    auto_buffer Buffer source_sql = {0};
    auto_buffer Buffer sink_sql = {0};

    for (size_t i = 0; i < batch->count; i++) {
        const VerifyPlan *plan = &batch->tables[i].plan;
        if (!plan->comparable)
            continue;
        if (source_sql.len > 0) {
            buffer_puts(&source_sql, " UNION ALL ");
            buffer_puts(&sink_sql, " UNION ALL ");
        }
        verify_sql_buckets(&source_sql, dialect, plan, false, i);
        verify_sql_buckets(&sink_sql, dialect, plan, true, i);
        if (source_sql.len > STATEMENT_BYTES && scan_and_clear(batch, &source_sql, &sink_sql, err))
            return -1;
    }
    return scan_and_clear(batch, &source_sql, &sink_sql, err);
}

// ---- a batch ------------------------------------------------------------------------------------------------------

static int make_plans(Batch *batch, const Relation *const *tables, Error *err)
{
    const VerifyPair *pair = batch->worker->pair;
    VerifySide *source, *sink;

    if (verify_plan_load(pair->source, tables, batch->count, &batch->arena, &source, err))
        return error_wrap(err, "source");
    if (verify_plan_load(pair->sink, tables, batch->count, &batch->arena, &sink, err))
        return error_wrap(err, "sink");
    for (size_t i = 0; i < batch->count; i++) {
        Table *table = &batch->tables[i];
        table->name = quote_relation_text(tables[i]->schema, tables[i]->name);
        verify_plan_make(tables[i], &source[i], &sink[i], &batch->arena, &table->plan);
        if (table->plan.problem)
            verify_report_problem(batch->worker->report, table->name, table->plan.problem);
        if (table->plan.note)
            progress_note(batch->worker->progress, "%s: %s", table->name, table->plan.note);
    }
    return 0;
}

static int note_equal(Batch *batch, Error *err)
{
    const Relation *tables[VERIFY_BATCH_TABLES];
    int64_t rows[VERIFY_BATCH_TABLES];
    bool equal[VERIFY_BATCH_TABLES];

    if (!batch->worker->resume)
        return 0;
    for (size_t i = 0; i < batch->count; i++) {
        const Table *table = &batch->tables[i];
        tables[i] = table->plan.relation;
        rows[i] = table->rows;
        equal[i] = table->plan.comparable && !table->plan.problem && table->bucket_count == 0;
    }
    return verify_resume_note(batch->worker->resume, tables, rows, equal, batch->count, err);
}

static int compare(Batch *batch, Error *err)
{
    const VerifyWorker *worker = batch->worker;

    if (scan_all(batch, err))
        return -1;
    for (size_t i = 0; i < batch->count; i++) {
        Table *table = &batch->tables[i];
        if (table->bucket_count > 0 && (list_rows(worker, table, err) || check_rewritten(worker, table, false, err) ||
                                        check_rewritten(worker, table, true, err)))
            return -1;
        if (table->plan.comparable)
            verify_report_table(worker->report, table->rows, table->plan.relation->bytes);
        progress_worker_rows(worker->progress, worker->number, table->rows, table->plan.relation->bytes);
    }
    if (note_equal(batch, err))
        return -1;
    // Gives the locks back.
    if (pg_exec(worker->pair->source, "ROLLBACK TO SAVEPOINT " VERIFY_SAVEPOINT, err) ||
        pg_exec(worker->pair->sink, "ROLLBACK TO SAVEPOINT " VERIFY_SAVEPOINT, err))
        return -1;
    return 0;
}

static void show_batch(const Batch *batch)
{
    auto_free char *more = batch->count > 1 ? memory_printf("%s and %zu more", batch->tables[0].name, batch->count - 1)
                                            : memory_strdup(batch->tables[0].name);
    int64_t bytes = 0;

    for (size_t i = 0; i < batch->count; i++)
        bytes += batch->tables[i].plan.relation->bytes;
    progress_worker_start(batch->worker->progress, batch->worker->number, more, "verify", bytes);
}

int verify_table_batch(const VerifyWorker *worker, const Relation *const *tables, size_t count, Error *err)
{
    Batch batch = {.worker = worker, .count = count};
    int rc = make_plans(&batch, tables, err);

    if (rc == 0) {
        show_batch(&batch);
        rc = compare(&batch, err);
        progress_worker_end(worker->progress, worker->number);
    }
    for (size_t i = 0; i < count; i++) {
        free(batch.tables[i].name);
        free(batch.tables[i].buckets);
    }
    arena_free(&batch.arena);
    return rc;
}
