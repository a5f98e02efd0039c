// SPDX-License-Identifier: Apache-2.0
// Runs pg_dump once and pg_restore twice. Knows nothing of what is in the files.
#include "engine/structure/dump.h"

#include "common/base/memory.h"
#include "engine/pg/quote.h"

#include <stdlib.h>
#include <string.h>

// More arguments than this (bytes) are not given: the kernel allows 2 MB with the environment. The dump is then larger.
enum { EXCLUSIONS_MAX = 1024 * 1024, PATTERN_MAX = 16 * 1024 };

typedef struct Arguments {
    const char **items;
    size_t count, cap;
    Arena arena;
} Arguments;

static void add(Arguments *a, const char *argument)
{
    if (a->count + 2 > a->cap) {
        a->cap = a->cap ? a->cap * 2 : 32;
        a->items = memory_realloc(a->items, a->cap * sizeof *a->items);
    }
    a->items[a->count++] = argument;
    a->items[a->count] = NULL;
}

static void arguments_free(Arguments *a)
{
    free(a->items);
    arena_free(&a->arena);
}
#define auto_arguments __attribute__((cleanup(arguments_free)))

// pg_dump asks the server once for each pattern: many tables of a schema go into one, as alternatives. A name in double
// quotes is taken as it is, whatever is in it.
static size_t put_exclusion(const DumpExclusions *leave_out, size_t first, Buffer *text)
{
    const DumpExclusion *e = &leave_out->items[first];
    size_t next = first + 1;

    buffer_puts(text, e->table ? "--exclude-table=" : "--exclude-schema=");
    quote_ident(text, e->schema);
    if (!e->table)
        return next;
    buffer_putc(text, '.');
    quote_ident(text, e->table);
    for (; next < leave_out->count && text->len < PATTERN_MAX; next++) {
        const DumpExclusion *other = &leave_out->items[next];
        if (!other->table || strcmp(other->schema, e->schema) != 0)
            break;
        buffer_putc(text, '|');
        quote_ident(text, other->table);
    }
    return next;
}

static void add_exclusions(Arguments *a, const DumpExclusions *leave_out)
{
    size_t used = 0;

    add(a, "--exclude-schema=\"kubeferry\"");
    for (size_t i = 0; i < leave_out->count && used < EXCLUSIONS_MAX;) {
        auto_buffer Buffer text = {0};
        i = put_exclusion(leave_out, i, &text);
        used += text.len + 16;
        add(a, arena_strdup(&a->arena, text.data));
    }
}

int dump_make(const Context *ctx, const DumpExclusions *leave_out, const char *snapshot, DumpFile *out, Error *err)
{
    auto_arguments Arguments a = {0};
    auto_free char *conninfo = dump_tools_conninfo(&ctx->task->source, ctx->application);

    *out = (DumpFile){0};
    if (dump_tools_find(ctx->source_version, &out->tools, err))
        return -1;
    out->path = memory_printf("%s/%s.structure.dump", ctx->work_dir, ctx->task->name);
    add(&a, out->tools.dump);
    add(&a, "--format=custom");
    add(&a, "--schema-only");
    add(&a, "--compress=1");
    add(&a, "--no-password");
    add(&a, "--no-subscriptions");
    add(&a, "--no-security-labels");
    add(&a, "--lock-wait-timeout=60000");
    if (out->tools.major >= 18)
        add(&a, "--no-statistics");
    if (ctx->encoding[0])
        add(&a, arena_printf(&a.arena, "--encoding=%s", ctx->encoding));
    if (snapshot)
        add(&a, arena_printf(&a.arena, "--snapshot=%s", snapshot));
    add_exclusions(&a, leave_out);
    add(&a, arena_printf(&a.arena, "--file=%s", out->path));
    add(&a, arena_printf(&a.arena, "--dbname=%s", conninfo));
    return dump_tools_run(a.items, endpoint_get(&ctx->task->source, "password"), "dumping the structure of the source",
                          err);
}

void dump_free(DumpFile *dump)
{
    if (dump->path)
        unlink(dump->path);
    free(dump->path);
    dump_tools_free(&dump->tools);
    *dump = (DumpFile){0};
}

// Runs pg_restore with its output in a file beside the dump, and opens that without a name.
static int restore_to_file(Arguments *a, const char *path, const char *what, FILE **out, Error *err)
{
    add(a, arena_printf(&a->arena, "--file=%s", path));
    int rc = dump_tools_run(a->items, NULL, what, err);
    if (!rc) {
        *out = fopen(path, "re");
        if (!*out)
            rc = error_errno(err, "%s: reading %s", what, path);
    }
    unlink(path);
    return rc;
}

int dump_list(const DumpFile *dump, FILE **out, Error *err)
{
    auto_arguments Arguments a = {0};
    auto_free char *path = memory_printf("%s.list", dump->path);

    add(&a, dump->tools.restore);
    add(&a, "--list");
    add(&a, "--verbose"); // with catalogue oids and dependencies
    add(&a, dump->path);
    return restore_to_file(&a, path, "listing the dump", out, err);
}

static int write_wanted(const char *path, const Toc *toc, Error *err)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return error_errno(err, "writing %s", path);
    for (size_t i = 0; i < toc->count; i++)
        if (toc->entries[i].wanted)
            fprintf(file, "%d;\n", toc->entries[i].id);
    bool failed = ferror(file);
    if (fclose(file) || failed)
        return error_errno(err, "writing %s", path);
    return 0;
}

int dump_script(const DumpFile *dump, const Toc *toc, const RolePlan *roles, FILE **out, Error *err)
{
    auto_arguments Arguments a = {0};
    auto_free char *wanted = memory_printf("%s.wanted", dump->path);
    auto_free char *path = memory_printf("%s.sql", dump->path);

    int rc = write_wanted(wanted, toc, err);
    if (!rc) {
        add(&a, dump->tools.restore);
        add(&a, "--verbose"); // with a header for each entry
        add(&a, "--no-tablespaces");
        if (dump->tools.major >= 15)
            add(&a, "--no-table-access-method");
        if (!roles->owners)
            add(&a, "--no-owner");
        if (!roles->privileges)
            add(&a, "--no-acl");
        add(&a, arena_printf(&a.arena, "--use-list=%s", wanted));
        add(&a, dump->path);
        rc = restore_to_file(&a, path, "writing the dump's statements", out, err);
    }
    unlink(wanted);
    return rc;
}
