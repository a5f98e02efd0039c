// SPDX-License-Identifier: Apache-2.0
// What one check found. Knows no servers and no checks.
#include "engine/precheck/findings.h"

#include "common/base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void findings_add(Findings *f, CheckVerdict verdict, const char *what, const char *object, const char *remedy)
{
    if (f->count == f->capacity) {
        f->capacity = f->capacity ? f->capacity * 2 : 16;
        f->items = memory_realloc(f->items, f->capacity * sizeof *f->items);
    }
    f->items[f->count++] = (Finding){.verdict = verdict,
                                     .what = arena_strdup(&f->arena, what),
                                     .object = object ? arena_strdup(&f->arena, object) : NULL,
                                     .remedy = remedy ? arena_strdup(&f->arena, remedy) : NULL};
}

void findings_addf(Findings *f, CheckVerdict verdict, const char *remedy, const char *fmt, ...)
{
    auto_free char *what = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&what, fmt, args) < 0)
        what = NULL;
    va_end(args);
    findings_add(f, verdict, what ? what : "out of memory", NULL, remedy);
}

void findings_free(Findings *f)
{
    free(f->items);
    arena_free(&f->arena);
    *f = (Findings){0};
}

CheckVerdict findings_verdict(const Findings *f)
{
    CheckVerdict worst = CHECK_PASS;
    for (size_t i = 0; i < f->count; i++)
        if (f->items[i].verdict > worst)
            worst = f->items[i].verdict;
    return worst;
}

static bool same_group(const Finding *a, const Finding *b)
{
    return a->verdict == b->verdict && a->object && b->object && strcmp(a->what, b->what) == 0;
}

// Rows of one group stand together in what a statement returns; sorting is not needed to find the group's first.
static bool is_first(const Findings *f, size_t i)
{
    for (size_t k = i; k > 0; k--)
        if (same_group(&f->items[k - 1], &f->items[i]))
            return false;
    return true;
}

static void put_group(const Findings *f, size_t first, Buffer *message)
{
    size_t named = 0, more = 0;

    if (message->len)
        buffer_puts(message, "; ");
    buffer_puts(message, f->items[first].what);
    if (!f->items[first].object)
        return;
    for (size_t i = first; i < f->count; i++) {
        if (i != first && !same_group(&f->items[first], &f->items[i]))
            continue;
        if (named == FINDINGS_NAMED) {
            more++;
            continue;
        }
        buffer_puts(message, named++ ? ", " : ": ");
        buffer_puts(message, f->items[i].object);
    }
    if (more)
        buffer_printf(message, " and %zu more", more);
}

static void put_groups(const Findings *f, CheckVerdict verdict, Buffer *message)
{
    const Finding *previous = NULL;
    for (size_t i = 0; i < f->count; i++) {
        if (f->items[i].verdict != verdict)
            continue;
        if (!(previous && same_group(previous, &f->items[i])) && is_first(f, i))
            put_group(f, i, message);
        previous = &f->items[i];
    }
}

void findings_message(const Findings *f, Buffer *message)
{
    if (findings_verdict(f) == CHECK_PASS) {
        put_groups(f, CHECK_PASS, message);
        return;
    }
    put_groups(f, CHECK_FAIL, message);
    put_groups(f, CHECK_WARN, message);
}

static bool has_line(const char *const *lines, size_t count, const char *line)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(lines[i], line) == 0)
            return true;
    return false;
}

void findings_remedy(const Findings *f, const char *fallback, Buffer *remedy)
{
    const char *lines[FINDINGS_NAMED];
    size_t count = 0, more = 0;

    for (int verdict = CHECK_FAIL; verdict > CHECK_PASS; verdict--) {
        for (size_t i = 0; i < f->count; i++) {
            const char *line = f->items[i].remedy ? f->items[i].remedy : fallback;
            if (f->items[i].verdict != (CheckVerdict)verdict || !*line || has_line(lines, count, line))
                continue;
            if (count == FINDINGS_NAMED)
                more++;
            else
                lines[count++] = line;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (i)
            buffer_putc(remedy, '\n');
        buffer_puts(remedy, lines[i]);
    }
    if (more)
        buffer_printf(remedy, "\n… and the like for %zu more", more);
}
