// SPDX-License-Identifier: Apache-2.0
// Makes and removes the task of the way back. Does not follow it: that is the verb reverse.
#include "engine/reverse/reverse.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "engine/ledger/ledger_plan.h"
#include "engine/ledger/ledger_relation.h"
#include "engine/stream/publication.h"
#include "engine/stream/slot.h"

#include <string.h>

// ---- names and ends ----------------------------------------------------------------------------------------------

static void turn(const Context *ctx, TaskDocument *out)
{
    *out = *ctx->task;
    out->name = memory_strdup(ctx->task->name);
    task_document_turn(out);
}

// Our sessions are known by their name when those of others are ended: both tasks have the same.
static void take_application(const Context *ctx, Context *back)
{
    free(back->application);
    back->application = memory_strdup(ctx->application);
}

int reverse_open(const Context *ctx, Reverse *out, Error *err)
{
    *out = (Reverse){0};
    turn(ctx, &out->task);
    int rc = context_open(&out->ctx, &out->task, ctx->progress, err);
    take_application(ctx, &out->ctx);
    return rc ? error_wrap(err, "opening the way back") : 0;
}

void reverse_close(Reverse *r)
{
    ledger_close(&r->ledger);
    context_close(&r->ctx);
    free(r->task.name);
    *r = (Reverse){0};
}

// ---- making ------------------------------------------------------------------------------------------------------

static int by_name(const void *a, const void *b)
{
    const Relation *x = *(const Relation *const *)a, *y = *(const Relation *const *)b;
    int order = strcmp(x->schema, y->schema);
    return order ? order : strcmp(x->name, y->name);
}

// Drops from the sink's list what the source has not. The relations stay the list's own memory.
static void keep_common(RelationList *list, const RelationList *tables)
{
    auto_free const Relation **sorted = memory_alloc((tables->count + 1) * sizeof *sorted);
    size_t kept = 0;

    for (size_t i = 0; i < tables->count; i++)
        sorted[i] = &tables->items[i];
    qsort(sorted, tables->count, sizeof *sorted, by_name);
    for (size_t i = 0; i < list->count; i++) {
        const Relation *item = &list->items[i];
        if (bsearch(&item, sorted, tables->count, sizeof *sorted, by_name))
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

static int make_slot(Reverse *r, PGconn *sink, Error *err)
{
    SlotSnapshot snapshot = {0};

    if (slot_drop(&r->ctx, sink, NULL, err) || slot_create(&r->ctx, sink, &snapshot, err))
        return -1;
    uint64_t lsn = snapshot.lsn;
    slot_release(&snapshot);
    return ledger_slot_ready(&r->ledger, lsn, err);
}

static int forget_earlier(Reverse *r, Error *err)
{
    auto_pgconn PGconn *source = NULL;
    return context_connect_sink(&r->ctx, &source, err) || ledger_remove(source, r->task.name, err) ? -1 : 0;
}

static int make(Reverse *r, PGconn *sink, const RelationList *list, Error *err)
{
    bool made = false;

    if (forget_earlier(r, err) || ledger_open(&r->ctx, &r->ledger, err) ||
        publication_ensure(&r->ctx, sink, list, &made, err) || ledger_slot_creating(&r->ledger, made, err) ||
        make_slot(r, sink, err) || ledger_relations_add(r->ledger.conn, r->ledger.task.id, list, err))
        return -1;
    return ledger_structure_done(&r->ledger, true, err);
}

int reverse_make(Reverse *r, const RelationList *tables, Error *err)
{
    auto_pgconn PGconn *sink = NULL;
    RelationList list = {0};

    int rc = context_connect_source(&r->ctx, PG_ORDINARY, &sink, err) ||
                     relations_load(sink, &r->task.objects, &r->task.excluded, &list, err)
                 ? -1
                 : 0;
    if (rc == 0) {
        keep_common(&list, tables);
        rc = make(r, sink, &list, err);
    }
    relations_free(&list);
    if (rc)
        return error_wrap(err, "making the way back (here the sink is called the source, and the source the sink)");
    log_info("reverse", "the way back is made: task \"%s\", its slot on the sink", r->task.name);
    return 0;
}

int reverse_arm(Reverse *r, uint64_t fence, Error *err)
{
    const LedgerPosition begin = {.lsn = fence};
    PGconn *conn = r->ledger.conn;
    int64_t id = r->ledger.task.id;

    if (ledger_relations_begin(conn, id, fence, err) ||
        ledger_position_move(conn, id, r->ledger.task.owner, 0, &begin, err) || ledger_data_done(&r->ledger, true, err))
        return error_wrap(err, "arming the way back");
    return 0;
}

// ---- removing ----------------------------------------------------------------------------------------------------

static int remove_all(const Context *back, Error *err)
{
    auto_pgconn PGconn *sink = NULL;
    auto_pgconn PGconn *source = NULL;
    bool running = false, dropped, left;

    if (context_connect_sink(back, &source, err) || ledger_is_running(back, source, &running, err))
        return -1;
    if (running)
        return error_set(err, ERROR_BUSY, "the way back (task \"%s\") is being followed by another process",
                         back->task->name);
    if (context_connect_source(back, PG_ORDINARY, &sink, err) || slot_drop(back, sink, NULL, err) ||
        publication_drop(back, sink, false, &dropped, &left, err))
        return -1;
    return ledger_remove(source, back->task->name, err);
}

int reverse_remove(const Context *ctx, Error *err)
{
    TaskDocument task;
    Context back;

    turn(ctx, &task);
    context_name(&back, &task, ctx->progress);
    take_application(ctx, &back);
    int rc = remove_all(&back, err);
    context_close(&back);
    free(task.name);
    return rc ? error_wrap(err, "removing the way back") : 0;
}

int reverse_exists(const Context *ctx, bool *exists, Error *err)
{
    TaskDocument task;
    auto_pgconn PGconn *source = NULL;
    auto_free char *ledger = NULL;
    auto_pgresult PGresult *res = NULL;

    *exists = false;
    if (context_connect_source(ctx, PG_ORDINARY, &source, err) ||
        pg_text(source, "SELECT pg_catalog.to_regclass('kubeferry.task')::text", &ledger, err))
        return -1;
    if (!ledger)
        return 0;
    turn(ctx, &task);
    const char *values[] = {task.name};
    int rc = pg_query(source, "SELECT 1 FROM kubeferry.task WHERE name = $1", 1, values, &res, err);
    free(task.name);
    *exists = rc == 0 && PQntuples(res) > 0;
    return rc;
}
