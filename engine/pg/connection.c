// SPDX-License-Identifier: Apache-2.0
// Connecting, waiting and classing failures. Runs no statements but the session's settings.
#include "engine/pg/connection.h"

#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/pg/query.h"
#include "engine/pg/quote.h"

#include <ctype.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { CONNECT_TIMEOUT_MS = 10000, MAX_KEYWORDS = 64 };

// SQLSTATE prefixes and what they mean for a retry; the longest match wins, so longer ones stand first.
static const struct {
    const char *prefix;
    ErrorCode code;
} SQLSTATE_CLASSES[] = {
    {"57P04", ERROR_CREDENTIALS}, // database dropped
    {"57014", ERROR_TRANSIENT},   // cancelled by somebody else
    {"55P03", ERROR_TRANSIENT},   // lock not available
    {"55006", ERROR_TRANSIENT},   // object in use
    {"58030", ERROR_TRANSIENT},   // I/O error
    {"25006", ERROR_TRANSIENT},   // read-only: a standby, a failover under way, or a service whose disk is full
    {"08P01", ERROR_SQL},         // protocol violation: a fault of ours, the same again next time
    {"57P", ERROR_TRANSIENT},     // shutdown, crash recovery, starting up
    {"08", ERROR_TRANSIENT},      // connection
    {"40", ERROR_TRANSIENT},      // serialization, deadlock
    {"53", ERROR_TRANSIENT},      // disk full, out of memory, too many connections
    {"28", ERROR_CREDENTIALS},    // password, pg_hba
    {"3D", ERROR_CREDENTIALS},    // database does not exist
};

ErrorCode pg_error_code(const char *sqlstate)
{
    for (size_t i = 0; i < sizeof SQLSTATE_CLASSES / sizeof *SQLSTATE_CLASSES; i++)
        if (strncmp(sqlstate, SQLSTATE_CLASSES[i].prefix, strlen(SQLSTATE_CLASSES[i].prefix)) == 0)
            return SQLSTATE_CLASSES[i].code;
    return ERROR_SQL;
}

static void hint_for_sqlstate(const char *sqlstate, Error *err)
{
    if (strcmp(sqlstate, "53100") == 0)
        error_hint(err, "free space on the server's disk or enlarge it, then start again: finished work is kept");
    else if (strcmp(sqlstate, "25006") == 0)
        error_hint(err, "the server takes no writes: end what made it read-only, or connect to the primary "
                        "(target_session_attrs=read-write)");
    else if (strcmp(sqlstate, "42501") == 0)
        error_hint(err, "grant the right to the role that kubeferry connects as, then start again");
    else if (strcmp(sqlstate, "53300") == 0)
        error_hint(err, "raise max_connections or lower --jobs");
    else if (strncmp(sqlstate, "28", 2) == 0)
        error_hint(err, "check user, password and the server's pg_hba.conf");
    else if (strncmp(sqlstate, "3D", 2) == 0)
        error_hint(err, "check the database name; the sink's database must exist before a migration (CREATE DATABASE)");
}

static void trim(char *text)
{
    size_t len = strlen(text);
    while (len && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
}

// libpq reports each address on a line and asks below it whether the server runs there, which our hint answers.
static void one_line(const char *text, char *out, size_t size)
{
    static const char QUESTION[] = "\tIs the server running";
    size_t used = 0;

    out[0] = '\0';
    for (size_t len; *text; text += len + (text[len] == '\n')) {
        len = strcspn(text, "\n");
        if (len == 0 || strncmp(text, QUESTION, sizeof QUESTION - 1) == 0)
            continue;
        int more = snprintf(out + used, size - used, "%s%.*s", used ? "; " : "", (int)len, text);
        used = more < 0 || (size_t)more >= size - used ? size - 1 : used + (size_t)more;
    }
}

int pg_error(PGconn *conn, const PGresult *res, Error *err, const char *fmt, ...)
{
    char what[512], detail[900];
    char state[6] = "";
    va_list args;
    const char *field = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;

    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    if (field)
        snprintf(state, sizeof state, "%s", field);
    if (field && PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY)) {
        const char *more = PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);
        snprintf(detail, sizeof detail, "%s%s%s", PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY), more ? " — " : "",
                 more ? more : "");
    } else {
        snprintf(detail, sizeof detail, "%s", conn ? PQerrorMessage(conn) : "no connection");
    }
    trim(detail);
    ErrorCode code = state[0] ? pg_error_code(state) : ERROR_TRANSIENT;
    if (conn && PQstatus(conn) == CONNECTION_BAD && code == ERROR_SQL)
        code = ERROR_TRANSIENT;
    if (stop_requested() && strcmp(state, "57014") == 0)
        code = ERROR_STOPPED;
    error_set(err, code, "%s: %s", what, detail[0] ? detail : "the connection was lost");
    snprintf(err->sqlstate, sizeof err->sqlstate, "%s", state);
    hint_for_sqlstate(state, err);
    return -1;
}

static _Thread_local double thread_deadline; // monotonic seconds; 0: none

void pg_deadline(double monotonic)
{
    thread_deadline = monotonic;
}

// The shorter of a time (-1: no limit) and what the deadline leaves.
static int limit_ms(int timeout_ms)
{
    if (thread_deadline <= 0)
        return timeout_ms;
    double left = (thread_deadline - clock_monotonic()) * 1000;
    int left_ms = left <= 0 ? 0 : left < INT_MAX - 1 ? (int)left + 1 : INT_MAX;
    return timeout_ms < 0 || left_ms < timeout_ms ? left_ms : timeout_ms;
}

static bool is_late(void)
{
    return thread_deadline > 0 && clock_monotonic() >= thread_deadline;
}

int pg_wait(PGconn *conn, bool for_write, int timeout_ms, Error *err)
{
    struct pollfd p[2] = {
        {.fd = PQsocket(conn), .events = (short)(POLLIN | (for_write ? POLLOUT : 0))},
        {.fd = stop_fd(), .events = POLLIN},
    };
    if (p[0].fd < 0)
        return error_set(err, ERROR_TRANSIENT, "the connection was lost");
    int ready = poll(p, 2, limit_ms(timeout_ms));
    if (ready < 0) // a signal: no time has passed
        return stop_check(err) ? -1 : 1;
    if (p[1].revents)
        return stop_check(err);
    if (ready == 0 && is_late())
        return error_set(err, ERROR_TRANSIENT, "the time limit was reached while a server was waited for");
    return ready > 0 ? 1 : 0;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// With verbose errors libpq shows the SQLSTATE of a refused connection ("FATAL:  28P01: password …"), whatever the
// language of the server's messages; it has no other way to tell (PQerrorMessage).
static void sqlstate_of_refusal(char *text, char state[6])
{
    for (char *p = strstr(text, ":  "); p; p = strstr(p + 1, ":  ")) {
        size_t n = strspn(p + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (n == 5 && p[8] == ':') {
            memcpy(state, p + 3, 5);
            state[5] = '\0';
            memmove(p + 2, p + 9, strlen(p + 9) + 1);
            char *location = strstr(p, "\nLOCATION:");
            if (location)
                *location = '\0';
            return;
        }
    }
}

// Without a SQLSTATE only libpq's own words tell (they are not translated: the engine sets no locale). What speaks of
// TLS, passwords or an option is for a person to mend; anything else is the way to the server.
static bool is_configuration(const char *text)
{
    // The last three: a server that ended while it greeted us, which says nothing about certificates.
    static const char *const WAYS[] = {"could not translate host name",
                                       "Connection refused",
                                       "timeout expired",
                                       "SSL SYSCALL error",
                                       "closed unexpectedly",
                                       "closed the connection unexpectedly"};
    static const char *const CONFIGURATION[] = {"SSL",    "certificate", "password", "invalid ",
                                                "GSSAPI", "sslmode",     "service"};

    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++)
        if (strstr(text, WAYS[i]))
            return false;
    for (size_t i = 0; i < sizeof CONFIGURATION / sizeof *CONFIGURATION; i++)
        if (strstr(text, CONFIGURATION[i]))
            return true;
    return false;
}

static int refused(PGconn *conn, const PgTarget *target, const char *label, Error *err)
{
    char lines[900], text[900], state[6] = "";

    snprintf(lines, sizeof lines, "%s", PQerrorMessage(conn));
    sqlstate_of_refusal(lines, state);
    trim(lines);
    one_line(lines, text, sizeof text);
    ErrorCode code = ERROR_UNREACHABLE;
    if (state[0])
        code = strcmp(state, "42501") == 0 ? ERROR_CREDENTIALS : pg_error_code(state);
    else if (is_configuration(text))
        code = ERROR_CREDENTIALS;
    if (code == ERROR_SQL)
        code = ERROR_CREDENTIALS;
    error_set(err, code, "cannot connect to the %s %s: %s", target->role, label, text);
    snprintf(err->sqlstate, sizeof err->sqlstate, "%s", state);
    if (code == ERROR_UNREACHABLE)
        error_hint(err, "check host and port, that the server runs and listens there, and that no firewall is between");
    else if (strstr(text, "SSL") || strstr(text, "certificate"))
        error_hint(err, "check sslmode, sslrootcert, sslcert and sslkey of the %s against what the server offers",
                   target->role);
    else if (strstr(text, "no password supplied"))
        error_hint(err, "give the password in the connection string, in a file that PGPASSFILE names or in PGPASSWORD");
    else
        hint_for_sqlstate(state, err);
    return -1;
}

static int wait_for_connection(PGconn *conn, const PgTarget *target, const char *label, Error *err)
{
    int64_t deadline = now_ms() + CONNECT_TIMEOUT_MS;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;

    while (status != PGRES_POLLING_OK) {
        if (status == PGRES_POLLING_FAILED || PQstatus(conn) == CONNECTION_BAD)
            return refused(conn, target, label, err);
        struct pollfd p[2] = {{.fd = PQsocket(conn), .events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT},
                              {.fd = stop_fd(), .events = POLLIN}};
        int64_t left = deadline - now_ms();
        int ready = poll(p, 2, limit_ms(left > 0 ? (int)left : 0));
        if (p[1].revents)
            return stop_check(err);
        if (ready == 0 && is_late())
            return error_set(err, ERROR_TRANSIENT, "the time limit was reached while connecting to the %s",
                             target->role);
        if (ready == 0) {
            error_set(err, ERROR_UNREACHABLE, "cannot connect to the %s %s: no answer within %d s", target->role, label,
                      CONNECT_TIMEOUT_MS / 1000);
            return error_hint(err, "check host and port, and that no firewall drops the packets");
        }
        status = PQconnectPoll(conn);
    }
    return 0;
}

static void put_setting(Buffer *sql, const char *name, const char *value)
{
    buffer_printf(sql, "SET %s = ", name);
    quote_literal(sql, value);
    buffer_puts(sql, ";");
}

static int pin_session(PGconn *conn, const PgTarget *target, Error *err)
{
    static const struct {
        const char *name, *value;
        int since; // server_version_num
    } SETTINGS[] = {
        {"DateStyle", "ISO, YMD", 0},
        {"IntervalStyle", "postgres", 0},
        {"TimeZone", "UTC", 0},
        {"extra_float_digits", "3", 0},
        {"bytea_output", "hex", 0},
        {"lc_monetary", "C", 0},
        {"xmloption", "content", 0},
        {"search_path", "pg_catalog", 0},
        {"row_security", "off", 0},
        {"statement_timeout", "0", 0},
        {"lock_timeout", "0", 0},
        {"idle_in_transaction_session_timeout", "0", 0},
        {"idle_session_timeout", "0", 140000},
        {"tcp_keepalives_idle", "30", 0}, // the server notices that our machine is gone, and lets our locks go
        {"tcp_keepalives_interval", "10", 0},
        {"tcp_keepalives_count", "3", 0},
        {"transaction_timeout", "0", 170000},
        {"client_min_messages", "error", 0}, // a flood of NOTICEs must not fill the connection
        {"default_transaction_read_only", "off", 0},
    };
    auto_buffer Buffer sql = {0};
    const char *encoding = target->encoding ? target->encoding : PQparameterStatus(conn, "server_encoding");

    for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++)
        if (PQserverVersion(conn) >= SETTINGS[i].since)
            put_setting(&sql, SETTINGS[i].name, SETTINGS[i].value);
    if (encoding)
        put_setting(&sql, "client_encoding", encoding);
    if (pg_answer_limit() > 0) // so that the server says for what it waited
        buffer_printf(&sql, "SET lock_timeout = %d;", pg_answer_limit() / 3 * 2);
    if (pg_exec(conn, sql.data, err))
        return -1;
    // A long statement of a process that was killed ends by itself, where the server's system can tell.
    Error refused = {0};
    if (PQserverVersion(conn) >= 140000 && pg_exec(conn, "SET client_connection_check_interval = '10s'", &refused) &&
        PQstatus(conn) == CONNECTION_BAD) {
        *err = refused;
        return -1;
    }
    return stop_check(err);
}

static void ignore_notice(void *arg, const PGresult *res)
{
    (void)arg;
    (void)res;
}

int pg_connect(const PgTarget *target, PgKind kind, PGconn **out, Error *err)
{
    const char *keywords[MAX_KEYWORDS], *values[MAX_KEYWORDS];
    static const char *const DEFAULTS[][2] = {
        {"keepalives", "1"}, {"keepalives_idle", "30"}, {"keepalives_interval", "10"}, {"keepalives_count", "3"}};
    auto_free char *label = endpoint_label(target->endpoint);
    size_t n = 0;

    // What the user says stands later and wins.
    for (size_t i = 0; i < sizeof DEFAULTS / sizeof *DEFAULTS; i++, n++)
        keywords[n] = DEFAULTS[i][0], values[n] = DEFAULTS[i][1];
    for (size_t i = 0; i < target->endpoint->count && n < MAX_KEYWORDS - 4; i++, n++)
        keywords[n] = target->endpoint->keywords[i], values[n] = target->endpoint->values[i];
    keywords[n] = "application_name", values[n++] = target->application;
    if (kind == PG_REPLICATION)
        keywords[n] = "replication", values[n++] = "database";
    keywords[n] = values[n] = NULL;

    *out = NULL;
    auto_pgconn PGconn *conn = PQconnectStartParams(keywords, values, 0);
    if (!conn)
        return error_set(err, ERROR_SYSTEM, "out of memory for a connection");
    PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
    if (PQstatus(conn) == CONNECTION_BAD ? refused(conn, target, label, err)
                                         : wait_for_connection(conn, target, label, err))
        return -1;
    PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
    PQsetNoticeReceiver(conn, ignore_notice, NULL);
    if (pin_session(conn, target, err))
        return error_wrap(err, "setting up the session on the %s", target->role);
    *out = conn;
    conn = NULL;
    return 0;
}
