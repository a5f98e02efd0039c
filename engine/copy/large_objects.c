// SPDX-License-Identifier: Apache-2.0
// Large objects in pages by oid: a page of small ones is one statement on each end, a large one goes piece by piece.
// The ledger's object row "LARGE OBJECTS" says how far the pages came ("up to <oid>") or that all are in ("done").
#include "engine/copy/large_objects.h"

#include "common/base/buffer.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "engine/ledger/ledger.h"
#include "engine/pg/array.h"
#include "engine/pg/query.h"

#include <stdio.h>
#include <string.h>

enum { PAGE_OBJECTS = 500, FIRST_BYTES = 4096, PIECE_BYTES = 512 * 1024 };
#define IDENTITY "LARGE OBJECTS"

int large_objects_wanted(const Context *ctx, PGconn *source, bool *wanted, Error *err)
{
    auto_free char *found = NULL;

    *wanted = false;
    if (pg_text(source, "SELECT count(*) FROM (SELECT FROM pg_catalog.pg_largeobject_metadata LIMIT 1) x", &found, err))
        return error_wrap(err, "looking for large objects on the source");
    if (!found || strcmp(found, "0") == 0)
        return 0;
    *wanted = ctx->task->objects.count == 0;
    if (!*wanted)
        progress_note(ctx->progress, "large objects were left out, since single tables or schemas were named");
    return 0;
}

// How far an earlier try came; *noted false: there was none.
static int read_note(int64_t task_id, PGconn *sink, bool *noted, bool *done, char up_to[24], Error *err)
{
    char id[24];
    const char *values[] = {id};
    auto_pgresult PGresult *res = NULL;

    *done = false;
    snprintf(up_to, 24, "0");
    snprintf(id, sizeof id, "%lld", (long long)task_id);
    if (pg_query(sink, "SELECT reason FROM kubeferry.object WHERE task = $1 AND identity = '" IDENTITY "'", 1, values,
                 &res, err))
        return error_wrap(err, "reading the ledger");
    *noted = PQntuples(res) > 0;
    if (!*noted)
        return 0;
    *done = strcmp(PQgetvalue(res, 0, 0), "done") == 0;
    if (*done)
        snprintf(up_to, 24, "4294967295");
    else
        sscanf(PQgetvalue(res, 0, 0), "up to %20s", up_to);
    return 0;
}

int large_objects_check_sink(const Context *ctx, int64_t task_id, PGconn *source, PGconn *sink, Error *err)
{
    auto_free char *found = NULL;
    bool wanted = false, noted = false, done = false;
    char up_to[24];

    if (large_objects_wanted(ctx, source, &wanted, err))
        return -1;
    if (!wanted)
        return 0;
    if (read_note(task_id, sink, &noted, &done, up_to, err) ||
        pg_text(sink, "SELECT oid::text FROM pg_catalog.pg_largeobject_metadata LIMIT 1", &found, err))
        return error_wrap(err, "looking for large objects in the sink");
    if (!found || noted)
        return 0;
    error_set(err, ERROR_CONDITION, "the sink holds large objects that this task did not write, oid %s for one", found);
    return error_hint(
        err,
        "nothing was changed; remove them (vacuumlo, lo_unlink), name the schemas to migrate, or take another sink");
}

static int note(int64_t task_id, PGconn *sink, const char *how_far, Error *err)
{
    return ledger_object(sink, task_id, IDENTITY, OBJECT_MADE, how_far, NULL, err);
}

// Removes what an earlier try copied: oids up to where it came.
static int remove_earlier(PGconn *sink, const char *up_to, Error *err)
{
    const char *values[] = {up_to};
    int64_t rows = 1;

    while (rows > 0)
        if (pg_run(sink,
                   "SELECT pg_catalog.lo_unlink(o.oid) FROM (SELECT m.oid FROM pg_catalog.pg_largeobject_metadata m"
                   " WHERE m.oid <= $1::oid ORDER BY m.oid LIMIT 500) o",
                   1, values, &rows, err))
            return error_wrap(err, "removing large objects of an interrupted copy");
    return 0;
}

// The rest of one that is larger than what the page brought.
static int copy_rest(PGconn *source, PGconn *sink, const char *oid, Error *err)
{
    char offset[24], length[24];
    const char *read_values[] = {oid, offset, length};

    snprintf(length, sizeof length, "%d", PIECE_BYTES);
    for (int64_t at = FIRST_BYTES;; at += PIECE_BYTES) {
        auto_pgresult PGresult *res = NULL;
        snprintf(offset, sizeof offset, "%lld", (long long)at);
        if (pg_query(source, "SELECT pg_catalog.lo_get($1::oid, $2::bigint, $3::integer)", 3, read_values, &res, err))
            return error_wrap(err, "reading large object %s on the source", oid);
        int text_bytes = PQgetlength(res, 0, 0) - 2; // "\x" and two digits a byte
        const char *write_values[] = {oid, offset, PQgetvalue(res, 0, 0)};
        if (text_bytes > 0 &&
            pg_run(sink, "SELECT pg_catalog.lo_put($1::oid, $2::bigint, $3::bytea)", 3, write_values, NULL, err))
            return error_wrap(err, "writing large object %s on the sink", oid);
        if (text_bytes < PIECE_BYTES * 2)
            return 0;
    }
}

static int write_page(PGconn *source, PGconn *sink, const PGresult *page, Error *err)
{
    auto_buffer Buffer oids = {0};
    auto_buffer Buffer values = {0};

    array_begin(&oids), array_begin(&values);
    for (int i = 0; i < PQntuples(page); i++) {
        array_put(&oids, PQgetvalue(page, i, 0));
        array_put(&values, PQgetvalue(page, i, 1));
    }
    array_end(&oids), array_end(&values);
    const char *parameters[] = {oids.data, values.data};
    if (pg_run(sink,
               "SELECT pg_catalog.lo_from_bytea(p.o, p.d)"
               "  FROM ROWS FROM (pg_catalog.unnest($1::oid[]), pg_catalog.unnest($2::bytea[])) AS p(o, d)",
               2, parameters, NULL, err))
        return error_wrap(err, "writing large objects on the sink");
    for (int i = 0; i < PQntuples(page); i++)
        if (PQgetlength(page, i, 1) >= 2 + 2 * FIRST_BYTES && copy_rest(source, sink, PQgetvalue(page, i, 0), err))
            return -1;
    return 0;
}

int large_objects_copy(const Context *ctx, int64_t task_id, PGconn *source, PGconn *sink, Error *err)
{
    char last[24] = "0", how_far[40], limit[16], first_bytes[16];
    const char *values[] = {last, limit, first_bytes};
    bool noted, done;
    int64_t copied = 0;

    if (read_note(task_id, sink, &noted, &done, last, err) || (noted && remove_earlier(sink, last, err)) ||
        note(task_id, sink, "up to 0", err))
        return -1;
    snprintf(last, sizeof last, "0");
    snprintf(limit, sizeof limit, "%d", PAGE_OBJECTS);
    snprintf(first_bytes, sizeof first_bytes, "%d", FIRST_BYTES);
    for (;;) {
        auto_pgresult PGresult *page = NULL;
        if (pg_query(source,
                     "SELECT m.oid, pg_catalog.lo_get(m.oid, 0, $3::integer) FROM (SELECT x.oid FROM"
                     " pg_catalog.pg_largeobject_metadata x WHERE x.oid > $1::oid ORDER BY x.oid LIMIT $2::integer) m "
                     "ORDER BY m.oid",
                     3, values, &page, err))
            return error_wrap(err, "reading large objects on the source");
        if (PQntuples(page) == 0)
            break;
        copied += PQntuples(page);
        snprintf(last, sizeof last, "%s", PQgetvalue(page, PQntuples(page) - 1, 0));
        snprintf(how_far, sizeof how_far, "up to %s", last);
        if (pg_exec(sink, "BEGIN", err) || write_page(source, sink, page, err) || note(task_id, sink, how_far, err) ||
            pg_exec(sink, "COMMIT", err))
            return -1;
    }
    log_info("copy", "copied %lld large objects", (long long)copied);
    progress_note(ctx->progress,
                  "large objects were copied as they were in the snapshot; their later changes are not followed,"
                  " and they belong to the sink's role");
    return note(task_id, sink, "done", err);
}

int large_objects_are_done(int64_t task_id, PGconn *sink, bool *done, Error *err)
{
    bool noted;
    char up_to[24];

    return read_note(task_id, sink, &noted, done, up_to, err);
}
