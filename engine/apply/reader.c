// SPDX-License-Identifier: Apache-2.0
// Reads the stream into batches. Decides what belongs to whom: which tables, which side of a snapshot, where to pause.
#include "engine/apply/reader.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/lsn.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/apply/new_relation.h"

#include <poll.h>
#include <string.h>

enum {
    GATHER_MS = 40,
    FEEDBACK_MS = 500,
    IDLE_STORE_MS = 5000,
    ASK_MS = 100,
    ASK_CUTOVER_MS = 20,
    TICK_MS = 200,
    READ_RUN = 256,
    HOT_MESSAGES = 64,
    HOT_PAUSE_MS = 10,
    GROWTH_S = 60,
    GROWTH_FIRST_S = 5
};

typedef struct Reader {
    const Context *ctx;
    const ReaderGoal *goal;
    Ledger *ledger;
    Replication stream;
    PGconn *catalog; // look-ups in the sink
    TargetMap *targets;
    Applier *applier;
    BarrierServer barrier;
    CutoverServer cutover;
    Batch batches[2];
    Batch *filling;

    bool in_transaction; // between Begin and Commit
    bool begun;          // a Begin was read and nothing of it yet: still a boundary
    bool skipping;       // the transaction is applied already
    int read_since_wait; // messages
    int read_since_fill;
    bool filled;         // the socket was read since the wait
    bool part_given;     // a part of the transaction is with the applier: its end must follow
    Error schema_error;  // the source's schema has changed: nothing more is read; set when its code is not ERROR_NONE
    uint64_t commit_lsn; // of the transaction
    uint64_t received;   // everything that committed before it has been read, when not in a transaction
    uint64_t given;      // end of what was handed to the applier
    uint64_t resumed_from;
    double last_idle_store, last_ask, last_growth_check;
} Reader;

// ---- messages ----------------------------------------------------------------------------------------------------

static bool is_for_sink(const Reader *r, const Target *t)
{
    return t && t->wanted && r->commit_lsn >= t->snapshot_lsn;
}

static int unknown_relation(uint32_t oid, Error *err)
{
    return error_set(err, ERROR_PROTOCOL, "a change for relation %u came before its description", oid);
}

static int on_change(Reader *r, const PgoutputMessage *m, Error *err)
{
    Target *t = target_map_find(r->targets, m->change.relation);
    if (!t)
        return unknown_relation(m->change.relation, err);
    if (!is_for_sink(r, t))
        return 0;
    if (!r->cutover.watching)
        return batch_add(r->filling, t, m, r->commit_lsn, err);
    cutover_server_late(&r->cutover, t->label);
    return 0;
}

static int on_truncate(Reader *r, const PgoutputMessage *m, Error *err)
{
    Target **targets = arena_alloc(&r->filling->arena, (m->truncate.count + 1) * sizeof *targets);
    uint32_t n = 0;

    for (uint32_t i = 0; i < m->truncate.count; i++) {
        Target *t = target_map_find(r->targets, m->truncate.relations[i]);
        if (!t)
            return unknown_relation(m->truncate.relations[i], err);
        if (is_for_sink(r, t) && r->cutover.watching)
            cutover_server_late(&r->cutover, t->label);
        else if (is_for_sink(r, t))
            targets[n++] = t;
    }
    if (n)
        batch_add_truncate(r->filling, targets, n, m->truncate.restart_identity, r->commit_lsn);
    return 0;
}

static void on_begin(Reader *r, const PgoutputMessage *m)
{
    r->in_transaction = r->begun = true;
    r->commit_lsn = m->begin.commit_lsn;
    // The server starts at what we confirmed, which may be before what we applied. Only the commit LSN decides.
    r->skipping = r->commit_lsn < r->resumed_from;
}

static void on_commit(Reader *r, const PgoutputMessage *m)
{
    // A transaction without changes of ours (up to 14 the source sends those too) costs the sink nothing: the position
    // moves with the next one that has, or with the idle position.
    if (!r->skipping && (r->filling->count > 0 || r->part_given))
        batch_commit(r->filling, m->commit.end_lsn, clock_from_postgres_us(m->commit.commit_time));
    r->in_transaction = r->begun = r->skipping = r->part_given = false;
    if (m->commit.end_lsn > r->received)
        r->received = m->commit.end_lsn;
}

// A relation that no longer fits the sink. What committed before is applied first: once a person has changed the sink
// to fit, those older changes would not fit any more.
static int on_relation(Reader *r, const PgoutputMessage *m, Error *err)
{
    if (target_map_relation(r->targets, m, err) == 0)
        return 0;
    if (err->code != ERROR_CONDITION || r->part_given)
        return -1;
    r->schema_error = *err;
    error_clear(err);
    batch_cut(r->filling);
    r->in_transaction = r->begun = false;
    return 0;
}

static int on_message(Reader *r, const char *data, size_t len, Error *err)
{
    PgoutputMessage m;
    Arena *arena = &r->filling->arena;

    // The bytes move into the batch first: what is decoded points to them.
    if (pgoutput_decode(arena_copy(arena, data, len), len, arena, &m, err))
        return -1;
    r->begun = false;
    switch (m.kind) {
    case 'B':
        on_begin(r, &m);
        return 0;
    case 'C':
        on_commit(r, &m);
        return 0;
    case 'R':
        return on_relation(r, &m, err);
    case 'Y':
        target_map_type(r->targets, &m);
        return 0;
    case 'I':
    case 'U':
    case 'D':
        return r->skipping ? 0 : on_change(r, &m, err);
    case 'T':
        return r->skipping ? 0 : on_truncate(r, &m, err);
    default: // origins and messages of other tools are of no interest
        return 0;
    }
}

// ---- boundaries --------------------------------------------------------------------------------------------------

static bool at_boundary(const Reader *r)
{
    return !r->in_transaction || r->begun;
}

// Whether everything before lsn has been read, and the next thing to read (if known) is not before it.
static bool has_read_up_to(const Reader *r, uint64_t lsn)
{
    return r->begun ? r->commit_lsn >= lsn : r->received >= lsn;
}

static bool wants_pause(const Reader *r)
{
    uint64_t lsn;

    if (!at_boundary(r))
        return false;
    if (r->goal->until_lsn && has_read_up_to(r, r->goal->until_lsn))
        return true;
    if (r->goal->serve_verify && cutover_server_wants_pause(&r->cutover, &lsn) && has_read_up_to(r, lsn))
        return true;
    return r->goal->serve_verify && barrier_wants_pause(&r->barrier, &lsn) && (lsn == 0 || has_read_up_to(r, lsn));
}

static bool is_drained(Reader *r)
{
    return batch_is_empty(r->filling) && applier_is_idle(r->applier);
}

// ---- handing over ------------------------------------------------------------------------------------------------

static void give(Reader *r)
{
    Batch *b = r->filling;

    b->ends_at_commit = at_boundary(r);
    r->part_given = !b->ends_at_commit;
    if (b->end_lsn > r->given)
        r->given = b->end_lsn;
    applier_give(r->applier, b);
    r->filling = b == &r->batches[0] ? &r->batches[1] : &r->batches[0];
    batch_reset(r->filling);
}

// Hands the batch over when the applier is free and waiting longer would gain nothing: it is full, or nothing more has
// arrived, or its first change has waited long enough. While changes keep arriving, larger batches fold better.
static void give_if_due(Reader *r, bool socket_is_empty)
{
    Batch *b = r->filling;

    if (batch_is_empty(b) || !applier_is_idle(r->applier))
        return;
    bool old_enough = clock_monotonic() - b->opened > GATHER_MS / 1000.0;
    if (batch_is_full(b) || (at_boundary(r) && (socket_is_empty || old_enough || wants_pause(r))))
        give(r);
}

// Nothing of ours happens, but the source's WAL grows: the position moves with it, or the slot would hold the WAL back.
static void store_idle_position(Reader *r)
{
    double now = clock_monotonic();

    if (r->in_transaction || r->received <= r->given || r->cutover.watching || !is_drained(r))
        return;
    pthread_mutex_lock(&r->ctx->progress->lock);
    if (r->received > r->ctx->progress->lsn_applied)
        r->ctx->progress->lsn_applied = r->received;
    pthread_mutex_unlock(&r->ctx->progress->lock);
    if (now - r->last_idle_store < IDLE_STORE_MS / 1000.0)
        return;
    r->last_idle_store = now;
    r->filling->end_lsn = r->received;
    give(r);
}

// ---- reading -----------------------------------------------------------------------------------------------------

static int on_keepalive(Reader *r, const ReplicationEvent *e, Error *err)
{
    // Inside a transaction it speaks of WAL before that transaction's commit.
    if (!r->in_transaction && e->wal_end > r->received)
        r->received = e->wal_end;
    return e->reply_requested ? replication_feedback(&r->stream, applier_flushed(r->applier), false, err) : 0;
}

static bool has_ended(const Reader *r)
{
    return r->schema_error.code != ERROR_NONE;
}

static bool may_read(const Reader *r)
{
    return !has_ended(r) && !batch_is_full(r->filling) && !wants_pause(r);
}

static int take(Reader *r, ReplicationEvent *e, Error *err)
{
    int rc = replication_next(&r->stream, e, err);

    if (rc == 0 && e->kind == REPLICATION_DATA)
        rc = on_message(r, e->data, e->len, err);
    else if (rc == 0 && e->kind == REPLICATION_KEEPALIVE)
        rc = on_keepalive(r, e, err);
    PQfreemem(e->buffer);
    if (batch_is_full(r->filling) && batch_is_empty(r->filling))
        batch_reset(r->filling); // full of what is not for the sink
    return rc;
}

static bool is_hot(const Reader *r)
{
    return r->read_since_wait > HOT_MESSAGES;
}

// Reads what has arrived, at most READ_RUN messages. *empty: nothing more is there; or, while many come, so little that
// it is better left to gather (see wait_for_something).
static int read_some(Reader *r, bool *empty, Error *err)
{
    *empty = false;
    for (int i = 0; i < READ_RUN && may_read(r); i++) {
        ReplicationEvent e;
        if (take(r, &e, err))
            return -1;
        if (e.kind != REPLICATION_NOTHING) {
            r->read_since_wait++;
            r->read_since_fill++;
            continue;
        }
        *empty = r->filled && (r->read_since_fill == 0 || (is_hot(r) && r->read_since_fill < HOT_MESSAGES));
        if (*empty)
            return 0;
        if (replication_fill(&r->stream, err))
            return -1;
        r->filled = true;
        r->read_since_fill = 0;
    }
    return 0;
}

static int send_feedback_if_due(Reader *r, Error *err)
{
    double now = clock_monotonic();
    bool cutover = cutover_server_is_active(&r->cutover);
    bool waits_for_lsn = r->goal->until_lsn || r->barrier.now.state == BARRIER_TARGET || cutover;

    // Asked for a sign of life, the source tells how far it has read: that is how an idle stream reaches a goal.
    if (waits_for_lsn && !r->in_transaction && now - r->last_ask > (cutover ? ASK_CUTOVER_MS : ASK_MS) / 1000.0) {
        r->last_ask = now;
        return replication_feedback(&r->stream, applier_flushed(r->applier), true, err);
    }
    if (now - r->stream.last_feedback > FEEDBACK_MS / 1000.0)
        return replication_feedback(&r->stream, applier_flushed(r->applier), false, err);
    return 0;
}

static void wait_for_something(Reader *r)
{
    // The source sends each change by itself. While many come, taking every one as it arrives costs both sides more
    // than the change: they are left to gather for a moment. The source then needs a third of the processor time:
    // what it sends into a window that is full goes out in one piece later.
    bool hot = is_hot(r);
    bool reading = may_read(r) && !hot;
    struct pollfd p[] = {
        {.fd = reading ? PQsocket(r->stream.conn) : -1, .events = POLLIN},
        {.fd = applier_fd(r->applier), .events = POLLIN},
        {.fd = stop_fd(), .events = POLLIN},
    };
    bool waits = r->goal->until_lsn || r->barrier.now.state != BARRIER_NONE;
    poll(p, 3,
         hot && may_read(r)                      ? HOT_PAUSE_MS
         : cutover_server_is_active(&r->cutover) ? ASK_CUTOVER_MS / 2
         : waits                                 ? ASK_MS / 2
                                                 : TICK_MS);
    r->read_since_wait = 0;
    r->filled = false;
    if (p[1].revents)
        applier_clear_fd(r->applier);
}

static int check_growth_if_due(Reader *r, Error *err)
{
    double now = clock_monotonic();
    if (now - r->last_growth_check < GROWTH_S)
        return 0;
    r->last_growth_check = now;
    return new_relation_check(r->ctx, r->ledger, err);
}

// What comes from beside the stream: verify, a cutover, new tables, sequences. During a cutover the sink's sequences
// are the cutover's, and so are its tables.
static int look_aside(Reader *r, Error *err)
{
    if (!r->goal->serve_verify)
        return 0;
    if (cutover_server_look(&r->cutover, err))
        return -1;
    // A verify that has begun is let end; another waits for the cutover.
    bool verify_may = !cutover_server_is_active(&r->cutover) || r->barrier.now.state != BARRIER_NONE;
    if (verify_may && barrier_look(&r->barrier, err))
        return -1;
    if (r->cutover.now.state != CUTOVER_NONE && r->cutover.now.state != CUTOVER_UNDONE)
        return 0;
    if (check_growth_if_due(r, err))
        return -1;
    return r->goal->sequences ? sequence_watch_write(r->goal->sequences, r->catalog, err) : 0;
}

// Everything that was asked for is applied: says so to who waits for it. *done: the goal is reached.
static int on_drained(Reader *r, bool *done, Error *err)
{
    uint64_t lsn;

    *done = r->goal->until_lsn && has_read_up_to(r, r->goal->until_lsn);
    if (*done || !r->goal->serve_verify)
        return 0;
    if (cutover_server_wants_pause(&r->cutover, &lsn) && has_read_up_to(r, lsn))
        return cutover_server_reached(&r->cutover, err);
    return barrier_reached(&r->barrier, err);
}

// One round: read, hand over, tell the source, meet verify or a cutover. *done: the session is to end as *end says.
static int round_once(Reader *r, ReaderEnd *end, bool *done, Error *err)
{
    bool empty = false;

    if (applier_check(r->applier, err) || look_aside(r, err))
        return -1;
    *done = cutover_server_is_done(&r->cutover) || cutover_server_must_restart(&r->cutover);
    if (*done) {
        *end = cutover_server_is_done(&r->cutover) ? READER_CUT_OVER : READER_AGAIN;
        return 0;
    }
    if (read_some(r, &empty, err))
        return -1;
    bool paused = wants_pause(r);
    give_if_due(r, empty || paused || has_ended(r));
    if (has_ended(r) && is_drained(r)) {
        *err = r->schema_error;
        return -1;
    }
    if (empty)
        store_idle_position(r);
    if (send_feedback_if_due(r, err))
        return -1;
    if (paused && is_drained(r) && on_drained(r, done, err))
        return -1;
    if (r->cutover.watching && at_boundary(r) && is_drained(r) &&
        cutover_server_watched(&r->cutover, r->begun ? r->commit_lsn : r->received, err))
        return -1;
    if (!*done && (empty || !may_read(r)))
        wait_for_something(r);
    return 0;
}

// ---- session -----------------------------------------------------------------------------------------------------

static int open_session(Reader *r, Ledger *ledger, const LedgerPosition *position, Error *err)
{
    if (applier_start(r->ctx, ledger, position, &r->applier, err) || context_connect_sink(r->ctx, &r->catalog, err) ||
        target_map_open(r->ctx, r->catalog, ledger->task.id, applier_is_replica(r->applier), &r->targets, err) ||
        replication_start(r->ctx, position->lsn, &r->stream, err))
        return -1;
    r->cutover = (CutoverServer){.ctx = r->ctx, .catalog = r->catalog, .task_id = ledger->task.id};
    r->barrier = (BarrierServer){.ctx = r->ctx, .catalog = r->catalog, .task_id = ledger->task.id};
    r->resumed_from = r->given = r->received = position->lsn;
    r->last_growth_check = clock_monotonic() - GROWTH_S + GROWTH_FIRST_S;
    log_info("apply", "following the changes from %s%s", lsn_format(position->lsn).text,
             applier_is_replica(r->applier) ? "" : " (without the right to set session_replication_role)");
    return 0;
}

static void close_session(Reader *r)
{
    Error ignored = {0};

    // A last word to the source, so that the next start finds less to skip.
    if (r->stream.conn && r->applier)
        (void)!replication_feedback(&r->stream, applier_flushed(r->applier), false, &ignored);
    barrier_close(&r->barrier);
    applier_stop(r->applier);
    target_map_close(r->targets);
    replication_close(&r->stream);
    if (r->catalog)
        PQfinish(r->catalog);
    batch_free(&r->batches[0]);
    batch_free(&r->batches[1]);
}

int reader_session(const Context *ctx, Ledger *ledger, const LedgerPosition *position, const ReaderGoal *goal,
                   ReaderEnd *end, Error *err)
{
    Reader r = {.ctx = ctx, .goal = goal, .ledger = ledger};
    bool done = false;

    *end = READER_REACHED;
    r.filling = &r.batches[0];
    int rc = open_session(&r, ledger, position, err);
    while (rc == 0 && !done && !stop_requested())
        rc = round_once(&r, end, &done, err);
    if (rc == 0 && !done)
        *end = READER_STOPPED;
    close_session(&r);
    return rc;
}
