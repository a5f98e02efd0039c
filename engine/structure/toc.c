// SPDX-License-Identifier: Apache-2.0
// Reads pg_restore's list. Decides nothing: that is filter.c's.
#include "engine/structure/toc.h"

#include "common/base/memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// Types whose name begins with another's stand first.
static const TocType TYPES[] = {
    // name, kind, post, early, lenient
    {"ENCODING", TOC_IGNORED, 0, 0, 0},
    {"STDSTRINGS", TOC_IGNORED, 0, 0, 0},
    {"SEARCHPATH", TOC_IGNORED, 0, 0, 0},
    {"DATABASE PROPERTIES", TOC_IGNORED, 0, 0, 0},
    {"DATABASE", TOC_IGNORED, 0, 0, 0},
    {"TABLE DATA", TOC_IGNORED, 0, 0, 0},
    {"SEQUENCE SET", TOC_IGNORED, 0, 0, 0},
    {"STATISTICS DATA", TOC_IGNORED, 0, 0, 0},
    {"MATERIALIZED VIEW DATA", TOC_IGNORED, 0, 0, 0},
    {"BLOBS", TOC_IGNORED, 0, 0, 0},
    {"BLOB METADATA", TOC_IGNORED, 0, 0, 0},
    {"BLOB", TOC_IGNORED, 0, 0, 0},
    {"SECURITY LABEL", TOC_IGNORED, 0, 0, 0},
    {"PUBLICATION TABLES IN SCHEMA", TOC_IGNORED, 1, 0, 0},
    {"PUBLICATION TABLE", TOC_IGNORED, 1, 0, 0},
    {"PUBLICATION", TOC_REFUSED, 1, 0, 0},
    {"SUBSCRIPTION TABLE", TOC_IGNORED, 1, 0, 0},
    {"SUBSCRIPTION", TOC_REFUSED, 1, 0, 0},
    {"EVENT TRIGGER", TOC_REFUSED, 1, 0, 0},
    {"FOREIGN DATA WRAPPER", TOC_REFUSED, 0, 0, 0},
    {"FOREIGN TABLE", TOC_REFUSED, 0, 0, 0},
    {"SERVER", TOC_REFUSED, 0, 0, 0},
    {"USER MAPPING", TOC_REFUSED, 0, 0, 0},
    {"TABLE ATTACH", TOC_ATTACH, 0, 0, 0},
    {"TABLE", TOC_TABLE, 0, 0, 0},
    {"MATERIALIZED VIEW", TOC_VIEW, 0, 0, 0},
    {"VIEW", TOC_VIEW, 0, 0, 0},
    {"SEQUENCE OWNED BY", TOC_DEPENDENT, 0, 0, 0},
    {"SEQUENCE", TOC_SEQUENCE, 0, 0, 0},
    {"SCHEMA", TOC_STANDALONE, 0, 0, 0},
    {"EXTENSION", TOC_STANDALONE, 0, 0, 0},
    {"SHELL TYPE", TOC_STANDALONE, 0, 0, 0},
    {"TYPE", TOC_STANDALONE, 0, 0, 0},
    {"DOMAIN", TOC_STANDALONE, 0, 0, 0},
    {"FUNCTION", TOC_STANDALONE, 0, 0, 0},
    {"PROCEDURE", TOC_STANDALONE, 0, 0, 0},
    {"AGGREGATE", TOC_STANDALONE, 0, 0, 0},
    {"OPERATOR CLASS", TOC_STANDALONE, 0, 0, 0},
    {"OPERATOR FAMILY", TOC_STANDALONE, 0, 0, 0},
    {"OPERATOR", TOC_STANDALONE, 0, 0, 0},
    {"ACCESS METHOD", TOC_STANDALONE, 0, 0, 0},
    {"COLLATION", TOC_STANDALONE, 0, 0, 0},
    {"CONVERSION", TOC_STANDALONE, 0, 0, 0},
    {"TEXT SEARCH PARSER", TOC_STANDALONE, 0, 0, 0},
    {"TEXT SEARCH DICTIONARY", TOC_STANDALONE, 0, 0, 0},
    {"TEXT SEARCH TEMPLATE", TOC_STANDALONE, 0, 0, 0},
    {"TEXT SEARCH CONFIGURATION", TOC_STANDALONE, 0, 0, 0},
    {"PROCEDURAL LANGUAGE", TOC_STANDALONE, 0, 0, 0},
    {"CAST", TOC_CAST, 0, 0, 1},
    {"TRANSFORM", TOC_CAST, 0, 0, 1},
    {"DEFAULT ACL", TOC_DEPENDENT, 0, 0, 1},
    {"DEFAULT", TOC_PART, 0, 0, 0},
    {"INDEX ATTACH", TOC_ATTACH, 1, 0, 0},
    {"INDEX", TOC_PART, 1, 1, 0},
    {"STATISTICS", TOC_PART, 1, 1, 1},
    {"CHECK CONSTRAINT", TOC_PART, 1, 1, 0},
    {"FK CONSTRAINT", TOC_FOREIGN_KEY, 1, 0, 0},
    {"CONSTRAINT", TOC_PART, 1, 1, 0},
    {"TRIGGER", TOC_ACTION, 1, 0, 0},
    {"RULE", TOC_ACTION, 1, 0, 1},
    {"POLICY", TOC_ACTION, 1, 0, 1},
    {"ROW SECURITY", TOC_PART, 1, 0, 0},
    {"COMMENT", TOC_DEPENDENT, 0, 0, 1},
    {"ACL LANGUAGE", TOC_DEPENDENT, 0, 0, 1},
    {"ACL", TOC_DEPENDENT, 0, 0, 1},
};
static const TocType UNKNOWN = {"UNKNOWN", TOC_UNKNOWN, 0, 0, 1};

static const TocType *find_type(const char *text)
{
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        size_t n = strlen(TYPES[i].name);
        if (strncmp(text, TYPES[i].name, n) == 0 && text[n] == ' ')
            return &TYPES[i];
    }
    return &UNKNOWN;
}

bool toc_is(const TocEntry *e, const char *type)
{
    return strcmp(e->type->name, type) == 0;
}

bool toc_is_privilege(const TocEntry *e)
{
    return toc_is(e, "ACL") || toc_is(e, "ACL LANGUAGE") || toc_is(e, "DEFAULT ACL");
}

typedef struct Reader {
    Toc *toc;
    size_t entry_cap, dependency_cap;
    long offset; // of the current line
    int number;
} Reader;

static int complain(const Reader *r, const char *line, Error *err)
{
    return error_set(err, ERROR_PROTOCOL, "pg_restore's list has an unexpected line %d: %.80s", r->number, line);
}

// 3207; 2606 16433 CONSTRAINT app orders orders_pkey postgres
static int read_entry(Reader *r, const char *line, Error *err)
{
    char *end;
    Toc *toc = r->toc;
    long id = strtol(line, &end, 10);

    if (id <= 0 || id > INT32_MAX || strncmp(end, "; ", 2) != 0)
        return complain(r, line, err);
    unsigned long class_oid = strtoul(end + 2, &end, 10);
    unsigned long oid = strtoul(end, &end, 10);
    if (*end != ' ')
        return complain(r, line, err);
    if (toc->count == r->entry_cap) {
        r->entry_cap = r->entry_cap ? r->entry_cap + r->entry_cap / 2 : 256;
        toc->entries = memory_realloc(toc->entries, r->entry_cap * sizeof *toc->entries);
    }
    const TocType *type = find_type(end + 1);
    toc->entries[toc->count++] = (TocEntry){.id = (int32_t)id,
                                            .class_oid = (uint32_t)class_oid,
                                            .oid = (uint32_t)oid,
                                            .type = type,
                                            .post = type->post,
                                            .line_offset = r->offset,
                                            .first_dependency = (uint32_t)toc->dependency_count,
                                            .text_offset = -1};
    if (id > toc->max_id)
        toc->max_id = (int32_t)id;
    return 0;
}

// ;	depends on: 3210 218
static void read_dependencies(Reader *r, const char *ids)
{
    Toc *toc = r->toc;
    TocEntry *e = &toc->entries[toc->count - 1];
    char *end;

    for (long id = strtol(ids, &end, 10); end != ids; ids = end, id = strtol(ids, &end, 10)) {
        if (toc->dependency_count == r->dependency_cap) {
            r->dependency_cap = r->dependency_cap ? r->dependency_cap + r->dependency_cap / 2 : 1024;
            toc->dependencies = memory_realloc(toc->dependencies, r->dependency_cap * sizeof *toc->dependencies);
        }
        toc->dependencies[toc->dependency_count++] = (int32_t)id;
        e->dependency_count++;
    }
}

static int read_lines(Reader *r, FILE *list, Error *err)
{
    static const char DEPENDS[] = ";\tdepends on:";
    auto_free char *line = NULL;
    size_t cap = 0;
    ssize_t n;

    while ((n = getline(&line, &cap, list)) > 0) {
        r->number++;
        if (strncmp(line, DEPENDS, sizeof DEPENDS - 1) == 0 && r->toc->count > 0)
            read_dependencies(r, line + sizeof DEPENDS - 1);
        else if (isdigit((unsigned char)line[0]) && read_entry(r, line, err))
            return -1;
        else if (line[0] != ';' && !isdigit((unsigned char)line[0]))
            return complain(r, line, err);
        r->offset += (long)n;
    }
    return ferror(list) ? error_errno(err, "reading pg_restore's list") : 0;
}

// Dump ids become indexes; those of entries that are not in the dump go away.
static void link_dependencies(Toc *toc)
{
    uint32_t kept = 0;

    toc->by_id = memory_zalloc(((size_t)toc->max_id + 1) * sizeof *toc->by_id);
    for (size_t i = 0; i < toc->count; i++)
        toc->by_id[toc->entries[i].id] = (uint32_t)i + 1;
    for (size_t i = 0; i < toc->count; i++) {
        TocEntry *e = &toc->entries[i];
        uint32_t first = kept;
        for (uint32_t d = 0; d < e->dependency_count; d++) {
            int32_t id = toc->dependencies[e->first_dependency + d];
            TocEntry *target = toc_find(toc, id);
            if (target && target != e)
                toc->dependencies[kept++] = (int32_t)(target - toc->entries);
        }
        e->first_dependency = first;
        e->dependency_count = kept - first;
    }
    toc->dependency_count = kept;
    // What growing reserved is given back: this stays in memory while the rows are copied.
    toc->entries = memory_realloc(toc->entries, toc->count * sizeof *toc->entries);
    toc->dependencies = memory_realloc(toc->dependencies, kept * sizeof *toc->dependencies);
}

int toc_load(FILE *list, Toc *out, Error *err)
{
    *out = (Toc){.list = list};
    Reader r = {.toc = out};

    if (read_lines(&r, list, err)) {
        toc_free(out);
        return -1;
    }
    link_dependencies(out);
    return 0;
}

void toc_free(Toc *toc)
{
    if (toc->list)
        fclose(toc->list);
    free(toc->entries);
    free(toc->dependencies);
    free(toc->by_id);
    *toc = (Toc){0};
}

TocEntry *toc_find(const Toc *toc, int32_t id)
{
    if (id < 0 || id > toc->max_id || !toc->by_id[id])
        return NULL;
    return &toc->entries[toc->by_id[id] - 1];
}

char *toc_label(const Toc *toc, const TocEntry *e)
{
    auto_free char *line = NULL;
    size_t cap = 0;
    const char *label = e->type->name;

    if (toc->list && fseek(toc->list, e->line_offset, SEEK_SET) == 0 && getline(&line, &cap, toc->list) > 0) {
        const char *p = line;
        for (int spaces = 0; *p && spaces < 3; p++)
            spaces += *p == ' ';
        line[strcspn(line, "\n")] = '\0';
        char *owner = strrchr(line, ' ');
        if (owner && owner > p)
            *owner = '\0';
        label = p;
    }
    return memory_strdup(label);
}
