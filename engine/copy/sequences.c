// SPDX-License-Identifier: Apache-2.0
// Carries the values of sequences over, many a statement.
#include "engine/copy/sequences.h"

#include "common/base/buffer.h"
#include "common/base/log.h"
#include "engine/catalog/relations.h"
#include "engine/pg/array.h"
#include "engine/pg/query.h"
#include "engine/pg/quote.h"
#include "sql.h"

#include <inttypes.h>
#include <stdio.h>

int sequences_list(const Context *ctx, PGconn *source, PGresult **out, Error *err)
{
    auto_buffer Buffer oids = {0};
    auto_buffer Buffer schemas = {0};
    RelationList list;
    char oid[16];

    if (relations_load(source, &ctx->task->objects, &ctx->task->excluded, &list, err))
        return -1;
    array_begin(&oids), array_begin(&schemas);
    for (size_t i = 0; i < list.count; i++) {
        snprintf(oid, sizeof oid, "%u", list.items[i].oid);
        array_put(&oids, oid);
    }
    relations_free(&list);
    for (size_t i = 0; i < ctx->task->objects.count; i++)
        if (!ctx->task->objects.items[i].table)
            array_put(&schemas, ctx->task->objects.items[i].schema);
    array_end(&oids), array_end(&schemas);
    const char *values[] = {oids.data, ctx->task->objects.count == 0 ? "true" : "false", schemas.data};
    if (pg_query(source, sql_sequences, 3, values, out, err))
        return error_wrap(err, "listing the sequences of the source");
    return 0;
}

void sequence_values_free(SequenceValues *values)
{
    for (int i = 0; i < 4; i++)
        buffer_free(&values->arrays[i]);
    *values = (SequenceValues){0};
}

int sequences_read(PGconn *source, const PGresult *list, const int *rows, int count, SequenceValues *out, Error *err)
{
    auto_buffer Buffer sql = {0};
    auto_pgresult PGresult *read = NULL;

    *out = (SequenceValues){0};
    for (int i = 0; i < count; i++) {
        if (!pg_get_bool(list, rows[i], SEQUENCE_READABLE))
            continue;
        buffer_printf(&sql, "%sSELECT %d, last_value, is_called FROM ", sql.len ? " UNION ALL " : "", rows[i]);
        quote_relation(&sql, PQgetvalue(list, rows[i], SEQUENCE_SCHEMA), PQgetvalue(list, rows[i], SEQUENCE_NAME));
    }
    if (sql.len == 0)
        return 0;
    if (pg_query(source, sql.data, 0, NULL, &read, err))
        return error_wrap(err, "reading sequences of the source");
    for (int i = 0; i < 4; i++)
        array_begin(&out->arrays[i]);
    for (int i = 0; i < PQntuples(read); i++) {
        int at = (int)pg_get_int64(read, i, 0);
        array_put(&out->arrays[0], PQgetvalue(list, at, SEQUENCE_SCHEMA));
        array_put(&out->arrays[1], PQgetvalue(list, at, SEQUENCE_NAME));
        array_put(&out->arrays[2], PQgetvalue(read, i, 1));
        array_put(&out->arrays[3], PQgetvalue(read, i, 2));
    }
    for (int i = 0; i < 4; i++)
        array_end(&out->arrays[i]);
    out->count = PQntuples(read);
    return 0;
}

int sequences_write(PGconn *sink, const SequenceValues *values, int64_t margin, int64_t *set, Error *err)
{
    char further[24];

    if (set)
        *set = 0;
    if (values->count == 0)
        return 0;
    snprintf(further, sizeof further, "%" PRId64, margin);
    const char *parameters[] = {values->arrays[0].data, values->arrays[1].data, values->arrays[2].data,
                                values->arrays[3].data, further};
    if (pg_run(sink, sql_sequences_set, 5, parameters, set, err))
        return error_wrap(err, "setting sequences of the sink");
    return 0;
}

// Sequences first … of the list. *missing counts those that could not be set.
static int carry(const Context *ctx, PGconn *source, PGconn *sink, const PGresult *list, int first, int *missing,
                 Error *err)
{
    SequenceValues values;
    int rows[SEQUENCES_A_STATEMENT], count = 0;
    int64_t set = 0;

    while (count < SEQUENCES_A_STATEMENT && first + count < PQntuples(list))
        rows[count] = first + count, count++;
    int rc = sequences_read(source, list, rows, count, &values, err) ||
             sequences_write(sink, &values, ctx->task->sequence_margin, &set, err);
    *missing += values.count - (int)set;
    sequence_values_free(&values);
    return rc ? -1 : 0;
}

int sequences_sync(const Context *ctx, PGconn *source, PGconn *sink, Error *err)
{
    auto_pgresult PGresult *list = NULL;
    int missing = 0, unreadable = 0;

    if (sequences_list(ctx, source, &list, err))
        return -1;
    for (int first = 0; first < PQntuples(list); first += SEQUENCES_A_STATEMENT)
        if (carry(ctx, source, sink, list, first, &missing, err))
            return -1;
    for (int i = 0; i < PQntuples(list); i++)
        unreadable += !pg_get_bool(list, i, SEQUENCE_READABLE);
    if (unreadable)
        progress_note(ctx->progress, "%d sequences were left out: the source's role may not read them (GRANT SELECT)",
                      unreadable);
    if (missing)
        progress_note(ctx->progress,
                      "%d sequences of the source are not in the sink, or have other bounds there, and were left out",
                      missing);
    log_info("sequences", "set %d sequences of the sink", PQntuples(list) - missing - unreadable);
    return 0;
}
