// SPDX-License-Identifier: Apache-2.0
// Reads the first words of a statement of pg_dump by a pattern a type.
#include "engine/structure/statement.h"

#include "common/base/memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define IN_SCHEMA(catalog, schema, name)                                                                               \
    "SELECT EXISTS (SELECT 1 FROM pg_catalog." catalog " x JOIN pg_catalog.pg_namespace n ON n.oid = x." schema        \
    " WHERE n.nspname = $1 AND x." name " = $2)"
#define OF_RELATION(catalog, relation, name)                                                                           \
    "SELECT EXISTS (SELECT 1 FROM pg_catalog." catalog " x WHERE x." relation                                          \
    " = pg_catalog.to_regclass($1) AND x." name " = $2)"
#define RELATION "SELECT pg_catalog.to_regclass($1) IS NOT NULL"
#define TYPE     "SELECT pg_catalog.to_regtype($1) IS NOT NULL"
#define ROUTINE  "SELECT pg_catalog.to_regprocedure($1) IS NOT NULL"
#define ATTACHED                                                                                                       \
    "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_inherits x WHERE x.inhparent = pg_catalog.to_regclass($1)"             \
    " AND x.inhrelid = pg_catalog.to_regclass($2))"

// Patterns: words as they are; ?word may be missing; * skips up to the next word; then the names:
// %1 %2  a qualified name as SQL text, for $1 or $2; #1 #2 one identifier, plain; @1 two identifiers, schema in $1 and
// name in $2; &1 a qualified name with the arguments that the list shows. Several rows of a type are tried in order.
static const struct {
    const char *type, *pattern, *sql;
} FORMS[] = {
    {"SCHEMA", "CREATE SCHEMA #1", "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1)"},
    {"EXTENSION", "CREATE EXTENSION ?IF ?NOT ?EXISTS #1",
     "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_extension WHERE extname = $1)"},
    {"PROCEDURAL LANGUAGE", "CREATE ?OR ?REPLACE ?TRUSTED ?PROCEDURAL LANGUAGE #1",
     "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_language WHERE lanname = $1)"},
    {"TABLE", "CREATE ?UNLOGGED TABLE %1", RELATION},
    {"VIEW", "CREATE VIEW %1", RELATION},
    {"MATERIALIZED VIEW", "CREATE MATERIALIZED VIEW %1", RELATION},
    {"SEQUENCE", "CREATE ?UNLOGGED SEQUENCE %1", RELATION},
    {"SEQUENCE", "ALTER TABLE ?ONLY %1 ALTER COLUMN #2",
     "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute x WHERE x.attrelid = pg_catalog.to_regclass($1) AND "
     "x.attname = $2"
     " AND x.attidentity <> '')"},
    {"SEQUENCE OWNED BY", "ALTER SEQUENCE %1",
     "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
     " AND x.objid = pg_catalog.to_regclass($1) AND x.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass"
     " AND x.deptype = 'a')"},
    {"DEFAULT", "ALTER TABLE ?ONLY %1 ALTER COLUMN #2",
     "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute x WHERE x.attrelid = pg_catalog.to_regclass($1) AND "
     "x.attname = $2"
     " AND x.atthasdef)"},
    {"SHELL TYPE", "CREATE TYPE %1", TYPE},
    {"TYPE", "CREATE TYPE %1",
     "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_type x WHERE x.oid = pg_catalog.to_regtype($1) AND x.typisdefined)"},
    {"DOMAIN", "CREATE DOMAIN %1", TYPE},
    {"FUNCTION", "CREATE FUNCTION &1", ROUTINE},
    {"PROCEDURE", "CREATE PROCEDURE &1", ROUTINE},
    {"AGGREGATE", "CREATE AGGREGATE &1", ROUTINE},
    {"COLLATION", "CREATE COLLATION @1", IN_SCHEMA("pg_collation", "collnamespace", "collname")},
    {"CONVERSION", "CREATE ?DEFAULT CONVERSION @1", IN_SCHEMA("pg_conversion", "connamespace", "conname")},
    {"TEXT SEARCH PARSER", "CREATE TEXT SEARCH PARSER @1", IN_SCHEMA("pg_ts_parser", "prsnamespace", "prsname")},
    {"TEXT SEARCH TEMPLATE", "CREATE TEXT SEARCH TEMPLATE @1",
     IN_SCHEMA("pg_ts_template", "tmplnamespace", "tmplname")},
    {"TEXT SEARCH DICTIONARY", "CREATE TEXT SEARCH DICTIONARY @1",
     IN_SCHEMA("pg_ts_dict", "dictnamespace", "dictname")},
    {"TEXT SEARCH CONFIGURATION", "CREATE TEXT SEARCH CONFIGURATION @1",
     IN_SCHEMA("pg_ts_config", "cfgnamespace", "cfgname")},
    {"TABLE ATTACH", "ALTER TABLE ?ONLY %1 ATTACH PARTITION %2", ATTACHED},
    {"INDEX ATTACH", "ALTER INDEX %1 ATTACH PARTITION %2", ATTACHED},
    {"INDEX", "CREATE ?UNIQUE INDEX #2 ON ?ONLY %1",
     "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class t JOIN pg_catalog.pg_class x ON x.relnamespace = t.relnamespace"
     " WHERE t.oid = pg_catalog.to_regclass($1) AND x.relname = $2)"},
    {"CHECK CONSTRAINT", "ALTER DOMAIN %1 ADD CONSTRAINT #2",
     "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint x WHERE x.contypid = pg_catalog.to_regtype($1) AND "
     "x.conname = $2)"},
    {"CHECK CONSTRAINT", "ALTER TABLE ?ONLY %1 ADD CONSTRAINT #2", OF_RELATION("pg_constraint", "conrelid", "conname")},
    {"CONSTRAINT", "ALTER TABLE ?ONLY %1 ADD CONSTRAINT #2", OF_RELATION("pg_constraint", "conrelid", "conname")},
    {"FK CONSTRAINT", "ALTER TABLE ?ONLY %1 ADD CONSTRAINT #2", OF_RELATION("pg_constraint", "conrelid", "conname")},
    {"STATISTICS", "CREATE STATISTICS @1", IN_SCHEMA("pg_statistic_ext", "stxnamespace", "stxname")},
    {"TRIGGER", "CREATE ?CONSTRAINT TRIGGER #2 * ON %1", OF_RELATION("pg_trigger", "tgrelid", "tgname")},
    {"POLICY", "CREATE POLICY #2 ON %1", OF_RELATION("pg_policy", "polrelid", "polname")},
    {"RULE", "CREATE RULE #2 AS ON * TO %1", OF_RELATION("pg_rewrite", "ev_class", "rulename")},
    {"ROW SECURITY", "ALTER TABLE ?ONLY %1",
     "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class x WHERE x.oid = pg_catalog.to_regclass($1) AND "
     "x.relrowsecurity)"},
};

// Spaces and comment lines.
static const char *skip_space(const char *p)
{
    for (;;) {
        while (isspace((unsigned char)*p))
            p++;
        if (strncmp(p, "--", 2) != 0)
            return p;
        p += strcspn(p, "\n");
    }
}

static bool is_word_byte(unsigned char c)
{
    return isalnum(c) || c == '_' || c == '$' || c >= 0x80;
}

static size_t word_length(const char *p)
{
    size_t n = 0;
    while (is_word_byte((unsigned char)p[n]))
        n++;
    return n;
}

static bool take_word(const char **p, const char *word, size_t len)
{
    const char *q = skip_space(*p);
    if (word_length(q) != len || strncmp(q, word, len) != 0)
        return false;
    *p = q + len;
    return true;
}

// One identifier, quoted or not; its plain form is appended.
static bool take_identifier(const char **p, Buffer *plain)
{
    const char *q = skip_space(*p);
    if (*q != '"') {
        size_t n = word_length(q);
        buffer_append(plain, q, n);
        *p = q + n;
        return n > 0;
    }
    for (q++; *q; q++) {
        if (*q == '"' && q[1] == '"')
            q++;
        else if (*q == '"')
            break;
        buffer_putc(plain, *q);
    }
    *p = *q ? q + 1 : q;
    return *q == '"';
}

// schema.name: as it is written, and each part plain.
static bool take_qualified(const char **p, Buffer *raw, Buffer *schema, Buffer *name)
{
    const char *start = skip_space(*p);
    *p = start;
    if (!take_identifier(p, schema) || **p != '.')
        return false;
    ++*p;
    if (!take_identifier(p, name))
        return false;
    buffer_append(raw, start, (size_t)(*p - start));
    return true;
}

static bool skip_to_word(const char **p, const char *word, size_t len)
{
    auto_buffer Buffer ignored = {0};
    for (const char *q = skip_space(*p); *q; q = skip_space(q)) {
        *p = q;
        if (take_word(p, word, len))
            return true;
        if (*q == '"' || is_word_byte((unsigned char)*q)) {
            if (!take_identifier(&q, &ignored))
                return false;
        } else {
            q++;
        }
    }
    return false;
}

// The list shows "FUNCTION app.dflt(integer)": the arguments' types are behind the name.
static bool put_arguments(const TocEntry *e, const Buffer *schema, const Buffer *name, Buffer *raw)
{
    auto_free char *start = memory_printf("%s %s.%s(", e->type->name, buffer_text(schema), buffer_text(name));
    size_t n = strlen(start);
    if (!e->identity || strncmp(e->identity, start, n) != 0)
        return false;
    buffer_puts(raw, e->identity + n - 1);
    return true;
}

static void keep_name(StatementObject *out, int number, const char *text)
{
    free(out->names[number - 1]);
    out->names[number - 1] = memory_strdup(text);
    if (number > out->name_count)
        out->name_count = number;
}

static bool take_name(const TocEntry *e, const char **p, const char *mark, StatementObject *out)
{
    auto_buffer Buffer raw = {0}, schema = {0}, name = {0};
    int number = mark[1] - '0';

    if (*mark == '#') {
        if (!take_identifier(p, &name))
            return false;
        keep_name(out, number, buffer_text(&name));
        return true;
    }
    if (!take_qualified(p, &raw, &schema, &name))
        return false;
    if (*mark == '@') {
        keep_name(out, 1, buffer_text(&schema));
        keep_name(out, 2, buffer_text(&name));
        return true;
    }
    if (*mark == '&' && !put_arguments(e, &schema, &name, &raw))
        return false;
    keep_name(out, number, buffer_text(&raw));
    return true;
}

static bool matches(const TocEntry *e, const char *text, const char *pattern, StatementObject *out)
{
    bool skip = false;

    for (const char *w = pattern; *w; w += strspn(w, " ")) {
        size_t n = strcspn(w, " ");
        if (*w == '*') {
            skip = true;
        } else if (strchr("%#@&", *w)) {
            if (!take_name(e, &text, w, out))
                return false;
        } else if (*w == '?') {
            (void)take_word(&text, w + 1, n - 1);
        } else if (skip ? !skip_to_word(&text, w, n) : !take_word(&text, w, n)) {
            return false;
        } else {
            skip = false;
        }
        w += n;
    }
    return true;
}

void statement_object(const TocEntry *e, const char *text, StatementObject *out)
{
    *out = (StatementObject){0};
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        if (!toc_is(e, FORMS[i].type))
            continue;
        if (matches(e, text, FORMS[i].pattern, out)) {
            out->sql = FORMS[i].sql;
            return;
        }
        statement_object_free(out);
    }
}

void statement_object_free(StatementObject *object)
{
    for (int i = 0; i < STATEMENT_NAMES_MAX; i++)
        free(object->names[i]);
    *object = (StatementObject){0};
}

bool statement_is_there(const char *text)
{
    return *skip_space(text) != '\0';
}
