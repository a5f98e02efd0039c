// SPDX-License-Identifier: Apache-2.0
// Checks of the tables that ask more than one statement: which there are, what the sink has of them already.
#include "common/base/memory.h"
#include "engine/ledger/ledger.h"
#include "engine/pg/quote.h"
#include "engine/precheck/functions.h"
#include "engine/precheck/precheck.h"
#include "sql.h"

#include <inttypes.h>
#include <string.h>

enum {
    ROWS_BATCH = 100,    // tables that one statement looks into
    COLUMNS_BATCH = 500, // tables whose columns are compared at once: bounds memory with 20,000 of them
};

static void count_tables(const RelationList *list, Findings *findings)
{
    size_t plain = 0;
    int64_t bytes = 0;

    for (size_t i = 0; i < list->count; i++) {
        plain += list->items[i].kind == 'r';
        bytes += list->items[i].bytes;
    }
    findings_addf(findings, CHECK_PASS, NULL, "%zu tables, %" PRId64 " MB", plain, bytes / 1000000);
}

int check_tables(Precheck *p, Findings *findings, Error *err)
{
    if (relations_load(p->ends[CHECK_SOURCE], &p->task->objects, &p->task->excluded, &p->relations, err)) {
        if (err->code != ERROR_CONDITION)
            return -1;
        findings_add(findings, CHECK_FAIL, err->message, NULL, err->hint[0] ? err->hint : NULL);
        return 0;
    }
    p->have_relations = true;
    precheck_set_tables(p);
    count_tables(&p->relations, findings);
    return 0;
}

typedef enum LedgerAccess { LEDGER_ABSENT, LEDGER_CLOSED, LEDGER_READABLE } LedgerAccess;

static int look_for_ledger(PGconn *sink, LedgerAccess *access, Error *err)
{
    static const char SQL[] = "SELECT pg_catalog.bool_and(pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND "
                              "pg_catalog.has_table_privilege(c.oid, 'SELECT'))"
                              "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                              " WHERE n.nspname = 'kubeferry' AND c.relname IN ('version', 'task', 'relation')";
    auto_free char *readable = NULL;

    if (pg_text(sink, SQL, &readable, err))
        return -1;
    *access = !readable ? LEDGER_ABSENT : *readable == 't' ? LEDGER_READABLE : LEDGER_CLOSED;
    return 0;
}

static int read_ledger_version(PGconn *sink, Findings *findings, Error *err)
{
    auto_free char *version = NULL;

    if (pg_text(sink, "SELECT pg_catalog.max(v.version) FROM kubeferry.version v", &version, err))
        return -1;
    if (version && strtol(version, NULL, 10) > LEDGER_VERSION)
        findings_addf(findings, CHECK_FAIL, "use the newer kubeferry-engine for this sink",
                      "the sink's ledger has version %s, made by a newer kubeferry", version);
    return 0;
}

static int read_ledger_task(Precheck *p, Findings *findings, Error *err)
{
    const CheckQuestion question = {"SELECT t.source_system, t.source_database, t.slot_state <> 'none', t.slot FROM "
                                    "kubeferry.task t WHERE t.name = $1",
                                    {PARAM_TASK}};
    auto_pgresult PGresult *res = NULL;

    if (precheck_ask(p, CHECK_SINK, &question, &res, err))
        return -1;
    if (PQntuples(res) == 0) {
        findings_addf(findings, CHECK_PASS, NULL, "no earlier run of task %s is known", p->task->name);
        return 0;
    }
    const char *system = PQgetvalue(res, 0, 0), *database = PQgetvalue(res, 0, 1);
    bool other_system = p->source_system && *p->source_system && *system && strcmp(system, p->source_system) != 0;
    bool other_database = p->source_database && *database && strcmp(database, p->source_database) != 0;
    if (other_system || other_database) {
        findings_addf(findings, CHECK_FAIL, NULL,
                      "task %s of this sink migrates from another source: database %s of system %s", p->task->name,
                      database, *system ? system : "unknown");
        return 0;
    }
    precheck_set_param(p, PARAM_LEDGER_SLOT, pg_get_bool(res, 0, 2) ? "true" : "false");
    findings_addf(findings, CHECK_PASS, NULL, "an earlier run of task %s is resumed", p->task->name);
    return 0;
}

int check_sink_task(Precheck *p, Findings *findings, Error *err)
{
    PGconn *sink = p->ends[CHECK_SINK];
    LedgerAccess access;

    precheck_set_param(p, PARAM_LEDGER_SLOT, "false");
    if (!p->have_relations) { // the right to make the ledger can be asked for all the same
        precheck_set_param(p, PARAM_TABLE_SCHEMAS, "{}");
        precheck_set_param(p, PARAM_TABLE_NAMES, "{}");
    }
    if (look_for_ledger(sink, &access, err))
        return -1;
    if (access == LEDGER_READABLE) {
        if (read_ledger_version(sink, findings, err) || read_ledger_task(p, findings, err))
            return -1;
    } else {
        findings_add(findings, CHECK_PASS,
                     access == LEDGER_ABSENT ? "the sink has no ledger yet"
                                             : "the sink's ledger belongs to another role",
                     NULL, NULL);
    }
    return p->have_relations ? precheck_learn_sink(p, err) : 0;
}

// Its rows are those of its partitions, which are tables of the task, looked into themselves unless we filled them.
static bool is_partitioned_on_both_ends(const Precheck *p, const PGresult *tables, int row)
{
    if (PQgetvalue(tables, row, 2)[0] != 'p')
        return false;
    for (size_t i = 0; i < p->relations.count; i++) {
        const Relation *r = &p->relations.items[i];
        if (r->kind == 'p' && strcmp(r->name, PQgetvalue(tables, row, 1)) == 0 &&
            strcmp(r->schema, PQgetvalue(tables, row, 0)) == 0)
            return true;
    }
    return false;
}

// Which of the rows first … first + count - 1 of `tables` hold at least one row.
static int look_into(Precheck *p, const PGresult *tables, int first, int count, Findings *findings, Error *err)
{
    auto_buffer Buffer sql = {0};
    auto_pgresult PGresult *res = NULL;

    for (int i = first; i < first + count; i++) {
        if (is_partitioned_on_both_ends(p, tables, i))
            continue;
        if (!pg_get_bool(tables, i, 4)) {
            findings_add(findings, CHECK_FAIL, "tables on the sink may hold rows that our role cannot see",
                         PQgetvalue(tables, i, 3),
                         "give our role the rights that sink_rights and sink_row_security name");
            continue;
        }
        auto_free char *name = quote_relation_text(PQgetvalue(tables, i, 0), PQgetvalue(tables, i, 1));
        // A partitioned table has its rows in its partitions: ONLY would find none.
        buffer_printf(&sql, "%sSELECT %d WHERE EXISTS (SELECT 1 FROM %s%s)", sql.len ? " UNION ALL " : "", i,
                      PQgetvalue(tables, i, 2)[0] == 'p' ? "" : "ONLY ", name);
    }
    if (sql.len == 0)
        return 0;
    if (pg_query(p->ends[CHECK_SINK], sql.data, 0, NULL, &res, err))
        return -1;
    for (int i = 0; i < PQntuples(res); i++) {
        int row = (int)pg_get_int64(res, i, 0);
        auto_free char *remedy =
            memory_printf("on the sink, if nobody needs its rows: TRUNCATE %s;", PQgetvalue(tables, row, 3));
        findings_add(findings, CHECK_FAIL, "tables on the sink hold rows that this task did not put there",
                     PQgetvalue(tables, row, 3), remedy);
    }
    return 0;
}

int check_sink_empty(Precheck *p, Findings *findings, Error *err)
{
    const CheckQuestion question = {sql_check_sink_rows, {PARAM_EXISTING_SINK}};
    auto_pgresult PGresult *tables = NULL;

    if (precheck_ask(p, CHECK_SINK, &question, &tables, err))
        return -1;
    for (int i = 0; i < PQntuples(tables); i += ROWS_BATCH) {
        int left = PQntuples(tables) - i;
        if (look_into(p, tables, i, left < ROWS_BATCH ? left : ROWS_BATCH, findings, err))
            return -1;
    }
    if (findings->count == 0)
        findings_addf(findings, CHECK_PASS, NULL,
                      "%zu of the tables exist on the sink already, none holds rows of others", p->existing_count);
    return 0;
}

// The next count elements of an array literal of numbers, as an array literal; *text is moved behind them.
static void take_slice(const char **text, size_t count, Buffer *out)
{
    const char *p = *text;

    buffer_clear(out, SIZE_MAX);
    buffer_putc(out, '{');
    for (size_t i = 0; i < count && *p && *p != '}'; i++) {
        p += *p == '{' || *p == ',';
        size_t len = strcspn(p, ",}");
        if (i)
            buffer_putc(out, ',');
        buffer_append(out, p, len);
        p += len;
    }
    buffer_putc(out, '}');
    *text = p;
}

static int compare_columns(Precheck *p, const char *source_oids, const char *sink_oids, Findings *findings, Error *err)
{
    auto_pgresult PGresult *facts = NULL;
    auto_pgresult PGresult *res = NULL;

    if (pg_query(p->ends[CHECK_SOURCE], sql_check_facts_columns, 1, &source_oids, &facts, err))
        return error_wrap(err, "reading columns on the source");
    const char *values[] = {PQgetvalue(facts, 0, 0), sink_oids};
    if (pg_query(p->ends[CHECK_SINK], sql_check_sink_columns, 2, values, &res, err))
        return error_wrap(err, "comparing columns on the sink");
    precheck_read(res, CHECK_FAIL, findings);
    return 0;
}

int check_sink_columns(Precheck *p, Findings *findings, Error *err)
{
    const char *source = p->params[PARAM_EXISTING_SOURCE], *sink = p->params[PARAM_EXISTING_SINK];
    auto_buffer Buffer source_oids = {0};
    auto_buffer Buffer sink_oids = {0};

    for (size_t done = 0; done < p->existing_count; done += COLUMNS_BATCH) {
        take_slice(&source, COLUMNS_BATCH, &source_oids);
        take_slice(&sink, COLUMNS_BATCH, &sink_oids);
        if (compare_columns(p, source_oids.data, sink_oids.data, findings, err))
            return -1;
    }
    if (findings->count == 0)
        findings_addf(findings, CHECK_PASS, NULL, "%zu tables exist on the sink already, with equal columns",
                      p->existing_count);
    return 0;
}
