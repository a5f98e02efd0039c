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

#include <stdio.h>

enum { SEQUENCES_A_STATEMENT = 100 };

static int list_sequences(const Context *ctx, PGconn *source, PGresult **out, Error *err)
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

// Reads the values of sequences first … and writes them to the sink. *missing counts those that the sink lacks.
static int carry(PGconn *source, PGconn *sink, const PGresult *list, int first, int *missing, Error *err)
{
    auto_buffer Buffer sql = {0};
    auto_pgresult PGresult *read = NULL;
    Buffer arrays[4] = {{0}};
    const char *values[4];
    int64_t set = 0, wanted = 0;

    for (int i = first; i < PQntuples(list) && i < first + SEQUENCES_A_STATEMENT; i++) {
        if (!pg_get_bool(list, i, 2))
            continue;
        buffer_printf(&sql, "%sSELECT %d, last_value, is_called FROM ", sql.len ? " UNION ALL " : "", i);
        quote_relation(&sql, PQgetvalue(list, i, 0), PQgetvalue(list, i, 1));
        wanted++;
    }
    if (!wanted)
        return 0;
    if (pg_query(source, sql.data, 0, NULL, &read, err))
        return error_wrap(err, "reading sequences of the source");
    for (int i = 0; i < 4; i++)
        array_begin(&arrays[i]);
    for (int i = 0; i < PQntuples(read); i++) {
        int at = (int)pg_get_int64(read, i, 0);
        array_put(&arrays[0], PQgetvalue(list, at, 0));
        array_put(&arrays[1], PQgetvalue(list, at, 1));
        array_put(&arrays[2], PQgetvalue(read, i, 1));
        array_put(&arrays[3], PQgetvalue(read, i, 2));
    }
    for (int i = 0; i < 4; i++) {
        array_end(&arrays[i]);
        values[i] = arrays[i].data;
    }
    int rc = pg_run(sink, sql_sequences_set, 4, values, &set, err);
    for (int i = 0; i < 4; i++)
        buffer_free(&arrays[i]);
    if (rc)
        return error_wrap(err, "setting sequences of the sink");
    *missing += (int)(wanted - set);
    return 0;
}

int sequences_sync(const Context *ctx, PGconn *source, PGconn *sink, Error *err)
{
    auto_pgresult PGresult *list = NULL;
    int missing = 0, unreadable = 0;

    if (list_sequences(ctx, source, &list, err))
        return -1;
    for (int first = 0; first < PQntuples(list); first += SEQUENCES_A_STATEMENT)
        if (carry(source, sink, list, first, &missing, err))
            return -1;
    for (int i = 0; i < PQntuples(list); i++)
        unreadable += !pg_get_bool(list, i, 2);
    if (unreadable)
        progress_note(ctx->progress, "%d sequences were left out: the source's role may not read them (GRANT SELECT)",
                      unreadable);
    if (missing)
        progress_note(ctx->progress, "%d sequences of the source are not in the sink and were left out", missing);
    log_info("sequences", "set %d sequences of the sink", PQntuples(list) - missing - unreadable);
    return 0;
}
