// SPDX-License-Identifier: Apache-2.0
// Compares tables. One scan a table and end when they are equal, one more for the rows of the buckets that differ.
#include "engine/verify/verify_table.h"

#include "common/base/memory.h"
#include "engine/pg/quote.h"
#include "engine/verify/verify_scan.h"

#include <string.h>

enum { STATEMENT_BYTES = 256 * 1024 }; // a statement over many tables is cut when it is longer

typedef struct Batch {
    const VerifyWorker *worker;
    VerifyTable tables[VERIFY_BATCH_TABLES];
    size_t count;
    Arena arena;
} Batch;

// ---- buckets ------------------------------------------------------------------------------------------------------

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
        VerifyTable *table = &batch->tables[at >> 32];
        int64_t source_rows = mine == at ? pg_get_int64(source.res, source.row, 2) : 0;
        int64_t sink_rows = theirs == at ? pg_get_int64(sink.res, sink.row, 2) : 0;
        bool same = mine == theirs && source_rows == sink_rows &&
                    strcmp(PQgetvalue(source.res, source.row, 3), PQgetvalue(sink.res, sink.row, 3)) == 0;
        if (!same)
            verify_rows_add_bucket(table, (uint32_t)at, source_rows, sink_rows);
        table->rows += source_rows;
        source.row += mine == at;
        sink.row += theirs == at;
    }
}

static int scan_and_clear(Batch *batch, Buffer *source_sql, Buffer *sink_sql, Error *err)
{
    if (source_sql->len == 0)
        return 0;
    buffer_puts(source_sql, " ORDER BY 1, 2");
    buffer_puts(sink_sql, " ORDER BY 1, 2");
    auto_pgresult PGresult *source = NULL;
    auto_pgresult PGresult *sink = NULL;
    int rc = verify_scan(batch->worker->pair, source_sql->data, sink_sql->data, &source, &sink, err);
    if (rc == 0)
        compare_buckets(batch, source, sink);
    else
        error_wrap(err, "comparing %s%s", batch->tables[0].name, batch->count > 1 ? " and others" : "");
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
        verify_sql_buckets(&source_sql, dialect, plan, NULL, false, i);
        verify_sql_buckets(&sink_sql, dialect, plan, NULL, true, i);
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
        VerifyTable *table = &batch->tables[i];
        table->name = quote_relation_text(tables[i]->schema, tables[i]->name);
        verify_plan_make(tables[i], &source[i], &sink[i], &batch->arena, &table->plan);
        verify_rows_tell_plan(batch->worker, table);
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
        const VerifyTable *table = &batch->tables[i];
        tables[i] = table->plan.relation;
        rows[i] = table->rows;
        equal[i] = verify_rows_are_equal(table);
    }
    return verify_resume_note(batch->worker->resume, tables, rows, equal, batch->count, err);
}

static int compare(Batch *batch, Error *err)
{
    const VerifyWorker *worker = batch->worker;

    if (scan_all(batch, err))
        return -1;
    for (size_t i = 0; i < batch->count; i++) {
        VerifyTable *table = &batch->tables[i];
        if (verify_rows_end(worker, table, err))
            return -1;
        progress_worker_rows(worker->progress, worker->number, table->rows, table->plan.relation->bytes);
    }
    if (note_equal(batch, err))
        return -1;
    return verify_pair_unlock(worker->pair, err);
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
