// SPDX-License-Identifier: Apache-2.0
// Finds the rows of the buckets that differ, and tells what came out for a table.
#include "engine/verify/verify_rows.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "engine/verify/verify_stream.h"

#include <string.h>

enum { LISTED_ROWS_MAX = 1000000 }; // rows of one table that the servers are asked to sort

typedef struct Listing {
    const VerifyWorker *worker;
    VerifyTable *table;
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
static void count_unlisted(VerifyTable *table, const VerifyBucket *bucket)
{
    int64_t more = bucket->source_rows - bucket->sink_rows;
    VerifyClass class = more > 0 ? VERIFY_MISSING : more < 0 ? VERIFY_EXTRA : VERIFY_DIFFERENT;

    table->counts.classes[class] += more > 0 ? more : more < 0 ? -more : 1;
    if (bucket->source_rows > 0 && bucket->sink_rows > 0)
        table->counts.at_least = true;
}

// The bitmap of the buckets to list, as bytea's text.
static void choose_buckets(VerifyTable *table, Buffer *bitmap)
{
    size_t bytes = table->plan.buckets / 8;
    auto_free unsigned char *bits = memory_zalloc(bytes);
    int64_t rows = 0;

    for (size_t i = 0; i < table->bucket_count; i++) {
        const VerifyBucket *bucket = &table->buckets[i];
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
static int check_rewritten(const VerifyWorker *worker, const VerifyTable *table, bool sink, Error *err)
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

static int list_rows(const VerifyWorker *worker, VerifyTable *table, Error *err)
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

void verify_rows_add_bucket(VerifyTable *table, uint32_t number, int64_t source_rows, int64_t sink_rows)
{
    if (table->bucket_count == table->bucket_cap) {
        table->bucket_cap = table->bucket_cap ? 2 * table->bucket_cap : 16;
        table->buckets = memory_realloc(table->buckets, table->bucket_cap * sizeof *table->buckets);
    }
    table->buckets[table->bucket_count++] = (VerifyBucket){number, source_rows, sink_rows};
}

bool verify_rows_are_equal(const VerifyTable *table)
{
    return table->plan.comparable && !table->plan.problem && table->bucket_count == 0;
}

int verify_rows_end(const VerifyWorker *worker, VerifyTable *table, Error *err)
{
    if (table->bucket_count > 0 && (list_rows(worker, table, err) || check_rewritten(worker, table, false, err) ||
                                    check_rewritten(worker, table, true, err)))
        return -1;
    if (table->plan.comparable)
        verify_report_table(worker->report, table->rows, table->plan.relation->bytes);
    return 0;
}

void verify_rows_tell_plan(const VerifyWorker *worker, const VerifyTable *table)
{
    if (table->plan.problem)
        verify_report_problem(worker->report, table->name, table->plan.problem);
    if (table->plan.note)
        progress_note(worker->progress, "%s: %s", table->name, table->plan.note);
}
