// SPDX-License-Identifier: Apache-2.0
// Merges two ordered runs of row hashes. Knows no SQL.
#include "engine/verify/verify_merge.h"

#include "common/base/memory.h"

// Rows of one key that the other end does not have in the same form. Rarely more than one an end, but a sink without
// its unique index may hold a key many times.
typedef struct KeyRun {
    int64_t source, sink;
    char *description;
} KeyRun;

static void note_unmatched(KeyRun *run, bool on_source, const VerifyRows *rows, const VerifyFound *found)
{
    if (!run->description && found->wants_description(found->context))
        run->description = rows->describe(rows);
    if (on_source)
        run->source++;
    else
        run->sink++;
}

static void end_run(KeyRun *run, const VerifyFound *found)
{
    int64_t both = run->source < run->sink ? run->source : run->sink;
    const int64_t counts[VERIFY_CLASSES] = {
        [VERIFY_MISSING] = run->source - both, [VERIFY_EXTRA] = run->sink - both, [VERIFY_DIFFERENT] = both};

    for (int i = 0; i < VERIFY_CLASSES; i++)
        if (counts[i] > 0)
            found->found(found->context, (VerifyClass)i, counts[i], run->description);
    free(run->description);
    *run = (KeyRun){0};
}

static bool is_before(const VerifyRows *a, const VerifyRows *b)
{
    if (a->ended || b->ended)
        return !a->ended;
    return a->key != b->key ? a->key < b->key : a->hash < b->hash;
}

static bool is_same(const VerifyRows *a, const VerifyRows *b)
{
    return !a->ended && !b->ended && a->key == b->key && a->hash == b->hash;
}

int verify_merge(VerifyRows *source, VerifyRows *sink, const VerifyFound *found, Error *err)
{
    KeyRun run = {0};
    int rc = source->next(source, err) || sink->next(sink, err) ? -1 : 0;
    int64_t key = 0;

    while (rc == 0 && !(source->ended && sink->ended)) {
        bool same = is_same(source, sink);
        VerifyRows *first = same || is_before(source, sink) ? source : sink;
        if (first->key != key)
            end_run(&run, found);
        key = first->key;
        if (!same)
            note_unmatched(&run, first == source, first, found);
        rc = first->next(first, err);
        if (rc == 0 && same)
            rc = sink->next(sink, err);
    }
    if (rc == 0)
        end_run(&run, found);
    free(run.description);
    return rc;
}
