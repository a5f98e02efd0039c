// SPDX-License-Identifier: Apache-2.0
// The order of init-data: look, check, publication and slot, plan, copy and build, sequences, what comes last. Whatever
// is lost on the way (a server restarts, the snapshot is gone), it begins again from the ledger.
#include "engine/verbs/init_data.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/apply/apply.h"
#include "engine/catalog/block_range.h"
#include "engine/copy/copy_plan.h"
#include "engine/copy/copy_run.h"
#include "engine/copy/copy_snapshot.h"
#include "engine/copy/large_objects.h"
#include "engine/copy/late_structure.h"
#include "engine/copy/sequences.h"
#include "engine/copy/sink_check.h"
#include "engine/stream/publication.h"

#include <string.h>

enum { TRIES = 8, PAUSE_MS = 1000, PAUSE_MAX_MS = 30000, TERMINATE_POLLS = 100, TERMINATE_POLL_MS = 100 };

typedef struct InitData { // one try
    Context *ctx;
    Ledger *ledger;
    PGconn *source;
    RelationList list;
    Arena arena;               // of ledger_relations
    LedgerRelations relations; // of the ledger, by id
    bool *partitioned;         // by place in list: the sink's table is partitioned
    PlanItem *items;           // relations to copy
    size_t item_count;
    bool large_objects;
    bool replica_role;
    SlotSnapshot snapshot;
    Structure *structure;
} InitData;

static bool wants_cdc(const InitData *d)
{
    return d->ctx->task->steps[STEP_CDC];
}

// ---- what an earlier process left ---------------------------------------------------------------------------------

// A killed process leaves backends in the sink that go on building or copying: they would block or undo our work.
static int end_leftovers(const InitData *d, Error *err)
{
    const char *values[] = {d->ctx->application};

    if (strlen(d->ctx->application) > 63) // cut by the server: it might name another task
        return 0;
    for (int i = 0; i < TERMINATE_POLLS; i++) {
        int64_t rows = 0;
        if (pg_run(d->ledger->conn,
                   "SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a"
                   " WHERE a.application_name = $1 AND a.usename = current_user AND a.datname = "
                   "pg_catalog.current_database()"
                   "   AND a.pid <> pg_catalog.pg_backend_pid() AND a.backend_type = 'client backend'",
                   1, values, &rows, err))
            return error_wrap(err, "ending what an earlier process left in the sink");
        if (rows == 0)
            return 0;
        if (i == 0)
            log_warn("copy", "ended %lld sessions in the sink that an earlier process of this task left",
                     (long long)rows);
        if (stop_sleep_ms(TERMINATE_POLL_MS))
            return stop_check(err);
    }
    return error_set(err, ERROR_TRANSIENT, "sessions of an earlier process of this task do not end in the sink");
}

// ---- which relations ----------------------------------------------------------------------------------------------

static int compare_unsigned(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int compare_id(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

// Nothing may be written before this has passed: new relations are not in the ledger yet.
static int check_sink(InitData *d, Error *err)
{
    auto_free int32_t *touched = NULL;
    size_t touched_count = 0, count = 0;

    if (ledger_relations_touched(d->ledger->conn, d->ledger->task.id, &touched, &touched_count, err))
        return -1;
    auto_free const LedgerRelation **sorted = ledger_relations_by_oid(&d->relations);
    auto_free const Relation **relations = memory_alloc((d->list.count + 1) * sizeof *relations);
    auto_free bool *must_be_empty = memory_alloc(d->list.count + 1);
    auto_free bool *partitioned = memory_zalloc(d->list.count + 1);
    for (size_t i = 0; i < d->list.count; i++) {
        if (d->list.items[i].kind != 'r')
            continue;
        const LedgerRelation *known = ledger_relation_find(sorted, d->relations.count, d->list.items[i].oid);
        bool ours = known && (known->state != RELATION_WAITING ||
                              bsearch(&known->id, touched, touched_count, sizeof *touched, compare_id));
        must_be_empty[count] = !ours;
        relations[count++] = &d->list.items[i];
    }
    if (sink_check(d->ledger->conn, relations, must_be_empty, partitioned, count, err))
        return -1;
    d->partitioned = memory_zalloc(d->list.count + 1);
    for (size_t i = 0; i < count; i++)
        d->partitioned[relations[i] - d->list.items] = partitioned[i];
    return 0;
}

static int load_relations(InitData *d, Error *err)
{
    arena_reset(&d->arena);
    return ledger_relations_load(d->ledger->conn, d->ledger->task.id, &d->arena, &d->relations, err);
}

static bool is_waiting(const LedgerRelations *relations)
{
    for (size_t i = 0; i < relations->count; i++)
        if (relations->items[i].state == RELATION_WAITING)
            return true;
    return false;
}

// Those whose rows are to be copied now. Without cdc all must be of one snapshot: then one that is not complete takes
// the others along.
static int choose_items(InitData *d, Error *err)
{
    auto_free int32_t *touched = NULL;
    size_t touched_count = 0, again = 0;

    if (ledger_relations_touched(d->ledger->conn, d->ledger->task.id, &touched, &touched_count, err))
        return -1;
    auto_free const LedgerRelation **sorted = ledger_relations_by_oid(&d->relations);
    bool all = !wants_cdc(d) && (is_waiting(&d->relations) || d->large_objects);
    d->items = memory_alloc((d->list.count + 1) * sizeof *d->items);
    for (size_t i = 0; i < d->list.count; i++) {
        const LedgerRelation *known = ledger_relation_find(sorted, d->relations.count, d->list.items[i].oid);
        if (!known || (known->state != RELATION_WAITING && !all))
            continue;
        bool has_rows = bsearch(&known->id, touched, touched_count, sizeof *touched, compare_id) != NULL;
        again += known->state != RELATION_WAITING;
        d->items[d->item_count++] = (PlanItem){
            .id = known->id, .touched = has_rows, .partitioned = d->partitioned[i], .relation = &d->list.items[i]};
    }
    if (again)
        log_info("copy", "without cdc all tables must be of one snapshot: %zu that were complete are copied again",
                 again);
    return 0;
}

// A table that was planned and never copied, and is no longer among those to migrate.
static int forget_gone(InitData *d, Error *err)
{
    auto_free int32_t *gone = memory_alloc((d->relations.count + 1) * sizeof *gone);
    auto_free uint32_t *present = memory_alloc((d->list.count + 1) * sizeof *present);
    size_t count = 0;

    for (size_t i = 0; i < d->list.count; i++)
        present[i] = d->list.items[i].oid;
    qsort(present, d->list.count, sizeof *present, compare_unsigned);
    for (size_t i = 0; i < d->relations.count; i++) {
        const LedgerRelation *r = &d->relations.items[i];
        if (r->state != RELATION_WAITING ||
            bsearch(&r->source_oid, present, d->list.count, sizeof *present, compare_unsigned))
            continue;
        gone[count++] = r->id;
        progress_note(d->ctx->progress, "table %s.%s is no longer among those to migrate and was left out", r->schema,
                      r->name);
    }
    if (count == 0)
        return 0;
    return ledger_relations_forget(d->ledger->conn, d->ledger->task.id, gone, count, err) || load_relations(d, err) ? -1
                                                                                                                    : 0;
}

// ---- the parts in order -------------------------------------------------------------------------------------------

static int look(InitData *d, Error *err)
{
    const Context *ctx = d->ctx;
    bool done = false;

    progress_phase(ctx->progress, "looking at both ends");
    if (ledger_check_owner(d->ledger, err) || end_leftovers(d, err) ||
        context_connect_source(ctx, PG_ORDINARY, &d->source, err) ||
        relations_load(d->source, &ctx->task->objects, &ctx->task->excluded, &d->list, err) || load_relations(d, err) ||
        check_sink(d, err) || large_objects_check_sink(ctx, d->ledger->task.id, d->source, d->ledger->conn, err) ||
        large_objects_wanted(ctx, d->source, &d->large_objects, err) ||
        large_objects_are_done(d->ledger->task.id, d->ledger->conn, &done, err) ||
        context_can_set_replication_role(d->ledger->conn, &d->replica_role, err))
        return -1;
    d->large_objects = d->large_objects && !done;
    return copy_snapshot_check(ctx, d->ledger, d->source, err);
}

static void set_totals(const InitData *d)
{
    Progress *p = d->ctx->progress;
    int64_t rows = 0, bytes = 0, done = 0, done_rows = 0, done_bytes = 0;

    for (size_t i = 0; i < d->list.count; i++) {
        rows += d->list.items[i].rows;
        bytes += d->list.items[i].bytes;
    }
    for (size_t i = 0; i < d->relations.count; i++) {
        const LedgerRelation *r = &d->relations.items[i];
        done += r->state == RELATION_DONE;
        done_rows += r->state != RELATION_WAITING ? r->rows : 0;
        done_bytes += r->state != RELATION_WAITING ? r->bytes : 0;
    }
    progress_set_totals(p, (int64_t)d->relations.count, rows, bytes, 0);
    pthread_mutex_lock(&p->lock);
    p->tables_done = done;
    p->rows_done = done_rows;
    p->bytes_done = done_bytes;
    p->indexes_done = 0;
    pthread_mutex_unlock(&p->lock);
    log_info("copy", "%zu tables, about %lld rows, %.1f MB; %lld tables are done already", d->relations.count,
             (long long)rows, (double)bytes / 1e6, (long long)done);
}

static int plan(InitData *d, Error *err)
{
    const Context *ctx = d->ctx;
    bool made = false;
    int64_t total = 0;

    progress_phase(ctx->progress, "making publication and slot");
    if (wants_cdc(d) && publication_ensure(ctx, d->source, &d->list, &made, err))
        return -1;
    if (ledger_relations_add(d->ledger->conn, d->ledger->task.id, &d->list, err) || load_relations(d, err) ||
        forget_gone(d, err) || choose_items(d, err))
        return -1;
    bool needed = d->item_count > 0 || d->large_objects;
    if (copy_snapshot_open(ctx, d->ledger, d->source, needed, made, &d->snapshot, err))
        return -1;
    for (size_t i = 0; i < d->item_count; i++)
        total += d->items[i].relation->bytes;
    progress_phase(ctx->progress, "planning");
    if (d->replica_role && pg_exec(d->ledger->conn, "SET session_replication_role = replica", err))
        return -1;
    if (copy_plan_write(d->ledger->conn, d->ledger->task.id, d->items, d->item_count,
                        copy_plan_chunk_bytes(total, ctx->task->jobs * ctx->task->workers),
                        ctx->source_version >= BLOCK_RANGE_SINCE, d->snapshot.lsn, err) ||
        (d->replica_role && pg_exec(d->ledger->conn, "RESET session_replication_role", err)) || load_relations(d, err))
        return -1;
    set_totals(d);
    return 0;
}

static int copy(InitData *d, Error *err)
{
    CopyRun run = {.ctx = d->ctx,
                   .ledger = d->ledger,
                   .list = &d->list,
                   .relations = &d->relations,
                   .snapshot = &d->snapshot,
                   .replica_role = d->replica_role,
                   .same_encoding = d->ctx->same_encoding,
                   .large_objects = d->large_objects};
    int rc = copy_run(&run, err);

    d->structure = run.structure;
    slot_release(&d->snapshot);
    return rc;
}

// Relations of different snapshots show the source at different moments: a foreign key between them might not hold.
static int make_consistent(InitData *d, Error *err)
{
    uint64_t lowest = UINT64_MAX, highest = 0;

    if (!wants_cdc(d) || load_relations(d, err))
        return wants_cdc(d) ? -1 : 0;
    for (size_t i = 0; i < d->relations.count; i++) {
        uint64_t lsn = d->relations.items[i].snapshot_lsn;
        lowest = lsn < lowest ? lsn : lowest;
        highest = lsn > highest ? lsn : highest;
    }
    if (d->relations.count == 0 || lowest == highest)
        return 0;
    progress_phase(d->ctx->progress, "bringing all tables to one moment");
    log_info("copy", "the tables were copied under several snapshots; changes up to the last of them are applied now");
    return apply_until(d->ctx, d->ledger, highest, err);
}

static int finish_structure(InitData *d, Error *err)
{
    const LateStructure late = {.ctx = d->ctx,
                                .ledger = d->ledger,
                                .structure = d->structure,
                                .relations = &d->relations,
                                .replica_role = d->replica_role};

    if (!d->structure)
        return 0;
    progress_phase(d->ctx->progress, "making foreign keys and what comes last");
    return late_structure_make(&late, NULL, err);
}

static int finish(InitData *d, Error *err)
{
    progress_phase(d->ctx->progress, "setting sequences");
    if (sequences_sync(d->ctx, d->source, d->ledger->conn, err) || make_consistent(d, err) ||
        finish_structure(d, err) || ledger_data_done(d->ledger, true, err))
        return -1;
    log_info("copy", "all tables are copied");
    return 0;
}

// ---- tries --------------------------------------------------------------------------------------------------------

static int try_once(Context *ctx, Ledger *ledger, Error *err)
{
    InitData d = {.ctx = ctx, .ledger = ledger};
    int rc = look(&d, err) || plan(&d, err) || copy(&d, err) || finish(&d, err) ? -1 : 0;

    structure_close(d.structure);
    slot_release(&d.snapshot);
    if (d.source)
        PQfinish(d.source);
    free(d.items);
    free(d.partitioned);
    arena_free(&d.arena);
    relations_free(&d.list);
    return rc;
}

// The ledger's connection may have gone with the sink, or is in the middle of something: a new one takes the task
// again.
static int reopen_ledger(const Context *ctx, Ledger *ledger, Error *err)
{
    ledger_close(ledger);
    return ledger_open(ctx, ledger, err);
}

static int try_again_and_again(Context *ctx, Ledger *ledger, Error *err)
{
    for (int tries = 1;; tries++) {
        if (try_once(ctx, ledger, err) == 0)
            return 0;
        // Full disks and the like do not pass by themselves.
        if (!error_is_retryable(err) || strncmp(err->sqlstate, "53", 2) == 0 || tries >= TRIES)
            return -1;
        int pause = PAUSE_MS << (tries - 1 < 5 ? tries - 1 : 5);
        log_warn("copy", "begins again in %d s (%d of %d): %s", (pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS) / 1000,
                 tries, TRIES - 1, err->message);
        if (stop_sleep_ms(pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS))
            return stop_check(err);
        while (reopen_ledger(ctx, ledger, err)) {
            bool held = err->code == ERROR_BUSY; // by our own lost session, until its server notices
            if ((!held && !error_is_retryable(err)) || ++tries >= TRIES || stop_sleep_ms(PAUSE_MAX_MS / 10))
                return stop_requested() ? stop_check(err) : -1;
        }
    }
}

int verb_init_data(Context *ctx, Ledger *ledger, Error *err)
{
    if (ledger->task.data_done) {
        log_info("copy", "the rows were copied before; nothing to do");
        return 0;
    }
    progress_step_start(ctx->progress, STEP_INIT_DATA);
    int rc = try_again_and_again(ctx, ledger, err);
    progress_step_end(ctx->progress, STEP_INIT_DATA,
                      rc == 0                      ? PROGRESS_DONE
                      : err->code == ERROR_STOPPED ? PROGRESS_STOPPED
                                                   : PROGRESS_FAILED);
    return rc;
}
