// SPDX-License-Identifier: Apache-2.0
// What comes before the rows, one entry after the other, and the single items of what comes after them.
#include "engine/structure/restore.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/structure/script.h"
#include "engine/structure/statement.h"

#include <string.h>

typedef struct Counts {
    size_t made, existed, left_out;
    char *example; // of what was left out, with the reason
} Counts;

typedef struct PreData {
    const Structure *structure;
    PGconn *sink;
    int64_t task_id;
    bool empty;    // the sink has nothing yet: no need to look before each entry
    bool *foreign; // by entry: was there before, and not made by this task
    Counts counts;
} PreData;

// Comments and privileges of what somebody else made are theirs.
static bool is_about_foreign(const PreData *p, const TocEntry *e)
{
    const Toc *toc = &p->structure->toc;
    if (e->type->kind != TOC_DEPENDENT)
        return false;
    for (uint32_t d = 0; d < e->dependency_count; d++)
        if (p->foreign[toc_dependency(toc, e, d) - toc->entries])
            return true;
    return false;
}

static void count(PreData *p, const TocEntry *e, StructureOutcome outcome, const Error *refusal)
{
    if (outcome == STRUCTURE_MADE) {
        p->counts.made++;
    } else if (outcome == STRUCTURE_EXISTED) {
        p->counts.existed++;
    } else {
        log_warn("structure", "left out: %s: %s", e->identity, refusal->message);
        if (p->counts.left_out++ == 0)
            p->counts.example = memory_printf("%s: %s", e->identity, refusal->message);
    }
}

static int make_entry(PreData *p, const TocEntry *e, Error *err)
{
    RestoreEntry r = {.structure = p->structure,
                      .entry = e,
                      .identity = e->identity,
                      .task_id = p->task_id,
                      .pinned = true,
                      .check = !p->empty || toc_is(e, "SCHEMA"),
                      .lenient = e->type->lenient || !e->required};
    StructureOutcome outcome = STRUCTURE_EXISTED;
    Error refusal = {0};

    if (stop_check(err))
        return -1;
    if (!is_about_foreign(p, e)) {
        if (restore_entry(&r, p->sink, &outcome, &refusal, err))
            return -1;
        bool ours = true;
        if (outcome == STRUCTURE_EXISTED && restore_was_made(p->sink, p->task_id, e->identity, &ours, err))
            return -1;
        p->foreign[e - p->structure->toc.entries] = !ours;
    }
    count(p, e, outcome, &refusal);
    return 0;
}

// Privileges come last: taking a right away must not be in the way of what is still to be made.
static int make_entries(PreData *p, Error *err)
{
    const Toc *toc = &p->structure->toc;
    for (int privileges = 0; privileges < 2; privileges++) {
        for (size_t i = 0; i < toc->count; i++) {
            const TocEntry *e = &toc->entries[i];
            if (e->wanted && !e->post && toc_is_privilege(e) == (privileges == 1) && make_entry(p, e, err))
                return -1;
        }
    }
    return 0;
}

static int prepare_sink(PGconn *sink, bool *empty, Error *err)
{
    static const char IS_EMPTY[] =
        "WITH s(oid) AS (SELECT n.oid FROM pg_catalog.pg_namespace n"
        "                 WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'kubeferry'))"
        " SELECT NOT EXISTS (SELECT 1 FROM s WHERE s.oid >= 16384)"
        "    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class x JOIN s ON s.oid = x.relnamespace)"
        "    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type x JOIN s ON s.oid = x.typnamespace)"
        "    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_proc x JOIN s ON s.oid = x.pronamespace)";
    auto_pgresult PGresult *res = NULL;

    // A crash of the sink may lose the last entries together with their rows in the ledger: they are made again.
    if (restore_pin_session(sink, err) || pg_exec(sink, "SET synchronous_commit = off", err) ||
        pg_query(sink, IS_EMPTY, 0, NULL, &res, err))
        return -1;
    *empty = pg_get_bool(res, 0, 0);
    return 0;
}

static void tell(const Structure *s, const Context *ctx, const Counts *counts)
{
    for (size_t i = 0; i < s->note_count; i++) {
        log_info("structure", "%s", s->notes[i]);
        progress_note(ctx->progress, "%s", s->notes[i]);
    }
    if (counts->left_out)
        progress_note(ctx->progress, "%zu objects were left out, for example %s", counts->left_out, counts->example);
    log_info("structure",
             "made %zu objects before the rows, %zu were there already, %zu left out; %zu come after the rows",
             counts->made, counts->existed, counts->left_out, s->item_count);
}

int structure_make_pre_data(Structure *s, const Context *ctx, Ledger *ledger, Error *err)
{
    auto_pgconn PGconn *sink = NULL;
    PreData p = {.structure = s, .task_id = ledger->task.id};

    if (context_connect_sink(ctx, &sink, err) || prepare_sink(sink, &p.empty, err))
        return -1;
    p.sink = sink;
    p.foreign = memory_zalloc(s->toc.count + 1);
    int rc = make_entries(&p, err);
    if (!rc)
        tell(s, ctx, &p.counts);
    free(p.foreign);
    free(p.counts.example);
    return rc;
}

static bool is_refresh(const StructureItem *item)
{
    return strcmp(item->type, STRUCTURE_REFRESH) == 0;
}

// The view's name as SQL text stands in the statement that made it. Caller frees.
static int refresh_statement(const Structure *s, const TocEntry *e, char **statement, Error *err)
{
    auto_buffer Buffer text = {0};
    auto_statement_object StatementObject object = {0};

    if (script_read(s->script, e, &text, err))
        return -1;
    statement_object(e, buffer_text(&text), &object);
    if (object.name_count == 0)
        return error_set(err, ERROR_PROTOCOL, "the statement of %s is not understood", e->identity);
    *statement = memory_printf("REFRESH MATERIALIZED VIEW %s", object.names[0]);
    return 0;
}

int structure_execute(const Structure *s, const Context *ctx, PGconn *sink, int64_t task_id, const StructureItem *item,
                      StructureOutcome *outcome, Error *err)
{
    const TocEntry *e = &s->toc.entries[item->entry];
    auto_free char *statement = NULL;
    Error refusal = {0};
    RestoreEntry r = {.structure = s,
                      .entry = e,
                      .identity = item->identity,
                      .task_id = task_id,
                      .check = !is_refresh(item),
                      .lenient = e->type->lenient || !e->required};

    if (is_refresh(item)) {
        bool made = false;
        if (restore_was_made(sink, task_id, item->identity, &made, err))
            return -1;
        *outcome = STRUCTURE_EXISTED;
        if (made)
            return 0;
        if (refresh_statement(s, e, &statement, err))
            return -1;
        r.statement = statement;
    }
    if (restore_entry(&r, sink, outcome, &refusal, err))
        return -1;
    if (*outcome == STRUCTURE_LEFT_OUT) {
        log_warn("structure", "left out: %s: %s", item->identity, refusal.message);
        progress_note(ctx->progress, "%s is left out: %s", item->identity, refusal.message);
    }
    return 0;
}

int structure_hold(const Structure *s, PGconn *sink, int64_t task_id, const StructureItem *item, const char *reason,
                   Error *err)
{
    const TocEntry *e = &s->toc.entries[item->entry];
    auto_free char *refresh = NULL;
    auto_buffer Buffer text = {0};

    if (is_refresh(item) ? refresh_statement(s, e, &refresh, err) : script_read(s->script, e, &text, err))
        return -1;
    return ledger_object(sink, task_id, item->identity, OBJECT_HELD, reason, refresh ? refresh : buffer_text(&text),
                         err);
}
