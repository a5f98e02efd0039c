// SPDX-License-Identifier: Apache-2.0
// Checks of the two ends as such: connections, TLS, versions, tools, identity, clocks.
#include "common/base/memory.h"
#include "engine/pg/quote.h"
#include "engine/precheck/functions.h"
#include "engine/precheck/precheck.h"
#include "engine/start.h"
#include "engine/structure/tools.h"
#include "sql.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { OLDEST_VERSION = 100000, CLOCK_SKEW_S = 5, WAIT_MAX_S = 10 };

static const char *setting(PGconn *conn, const char *name)
{
    const char *value = PQparameterStatus(conn, name);
    return value ? value : "?";
}

static int connect_end(Precheck *p, CheckSide side, Findings *findings, Error *err)
{
    PGconn *conn = NULL;
    Patience patience;

    patience_begin(&patience, &p->ctx, p->task->wait_seconds < WAIT_MAX_S ? p->task->wait_seconds : WAIT_MAX_S);
    while (side == CHECK_SOURCE ? context_connect_source(&p->ctx, PG_ORDINARY, &conn, err)
                                : context_connect_sink(&p->ctx, &conn, err)) {
        if (!patience_wait(&patience, side == CHECK_SOURCE ? "the source" : "the sink", err)) {
            p->refused[side] = *err;
            return -1;
        }
        error_clear(err);
    }
    p->ends[side] = conn;
    findings_addf(findings, CHECK_PASS, NULL, "connected to database %s on %s port %s as %s, server %s", PQdb(conn),
                  PQhost(conn), PQport(conn), PQuser(conn), setting(conn, "server_version"));
    return 0;
}

int check_source_connection(Precheck *p, Findings *findings, Error *err)
{
    return connect_end(p, CHECK_SOURCE, findings, err);
}

int check_sink_connection(Precheck *p, Findings *findings, Error *err)
{
    return connect_end(p, CHECK_SINK, findings, err);
}

// A Unix socket or a loopback address: nobody is in between.
static bool is_local(PGconn *conn)
{
    const char *host = PQhost(conn), *address = PQhostaddr(conn);

    return *host == '/' || *host == '@' || strcmp(address, "") == 0 || strncmp(address, "127.", 4) == 0 ||
           strcmp(address, "::1") == 0;
}

static int check_tls(PGconn *conn, Findings *findings)
{
    if (PQsslInUse(conn)) {
        const char *protocol = PQsslAttribute(conn, "protocol");
        const char *mode = NULL;
        PQconninfoOption *options = PQconninfo(conn);
        for (PQconninfoOption *o = options; o && o->keyword; o++)
            if (strcmp(o->keyword, "sslmode") == 0)
                mode = o->val;
        findings_addf(findings, CHECK_PASS, NULL, "encrypted with %s (sslmode %s)", protocol ? protocol : "TLS",
                      mode ? mode : "prefer");
        PQconninfoFree(options);
        return 0;
    }
    if (is_local(conn)) {
        findings_add(findings, CHECK_PASS, "not encrypted, but the connection does not leave this machine", NULL, NULL);
        return 0;
    }
    findings_addf(findings, CHECK_WARN, NULL, "not encrypted: rows%s travel in clear to %s",
                  PQconnectionUsedPassword(conn) ? " and the proof of the password" : "", PQhostaddr(conn));
    return 0;
}

int check_source_tls(Precheck *p, Findings *findings, Error *err)
{
    (void)err;
    return check_tls(p->ends[CHECK_SOURCE], findings);
}

int check_sink_tls(Precheck *p, Findings *findings, Error *err)
{
    (void)err;
    return check_tls(p->ends[CHECK_SINK], findings);
}

static int check_version(PGconn *conn, Findings *findings)
{
    bool good = PQserverVersion(conn) >= OLDEST_VERSION;
    findings_addf(findings, good ? CHECK_PASS : CHECK_FAIL, NULL, "PostgreSQL %s%s", setting(conn, "server_version"),
                  good ? "" : " is older than 10");
    return 0;
}

int check_source_version(Precheck *p, Findings *findings, Error *err)
{
    (void)err;
    return check_version(p->ends[CHECK_SOURCE], findings);
}

int check_sink_version(Precheck *p, Findings *findings, Error *err)
{
    (void)err;
    return check_version(p->ends[CHECK_SINK], findings);
}

int check_version_order(Precheck *p, Findings *findings, Error *err)
{
    int source = PQserverVersion(p->ends[CHECK_SOURCE]) / 10000, sink = PQserverVersion(p->ends[CHECK_SINK]) / 10000;
    (void)err;
    findings_addf(findings, sink < source ? CHECK_WARN : CHECK_PASS, NULL,
                  "the source is version %d, the sink version %d%s", source, sink,
                  sink < source ? ", which is older" : "");
    return 0;
}

int check_pg_dump(Precheck *p, Findings *findings, Error *err)
{
    DumpTools tools;

    if (dump_tools_find(PQserverVersion(p->ends[CHECK_SOURCE]), &tools, err)) {
        if (err->code != ERROR_CONDITION)
            return -1;
        findings_add(findings, CHECK_FAIL, err->message, NULL, err->hint[0] ? err->hint : NULL);
        return 0;
    }
    findings_addf(findings, CHECK_PASS, NULL, "%s is version %d", tools.dump, tools.major);
    dump_tools_free(&tools);
    return 0;
}

int check_replication_connection(Precheck *p, Findings *findings, Error *err)
{
    auto_pgconn PGconn *conn = NULL;

    if (context_connect_source(&p->ctx, PG_REPLICATION, &conn, err) || pg_exec(conn, "IDENTIFY_SYSTEM", err))
        return -1;
    findings_add(findings, CHECK_PASS, "a replication connection to the source was made", NULL, NULL);
    return 0;
}

typedef struct Identity { // which database of which running server
    char system[32], database[256], started[40];
} Identity;

static int read_identity(Precheck *p, CheckSide side, Identity *out, Error *err)
{
    const CheckQuestion question = {sql_check_same_database, {PARAM_END}};
    auto_pgresult PGresult *res = NULL;

    if (precheck_ask(p, side, &question, &res, err))
        return -1;
    snprintf(out->system, sizeof out->system, "%s", PQgetvalue(res, 0, 0));
    snprintf(out->database, sizeof out->database, "%s", PQgetvalue(res, 0, 1));
    snprintf(out->started, sizeof out->started, "%s", PQgetvalue(res, 0, 2));
    if (side == CHECK_SOURCE) {
        p->source_system = memory_strdup(out->system);
        p->source_database = memory_strdup(out->database);
    }
    return 0;
}

int check_same_database(Precheck *p, Findings *findings, Error *err)
{
    Identity source, sink;

    if (read_identity(p, CHECK_SOURCE, &source, err) || read_identity(p, CHECK_SINK, &sink, err))
        return -1;
    bool same_system = strcmp(source.system, sink.system) == 0,
         same_database = strcmp(source.database, sink.database) == 0;
    if (same_system && same_database && strcmp(source.started, sink.started) == 0)
        findings_addf(findings, CHECK_FAIL, NULL,
                      "source and sink are both database %s of the server with system identifier %s", source.database,
                      source.system);
    else if (same_system && same_database)
        findings_addf(findings, CHECK_FAIL, "use a database of another name, or a sink that was made with initdb",
                      "the sink is a physical copy of the source (system identifier %s) and has the same database %s",
                      source.system, source.database);
    else
        findings_add(findings, CHECK_PASS, same_system ? "two databases of one server" : "two servers", NULL, NULL);
    return 0;
}

static double local_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// How far the server's clock is ahead of ours; half of the round trip is taken as the way there.
static int clock_offset(PGconn *conn, double *out, Error *err)
{
    auto_free char *text = NULL;
    double before = local_now();

    if (pg_text(conn, "SELECT extract(epoch FROM pg_catalog.clock_timestamp())::double precision", &text, err))
        return -1;
    *out = strtod(text ? text : "0", NULL) - (before + local_now()) / 2;
    return 0;
}

int check_clocks(Precheck *p, Findings *findings, Error *err)
{
    double source, sink;

    if (clock_offset(p->ends[CHECK_SOURCE], &source, err) || clock_offset(p->ends[CHECK_SINK], &sink, err))
        return -1;
    double skew = fabs(source - sink);
    findings_addf(findings, skew > CLOCK_SKEW_S ? CHECK_WARN : CHECK_PASS, NULL,
                  "the clocks of both servers differ by %.1f s", skew);
    return 0;
}

int check_replication_role(Precheck *p, Findings *findings, Error *err)
{
    bool can = false;

    if (context_can_set_replication_role(p->ends[CHECK_SINK], &can, err))
        return -1;
    precheck_set_param(p, PARAM_REPLICATION_ROLE, can ? "true" : "false");
    if (can) {
        findings_add(findings, CHECK_PASS, "session_replication_role can be set", NULL, NULL);
        return 0;
    }
    bool grantable = PQserverVersion(p->ends[CHECK_SINK]) >= 150000;
    auto_buffer Buffer remedy = {0};
    buffer_puts(&remedy, "on the sink, as a superuser: GRANT SET ON PARAMETER session_replication_role TO ");
    quote_ident(&remedy, PQuser(p->ends[CHECK_SINK]));
    buffer_putc(&remedy, ';');
    findings_addf(findings, CHECK_WARN,
                  grantable
                      ? remedy.data
                      : "before version 15 only a superuser can set it (Amazon RDS: GRANT rds_superuser TO role;)",
                  "role %s may not set session_replication_role: %s", PQuser(p->ends[CHECK_SINK]),
                  p->task->steps[STEP_CDC] ? "foreign keys and triggers wait for the cutover"
                                           : "foreign keys and triggers are made after the rows");
    return 0;
}

// The same question as of the sink's triggers, put to the source.
int check_reverse_triggers(Precheck *p, Findings *findings, Error *err)
{
    const CheckQuestion question = {sql_check_sink_triggers, {PARAM_TABLE_OIDS, PARAM_SOURCE_ROLE}};
    auto_pgresult PGresult *res = NULL;
    bool can = false;

    if (context_can_set_replication_role(p->ends[CHECK_SOURCE], &can, err))
        return -1;
    precheck_set_param(p, PARAM_SOURCE_ROLE, can ? "true" : "false");
    if (precheck_ask(p, CHECK_SOURCE, &question, &res, err))
        return -1;
    precheck_read(res, CHECK_FAIL, findings);
    return 0;
}
