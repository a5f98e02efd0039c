// SPDX-License-Identifier: Apache-2.0
// The parameters of the questions: what is known of the tables, on the source and on the sink.
#include "engine/precheck/precheck.h"

#include "common/base/memory.h"
#include "engine/pg/array.h"
#include "sql.h"

#include <inttypes.h>
#include <stdio.h>

void precheck_set_param(Precheck *p, CheckParam param, const char *value)
{
    char *copy = value ? memory_strdup(value) : NULL;
    free(p->params[param]);
    p->params[param] = copy;
}

// The parameter takes the buffer's bytes over.
static void take_array(Precheck *p, CheckParam param, Buffer *array)
{
    array_end(array);
    free(p->params[param]);
    p->params[param] = array->data;
    *array = (Buffer){0};
}

static void put_oid(Buffer *array, uint32_t oid)
{
    char text[16];
    snprintf(text, sizeof text, "%" PRIu32, oid);
    array_put(array, text);
}

void precheck_set_tables(Precheck *p)
{
    Buffer oids = {0}, schemas = {0}, names = {0};
    int64_t bytes = 0;

    array_begin(&oids);
    array_begin(&schemas);
    array_begin(&names);
    for (size_t i = 0; i < p->relations.count; i++) {
        const Relation *relation = &p->relations.items[i];
        put_oid(&oids, relation->oid);
        array_put(&schemas, relation->schema);
        array_put(&names, relation->name);
        bytes += relation->bytes;
    }
    take_array(p, PARAM_TABLE_OIDS, &oids);
    take_array(p, PARAM_TABLE_SCHEMAS, &schemas);
    take_array(p, PARAM_TABLE_NAMES, &names);
    free(p->params[PARAM_TABLE_BYTES]);
    p->params[PARAM_TABLE_BYTES] = memory_printf("%" PRId64, bytes);
}

static int compare_oids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

// The oids, on the source, of tables that the ledger says we fill or have filled; sorted. Caller frees.
static int load_ours(Precheck *p, uint32_t **out, size_t *count, Error *err)
{
    static const char READABLE[] =
        "SELECT pg_catalog.bool_and(pg_catalog.has_table_privilege(c.oid, 'SELECT')) AND pg_catalog.count(*) = 2 FROM "
        "pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'kubeferry'"
        " WHERE c.relname IN ('task', 'relation') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')";
    const CheckQuestion question = {sql_check_ledger_relations, {PARAM_TASK}};
    auto_pgresult PGresult *res = NULL;
    auto_free char *readable = NULL;

    *out = NULL;
    *count = 0;
    if (pg_text(p->ends[CHECK_SINK], READABLE, &readable, err))
        return -1;
    if (!readable || *readable != 't')
        return 0;
    if (precheck_ask(p, CHECK_SINK, &question, &res, err))
        return -1;
    *count = (size_t)PQntuples(res);
    *out = memory_alloc((*count + 1) * sizeof **out);
    for (int i = 0; i < PQntuples(res); i++)
        (*out)[i] = (uint32_t)pg_get_int64(res, i, 0);
    qsort(*out, *count, sizeof **out, compare_oids);
    return 0;
}

int precheck_learn_sink(Precheck *p, Error *err)
{
    const CheckQuestion question = {sql_check_existing, {PARAM_TABLE_SCHEMAS, PARAM_TABLE_NAMES, PARAM_TABLE_OIDS}};
    auto_pgresult PGresult *res = NULL;
    auto_free uint32_t *ours = NULL;
    Buffer source = {0}, sink = {0};
    size_t ours_count;

    if (load_ours(p, &ours, &ours_count, err) || precheck_ask(p, CHECK_SINK, &question, &res, err))
        return error_wrap(err, "looking for the tables on the sink");
    array_begin(&source);
    array_begin(&sink);
    p->existing_count = 0;
    for (int i = 0; i < PQntuples(res); i++) {
        uint32_t oid = (uint32_t)pg_get_int64(res, i, 0);
        if (ours && bsearch(&oid, ours, ours_count, sizeof *ours, compare_oids))
            continue;
        array_put(&source, PQgetvalue(res, i, 0));
        array_put(&sink, PQgetvalue(res, i, 1));
        p->existing_count++;
    }
    take_array(p, PARAM_EXISTING_SOURCE, &source);
    take_array(p, PARAM_EXISTING_SINK, &sink);
    return 0;
}
