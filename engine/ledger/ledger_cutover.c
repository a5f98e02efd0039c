// SPDX-License-Identifier: Apache-2.0
// The row of kubeferry.cutover.
#include "engine/ledger/ledger_cutover.h"

#include "common/base/lsn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const STATES[] = {
    [CUTOVER_NONE] = "none",         [CUTOVER_PREPARING] = "preparing", [CUTOVER_DRAINING] = "draining",
    [CUTOVER_CHECKING] = "checking", [CUTOVER_DONE] = "done",           [CUTOVER_UNDONE] = "undone"};

#define TOUCH "changed_at = pg_catalog.clock_timestamp()"
#define LOCK  "(pg_catalog.hashtext('kubeferry cutover'), $1::bigint::int)"

typedef struct Number {
    char text[24];
} Number;

static Number number(int64_t value)
{
    Number n;
    snprintf(n.text, sizeof n.text, "%" PRId64, value);
    return n;
}

const char *ledger_cutover_state_name(CutoverState state)
{
    return STATES[state];
}

int ledger_cutover_get(PGconn *conn, int64_t task_id, CutoverRow *out, Error *err)
{
    Number id = number(task_id);
    const char *values[] = {id.text};
    auto_pgresult PGresult *res = NULL;

    *out = (CutoverRow){0};
    if (pg_query(conn,
                 "SELECT state, owner, target_lsn, answered_lsn, late_changes, late_relation, restore, finished,"
                 "       extract(epoch FROM pg_catalog.clock_timestamp() - changed_at), done_at::timestamptz(0), "
                 "reopen, reverse"
                 "  FROM kubeferry.cutover WHERE task = $1",
                 1, values, &res, err)) {
        if (strcmp(err->sqlstate, "42P01") != 0)
            return error_wrap(err, "reading the state of the cutover");
        error_clear(err); // a ledger of an older version: there was none
        return 0;
    }
    if (PQntuples(res) == 0)
        return 0;
    for (int i = 0; i <= CUTOVER_UNDONE; i++)
        if (strcmp(PQgetvalue(res, 0, 0), STATES[i]) == 0)
            out->state = (CutoverState)i;
    snprintf(out->owner, sizeof out->owner, "%s", PQgetvalue(res, 0, 1));
    out->target_lsn = pg_get_lsn(res, 0, 2);
    out->answered_lsn = pg_get_lsn(res, 0, 3);
    out->late_changes = pg_get_int64(res, 0, 4);
    snprintf(out->late_relation, sizeof out->late_relation, "%s", PQgetvalue(res, 0, 5));
    out->source_changed = !PQgetisnull(res, 0, 6);
    snprintf(out->restore, sizeof out->restore, "%s", PQgetvalue(res, 0, 6));
    out->finished = pg_get_bool(res, 0, 7);
    out->age_seconds = pg_get_double(res, 0, 8);
    snprintf(out->done_at, sizeof out->done_at, "%s", PQgetvalue(res, 0, 9));
    out->reopens = !PQgetisnull(res, 0, 10);
    snprintf(out->reopen, sizeof out->reopen, "%s", PQgetvalue(res, 0, 10));
    out->reverse = pg_get_bool(res, 0, 11);
    return 0;
}

int ledger_cutover_lock(PGconn *conn, int64_t task_id, bool *taken, Error *err)
{
    Number id = number(task_id);
    const char *values[] = {id.text};
    auto_pgresult PGresult *res = NULL;

    if (pg_query(conn, "SELECT pg_catalog.pg_try_advisory_lock" LOCK, 1, values, &res, err))
        return error_wrap(err, "locking the cutover");
    *taken = pg_get_bool(res, 0, 0);
    return 0;
}

int ledger_cutover_unlock(PGconn *conn, int64_t task_id, Error *err)
{
    Number id = number(task_id);
    const char *values[] = {id.text};
    return pg_run(conn, "SELECT pg_catalog.pg_advisory_unlock" LOCK, 1, values, NULL, err);
}

static int update(PGconn *conn, const char *sql, int count, const char *const *values, Error *err)
{
    int64_t rows = 0;

    if (pg_run(conn, sql, count, values, &rows, err))
        return error_wrap(err, "noting the cutover in the ledger");
    if (rows == 1)
        return 0;
    return error_set(err, ERROR_BUSY, "the cutover was undone meanwhile, or is another process's");
}

int ledger_cutover_begin(PGconn *conn, int64_t task_id, const char *owner, Error *err)
{
    Number id = number(task_id);
    const char *values[] = {id.text, owner};

    return update(conn,
                  "INSERT INTO kubeferry.cutover AS c (task, state, owner) VALUES ($1, 'preparing', $2)"
                  " ON CONFLICT (task) DO UPDATE SET state = 'preparing', owner = EXCLUDED.owner, target_lsn = NULL,"
                  " answered_lsn = NULL, late_changes = 0, late_relation = NULL, restore = NULL, reverse = false, "
                  "finished = false,"
                  " started_at = pg_catalog.clock_timestamp(), blocked_at = NULL, done_at = NULL, " TOUCH
                  " WHERE c.state = 'undone'",
                  2, values, err);
}

int ledger_cutover_ask(PGconn *conn, int64_t task_id, const char *owner, CutoverState state, uint64_t target_lsn,
                       Error *err)
{
    Number id = number(task_id);
    LsnText lsn = lsn_format(target_lsn);
    const char *values[] = {id.text, owner, STATES[state], lsn.text};

    return update(conn,
                  "UPDATE kubeferry.cutover SET state = $3, target_lsn = $4, answered_lsn = NULL, late_changes = 0,"
                  " late_relation = NULL, " TOUCH
                  " WHERE task = $1 AND owner = $2 AND state IN ('preparing', 'draining', 'checking')",
                  4, values, err);
}

int ledger_cutover_blocking(PGconn *conn, int64_t task_id, const char *owner, const char *restore, Error *err)
{
    Number id = number(task_id);
    const char *values[] = {id.text, owner, restore};

    return update(conn,
                  "UPDATE kubeferry.cutover SET restore = $3, blocked_at = pg_catalog.clock_timestamp(), " TOUCH
                  " WHERE task = $1 AND owner = $2 AND state IN ('preparing', 'draining', 'checking')",
                  3, values, err);
}

int ledger_cutover_reverse(PGconn *conn, int64_t task_id, const char *owner, Error *err)
{
    Number id = number(task_id);
    const char *values[] = {id.text, owner};

    return update(conn,
                  "UPDATE kubeferry.cutover SET reverse = true, " TOUCH
                  " WHERE task = $1 AND owner = $2 AND state IN ('preparing', 'draining', 'checking')",
                  2, values, err);
}

int ledger_cutover_reopen(PGconn *conn, int64_t task_id, const char *owner, const char *reopen, Error *err)
{
    Number id = number(task_id);
    const char *values[] = {id.text, owner, reopen};

    return update(conn, "UPDATE kubeferry.cutover SET reopen = $3, " TOUCH " WHERE task = $1 AND owner = $2", 3, values,
                  err);
}

int ledger_cutover_done(PGconn *conn, int64_t task_id, const char *owner, Error *err)
{
    Number id = number(task_id);
    const char *values[] = {id.text, owner};

    return update(conn,
                  "UPDATE kubeferry.cutover SET state = 'done', done_at = pg_catalog.clock_timestamp(), " TOUCH
                  " WHERE task = $1 AND owner = $2 AND state = 'checking' AND answered_lsn = target_lsn"
                  " AND late_changes = 0",
                  2, values, err);
}

int ledger_cutover_finished(PGconn *conn, int64_t task_id, Error *err)
{
    Number id = number(task_id);
    const char *values[] = {id.text};

    return update(conn, "UPDATE kubeferry.cutover SET finished = true, " TOUCH " WHERE task = $1 AND state = 'done'", 1,
                  values, err);
}

int ledger_cutover_undone(PGconn *conn, int64_t task_id, Error *err)
{
    Number id = number(task_id);
    const char *values[] = {id.text};

    if (pg_run(conn,
               "UPDATE kubeferry.cutover SET state = 'undone', restore = NULL, reverse = false, " TOUCH
               " WHERE task = $1 AND state <> 'done'",
               1, values, NULL, err))
        return error_wrap(err, "noting in the ledger that the cutover was undone");
    return 0;
}

int ledger_cutover_answer(PGconn *conn, int64_t task_id, const CutoverRow *asked, int64_t late_changes,
                          const char *late_relation, Error *err)
{
    Number id = number(task_id), late = number(late_changes);
    LsnText lsn = lsn_format(asked->target_lsn);
    const char *values[] = {id.text, asked->owner, STATES[asked->state], lsn.text, late.text, late_relation};

    if (pg_run(conn,
               "UPDATE kubeferry.cutover SET answered_lsn = target_lsn, late_changes = $5, late_relation = $6"
               " WHERE task = $1 AND owner = $2 AND state = $3 AND target_lsn = $4",
               6, values, NULL, err))
        return error_wrap(err, "answering the cutover");
    return 0;
}
