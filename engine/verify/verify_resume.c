// SPDX-License-Identifier: Apache-2.0
// The tables of kubeferry.verified.
#include "engine/verify/verify_resume.h"

#include "common/base/buffer.h"
#include "engine/pg/array.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void id_text(const VerifyResume *r, char id[24])
{
    snprintf(id, 24, "%" PRId64, r->ledger.task.id);
}

static int forget(VerifyResume *r, Error *err)
{
    char id[24];
    const char *values[] = {id};

    id_text(r, id);
    return pg_run(r->ledger.conn, "DELETE FROM kubeferry.verified WHERE task = $1", 1, values, NULL, err);
}

static int load(VerifyResume *r, Error *err)
{
    char id[24], sample[16];
    const char *values[] = {id, sample};

    id_text(r, id);
    snprintf(sample, sizeof sample, "%d", r->sample);
    return pg_query(r->ledger.conn,
                    "SELECT schema_name, table_name, rows FROM kubeferry.verified WHERE task = $1 AND sample = $2"
                    " ORDER BY schema_name COLLATE \"C\", table_name COLLATE \"C\"",
                    2, values, &r->done, err);
}

int verify_resume_open(const Context *ctx, bool resume, VerifyResume *out, Error *err)
{
    bool found = false;

    *out = (VerifyResume){.sample = ctx->task->verify_sample};
    pthread_mutex_init(&out->lock, NULL);
    if (ledger_open_shared(ctx, &out->ledger, &found, err))
        return -1;
    if (!found) {
        ledger_close(&out->ledger);
        return 0;
    }
    if ((resume ? load(out, err) : forget(out, err)) == 0)
        return 0;
    if (strcmp(err->sqlstate, "42P01") != 0)
        return error_wrap(err, "reading what was verified before");
    error_clear(err); // a ledger of an older version
    ledger_close(&out->ledger);
    return 0;
}

bool verify_resume_knows(const VerifyResume *r, const Relation *relation, int64_t *rows)
{
    int low = 0, high = r->done ? PQntuples(r->done) : 0;

    while (low < high) {
        int middle = low + (high - low) / 2;
        int order = strcmp(PQgetvalue(r->done, middle, 0), relation->schema);
        order = order ? order : strcmp(PQgetvalue(r->done, middle, 1), relation->name);
        if (order == 0) {
            *rows = pg_get_int64(r->done, middle, 2);
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

int verify_resume_note(VerifyResume *r, const Relation *const *tables, const int64_t *rows, const bool *equal,
                       size_t count, Error *err)
{
    auto_buffer Buffer schemas = {0};
    auto_buffer Buffer names = {0};
    auto_buffer Buffer numbers = {0};
    char id[24], sample[16], number[24];
    const char *values[] = {id, sample, NULL, NULL, NULL};

    if (!r->ledger.conn)
        return 0;
    array_begin(&schemas), array_begin(&names), array_begin(&numbers);
    for (size_t i = 0; i < count; i++) {
        if (!equal[i])
            continue;
        snprintf(number, sizeof number, "%" PRId64, rows[i]);
        array_put(&schemas, tables[i]->schema);
        array_put(&names, tables[i]->name);
        array_put(&numbers, number);
    }
    array_end(&schemas), array_end(&names), array_end(&numbers);
    id_text(r, id);
    snprintf(sample, sizeof sample, "%d", r->sample);
    values[2] = schemas.data;
    values[3] = names.data;
    values[4] = numbers.data;
    pthread_mutex_lock(&r->lock);
    int rc = pg_run(
        r->ledger.conn,
        "INSERT INTO kubeferry.verified (task, sample, schema_name, table_name, rows)"
        " SELECT $1, $2, w.s, w.t, w.n FROM ROWS FROM (pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[]),"
        " pg_catalog.unnest($5::bigint[])) AS w(s, t, n)"
        " ON CONFLICT (task, schema_name, table_name) DO UPDATE SET sample = EXCLUDED.sample, rows = EXCLUDED.rows",
        5, values, NULL, err);
    pthread_mutex_unlock(&r->lock);
    return rc ? error_wrap(err, "noting what was verified") : 0;
}

int verify_resume_end(VerifyResume *r, Error *err)
{
    return r->ledger.conn ? forget(r, err) : 0;
}

void verify_resume_close(VerifyResume *r)
{
    PQclear(r->done);
    ledger_close(&r->ledger);
    pthread_mutex_destroy(&r->lock);
}
