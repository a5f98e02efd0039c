// SPDX-License-Identifier: Apache-2.0
// The order of index builds. Runs no statement.
#include "engine/copy/build_queue.h"

#include "common/base/memory.h"

#include <string.h>

struct BuildRelation {
    int32_t id;
    uint32_t source_oid;
    size_t first, indexes_end, end; // its items: [first, indexes_end) are INDEX entries
    size_t next_index, next_other;
    int running;
    bool finishing;
};

static bool is_index(const StructureItem *item)
{
    return strcmp(item->type, "INDEX") == 0;
}

static int compare_items(const void *a, const void *b)
{
    const StructureItem *x = *(const StructureItem *const *)a, *y = *(const StructureItem *const *)b;

    if (x->relation_oid != y->relation_oid)
        return x->relation_oid < y->relation_oid ? -1 : 1;
    if (is_index(x) != is_index(y))
        return is_index(x) ? -1 : 1;
    return x < y ? -1 : x > y; // the dump's order: they stand in one array
}

static void find_items(const BuildQueue *q, BuildRelation *r)
{
    size_t low = 0, high = q->item_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (q->items[middle]->relation_oid < r->source_oid)
            low = middle + 1;
        else
            high = middle;
    }
    r->first = r->indexes_end = r->end = low;
    for (; r->end < q->item_count && q->items[r->end]->relation_oid == r->source_oid; r->end++)
        if (is_index(q->items[r->end]))
            r->indexes_end = r->end + 1;
    r->next_index = r->first;
    r->next_other = r->indexes_end;
}

// ---- the heap of relations that wait -----------------------------------------------------------------------------

static void swap(BuildRelation **a, BuildRelation **b)
{
    BuildRelation *saved = *a;
    *a = *b;
    *b = saved;
}

void build_queue_add(BuildQueue *q, int32_t id, uint32_t source_oid)
{
    BuildRelation *r = memory_zalloc(sizeof *r);

    r->id = id;
    r->source_oid = source_oid;
    if (q->waiting_count == q->waiting_capacity) {
        q->waiting_capacity = q->waiting_capacity * 2 + 16;
        q->waiting = memory_realloc(q->waiting, q->waiting_capacity * sizeof(BuildRelation *));
    }
    size_t at = q->waiting_count++;
    q->waiting[at] = r;
    for (; at > 0 && q->waiting[(at - 1) / 2]->id > q->waiting[at]->id; at = (at - 1) / 2)
        swap(&q->waiting[(at - 1) / 2], &q->waiting[at]);
}

static BuildRelation *pop_waiting(BuildQueue *q)
{
    BuildRelation *top = q->waiting[0];
    size_t at = 0;

    q->waiting[0] = q->waiting[--q->waiting_count];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= q->waiting_count)
            return top;
        if (child + 1 < q->waiting_count && q->waiting[child + 1]->id < q->waiting[child]->id)
            child++;
        if (q->waiting[at]->id <= q->waiting[child]->id)
            return top;
        swap(&q->waiting[at], &q->waiting[child]);
        at = child;
    }
}

// ---- the queue ---------------------------------------------------------------------------------------------------

void build_queue_open(BuildQueue *q, const Structure *structure)
{
    const StructureItem *all = NULL;
    size_t count = structure ? structure_items(structure, &all) : 0;

    q->items = memory_alloc((count + 1) * sizeof *q->items);
    for (size_t i = 0; i < count; i++)
        if (all[i].early && all[i].relation_oid)
            q->items[q->item_count++] = &all[i];
    if (q->item_count)
        qsort(q->items, q->item_count, sizeof *q->items, compare_items);
    q->open = true;
}

static bool take_of(BuildQueue *q, BuildRelation *r, BuildWork *out)
{
    if (r->finishing)
        return false;
    if (r->next_index < r->indexes_end)
        *out = (BuildWork){.relation = r, .id = r->id, .item = q->items[r->next_index++]};
    else if (r->running > 0) // the others change the table itself: one at a time, after the indexes
        return false;
    else if (r->next_other < r->end)
        *out = (BuildWork){.relation = r, .id = r->id, .item = q->items[r->next_other++]};
    else {
        *out = (BuildWork){.relation = r, .id = r->id};
        r->finishing = true;
    }
    r->running++;
    return true;
}

bool build_queue_take(BuildQueue *q, BuildWork *out)
{
    if (!q->open)
        return false;
    for (size_t i = 0; i < q->active_count; i++)
        if (take_of(q, q->active[i], out))
            return true;
    if (q->waiting_count == 0)
        return false;
    BuildRelation *r = pop_waiting(q);
    find_items(q, r);
    if (q->active_count == q->active_capacity) {
        q->active_capacity = q->active_capacity * 2 + 16;
        q->active = memory_realloc(q->active, q->active_capacity * sizeof(BuildRelation *));
    }
    q->active[q->active_count++] = r;
    return take_of(q, r, out);
}

bool build_queue_done(BuildQueue *q, const BuildWork *work, BuildWork *out)
{
    BuildRelation *r = work->relation;

    r->running--;
    if (!r->finishing)
        return r->running == 0 && take_of(q, r, out);
    for (size_t i = 0; i < q->active_count; i++)
        if (q->active[i] == r)
            q->active[i] = q->active[--q->active_count];
    free(r);
    return false;
}

bool build_queue_is_empty(const BuildQueue *q)
{
    return q->open && q->waiting_count == 0 && q->active_count == 0;
}

void build_queue_free(BuildQueue *q)
{
    for (size_t i = 0; i < q->waiting_count; i++)
        free(q->waiting[i]);
    for (size_t i = 0; i < q->active_count; i++)
        free(q->active[i]);
    free(q->waiting);
    free(q->active);
    free(q->items);
    *q = (BuildQueue){0};
}
