// SPDX-License-Identifier: Apache-2.0
// Whether a cutover could begin, and why not. Asks; the one thing that it changes is the cutover's row, for the lag.
#include "engine/cutover/cutover.h"

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "engine/copy/sequences.h"
#include "engine/ledger/ledger_relation.h"
#include "engine/ledger/ledger_verification.h"
#include "engine/pg/array.h"
#include "engine/precheck/findings.h"
#include "sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef int CutoverCheck(Cutover *c, Findings *f, Error *err);

// ---- the task ----------------------------------------------------------------------------------------------------

static int check_running(Cutover *c, Findings *f, Error *err)
{
    bool running = false;

    if (ledger_is_running(c->ctx, c->ledger.conn, &running, err))
        return -1;
    if (!running)
        findings_add(f, CHECK_FAIL, "no process follows the changes", NULL, NULL);
    else
        findings_add(f, CHECK_PASS, "a process of the task runs", NULL, NULL);
    return 0;
}

static int check_copied(Cutover *c, Findings *f, Error *err)
{
    Arena arena = {0};
    LedgerRelations relations = {0};
    size_t waiting = 0;
    int rc = ledger_relations_load(c->ledger.conn, c->ledger.task.id, &arena, &relations, err);

    for (size_t i = 0; rc == 0 && i < relations.count; i++)
        waiting += relations.items[i].state != RELATION_DONE;
    if (rc == 0 && (waiting || !c->ledger.task.data_done))
        findings_addf(f, CHECK_FAIL, NULL, "%zu of %zu tables are still being copied or indexed", waiting,
                      relations.count);
    else if (rc == 0)
        findings_addf(f, CHECK_PASS, NULL, "%zu tables are copied", relations.count);
    arena_free(&arena);
    return rc;
}

static int check_verification(Cutover *c, Findings *f, Error *err)
{
    TaskVerification wanted = c->ctx->task->cutover.verification;
    Verification last;

    if (ledger_verification_get(c->ledger.conn, c->ledger.task.id, &last, err))
        return -1;
    bool whole = last.known && last.sample >= 100 && last.lsn;
    if (wanted == VERIFICATION_IGNORED || wanted == VERIFICATION_FINAL)
        findings_add(f, CHECK_PASS,
                     wanted == VERIFICATION_FINAL ? "both ends are compared at the switch" : "not asked for", NULL,
                     NULL);
    else if (last.known && last.differences > 0)
        findings_addf(f, CHECK_FAIL, NULL, "the verification of %s found %" PRId64 " differences", last.finished_at,
                      last.differences);
    else if (wanted == VERIFICATION_REQUIRED && !whole)
        findings_add(f, CHECK_FAIL,
                     last.known ? "the last verification was no whole one at one LSN" : "there was none yet", NULL,
                     NULL);
    else if (!last.known)
        findings_add(f, CHECK_WARN, "both ends have not been compared", NULL, NULL);
    else
        findings_addf(f, CHECK_PASS, NULL, "the verification of %s compared %" PRId64 " rows and found no difference",
                      last.finished_at, last.rows);
    return 0;
}

// ---- the source --------------------------------------------------------------------------------------------------

static int check_lock_right(Cutover *c, Findings *f, Error *err)
{
    const char *values[] = {buffer_text(&c->schemas), buffer_text(&c->names)};
    auto_pgresult PGresult *res = NULL;

    if (pg_query(c->source, sql_cutover_lock_right, 2, values, &res, err))
        return -1;
    for (int i = 0; i < PQntuples(res); i++)
        findings_add(f, CHECK_FAIL, "our role may not lock against writes", PQgetvalue(res, i, 0),
                     "GRANT UPDATE ON the tables of the source TO the role of --source");
    return 0;
}

// Whether the cutover is to make the source's database read-only. *verdict: of what would hinder that.
static bool is_to_be_closed(const Cutover *c, Findings *f, CheckVerdict *verdict)
{
    TaskBlock how = c->ctx->task->cutover.block;

    *verdict = how == BLOCK_LOCK ? CHECK_WARN : CHECK_FAIL; // locks need it only for what comes after
    if (how == BLOCK_NONE)
        findings_add(f, CHECK_PASS, "writes are kept away by you", NULL, NULL);
    return how != BLOCK_NONE;
}

static int check_block_right(Cutover *c, Findings *f, Error *err)
{
    const char *values[] = {c->ctx->application};
    auto_pgresult PGresult *res = NULL;
    CheckVerdict verdict;

    if (!is_to_be_closed(c, f, &verdict))
        return 0;
    if ((c->ctx->task->cutover.block == BLOCK_LOCK && check_lock_right(c, f, err)) ||
        pg_query(c->source, sql_cutover_block_right, 1, values, &res, err))
        return -1;
    if (!pg_get_bool(res, 0, 0))
        findings_add(f, verdict, "our role may not change the source's database", NULL,
                     "GRANT the role that owns the database TO the role of --source, or connect as a superuser");
    if (!pg_get_bool(res, 0, 1))
        findings_addf(
            f, verdict,
            "GRANT pg_signal_backend, pg_read_all_stats TO the role of --source; sessions of superusers can be "
            "ended by a superuser alone: close them",
            "our role may not end %s sessions of the source, for example %s", PQgetvalue(res, 0, 3),
            PQgetvalue(res, 0, 2));
    if (findings_verdict(f) == CHECK_PASS)
        findings_add(f, CHECK_PASS, "our role may keep writes away", NULL, NULL);
    return 0;
}

// Each row's first column is an object of the finding.
static int list(PGconn *conn, const char *sql, int count, const char *const *values, CheckVerdict verdict,
                const char *what, const char *passed, Findings *f, Error *err)
{
    auto_pgresult PGresult *res = NULL;

    if (pg_query(conn, sql, count, values, &res, err))
        return -1;
    for (int i = 0; i < PQntuples(res); i++)
        findings_add(f, verdict, what, PQgetvalue(res, i, 0), NULL);
    if (PQntuples(res) == 0)
        findings_add(f, CHECK_PASS, passed, NULL, NULL);
    return 0;
}

static int check_prepared(Cutover *c, Findings *f, Error *err)
{
    return list(c->source, sql_cutover_prepared, 0, NULL, CHECK_FAIL,
                "prepared transactions are open, which could be committed after the switch", "none is open", f, err);
}

static int check_own_settings(Cutover *c, Findings *f, Error *err)
{
    CheckVerdict verdict;

    if (!is_to_be_closed(c, f, &verdict))
        return 0;
    return list(c->source, sql_cutover_own_settings, 0, NULL, verdict,
                "roles are not bound by a read-only database and would write to the source after the switch; take it "
                "back with",
                "no role has one that goes before the database's", f, err);
}

// ---- the sink ----------------------------------------------------------------------------------------------------

static void compare_sequences(const PGresult *source, const PGresult *sink, Findings *f)
{
    for (int i = 0; i < PQntuples(source); i++) {
        auto_free char *name = memory_printf("%s.%s", PQgetvalue(source, i, 0), PQgetvalue(source, i, 1));
        const char *mine = PQgetvalue(source, i, 3);
        if (!pg_get_bool(source, i, 2))
            continue; // dropped a moment ago
        if (!pg_get_bool(sink, i, 2))
            findings_add(f, CHECK_FAIL, "the sink lacks", name,
                         "make them there as they are on the source (CREATE SEQUENCE)");
        else if (strcmp(mine, PQgetvalue(sink, i, 3)) != 0)
            findings_addf(f, CHECK_FAIL, "ALTER SEQUENCE on the sink as on the source",
                          "%s is %s on the source and %s on the sink", name, mine, PQgetvalue(sink, i, 3));
    }
}

static int check_sequences(Cutover *c, Findings *f, Error *err)
{
    auto_pgresult PGresult *all = NULL;
    auto_pgresult PGresult *source = NULL;
    auto_pgresult PGresult *sink = NULL;
    auto_buffer Buffer schemas = {0};
    auto_buffer Buffer names = {0};

    if (sequences_list(c->ctx, c->source, &all, err))
        return -1;
    array_begin(&schemas), array_begin(&names);
    for (int i = 0; i < PQntuples(all); i++) {
        array_put(&schemas, PQgetvalue(all, i, SEQUENCE_SCHEMA));
        array_put(&names, PQgetvalue(all, i, SEQUENCE_NAME));
        if (!pg_get_bool(all, i, SEQUENCE_READABLE))
            findings_add(f, CHECK_FAIL, "our role may not read on the source", PQgetvalue(all, i, SEQUENCE_NAME),
                         "GRANT SELECT ON ALL SEQUENCES IN SCHEMA … TO the role of --source");
    }
    array_end(&schemas), array_end(&names);
    const char *values[] = {schemas.data, names.data};
    if (pg_query(c->source, sql_cutover_sequences, 2, values, &source, err) ||
        pg_query(c->ledger.conn, sql_cutover_sequences, 2, values, &sink, err))
        return error_wrap(err, "comparing the sequences of both ends");
    compare_sequences(source, sink, f);
    if (findings_verdict(f) == CHECK_PASS)
        findings_addf(f, CHECK_PASS, NULL, "%d sequences are the same on both ends", PQntuples(all));
    return 0;
}

static int check_indexes(Cutover *c, Findings *f, Error *err)
{
    const char *values[] = {buffer_text(&c->schemas), buffer_text(&c->names)};
    return list(c->ledger.conn, sql_cutover_indexes, 2, values, CHECK_FAIL, "the sink has indexes that are not valid",
                "all are valid", f, err);
}

static int check_left_out(Cutover *c, Findings *f, Error *err)
{
    char id[24];
    const char *values[] = {id};

    snprintf(id, sizeof id, "%" PRId64, c->ledger.task.id);
    return list(c->ledger.conn,
                "SELECT identity FROM kubeferry.object WHERE task = $1 AND state = 'left out' ORDER BY identity", 1,
                values, CHECK_WARN, "the sink refused, and they were left out", "nothing was left out", f, err);
}

static int check_held(Cutover *c, Findings *f, Error *err)
{
    char id[24];
    const char *values[] = {id};
    auto_pgresult PGresult *res = NULL;

    snprintf(id, sizeof id, "%" PRId64, c->ledger.task.id);
    if (pg_query(c->ledger.conn, "SELECT count(*) FROM kubeferry.object WHERE task = $1 AND state = 'held'", 1, values,
                 &res, err))
        return -1;
    findings_addf(f, CHECK_PASS, NULL, "%s objects were held back and are made at the switch", PQgetvalue(res, 0, 0));
    return 0;
}

static int check_statistics(Cutover *c, Findings *f, Error *err)
{
    const char *values[] = {buffer_text(&c->schemas), buffer_text(&c->names)};
    auto_pgresult PGresult *res = NULL;

    if (pg_query(c->ledger.conn, sql_cutover_unanalyzed, 2, values, &res, err))
        return -1;
    if (PQntuples(res) > 0)
        findings_addf(f, CHECK_WARN, NULL,
                      "%d tables of the sink have no statistics; the cutover runs ANALYZE on them first",
                      PQntuples(res));
    else
        findings_add(f, CHECK_PASS, "every table of the sink has statistics", NULL, NULL);
    return 0;
}

static int check_extensions(Cutover *c, Findings *f, Error *err)
{
    static const char SQL[] = "SELECT extname, extversion FROM pg_catalog.pg_extension ORDER BY extname";
    auto_pgresult PGresult *source = NULL;
    auto_pgresult PGresult *sink = NULL;

    if (pg_query(c->source, SQL, 0, NULL, &source, err) || pg_query(c->ledger.conn, SQL, 0, NULL, &sink, err))
        return -1;
    for (int i = 0; i < PQntuples(source); i++)
        for (int k = 0; k < PQntuples(sink); k++)
            if (strcmp(PQgetvalue(source, i, 0), PQgetvalue(sink, k, 0)) == 0 &&
                strcmp(PQgetvalue(source, i, 1), PQgetvalue(sink, k, 1)) != 0)
                findings_addf(f, CHECK_WARN, NULL, "%s is %s on the source and %s on the sink",
                              PQgetvalue(source, i, 0), PQgetvalue(source, i, 1), PQgetvalue(sink, k, 1));
    if (findings_verdict(f) == CHECK_PASS)
        findings_add(f, CHECK_PASS, "those of both ends have the same versions", NULL, NULL);
    return 0;
}

// ---- the lag -----------------------------------------------------------------------------------------------------

// Measured and not reckoned: how long until everything is applied that the source has committed now.
static int check_lag(Cutover *c, Findings *f, Error *err)
{
    double began = clock_monotonic();
    Error late = {0};

    if (ledger_cutover_begin(c->ledger.conn, c->ledger.task.id, c->owner, err))
        return -1;
    c->begun = true;
    if (cutover_ask(c, CUTOVER_PREPARING, c->ctx->task->cutover.max_lag_seconds, NULL, &late)) {
        if (late.code != ERROR_TRANSIENT || !late.hint[0]) {
            *err = late;
            return -1;
        }
        findings_add(f, CHECK_FAIL, late.message, NULL, late.hint);
        return 0;
    }
    findings_addf(f, CHECK_PASS, NULL, "%.0f ms until everything was applied that the source had committed",
                  (clock_monotonic() - began) * 1000);
    return 0;
}

// ---- all ---------------------------------------------------------------------------------------------------------

static const struct {
    const char *id;
    CutoverCheck *check;
    bool passes; // may become good by itself
    const char *remedy;
} CHECKS[] = {
    {"cdc_running", check_running, true,
     "start it: kubeferry-engine cdc (or run) with the same --name, then the cutover again"},
    {"copied", check_copied, true, "wait until init-data has ended"},
    {"verification", check_verification, false,
     "run kubeferry-engine verify, mend what differs, verify again; or say with --verification that it does not "
     "matter"},
    {"block_right", check_block_right, false, "choose another --block"},
    {"own_settings", check_own_settings, false, "run these statements on the source, or have the roles stop"},
    {"prepared_transactions", check_prepared, true, "COMMIT PREPARED or ROLLBACK PREPARED them on the source"},
    {"sequences", check_sequences, false, ""},
    {"indexes", check_indexes, false, "REINDEX INDEX … on the sink"},
    {"left_out", check_left_out, false, "make them by hand, if the applications need them"},
    {"held_back", check_held, false, ""},
    {"statistics", check_statistics, false, "ANALYZE on the sink now, so that the cutover need not"},
    {"extensions", check_extensions, false, "ALTER EXTENSION … UPDATE, if the applications need the same"},
    {"lag", check_lag, true, "wait until the lag is smaller, or allow more with --max-lag"},
};

static void put_failure(Buffer *all, const char *id, const char *message)
{
    buffer_printf(all, "%s%s: %s", all->len ? "; " : "", id, message);
}

// One check into the progress; *failed and *waits: what it means for the whole.
static int check_one(Cutover *c, size_t i, Buffer *failures, bool *waits, Error *err)
{
    Findings f = {0};
    auto_buffer Buffer message = {0};
    auto_buffer Buffer remedy = {0};
    int rc = CHECKS[i].check(c, &f, err);

    if (rc == 0) {
        CheckVerdict verdict = findings_verdict(&f);
        findings_message(&f, &message);
        findings_remedy(&f, CHECKS[i].remedy, &remedy);
        progress_check(c->ctx->progress, CHECKS[i].id, verdict, buffer_text(&message),
                       verdict == CHECK_PASS ? "" : buffer_text(&remedy));
        if (verdict == CHECK_FAIL) {
            put_failure(failures, CHECKS[i].id, buffer_text(&message));
            *waits = *waits && CHECKS[i].passes;
        }
    } else {
        error_wrap(err, "looking whether the cutover could begin (%s)", CHECKS[i].id);
    }
    findings_free(&f);
    return rc;
}

int cutover_checks(Cutover *c, Error *err)
{
    auto_buffer Buffer failures = {0};
    bool waits = true;

    progress_phase(c->ctx->progress, "looking whether the cutover could begin");
    for (size_t i = 0; i < sizeof CHECKS / sizeof *CHECKS; i++) {
        // The last one needs a process that answers.
        if (CHECKS[i].check == check_lag && failures.len > 0)
            break;
        if (check_one(c, i, &failures, &waits, err))
            return -1;
    }
    if (failures.len == 0)
        return 0;
    error_set(err, waits ? ERROR_TRANSIENT : ERROR_CONDITION, "not ready to cut over: %s", failures.data);
    return error_hint(
        err, "each check says what to do; kubeferry-engine cutover --check asks them again and changes nothing");
}
