// SPDX-License-Identifier: Apache-2.0
#include "engine/pg/quote.h"

#include <string.h>

void quote_ident(Buffer *sql, const char *name)
{
    buffer_putc(sql, '"');
    for (const char *p = name; *p; p++) {
        if (*p == '"')
            buffer_putc(sql, '"');
        buffer_putc(sql, *p);
    }
    buffer_putc(sql, '"');
}

void quote_relation(Buffer *sql, const char *schema, const char *name)
{
    quote_ident(sql, schema);
    buffer_putc(sql, '.');
    quote_ident(sql, name);
}

void quote_literal(Buffer *sql, const char *value)
{
    // E'' makes a backslash mean the same whatever standard_conforming_strings is.
    buffer_puts(sql, strchr(value, '\\') ? " E'" : "'");
    for (const char *p = value; *p; p++) {
        if (*p == '\'' || *p == '\\')
            buffer_putc(sql, *p);
        buffer_putc(sql, *p);
    }
    buffer_putc(sql, '\'');
}

char *quote_ident_text(const char *name)
{
    Buffer text = {0};
    quote_ident(&text, name);
    return text.data;
}

char *quote_relation_text(const char *schema, const char *name)
{
    Buffer text = {0};
    quote_relation(&text, schema, name);
    return text.data;
}
