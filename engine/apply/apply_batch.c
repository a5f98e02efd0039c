// SPDX-License-Identifier: Apache-2.0
// Applies the changes of one batch. The state after a batch is one that the source was in, so it is legal; the way
// there may not be when changes are folded (values of a unique column swapped between rows): then the batch is
// replayed.
#include "engine/apply/apply_batch.h"

#include "common/base/log.h"
#include "common/base/lsn.h"
#include "common/base/memory.h"

#include <string.h>

typedef enum Phase { PHASE_DELETE, PHASE_UPDATE, PHASE_INSERT } Phase;

// ---- messages ----------------------------------------------------------------------------------------------------

static void put_value(Buffer *text, const Value *v)
{
    enum { SHOWN = 80 };
    if (v->kind == VALUE_NULL)
        buffer_puts(text, "NULL");
    else if (v->kind == VALUE_UNCHANGED)
        buffer_puts(text, "(unchanged)");
    else
        buffer_printf(text, "%.*s%s", (int)(v->len < SHOWN ? v->len : SHOWN), v->data, v->len > SHOWN ? "…" : "");
}

// {id=5, region=north}: the key of a change, or its row where the table has none.
static void put_key(Buffer *text, const Change *c)
{
    const Target *t = c->target;
    uint16_t count = t->key_count ? t->key_count : t->column_count;

    buffer_putc(text, '{');
    for (uint16_t i = 0; i < count; i++) {
        uint16_t column = t->key_count ? t->keys[i] : i;
        const Value *v = c->key ? &c->key[i] : c->row ? &c->row[column] : &c->old[column];
        buffer_printf(text, "%s%s=", i ? ", " : "", t->columns[column].name);
        put_value(text, v);
    }
    buffer_putc(text, '}');
}

static const char *op_name(const Change *c)
{
    return c->op == CHANGE_INSERT   ? "insert"
           : c->op == CHANGE_UPDATE ? "update"
           : c->op == CHANGE_DELETE ? "delete"
                                    : "truncate";
}

static int diverged(const Change *c, int64_t touched, Error *err)
{
    auto_buffer Buffer key = {0};

    put_key(&key, c);
    error_set(err, ERROR_DIVERGED,
              "source and sink have diverged: an %s of %s in the transaction that committed at %s found %lld rows with "
              "key %s in "
              "the sink, expected 1",
              op_name(c), c->target->label, lsn_format(c->commit_lsn).text, (long long)touched, key.data);
    return error_hint(
        err, "somebody else has written to this table in the sink, or the ends were different from the start: run "
             "verify to see the differences, mend them in the sink, then start again");
}

static int blame(const Change *c, Error *err)
{
    auto_buffer Buffer key = {0};

    if (error_is_retryable(err) || err->code == ERROR_STOPPED || c->op == CHANGE_TRUNCATE)
        return -1;
    put_key(&key, c);
    error_wrap(err, "%s of %s with key %s, committed at %s on the source", op_name(c), c->target->label, key.data,
               lsn_format(c->commit_lsn).text);
    if (strncmp(err->sqlstate, "23", 2) == 0)
        error_hint(
            err,
            "a row or constraint of the sink that the source does not have stands in the way: run verify, remove it "
            "from the sink, then start again");
    return -1;
}

// ---- folded ------------------------------------------------------------------------------------------------------

// A group is a run of entries with the same phase, target and mask; packed so that a plain sort brings them together.
typedef struct Place {
    uint64_t group; // phase, target number, mask
    uint32_t entry;
} Place;

static int compare_places(const void *a, const void *b)
{
    const Place *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static uint64_t group_of(Phase phase, const FoldEntry *e)
{
    return (uint64_t)phase << 62 | (uint64_t)e->target->number << 24 | (phase == PHASE_UPDATE ? e->mask : 0);
}

static size_t list_places(const Fold *f, Place *places)
{
    size_t n = 0;
    for (size_t i = 0; i < f->count; i++) {
        const FoldEntry *e = &f->entries[i];
        if (e->op == NET_DELETE || e->op == NET_REPLACE)
            places[n++] = (Place){group_of(PHASE_DELETE, e), (uint32_t)i};
        if (e->op == NET_UPDATE)
            places[n++] = (Place){group_of(PHASE_UPDATE, e), (uint32_t)i};
        if (e->op == NET_INSERT || e->op == NET_REPLACE)
            places[n++] = (Place){group_of(PHASE_INSERT, e), (uint32_t)i};
    }
    qsort(places, n, sizeof *places, compare_places);
    return n;
}

static int run_group(StatementRunner *runner, const Fold *f, const Place *places, size_t count, StatementRow *rows,
                     Error *err)
{
    static const StatementKind KINDS[] = {STATEMENT_DELETE, STATEMENT_UPDATE, STATEMENT_INSERT};
    const FoldEntry *first = &f->entries[places[0].entry];
    Phase phase = (Phase)(places[0].group >> 62);
    const FoldMask *mask = phase == PHASE_UPDATE && first->mask ? &f->masks[first->mask - 1] : NULL;
    int64_t touched = 0;

    for (size_t i = 0; i < count; i++) {
        const FoldEntry *e = &f->entries[places[i].entry];
        rows[i] = (StatementRow){.key = e->key, .row = e->row};
    }
    if (statement_run(runner, KINDS[phase], first->target, mask, rows, count, &touched, err))
        return -1;
    if (touched == (int64_t)count)
        return 0;
    return error_set(err, ERROR_DIVERGED, "%lld rows of %zu were found in %s", (long long)touched, count,
                     first->target->label);
}

static int run_fold(StatementRunner *runner, const Fold *f, Error *err)
{
    if (f->count == 0)
        return 0;
    auto_free Place *places = memory_alloc(f->count * 2 * sizeof *places);
    auto_free StatementRow *rows = memory_alloc(f->count * sizeof *rows);
    size_t n = list_places(f, places);

    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && places[to].group == places[from].group; to++)
            ;
        if (run_group(runner, f, places + from, to - from, rows, err))
            return -1;
    }
    return 0;
}

// ---- one by one --------------------------------------------------------------------------------------------------

static StatementKind kind_alone(const Change *c)
{
    if (c->op == CHANGE_INSERT)
        return STATEMENT_INSERT;
    if (c->op == CHANGE_DELETE)
        return c->old ? STATEMENT_DELETE_IMAGE : STATEMENT_DELETE;
    return c->old ? STATEMENT_UPDATE_IMAGE : c->key_changed ? STATEMENT_UPDATE_KEY : STATEMENT_UPDATE;
}

static int run_alone(StatementRunner *runner, const Change *c, Error *err)
{
    uint64_t bits[32] = {0}; // 1,600 columns at most, and a few spare
    FoldMask mask = {.unchanged = bits};
    StatementRow row = {.key = c->key, .row = c->row, .old = c->old};
    int64_t touched = 0;

    if (c->op == CHANGE_TRUNCATE)
        return statement_truncate(runner, c->truncated, c->truncated_count, c->restart_identity, err);
    for (uint16_t i = 0; c->row && !c->complete && i < c->target->column_count; i++)
        if (c->row[i].kind == VALUE_UNCHANGED)
            bits[i / 64] |= 1ull << i % 64;
    mask.column_count = c->target->column_count;
    if (statement_run(runner, kind_alone(c), c->target, c->complete ? NULL : &mask, &row, 1, &touched, err))
        return blame(c, err);
    return touched == 1 ? 0 : diverged(c, touched, err);
}

static int run_in_order(StatementRunner *runner, const Batch *batch, Error *err)
{
    for (size_t i = 0; i < batch->count; i++)
        if (run_alone(runner, &batch->changes[i], err))
            return -1;
    return 0;
}

static int run_folded(StatementRunner *runner, Fold *fold, const Batch *batch, Error *err)
{
    fold_reset(fold);
    for (size_t i = 0; i < batch->count; i++) {
        if (fold_add(fold, &batch->changes[i]) == FOLD_TAKEN)
            continue;
        if (run_fold(runner, fold, err))
            return -1;
        fold_reset(fold);
        // An empty fold takes what a full one could not, unless the change must be alone by its nature.
        if (fold_add(fold, &batch->changes[i]) == FOLD_TAKEN)
            continue;
        fold_reset(fold);
        if (run_alone(runner, &batch->changes[i], err))
            return -1;
    }
    return run_fold(runner, fold, err);
}

static void count_changes(const Batch *batch, ApplyCounts *counts)
{
    for (size_t i = 0; i < batch->count; i++) {
        switch (batch->changes[i].op) {
        case CHANGE_INSERT:
            counts->inserts++;
            break;
        case CHANGE_UPDATE:
            counts->updates++;
            break;
        case CHANGE_DELETE:
            counts->deletes++;
            break;
        case CHANGE_TRUNCATE:
            counts->truncates++;
            break;
        }
    }
}

int apply_batch(StatementRunner *runner, Fold *fold, const Batch *batch, ApplyCounts *counts, Error *err)
{
    if (run_folded(runner, fold, batch, err)) {
        bool objection = strncmp(err->sqlstate, "23", 2) == 0 || err->code == ERROR_DIVERGED;
        if (!objection)
            return -1;
        log_debug("apply", "replaying %zu changes in order: %s", batch->count, err->message);
        if (pg_exec(runner->sink, "ROLLBACK TO SAVEPOINT kubeferry", err) || run_in_order(runner, batch, err))
            return -1;
        counts->replays++;
    }
    count_changes(batch, counts);
    return 0;
}
