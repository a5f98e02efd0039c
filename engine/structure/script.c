// SPDX-License-Identifier: Apache-2.0
// Cuts the script with a scanner that knows SQL's quoting and nothing else.
#include "engine/structure/script.h"

#include "common/base/memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

typedef enum State { STATE_TOP, STATE_STRING, STATE_ESCAPED_STRING, STATE_NAME, STATE_DOLLAR, STATE_COMMENT } State;

typedef struct Scanner {
    State state;
    int depth; // of block comments
    char tag[72];
    size_t tag_len; // of the dollar quote, with both dollars
} Scanner;

static bool is_name_byte(unsigned char c)
{
    return isalnum(c) || c == '_' || c == '$' || c >= 0x80;
}

// $tag$ at p: its length, 0 when it is none.
static size_t dollar_tag(const char *p, const char *end, bool in_name)
{
    const char *q = p + 1;
    if (in_name || (q < end && isdigit((unsigned char)*q)))
        return 0;
    while (q < end && is_name_byte((unsigned char)*q) && *q != '$')
        q++;
    return q < end && *q == '$' ? (size_t)(q - p) + 1 : 0;
}

static const char *scan_top(Scanner *s, const char *line, const char *p, const char *end)
{
    bool in_name = p > line && is_name_byte((unsigned char)p[-1]);

    if (*p == '\'') {
        bool escaped =
            p > line && (p[-1] == 'E' || p[-1] == 'e') && !(p - 1 > line && is_name_byte((unsigned char)p[-2]));
        s->state = escaped ? STATE_ESCAPED_STRING : STATE_STRING;
    } else if (*p == '"') {
        s->state = STATE_NAME;
    } else if (*p == '-' && p + 1 < end && p[1] == '-') {
        return end;
    } else if (*p == '/' && p + 1 < end && p[1] == '*') {
        s->state = STATE_COMMENT;
        s->depth = 1;
        return p + 2;
    } else if (*p == '$') {
        size_t n = dollar_tag(p, end, in_name);
        if (n > 0 && n < sizeof s->tag) {
            memcpy(s->tag, p, n);
            s->tag_len = n;
            s->state = STATE_DOLLAR;
            return p + n;
        }
    }
    return p + 1;
}

static const char *scan_comment(Scanner *s, const char *p, const char *end)
{
    if (p + 1 < end && p[0] == '/' && p[1] == '*')
        s->depth++;
    else if (p + 1 < end && p[0] == '*' && p[1] == '/')
        s->depth--;
    else
        return p + 1;
    if (s->depth == 0)
        s->state = STATE_TOP;
    return p + 2;
}

// Goes over one line, its newline included. A doubled quote closes and opens again, which comes to the same.
static void scan_line(Scanner *s, const char *line, const char *end)
{
    for (const char *p = line; p < end;) {
        switch (s->state) {
        case STATE_TOP:
            p = scan_top(s, line, p, end);
            break;
        case STATE_ESCAPED_STRING:
            if (*p == '\\' && p + 1 < end)
                p++;
            else if (*p == '\'' && p + 1 < end && p[1] == '\'')
                p++;
            else if (*p == '\'')
                s->state = STATE_TOP;
            p++;
            break;
        case STATE_STRING:
        case STATE_NAME:
            if (*p == (s->state == STATE_NAME ? '"' : '\''))
                s->state = STATE_TOP;
            p++;
            break;
        case STATE_DOLLAR:
            if (*p == '$' && (size_t)(end - p) >= s->tag_len && memcmp(p, s->tag, s->tag_len) == 0) {
                s->state = STATE_TOP;
                p += s->tag_len;
            } else {
                p++;
            }
            break;
        case STATE_COMMENT:
            p = scan_comment(s, p, end);
            break;
        }
    }
}

static const char *last_occurrence(const char *text, const char *words)
{
    const char *last = NULL;
    for (const char *p = strstr(text, words); p; p = strstr(p + 1, words))
        last = p;
    return last;
}

// -- Name: orders_pkey; Type: CONSTRAINT; Schema: app; Owner: postgres
static const char *make_identity(const TocEntry *e, char *line, Arena *arena)
{
    auto_free char *middle = memory_printf("; Type: %s; Schema: ", e->type->name);
    char *name = strstr(line, "Name: ");
    char *type = name ? strstr(name, middle) : NULL;
    char *owner = type ? (char *)(uintptr_t)last_occurrence(type, "; Owner: ") : NULL;

    if (!owner)
        return arena_printf(arena, "%s %d", e->type->name, e->id);
    *type = *owner = '\0';
    const char *schema = type + strlen(middle);
    bool none = strcmp(schema, "-") == 0;
    return arena_printf(arena, "%s %s%s%s", e->type->name, none ? "" : schema, none ? "" : ".",
                        name + strlen("Name: "));
}

typedef struct Splitter {
    const Toc *toc;
    Arena *arena;
    TocEntry *current;
    bool in_header;
    size_t found;
} Splitter;

static void end_entry(Splitter *s, int64_t offset)
{
    if (s->current && s->current->text_offset >= 0)
        s->current->text_length = offset - s->current->text_offset;
    s->current = NULL;
}

// One line that begins outside of everything.
static void take_line(Splitter *s, char *line, int64_t offset, int64_t next)
{
    static const char HEADER[] = "-- TOC entry ";

    if (strncmp(line, HEADER, sizeof HEADER - 1) == 0) {
        TocEntry *e = toc_find(s->toc, (int32_t)strtol(line + sizeof HEADER - 1, NULL, 10));
        if (e && e->wanted && e->text_offset < 0) {
            end_entry(s, offset);
            s->current = e;
            s->in_header = true;
            s->found++;
        }
    } else if (line[0] == '\\' || strncmp(line, "-- Completed on ", 16) == 0) {
        end_entry(s, offset);
    }
    if (!s->in_header)
        return;
    if (strncmp(line, "-- Name: ", 9) == 0 && !s->current->identity)
        s->current->identity = make_identity(s->current, line, s->arena);
    if (strncmp(line, "--", 2) != 0 || strcmp(line, "--\n") == 0) {
        s->in_header = false;
        s->current->text_offset = next;
    }
}

static int check_all_found(const Splitter *s, Error *err)
{
    for (size_t i = 0; i < s->toc->count; i++) {
        TocEntry *e = &s->toc->entries[i];
        if (!e->wanted)
            continue;
        if (e->text_offset < 0)
            return error_set(err, ERROR_PROTOCOL, "the dump's script lacks the entry %d (%s)", e->id, e->type->name);
        if (!e->identity)
            e->identity = arena_printf(s->arena, "%s %d", e->type->name, e->id);
    }
    return 0;
}

int script_split(FILE *script, const Toc *toc, Arena *arena, Error *err)
{
    Splitter s = {.toc = toc, .arena = arena};
    Scanner scanner = {0};
    auto_free char *line = NULL;
    size_t cap = 0;
    int64_t offset = 0;
    ssize_t n;

    while ((n = getline(&line, &cap, script)) > 0) {
        bool top = scanner.state == STATE_TOP;
        if (!(top && line[0] == '\\'))
            scan_line(&scanner, line, line + n);
        if (top)
            take_line(&s, line, offset, offset + n);
        offset += n;
    }
    if (ferror(script))
        return error_errno(err, "reading the dump's script");
    end_entry(&s, offset);
    return check_all_found(&s, err);
}

// Settings that pg_restore writes before the next entry's header belong to that one, and are pinned by the session
// anyway.
static void drop_trailing_settings(Buffer *text)
{
    for (;;) {
        while (text->len > 0 && isspace((unsigned char)text->data[text->len - 1]))
            text->data[--text->len] = '\0';
        const char *line = memrchr(text->data, '\n', text->len);
        line = line ? line + 1 : text->data;
        bool comment = strcmp(line, "--") == 0;
        bool setting = strncmp(line, "SET default_t", 13) == 0;
        if (text->len == 0 || !(comment || setting))
            return;
        text->len = (size_t)(line - text->data);
        text->data[text->len] = '\0';
    }
}

int script_read(FILE *script, const TocEntry *e, Buffer *text, Error *err)
{
    size_t wanted = (size_t)e->text_length, have = 0;

    buffer_clear(text, SIZE_MAX);
    buffer_reserve(text, wanted);
    while (have < wanted) {
        ssize_t n = pread(fileno(script), text->data + have, wanted - have, (off_t)(e->text_offset + (int64_t)have));
        if (n <= 0)
            return error_errno(err, "reading the dump's script");
        have += (size_t)n;
    }
    text->len = have;
    text->data[have] = '\0';
    drop_trailing_settings(text);
    return 0;
}
