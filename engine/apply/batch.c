// SPDX-License-Identifier: Apache-2.0
// Turns decoded messages into changes of one shape: a key that finds the row, and the new row.
#include "engine/apply/batch.h"

#include "common/base/clock.h"
#include "common/base/memory.h"

#include <string.h>

void batch_reset(Batch *b)
{
    arena_reset(&b->arena);
    b->count = b->committed = b->commit_count = b->target_count = 0;
    b->generation++;
    b->ends_at_commit = false;
    b->end_lsn = 0;
    b->commit_time = 0;
    b->transactions = 0;
    b->opened = 0;
}

void batch_free(Batch *b)
{
    arena_free(&b->arena);
    free(b->changes);
    free(b->commit_times);
    *b = (Batch){0};
}

bool batch_is_full(const Batch *b)
{
    return b->arena.used >= BATCH_BYTES || b->count >= BATCH_CHANGES || b->target_count >= BATCH_TARGETS;
}

void batch_cut(Batch *b)
{
    b->count = b->committed;
}

void batch_commit(Batch *b, uint64_t end_lsn, double commit_time)
{
    if (b->commit_count == b->commit_capacity) {
        b->commit_capacity = b->commit_capacity ? b->commit_capacity * 2 : 64;
        b->commit_times = memory_realloc(b->commit_times, b->commit_capacity * sizeof *b->commit_times);
    }
    b->commit_times[b->commit_count++] = commit_time;
    b->end_lsn = end_lsn;
    b->commit_time = commit_time;
    b->transactions++;
    b->committed = b->count;
    if (b->opened <= 0)
        b->opened = clock_monotonic();
}

static void count_target(Batch *b, Target *t)
{
    if (t->seen_by == b && t->seen_generation == b->generation)
        return;
    t->seen_by = b;
    t->seen_generation = b->generation;
    b->target_count++;
}

static Change *add(Batch *b, ChangeOp op, Target *t, uint64_t commit_lsn)
{
    if (b->count == b->capacity) {
        b->capacity = b->capacity ? b->capacity * 2 : 256;
        b->changes = memory_realloc(b->changes, b->capacity * sizeof *b->changes);
    }
    if (b->opened <= 0)
        b->opened = clock_monotonic();
    Change *c = &b->changes[b->count++];
    *c = (Change){.op = op, .target = t, .commit_lsn = commit_lsn, .complete = true};
    if (t)
        count_target(b, t);
    return c;
}

static bool same_value(const Value *a, const Value *b)
{
    if (a->kind != b->kind)
        return false;
    return a->kind != VALUE_TEXT || (a->len == b->len && memcmp(a->data, b->data, a->len) == 0);
}

// With the whole old row at hand (identity full) an unchanged TOAST value of the new row is the old one.
static void fill_from_old(Value *row, const Value *old, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++)
        if (row[i].kind == VALUE_UNCHANGED)
            row[i] = old[i];
}

static int find_key(Batch *b, Change *c, const PgoutputMessage *m, Error *err)
{
    const Target *t = c->target;
    const Value *from = m->change.old ? m->change.old : m->change.row;
    Value *key = arena_alloc(&b->arena, (size_t)t->key_count * sizeof *key + 1);

    for (uint16_t k = 0; k < t->key_count; k++) {
        key[k] = from[t->keys[k]];
        if (key[k].kind != VALUE_UNCHANGED && key[k].kind != VALUE_NULL)
            continue;
        error_set(err, ERROR_CONDITION,
                  "a change of %s cannot be applied: the source sent no value for key column \"%s\"", t->label,
                  t->columns[t->keys[k]].name);
        return error_hint(err, "run on the source: ALTER TABLE %s REPLICA IDENTITY FULL, then cleanup and start again",
                          t->label);
    }
    c->key = key;
    if (c->op != CHANGE_UPDATE || !m->change.old)
        return 0;
    for (uint16_t k = 0; k < t->key_count; k++) {
        Value *new_value = &m->change.row[t->keys[k]];
        // The old key came whole, and a key value that did not change may be left out of the new row.
        if (new_value->kind == VALUE_UNCHANGED)
            *new_value = key[k];
        if (!same_value(new_value, &key[k]))
            c->key_changed = true;
    }
    return 0;
}

int batch_add(Batch *b, Target *t, const PgoutputMessage *m, uint64_t commit_lsn, Error *err)
{
    bool wrong_width = (m->change.row && m->change.row_count != t->column_count) ||
                       (m->change.old && m->change.old_count != t->column_count);
    if (wrong_width)
        return error_set(err, ERROR_PROTOCOL, "a change of %s has another number of columns than its description",
                         t->label);

    Change *c = add(b, (ChangeOp)m->kind, t, commit_lsn);
    if (c->op == CHANGE_UPDATE && m->change.old_kind == 'O')
        fill_from_old(m->change.row, m->change.old, t->column_count);
    c->row = m->change.row;
    if (c->op != CHANGE_INSERT && t->key_count == 0) {
        if (m->change.old_kind != 'O') {
            error_set(err, ERROR_CONDITION,
                      "a change of %s cannot be applied: the table has no key and no full replica identity", t->label);
            return error_hint(
                err, "run on the source: ALTER TABLE %s REPLICA IDENTITY FULL, then cleanup and start again", t->label);
        }
        c->old = m->change.old;
    } else if (c->op != CHANGE_INSERT && find_key(b, c, m, err)) {
        return -1;
    }
    for (uint16_t i = 0; c->row && i < t->column_count && c->complete; i++)
        c->complete = c->row[i].kind != VALUE_UNCHANGED;
    return 0;
}

void batch_add_truncate(Batch *b, Target **targets, uint32_t count, bool restart_identity, uint64_t commit_lsn)
{
    Change *c = add(b, CHANGE_TRUNCATE, NULL, commit_lsn);
    for (uint32_t i = 0; i < count; i++)
        count_target(b, targets[i]);
    c->truncated = targets;
    c->truncated_count = count;
    c->restart_identity = restart_identity;
}
