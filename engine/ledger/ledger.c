// SPDX-License-Identifier: Apache-2.0
// The ledger's task row, its lock and the objects. Relations, chunks and positions are in ledger_relation.c.
#include "engine/ledger/ledger.h"

#include "common/base/lsn.h"
#include "common/base/memory.h"
#include "sql.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

// The lock's key: 64 bits of a hash of the task's name, the same in every version of the server.
#define LOCK_KEY "('x' || pg_catalog.substr(pg_catalog.md5('kubeferry ' || $1::text), 1, 16))::bit(64)::bigint"
// The lock in pg_locks l.
#define IS_LOCK                                                                                                        \
    "l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND (l.classid::bigint << 32 | l.objid::bigint) "        \
    "= " LOCK_KEY                                                                                                      \
    " AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())"
#define TASK_COLUMNS                                                                                                   \
    "id, source_system, source_database, slot_state, publication_made, consistent_point, structure_done, data_done, "  \
    "finished"

static const char *const SLOT_STATES[] = {[SLOT_NONE] = "none", [SLOT_CREATING] = "creating", [SLOT_READY] = "ready"};
static const char *const OBJECT_STATES[] = {
    [OBJECT_MADE] = "made", [OBJECT_HELD] = "held", [OBJECT_LEFT_OUT] = "left out"};

static void id_text(int64_t id, char out[24])
{
    snprintf(out, 24, "%lld", (long long)id);
}

static int schema_exists(PGconn *sink, bool *exists, Error *err)
{
    auto_free char *found = NULL;
    if (pg_text(sink, "SELECT pg_catalog.to_regclass('kubeferry.task')::text", &found, err))
        return error_wrap(err, "looking for the ledger in the sink");
    *exists = found != NULL;
    return 0;
}

static int check_version(PGconn *sink, bool *older, Error *err)
{
    auto_free char *version = NULL;
    if (pg_text(sink, "SELECT max(version) FROM kubeferry.version", &version, err))
        return error_wrap(err, "reading the ledger's version");
    *older = version && atoi(version) < LEDGER_VERSION;
    if (version && atoi(version) <= LEDGER_VERSION)
        return 0;
    error_set(err, ERROR_CONDITION, "the ledger in the sink (schema kubeferry) has version %s, this program knows %d",
              version ? version : "none", LEDGER_VERSION);
    return error_hint(err, "go on with the newer kubeferry that made it, or run its cleanup first");
}

// Several tasks may start at once on an empty sink: one makes the schema, the others wait for it. The same statements
// bring an older ledger up to date.
static int make_schema(PGconn *sink, Error *err)
{
    bool exists = false, older = false;

    if (schema_exists(sink, &exists, err) || (exists && check_version(sink, &older, err)))
        return -1;
    if (exists && !older)
        return 0;
    if (pg_exec(sink, "BEGIN; SELECT pg_catalog.pg_advisory_xact_lock(7236822430119)", err) ||
        pg_exec(sink, sql_ledger_schema, err) || pg_exec(sink, "COMMIT", err)) {
        if (strcmp(err->sqlstate, "42501") == 0 && exists)
            error_hint(err, "the role that made the schema kubeferry, or a superuser, must run this version once");
        else if (strcmp(err->sqlstate, "42501") == 0)
            error_hint(err, "GRANT CREATE ON DATABASE … TO the sink's role: kubeferry keeps its bookkeeping in the "
                            "schema kubeferry");
        return error_wrap(err, exists ? "bringing the ledger (schema kubeferry) in the sink up to date"
                                      : "making the ledger (schema kubeferry) in the sink");
    }
    return 0;
}

static int take_lock(PGconn *sink, const char *name, Error *err)
{
    const char *values[] = {name};
    auto_pgresult PGresult *res = NULL;
    auto_pgresult PGresult *holder = NULL;

    if (pg_query(sink, "SELECT pg_catalog.pg_try_advisory_lock(" LOCK_KEY ")", 1, values, &res, err))
        return error_wrap(err, "locking the task in the sink");
    if (pg_get_bool(res, 0, 0))
        return 0;
    error_clear(err);
    if (pg_query(sink,
                 "SELECT l.pid, coalesce(a.client_addr::text, 'a local socket'), a.backend_start::timestamptz(0)"
                 "  FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid"
                 " WHERE " IS_LOCK,
                 1, values, &holder, err))
        return -1;
    bool known = PQntuples(holder) > 0;
    error_set(err, ERROR_BUSY, "task \"%s\" is being run by another process (sink backend pid %s, from %s, since %s)",
              name, known ? PQgetvalue(holder, 0, 0) : "unknown", known ? PQgetvalue(holder, 0, 1) : "an unknown place",
              known ? PQgetvalue(holder, 0, 2) : "an unknown time");
    return error_hint(err, "stop that process, or use another --name");
}

static void new_owner(char owner[40])
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        memset(bytes, 0, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(owner + 2 * i, 3, "%02x", bytes[i]);
}

static void read_task(const PGresult *res, LedgerTask *task)
{
    task->id = pg_get_int64(res, 0, 0);
    snprintf(task->source_system, sizeof task->source_system, "%s", PQgetvalue(res, 0, 1));
    for (int i = 0; i <= SLOT_READY; i++)
        if (strcmp(PQgetvalue(res, 0, 3), SLOT_STATES[i]) == 0)
            task->slot_state = (SlotState)i;
    task->publication_made = pg_get_bool(res, 0, 4);
    task->consistent_point = pg_get_lsn(res, 0, 5);
    task->structure_done = pg_get_bool(res, 0, 6);
    task->data_done = pg_get_bool(res, 0, 7);
    task->finished = pg_get_bool(res, 0, 8);
}

int ledger_check_source(const Context *ctx, const char *system, const char *database, Error *err)
{
    bool other_system = *system && ctx->source_system[0] && strcmp(system, ctx->source_system) != 0;

    if (!other_system && strcmp(database, ctx->source_database) == 0)
        return 0;
    error_set(err, ERROR_CONDITION,
              "task \"%s\" in the sink's ledger belongs to another source (system %s, database %s); this one is system "
              "%s, database %s",
              ctx->task->name, system, database, ctx->source_system, ctx->source_database);
    return error_hint(err, "use another --name, or end the old task first: kubeferry-engine cleanup --name %s",
                      ctx->task->name);
}

static int own_task(const Context *ctx, Ledger *ledger, Error *err)
{
    char *owner = ledger->task.owner;
    const char *values[] = {ctx->task->name, ctx->source_system, ctx->source_database,
                            ctx->slot,       ctx->publication,   owner};
    auto_pgresult PGresult *res = NULL;

    new_owner(owner);
    if (pg_query(ledger->conn,
                 "INSERT INTO kubeferry.task (name, source_system, source_database, slot, publication, owner)"
                 " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO UPDATE SET owner = EXCLUDED.owner"
                 " RETURNING " TASK_COLUMNS,
                 6, values, &res, err))
        return error_wrap(err, "writing the task into the ledger");
    read_task(res, &ledger->task);
    return ledger_check_source(ctx, PQgetvalue(res, 0, 1), PQgetvalue(res, 0, 2), err);
}

int ledger_open(const Context *ctx, Ledger *out, Error *err)
{
    *out = (Ledger){0};
    if (context_connect_sink(ctx, &out->conn, err))
        return -1;
    if (make_schema(out->conn, err) || take_lock(out->conn, ctx->task->name, err) || own_task(ctx, out, err)) {
        ledger_close(out);
        return -1;
    }
    return 0;
}

int ledger_open_shared(const Context *ctx, Ledger *out, bool *found, Error *err)
{
    const char *values[] = {ctx->task->name};
    auto_pgresult PGresult *res = NULL;

    *out = (Ledger){.shared = true};
    *found = false;
    if (context_connect_sink(ctx, &out->conn, err))
        return -1;
    if (schema_exists(out->conn, found, err))
        goto failed;
    if (!*found)
        return 0;
    if (pg_query(out->conn, "SELECT " TASK_COLUMNS ", owner FROM kubeferry.task WHERE name = $1", 1, values, &res, err))
        goto failed;
    *found = PQntuples(res) > 0;
    if (*found) {
        read_task(res, &out->task);
        snprintf(out->task.owner, sizeof out->task.owner, "%s", PQgetvalue(res, 0, 9));
    }
    return 0;
failed:
    ledger_close(out);
    return -1;
}

void ledger_close(Ledger *ledger)
{
    if (ledger->conn)
        PQfinish(ledger->conn);
    ledger->conn = NULL;
}

int ledger_check_owner(Ledger *ledger, Error *err)
{
    char id[24];
    const char *values[] = {id, ledger->task.owner};
    auto_pgresult PGresult *res = NULL;

    id_text(ledger->task.id, id);
    if (pg_query(ledger->conn, "SELECT owner = $2 FROM kubeferry.task WHERE id = $1", 2, values, &res, err))
        return error_wrap(err, "checking the ledger");
    if (PQntuples(res) == 1 && pg_get_bool(res, 0, 0))
        return 0;
    return error_set(err, ERROR_BUSY, "the task was taken over by another process, or cleaned up");
}

int ledger_is_running(const Context *ctx, PGconn *sink, bool *running, Error *err)
{
    const char *values[] = {ctx->task->name};
    auto_pgresult PGresult *res = NULL;

    // Looked at and not tried: whoever holds it for a moment keeps the task from starting.
    if (pg_query(sink, "SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE " IS_LOCK ")", 1, values, &res, err))
        return error_wrap(err, "looking whether the task is being run");
    *running = pg_get_bool(res, 0, 0);
    return 0;
}

int ledger_end_holder(const Context *ctx, PGconn *sink, Error *err)
{
    const char *values[] = {ctx->task->name};

    if (pg_run(sink, "SELECT pg_catalog.pg_terminate_backend(l.pid) FROM pg_catalog.pg_locks l WHERE " IS_LOCK, 1,
               values, NULL, err))
        return error_wrap(err, "ending the session that holds the task");
    return 0;
}

// Sets columns of the task's row; only the owner may.
static int update_task(Ledger *ledger, const char *assignments, const char *value, Error *err)
{
    auto_free char *sql = memory_printf("UPDATE kubeferry.task SET %s WHERE id = $1 AND owner = $2", assignments);
    char id[24];
    const char *values[] = {id, ledger->task.owner, value};
    int64_t rows = 0;

    id_text(ledger->task.id, id);
    if (pg_run(ledger->conn, sql, value ? 3 : 2, values, &rows, err))
        return error_wrap(err, "writing the ledger");
    return rows == 1 ? 0 : error_set(err, ERROR_BUSY, "the task was taken over by another process, or cleaned up");
}

int ledger_slot_creating(Ledger *ledger, bool publication_made, Error *err)
{
    if (update_task(ledger, "slot_state = 'creating', consistent_point = NULL, publication_made = $3",
                    publication_made ? "true" : "false", err))
        return -1;
    ledger->task.slot_state = SLOT_CREATING;
    ledger->task.publication_made = publication_made;
    return 0;
}

int ledger_slot_ready(Ledger *ledger, uint64_t consistent_point, Error *err)
{
    LsnText lsn = lsn_format(consistent_point);
    if (update_task(ledger, "slot_state = 'ready', consistent_point = $3", lsn.text, err))
        return -1;
    ledger->task.slot_state = SLOT_READY;
    ledger->task.consistent_point = consistent_point;
    return 0;
}

int ledger_slot_dropped(Ledger *ledger, Error *err)
{
    if (update_task(ledger, "slot_state = 'none', consistent_point = NULL, finished = true", NULL, err))
        return -1;
    ledger->task.slot_state = SLOT_NONE;
    ledger->task.finished = true;
    return 0;
}

int ledger_structure_done(Ledger *ledger, bool done, Error *err)
{
    ledger->task.structure_done = done;
    return update_task(ledger, "structure_done = $3", done ? "true" : "false", err);
}

int ledger_check_rows(const Ledger *ledger, const char *what, Error *err)
{
    if (ledger->task.data_done)
        return 0;
    error_set(err, ERROR_CONDITION, "the rows of this task have not all been copied, so %s", what);
    return error_hint(err, "run init-data first, with the same --name (or \"run\", which does all steps)");
}

int ledger_data_done(Ledger *ledger, bool done, Error *err)
{
    ledger->task.data_done = done;
    return update_task(ledger, "data_done = $3", done ? "true" : "false", err);
}

int ledger_remove(PGconn *sink, const char *task_name, Error *err)
{
    const char *values[] = {task_name};
    auto_free char *others = NULL;
    bool exists = false;

    if (schema_exists(sink, &exists, err))
        return -1;
    if (!exists)
        return 0;
    if (pg_exec(sink, "BEGIN; SELECT pg_catalog.pg_advisory_xact_lock(7236822430119)", err) ||
        pg_run(sink, "DELETE FROM kubeferry.task WHERE name = $1", 1, values, NULL, err) ||
        pg_text(sink, "SELECT name FROM kubeferry.task LIMIT 1", &others, err))
        return error_wrap(err, "removing the task from the ledger");
    if (!others && pg_exec(sink, "SET LOCAL client_min_messages = error; DROP SCHEMA kubeferry CASCADE", err))
        return error_wrap(err, "dropping the schema kubeferry in the sink");
    return pg_exec(sink, "COMMIT", err);
}

int ledger_object(PGconn *conn, int64_t task_id, const char *identity, ObjectState state, const char *reason,
                  const char *statement, Error *err)
{
    char id[24];
    const char *values[] = {id, identity, OBJECT_STATES[state], reason, statement};

    id_text(task_id, id);
    if (pg_run(conn,
               "INSERT INTO kubeferry.object (task, identity, state, reason, statement) VALUES ($1, $2, $3, $4, $5)"
               " ON CONFLICT (task, identity) DO UPDATE SET state = EXCLUDED.state, reason = EXCLUDED.reason,"
               " statement = EXCLUDED.statement",
               5, values, NULL, err))
        return error_wrap(err, "noting %s in the ledger", identity);
    return 0;
}
