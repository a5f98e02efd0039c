// SPDX-License-Identifier: Apache-2.0
// The source's database made read-only, and its sessions ended.
#include "engine/stream/source_gate.h"

#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/pg/query.h"
#include "engine/pg/quote.h"
#include "sql.h"

#include <stdio.h>
#include <string.h>

// A session that was being made while the setting changed shows itself within this time.
static const double CALM_SECONDS = 0.05;
static const double OPEN_SECONDS = 5;
enum { POLL_MS = 10, NAMED = 3, SETTING_SIZE = 64 };

int source_gate_setting(PGconn *source, char *out, size_t size, Error *err)
{
    auto_free char *text = NULL;

    if (pg_text(
            source,
            "SELECT pg_catalog.substr(c, 31) FROM pg_catalog.pg_db_role_setting s"
            "  JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase AND d.datname = pg_catalog.current_database(),"
            "       pg_catalog.unnest(s.setconfig) AS c"
            " WHERE s.setrole = 0 AND c LIKE 'default\\_transaction\\_read\\_only=%'",
            &text, err))
        return error_wrap(err, "reading the settings of the source's database");
    snprintf(out, size, "%s", text ? text : "");
    return 0;
}

static void put_statement(Buffer *sql, const PGconn *source, const char *value)
{
    buffer_puts(sql, "ALTER DATABASE ");
    quote_ident(sql, PQdb(source));
    buffer_puts(sql, *value ? " SET default_transaction_read_only = " : " RESET default_transaction_read_only");
    if (*value)
        quote_literal(sql, value);
}

char *source_gate_remedy(const PGconn *source, const char *setting)
{
    Buffer sql = {0};
    put_statement(&sql, source, setting);
    buffer_putc(&sql, ';');
    return sql.data;
}

static int run(PGconn *source, const char *value, Error *err)
{
    auto_buffer Buffer sql = {0};

    put_statement(&sql, source, value);
    if (pg_exec(source, sql.data, err) == 0)
        return 0;
    if (strcmp(err->sqlstate, "42501") == 0) {
        err->code = ERROR_CONDITION;
        error_hint(err, "the database's owner or a superuser may; GRANT its owner's role to the role of the source");
    }
    return -1;
}

int source_gate_close(PGconn *source, Error *err)
{
    return run(source, "on", err) ? error_wrap(err, "making the source's database read-only") : 0;
}

// Asks one session to end. *refused: we may not.
static int end_session(PGconn *source, const char *pid, bool *refused, Error *err)
{
    const char *values[] = {pid};

    *refused = false;
    if (pg_run(source, "SELECT pg_catalog.pg_terminate_backend($1::int)", 1, values, NULL, err) == 0)
        return 0;
    *refused = strcmp(err->sqlstate, "42501") == 0;
    if (!*refused)
        return error_wrap(err, "ending a session of the source");
    error_clear(err);
    return 0;
}

static void name_sessions(const PGresult *res, const bool *chosen, Buffer *out)
{
    int named = 0, all = 0;

    for (int i = 0; i < PQntuples(res); i++) {
        if (!chosen[i])
            continue;
        if (named < NAMED)
            buffer_printf(out, "%spid %s (user %s, application \"%s\", %s)", named ? ", " : "", PQgetvalue(res, i, 0),
                          PQgetvalue(res, i, 1), PQgetvalue(res, i, 2), PQgetvalue(res, i, 3));
        named++;
        all++;
    }
    if (all > NAMED)
        buffer_printf(out, " and %d more", all - NAMED);
}

static int not_permitted(const PGresult *res, const bool *refused, Error *err)
{
    auto_buffer Buffer names = {0};

    name_sessions(res, refused, &names);
    error_set(err, ERROR_CONDITION, "sessions of the source may not be ended by our role: %s", buffer_text(&names));
    return error_hint(err,
                      "GRANT pg_signal_backend TO the role of the source; sessions of superusers only a superuser can "
                      "end: end them by hand");
}

static int do_not_end(const PGresult *res, double seconds, Error *err)
{
    auto_buffer Buffer names = {0};
    auto_free bool *all = memory_alloc((size_t)PQntuples(res) + 1);

    memset(all, true, (size_t)PQntuples(res) + 1);
    name_sessions(res, all, &names);
    error_set(err, ERROR_TRANSIENT, "sessions of the source did not end within %.1f s: %s", seconds,
              buffer_text(&names));
    return error_hint(err,
                      "look at pg_stat_activity what they do (a server process that is stopped, or stuck in a system "
                      "call, does not answer), end them by hand and start again");
}

// One look at the sessions; each is asked to end.
static int end_once(const Context *ctx, PGconn *source, const char *before, PGresult **out, Error *err)
{
    const char *values[] = {ctx->application, before};

    if (pg_query(source, sql_source_sessions, 2, values, out, err))
        return error_wrap(err, "looking for the sessions of the source");
    auto_free bool *refused = memory_zalloc((size_t)PQntuples(*out) + 1);
    bool any = false;
    for (int i = 0; i < PQntuples(*out); i++) {
        if (end_session(source, PQgetvalue(*out, i, 0), &refused[i], err))
            return -1;
        any = any || refused[i];
    }
    return any ? not_permitted(*out, refused, err) : 0;
}

// Until none has been seen for `calm` seconds.
static int end_all(const Context *ctx, PGconn *source, double seconds, double calm, SourceGateSweep *sweep, Error *err)
{
    double began = clock_monotonic(), calm_since = 0;

    for (int highest = 0;;) {
        auto_pgresult PGresult *res = NULL;
        if (end_once(ctx, source, sweep->before, &res, err))
            return -1;
        double now = clock_monotonic();
        int left = PQntuples(res);
        sweep->ended += left > highest ? left - highest : 0;
        highest = left > highest ? left : highest;
        if (left > 0)
            calm_since = 0;
        else if (calm_since <= 0)
            calm_since = now;
        if (left == 0 && now - calm_since >= calm)
            return 0;
        if (left > 0 && now - began > seconds)
            return do_not_end(res, seconds, err);
        if (stop_sleep_ms(POLL_MS))
            return stop_check(err);
    }
}

int source_gate_end_sessions(const Context *ctx, PGconn *source, double seconds, SourceGateSweep *sweep, Error *err)
{
    auto_free char *now = NULL;

    if (pg_text(source, "SELECT pg_catalog.clock_timestamp()", &now, err))
        return -1;
    sweep->ended = 0;
    snprintf(sweep->before, sizeof sweep->before, "%s", now);
    return end_all(ctx, source, seconds, CALM_SECONDS, sweep, err);
}

int source_gate_end_late(const Context *ctx, PGconn *source, double seconds, SourceGateSweep *sweep, Error *err)
{
    return *sweep->before ? end_all(ctx, source, seconds, 0, sweep, err) : 0;
}

int source_gate_open(const Context *ctx, PGconn *source, const char *setting, Error *err)
{
    char now[SETTING_SIZE];
    SourceGateSweep sweep;
    Error refused = {0};

    if (source_gate_setting(source, now, sizeof now, err))
        return -1;
    if (strcmp(now, setting) == 0)
        return 0;
    if (run(source, setting, err))
        return error_wrap(err, "letting the source's database take writes again");
    if (source_gate_end_sessions(ctx, source, OPEN_SECONDS, &sweep, &refused))
        log_warn("cutover", "sessions that began while the source was read-only stay so until they connect again: %s",
                 refused.message);
    return 0;
}
