// SPDX-License-Identifier: Apache-2.0
// Builds the statements of verify. Runs none.
#include "engine/verify/verify_sql.h"

#include "engine/pg/quote.h"

#include <string.h>

const char verify_sql_probe[] =
    "SELECT pg_catalog.hashtextextended('kubeferry: the same bytes?' COLLATE pg_catalog.\"C\", 0)";

// One expression for each column nests as deep as there are columns.
enum { COLUMNS_CHAINED = 200 };
enum { EXTENDED_HASH_SINCE = 110000, SHORT_FLOATS_SINCE = 120000, ESCAPED_CHARS_SINCE = 160000 };

static bool is_between(int version, int a, int b)
{
    return (a < version) != (b < version);
}

VerifyDialect verify_dialect(int source_version, int sink_version, bool same_hash)
{
    return (VerifyDialect){
        .extended = same_hash && source_version >= EXTENDED_HASH_SINCE && sink_version >= EXTENDED_HASH_SINCE,
        .send_floats = is_between(SHORT_FLOATS_SINCE, source_version, sink_version),
        .send_chars = is_between(ESCAPED_CHARS_SINCE, source_version, sink_version),
    };
}

static bool is_one_of(const char *type, const char *const *types)
{
    for (; *types; types++)
        if (strcmp(type, *types) == 0)
            return true;
    return false;
}

// The function that gives the binary form, for the types whose text depends on the server's version; NULL: the text is
// good.
static const char *send_function(const VerifyDialect *dialect, const char *type)
{
    static const struct {
        const char *type, *function;
    } FLOATS[] = {
        {"float4", "float4send"},  {"float8", "float8send"},  {"point", "point_send"},   {"lseg", "lseg_send"},
        {"path", "path_send"},     {"box", "box_send"},       {"polygon", "poly_send"},  {"line", "line_send"},
        {"circle", "circle_send"}, {"_float4", "array_send"}, {"_float8", "array_send"}, {"_point", "array_send"},
        {"_lseg", "array_send"},   {"_path", "array_send"},   {"_box", "array_send"},    {"_polygon", "array_send"},
        {"_line", "array_send"},   {"_circle", "array_send"},
    };
    if (dialect->send_chars && strcmp(type, "char") == 0)
        return "charsend";
    if (dialect->send_chars && strcmp(type, "_char") == 0)
        return "array_send";
    for (size_t i = 0; dialect->send_floats && i < sizeof FLOATS / sizeof *FLOATS; i++)
        if (strcmp(type, FLOATS[i].type) == 0)
            return FLOATS[i].function;
    return NULL;
}

// The hash of a text expression, which stands between the two calls.
static void begin_hash(Buffer *sql, const VerifyDialect *dialect)
{
    buffer_puts(sql, dialect->extended ? "pg_catalog.hashtextextended(("
                                       : "('x' || pg_catalog.substr(pg_catalog.md5(pg_catalog.convert_to((");
}

static void end_hash(Buffer *sql, const VerifyDialect *dialect)
{
    buffer_puts(sql, dialect->extended ? ") COLLATE pg_catalog.\"C\", 0)"
                                       : "), 'UTF8')), 1, 16))::pg_catalog.bit(64)::pg_catalog.int8");
}

static void put_column(Buffer *sql, const VerifyColumn *column)
{
    buffer_puts(sql, "t.");
    quote_ident(sql, column->name);
}

// One column as it goes into the row. Long types go in as their hash: the text of a row is limited to 1 GB, and quoting
// doubles what it finds.
static void put_value(Buffer *sql, const VerifyDialect *dialect, const VerifyColumn *column)
{
    static const char *const LONG_TEXTS[] = {"text", "varchar", "json", "jsonb", "xml", NULL};
    const char *send = send_function(dialect, column->type);

    if (send) {
        buffer_printf(sql, "pg_catalog.%s(", send);
        put_column(sql, column);
        buffer_putc(sql, ')');
    } else if (strcmp(column->type, "bytea") == 0) {
        // The array's hash is the one way to bytea's own hash function.
        buffer_puts(sql, dialect->extended ? "pg_catalog.hash_array_extended(ARRAY[" : "pg_catalog.md5(");
        put_column(sql, column);
        buffer_puts(sql, dialect->extended ? "], 0)" : ")");
    } else if (is_one_of(column->type, LONG_TEXTS)) {
        begin_hash(sql, dialect);
        put_column(sql, column);
        buffer_puts(sql, "::pg_catalog.text");
        end_hash(sql, dialect);
    } else {
        put_column(sql, column);
    }
}

// The hash of one column, each with a seed of its own: what is cheap for the server to hash goes in as it is, the rest
// as what its output function writes. concat(): a cast to text strips what character(n) is padded with, and takes
// longer.
static void put_column_hash(Buffer *sql, const VerifyDialect *dialect, const VerifyColumn *column, size_t seed)
{
    static const struct {
        const char *type, *function;
    } PLAIN[] = {{"int2", "hashint2extended"}, {"int4", "hashint4extended"}, {"int8", "hashint8extended"}};
    static const char *const TEXTS[] = {"text", "varchar", NULL};

    for (size_t i = 0; i < sizeof PLAIN / sizeof *PLAIN; i++) {
        if (strcmp(column->type, PLAIN[i].type) != 0)
            continue;
        buffer_printf(sql, "COALESCE(pg_catalog.%s(", PLAIN[i].function);
        put_column(sql, column);
        buffer_printf(sql, ", %zu), %zu)", seed, seed);
        return;
    }
    buffer_puts(sql, "CASE WHEN ");
    put_column(sql, column);
    buffer_printf(sql, " IS NULL THEN %zu ELSE ", seed);
    if (strcmp(column->type, "bytea") == 0) {
        buffer_puts(sql, "pg_catalog.hashint8extended(");
        put_value(sql, dialect, column);
        buffer_printf(sql, ", %zu) END", seed);
        return;
    }
    bool plain = is_one_of(column->type, TEXTS);
    buffer_puts(sql, plain ? "pg_catalog.hashtextextended((" : "pg_catalog.hashtextextended(pg_catalog.concat(");
    if (plain || !send_function(dialect, column->type))
        put_column(sql, column);
    else
        put_value(sql, dialect, column);
    buffer_printf(sql, ") COLLATE pg_catalog.\"C\", %zu) END", seed);
}

// Much cheaper than the text of the whole row. The outer hash keeps values that two rows have exchanged from cancelling
// out in the bucket's sum.
static void put_columns_hash(Buffer *sql, const VerifyDialect *dialect, const VerifyColumn *columns, size_t count)
{
    buffer_puts(sql, "pg_catalog.hashint8extended(");
    for (size_t i = 0; i < count; i++) {
        buffer_puts(sql, i ? " # " : "");
        put_column_hash(sql, dialect, &columns[i], i + 1);
    }
    buffer_puts(sql, ", 0)");
}

static void put_row_hash(Buffer *sql, const VerifyDialect *dialect, const VerifyColumn *columns, size_t count)
{
    if (dialect->extended && count > 0 && count <= COLUMNS_CHAINED) {
        put_columns_hash(sql, dialect, columns, count);
        return;
    }
    begin_hash(sql, dialect);
    buffer_puts(sql, "ROW(");
    for (size_t i = 0; i < count; i++) {
        if (i)
            buffer_puts(sql, ", ");
        put_value(sql, dialect, &columns[i]);
    }
    buffer_puts(sql, ")::pg_catalog.text");
    end_hash(sql, dialect);
}

static void put_key_hash(Buffer *sql, const VerifyDialect *dialect, const VerifyPlan *plan)
{
    if (plan->key_count)
        put_row_hash(sql, dialect, plan->key, plan->key_count);
    else
        put_row_hash(sql, dialect, plan->columns, plan->column_count);
}

static void put_from(Buffer *sql, const VerifyPlan *plan, bool sink)
{
    buffer_puts(sql, sink && plan->sink_partitioned ? " FROM " : " FROM ONLY ");
    quote_relation(sql, plan->relation->schema, plan->relation->name);
    buffer_puts(sql, " AS t");
}

// The bits beside those of the bucket: the sample is the same whatever the number of buckets.
static void put_sample(Buffer *sql, const VerifyDialect *dialect, const VerifyPlan *plan, const char *before)
{
    if (!dialect->sample)
        return;
    buffer_printf(sql, " %s ((", before);
    put_key_hash(sql, dialect, plan);
    buffer_printf(sql, ") >> 40 & 1023) < %u", dialect->sample);
}

void verify_sql_buckets(Buffer *sql, const VerifyDialect *dialect, const VerifyPlan *plan, const BlockRange *range,
                        bool sink, size_t index)
{
    const char *by = plan->key_count ? "k" : "h"; // without a key its hash would be the row's, reckoned twice

    buffer_printf(sql,
                  "SELECT %zu, (x.%s & %u)::pg_catalog.int4, pg_catalog.count(*), pg_catalog.sum(x.h) FROM (SELECT ",
                  index, by, plan->buckets - 1);
    if (plan->key_count) {
        put_key_hash(sql, dialect, plan);
        buffer_puts(sql, " AS k, ");
    }
    put_row_hash(sql, dialect, plan->columns, plan->column_count);
    buffer_puts(sql, " AS h");
    put_from(sql, plan, sink);
    if (range) {
        buffer_puts(sql, " WHERE ");
        block_range_condition(sql, "t.ctid", *range);
    }
    put_sample(sql, dialect, plan, range ? "AND" : "WHERE");
    // OFFSET 0 hides the key's statistics from the planner: it would expect a group a row, and sort.
    buffer_puts(sql, " OFFSET 0) AS x GROUP BY 2");
}

const VerifyColumn *verify_sql_shown(const VerifyPlan *plan, size_t *count)
{
    *count = plan->key_count ? plan->key_count : plan->column_count;
    if (*count > VERIFY_SHOWN_COLUMNS)
        *count = VERIFY_SHOWN_COLUMNS;
    return plan->key_count ? plan->key : plan->columns;
}

static void put_shown(Buffer *sql, const VerifyColumn *column)
{
    if (strcmp(column->type, "bytea") == 0) {
        buffer_puts(sql, ", '\\x' || pg_catalog.encode(pg_catalog.substr(");
        put_column(sql, column);
        buffer_printf(sql, ", 1, %d), 'hex')", VERIFY_SHOWN_BYTES / 2);
        return;
    }
    buffer_puts(sql, ", pg_catalog.left(");
    put_column(sql, column);
    buffer_printf(sql, "::pg_catalog.text, %d)", VERIFY_SHOWN_BYTES + 1);
}

void verify_sql_rows(Buffer *sql, const VerifyDialect *dialect, const VerifyPlan *plan, bool sink)
{
    size_t shown;
    const VerifyColumn *columns = verify_sql_shown(plan, &shown);

    buffer_puts(sql, "SELECT ");
    put_key_hash(sql, dialect, plan);
    buffer_puts(sql, ", ");
    put_row_hash(sql, dialect, plan->columns, plan->column_count);
    for (size_t i = 0; i < shown; i++)
        put_shown(sql, &columns[i]);
    put_from(sql, plan, sink);
    buffer_puts(sql, " WHERE pg_catalog.get_bit($1::pg_catalog.bytea, (");
    put_key_hash(sql, dialect, plan);
    buffer_printf(sql, " & %u)::pg_catalog.int4) = 1", plan->buckets - 1);
    put_sample(sql, dialect, plan, "AND");
    buffer_puts(sql, " ORDER BY 1, 2");
}
