// SPDX-License-Identifier: Apache-2.0
// Compares all tables of a task at a point that was taken.
#include "engine/verify/verify_compare.h"

#include "common/base/log.h"
#include "common/base/lsn.h"
#include "common/base/memory.h"
#include "engine/pg/quote.h"
#include "engine/verify/verify_workers.h"

#include <stdio.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    const Relation *x = *(const Relation *const *)a, *y = *(const Relation *const *)b;
    int order = strcmp(x->schema, y->schema);
    return order ? order : strcmp(x->name, y->name);
}

static const Relation **sorted_by_name(const RelationList *list)
{
    const Relation **sorted = memory_alloc((list->count + 1) * sizeof *sorted);

    for (size_t i = 0; i < list->count; i++)
        sorted[i] = &list->items[i];
    qsort(sorted, list->count, sizeof *sorted, by_name);
    return sorted;
}

// A schema that the source's tables do not use is somebody else's, not part of the migration.
static bool has_schema(const Relation *const *sorted, size_t count, const char *schema)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(sorted[middle]->schema, schema);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

// Tables that stand where the task migrates whole schemas, on the sink alone. What is missing on the sink is found
// table by table.
static int find_extra_tables(const Context *ctx, PGconn *sink, const RelationList *source, VerifyReport *report,
                             Error *err)
{
    RelationList theirs = {0};

    // That a table of the task is not there is no failure here.
    if (relations_load(sink, &ctx->task->objects, &ctx->task->excluded, &theirs, err) && err->code != ERROR_CONDITION) {
        relations_free(&theirs);
        return error_wrap(err, "listing the tables of the sink");
    }
    error_clear(err);
    const Relation **sorted = sorted_by_name(source);
    for (size_t i = 0; i < theirs.count; i++) {
        const Relation *relation = &theirs.items[i];
        if (!has_schema((const Relation *const *)sorted, source->count, relation->schema) ||
            bsearch(&relation, sorted, source->count, sizeof *sorted, by_name))
            continue;
        auto_free char *name = quote_relation_text(relation->schema, relation->name);
        verify_report_problem(report, name, "the table exists on the sink alone");
    }
    free(sorted);
    relations_free(&theirs);
    return 0;
}

int verify_compare(const Context *ctx, Progress *progress, VerifyPoint *point, VerifyResume *resume, bool *equal,
                   Error *err)
{
    RelationList relations = {0};
    VerifyReport report;
    char at[160];

    // The list is read in the snapshot: a table made later is none of its moment.
    if (relations_load(point->pairs[0].source, &ctx->task->objects, &ctx->task->excluded, &relations, err)) {
        relations_free(&relations);
        return -1;
    }
    if (point->exact)
        snprintf(at, sizeof at, "at LSN %s", lsn_format(point->lsn).text);
    else if (point->still)
        snprintf(at, sizeof at, "while writes are kept away");
    else
        snprintf(at, sizeof at, "(both ends taken one after the other: writes in between show as differences)");
    if (point->dialect.sample)
        progress_note(progress, "verify compared a sample of %d %% of the rows", ctx->task->verify_sample);
    progress_phase(progress, "comparing rows");
    log_info("verify", "comparing both ends %s", at);
    verify_report_init(&report, progress);
    int rc = find_extra_tables(ctx, point->pairs[0].sink, &relations, &report, err) ||
             verify_workers_run(point, &relations, &report, resume, progress, err);
    if (rc == 0)
        *equal = verify_report_end(&report, at);
    verify_report_free(&report);
    relations_free(&relations);
    return rc ? -1 : 0;
}
