// SPDX-License-Identifier: Apache-2.0
// The grammar of --migration-object and the merging of names. Knows nothing of a server: whether an object exists is
// asked elsewhere.
#include "common/contract/object_list.h"

#include "common/base/buffer.h"
#include "common/base/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { NAME_MAX_BYTES = 63 };

static int order(const ObjectName *item, const char *schema, const char *table)
{
    int by_schema = strcmp(item->schema, schema);
    if (by_schema != 0)
        return by_schema;
    if (!item->table || !table)
        return (item->table != NULL) - (table != NULL);
    return strcmp(item->table, table);
}

// The first item that does not come before the name.
static size_t lower_bound(const ObjectList *list, const char *schema, const char *table)
{
    size_t from = 0, to = list->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (order(&list->items[middle], schema, table) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static bool holds(const ObjectList *list, const char *schema, const char *table)
{
    size_t at = lower_bound(list, schema, table);
    return at < list->count && order(&list->items[at], schema, table) == 0;
}

// All of a schema stand together; a whole schema takes in its single tables.
static void remove_schema(ObjectList *list, const char *schema)
{
    size_t from = lower_bound(list, schema, NULL), to = from;
    while (to < list->count && strcmp(list->items[to].schema, schema) == 0) {
        free(list->items[to].schema);
        free(list->items[to].table);
        to++;
    }
    if (to > from) {
        memmove(list->items + from, list->items + to, (list->count - to) * sizeof *list->items);
        list->count -= to - from;
    }
}

void object_list_add(ObjectList *list, const char *schema, const char *table)
{
    if (holds(list, schema, NULL) || (table && holds(list, schema, table)))
        return;
    if (!table)
        remove_schema(list, schema);
    // Room is a power of two that is never below count, so that no capacity need be kept.
    if ((list->count & (list->count - 1)) == 0)
        list->items = memory_realloc(list->items, (list->count ? list->count * 2 : 1) * sizeof *list->items);
    size_t at = lower_bound(list, schema, table);
    memmove(list->items + at + 1, list->items + at, (list->count - at) * sizeof *list->items);
    list->items[at] = (ObjectName){memory_strdup(schema), table ? memory_strdup(table) : NULL};
    list->count++;
}

void object_list_free(ObjectList *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].schema);
        free(list->items[i].table);
    }
    free(list->items);
    *list = (ObjectList){0};
}

typedef struct Parser {
    const char *text; // the whole list, to tell the place
    const char *at;
} Parser;

static int fail(const Parser *p, const char *what, Error *err)
{
    error_set(err, ERROR_USAGE, "object list: %s at character %td of '%.200s'", what, p->at - p->text + 1, p->text);
    return error_hint(err,
                      "write tables and schemas as '\"public.a\",\"public.b\",\"sales\"'; a name that holds a dot, a "
                      "comma or a quote stands in doubled quotes: '\"public.\"\"a.b\"\"\"'");
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(Parser *p)
{
    while (is_space(*p->at))
        p->at++;
}

// At an opening quote: what stands in the quotes, a doubled one being one. Leaves `at` behind the closing quote.
static int read_quoted(Parser *p, Buffer *out, Error *err)
{
    const char *opening = p->at++;
    for (;;) {
        if (*p->at == '\0') {
            p->at = opening;
            return fail(p, "the quote is not closed; it opens", err);
        }
        if (*p->at == '"') {
            if (p->at[1] != '"')
                break;
            p->at++;
        }
        buffer_putc(out, *p->at++);
    }
    p->at++;
    return 0;
}

// One name up to a dot (or, outside of quotes, a comma); space at the ends of a bare name is none of it.
static int read_part(Parser *p, bool in_quotes, Buffer *out, Error *err)
{
    if (*p->at == '"')
        return read_quoted(p, out, err);
    const char *from = p->at;
    while (*p->at && *p->at != '.' && (in_quotes || *p->at != ',')) {
        if (*p->at == '"')
            return fail(p, "a quote inside a name", err);
        p->at++;
    }
    const char *to = p->at;
    while (!in_quotes && to > from && is_space(to[-1]))
        to--;
    buffer_append(out, from, (size_t)(to - from));
    return 0;
}

static int check_part(const Parser *p, const Buffer *part, Error *err)
{
    if (part->len == 0)
        return fail(p, "a name is missing", err);
    if (part->len > NAME_MAX_BYTES)
        return fail(p, "a name is longer than PostgreSQL's 63 bytes; it ends", err);
    return 0;
}

// schema[.table], the schema being read already.
static int read_rest(Parser *p, bool in_quotes, const Buffer *schema, ObjectList *out, Error *err)
{
    auto_buffer Buffer table = {0};

    if (check_part(p, schema, err))
        return -1;
    if (*p->at == '.') {
        p->at++;
        if (read_part(p, in_quotes, &table, err) || check_part(p, &table, err))
            return -1;
        if (*p->at == '.')
            return fail(p, "a second dot", err);
    }
    if (!in_quotes)
        skip_space(p);
    if (*p->at && (in_quotes || *p->at != ','))
        return fail(p, in_quotes ? "text behind a quoted name" : "expected a comma", err);
    object_list_add(out, schema->data, table.len ? table.data : NULL);
    return 0;
}

static int read_item(Parser *p, ObjectList *out, Error *err)
{
    auto_buffer Buffer first = {0};
    bool quoted = *p->at == '"';
    const char *start = p->at;

    if (read_part(p, false, &first, err))
        return -1;
    const char *behind = p->at;
    if (!quoted || *behind == '.')
        return read_rest(p, false, &first, out, err);
    // What stood in the CSV's quotes is itself schema[.table].
    skip_space(p);
    if (*p->at && *p->at != ',')
        return fail(p, "expected a comma", err);
    if (first.len == 0) {
        p->at = start;
        return fail(p, "a name is missing", err);
    }
    auto_buffer Buffer schema = {0};
    Parser inner = {first.data, first.data};
    if (read_part(&inner, true, &schema, err) || read_rest(&inner, true, &schema, out, err))
        return -1;
    return 0;
}

int object_list_parse(const char *text, ObjectList *out, Error *err)
{
    Parser p = {text, text};

    *out = (ObjectList){0};
    skip_space(&p);
    if (*p.at == '\0') {
        error_set(err, ERROR_USAGE, "object list: it is empty");
        return error_hint(err, "leave it out altogether to take all user tables");
    }
    for (;;) {
        skip_space(&p);
        if (read_item(&p, out, err)) {
            object_list_free(out);
            return -1;
        }
        if (*p.at != ',')
            return 0;
        p.at++;
    }
}
