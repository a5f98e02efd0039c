// SPDX-License-Identifier: Apache-2.0
// Executes statements of the dump. Each is one transaction with its row in the ledger, so that a run that was
// interrupted anywhere can tell what it made itself.
#include "engine/structure/restore.h"

#include "common/base/memory.h"
#include "engine/structure/script.h"
#include "engine/structure/statement.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// What pg_restore would set for the session; nothing that an older server would not know.
#define PINS(set)                                                                                                      \
    set " search_path = ''; " set " check_function_bodies = off; " set " default_tablespace = ''; " set                \
        " xmloption = content; " set " standard_conforming_strings = on; " set " row_security = off;\n"

static bool is_one_of(const char *sqlstate, const char *const *states)
{
    for (; *states; states++)
        if (strcmp(sqlstate, *states) == 0)
            return true;
    return false;
}

// The refusals that mean "it is there already", beside what the question before did not see.
static bool means_exists(const TocEntry *e, const char *sqlstate)
{
    static const char *const ALWAYS[] = {"42P07", "42710", "42P06", "42723", NULL};
    static const char *const TEXT_SEARCH[] = {"23505", NULL};
    static const char *const KEY[] = {"42P16", NULL}; // a second primary key

    return is_one_of(sqlstate, ALWAYS) ||
           (strncmp(e->type->name, "TEXT SEARCH", 11) == 0 && is_one_of(sqlstate, TEXT_SEARCH)) ||
           (toc_is(e, "CONSTRAINT") && is_one_of(sqlstate, KEY));
}

int restore_was_made(PGconn *sink, int64_t task_id, const char *identity, bool *made, Error *err)
{
    char id[24];
    const char *values[] = {id, identity};
    auto_pgresult PGresult *res = NULL;

    snprintf(id, sizeof id, "%" PRId64, task_id);
    if (pg_query(sink, "SELECT 1 FROM kubeferry.object WHERE task = $1 AND identity = $2 AND state = 'made'", 2, values,
                 &res, err))
        return -1;
    *made = PQntuples(res) > 0;
    return 0;
}

static int look(const RestoreEntry *r, const char *text, PGconn *sink, bool *exists, Error *err)
{
    const TocEntry *e = r->entry;
    auto_statement_object StatementObject object = {0};
    auto_pgresult PGresult *res = NULL;
    const char *values[STATEMENT_NAMES_MAX];

    *exists = false;
    statement_object(e, text, &object);
    // The schema public of a new database: there is nothing to make, and its owner is the sink's affair.
    if (toc_is(e, "SCHEMA") && !object.sql) {
        *exists = true;
        return 0;
    }
    // Comments and privileges could be set again and again; but then nobody else could change them.
    if (!object.sql && e->type->kind == TOC_DEPENDENT)
        return restore_was_made(sink, r->task_id, r->identity, exists, err);
    if (!object.sql)
        return 0;
    for (int i = 0; i < object.name_count; i++)
        values[i] = object.names[i];
    if (pg_query(sink, object.sql, object.name_count, values, &res, err)) {
        if (err->code != ERROR_SQL)
            return -1;
        error_clear(err); // a type of an argument is missing: then so is the function
        return 0;
    }
    *exists = PQntuples(res) > 0 && pg_get_bool(res, 0, 0);
    return 0;
}

int restore_pin_session(PGconn *sink, Error *err)
{
    return pg_exec(sink, PINS("SET"), err);
}

static int run_statement(const char *text, bool pinned, PGconn *sink, Error *err)
{
    auto_buffer Buffer sql = {0};

    buffer_puts(&sql, pinned ? "BEGIN;\n" : "BEGIN; " PINS("SET LOCAL"));
    buffer_puts(&sql, text);
    if (!PQsendQuery(sink, sql.data))
        return pg_error(sink, NULL, err, "sending a statement");
    while (*text == '\n')
        text++;
    return pg_finish_query(sink, text, NULL, err);
}

// Leaves the session usable after a failure; the failure itself is what is told.
static void roll_back(PGconn *sink, const Error *failure)
{
    Error ignored = {0};
    if (failure->code != ERROR_STOPPED && PQstatus(sink) == CONNECTION_OK && pg_exec(sink, "ROLLBACK", &ignored))
        return;
}

static void explain(const RestoreEntry *r, PGconn *sink, Error *err)
{
    if (err->code != ERROR_SQL)
        return;
    err->code = ERROR_CONDITION;
    if (toc_is(r->entry, "EXTENSION") && strcmp(err->sqlstate, "42501") == 0)
        error_hint(
            err, "have a superuser of the sink run the CREATE EXTENSION once in the sink's database, then start again");
    else if (toc_is(r->entry, "EXTENSION"))
        error_hint(err,
                   "install the extension on the sink's server (on Debian in postgresql-%d or a package "
                   "postgresql-%d-…; a managed "
                   "service has a list of those that it allows), or leave out the tables that use it",
                   PQserverVersion(sink) / 10000, PQserverVersion(sink) / 10000);
    else if (strcmp(err->sqlstate, "42501") == 0)
        error_hint(
            err,
            "grant the sink's role the right, or have the object made by a role that has it; what is there already "
            "is left as it is");
    else
        error_hint(
            err,
            "correct the cause, or make the object in the sink by hand (what is there already is left as it is), then "
            "start again");
}

static int leave_out(const RestoreEntry *r, PGconn *sink, const char *text, const Error *refusal, Error *err)
{
    auto_free char *reason = memory_printf("%s%s%s%s", refusal->message, refusal->sqlstate[0] ? " (" : "",
                                           refusal->sqlstate, refusal->sqlstate[0] ? ")" : "");
    return ledger_object(sink, r->task_id, r->identity, OBJECT_LEFT_OUT, reason, text, err);
}

// The statement was refused: it is there already, it can be done without, or the task fails.
static int take_refusal(const RestoreEntry *r, PGconn *sink, const char *text, StructureOutcome *outcome,
                        Error *refusal, Error *err)
{
    roll_back(sink, err);
    if (err->code == ERROR_SQL && means_exists(r->entry, err->sqlstate)) {
        error_clear(err);
        *outcome = STRUCTURE_EXISTED;
        return 0;
    }
    if (err->code != ERROR_SQL || !r->lenient) {
        error_wrap(err, "making %s in the sink", r->identity);
        explain(r, sink, err);
        return -1;
    }
    *refusal = *err;
    error_clear(err);
    *outcome = STRUCTURE_LEFT_OUT;
    return leave_out(r, sink, text, refusal, err);
}

static int make(const RestoreEntry *r, PGconn *sink, const char *text, StructureOutcome *outcome, Error *refusal,
                Error *err)
{
    if (run_statement(text, r->pinned, sink, err))
        return take_refusal(r, sink, text, outcome, refusal, err);
    *outcome = STRUCTURE_MADE;
    if (ledger_object(sink, r->task_id, r->identity, OBJECT_MADE, NULL, NULL, err) == 0 &&
        pg_exec(sink, "COMMIT", err) == 0)
        return 0;
    roll_back(sink, err);
    return -1;
}

int restore_entry(const RestoreEntry *r, PGconn *sink, StructureOutcome *outcome, Error *refusal, Error *err)
{
    auto_buffer Buffer text = {0};
    bool exists = false;

    if (!r->statement && script_read(r->structure->script, r->entry, &text, err))
        return -1;
    const char *statement = r->statement ? r->statement : buffer_text(&text);
    if (r->check && look(r, statement, sink, &exists, err))
        return error_wrap(err, "looking for %s in the sink", r->identity);
    if (exists || !statement_is_there(statement)) {
        *outcome = STRUCTURE_EXISTED;
        return 0;
    }
    return make(r, sink, statement, outcome, refusal, err);
}
