// SPDX-License-Identifier: Apache-2.0
// Looks beside the stream once a second.
#include "engine/apply/monitor.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/lsn.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/pg/query.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { LOOK_MS = 1000, LINE_S = 10, GUARD_LINE_S = 60, SEQUENCES_S = 5 };

struct Monitor {
    const Context *ctx;
    SequenceWatch *sequences;
    PGconn *source;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool quit;
    double next_line, next_guard_line, next_sequences;
    int64_t last_changes;
    double last_line;
    uint64_t seen_lsn; // of the source, at the look before
    double seen_at;
    double level_at; // up to when the sink is known to have had everything; 0: never
};

// Behind: as old as the newest change that the sink has, but no older than the last moment of which it had everything.
// WAL without changes (a checkpoint) on a source that rests is no lag of hours.
static double lag_seconds(Monitor *m, const Progress *p)
{
    double now = clock_now(), lag = p->commit_time > 0 ? now - p->commit_time : 0;

    if (m->seen_lsn > 0 && p->lsn_applied >= m->seen_lsn)
        m->level_at = m->seen_at;
    m->seen_lsn = p->lsn_source;
    m->seen_at = now;
    if (p->lag_bytes == 0)
        return 0;
    if (m->level_at > 0 && now - m->level_at < lag)
        lag = now - m->level_at;
    return lag > 0 ? lag : 0;
}

static int look(Monitor *m, Error *err)
{
    const char *values[] = {m->ctx->slot};
    auto_pgresult PGresult *res = NULL;
    Progress *p = m->ctx->progress;

    if (!m->source && context_connect_source(m->ctx, PG_ORDINARY, &m->source, err))
        return -1;
    if (pg_query(m->source,
                 "SELECT pg_catalog.pg_current_wal_lsn(),"
                 "       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn)::bigint"
                 "  FROM (SELECT 1) AS one LEFT JOIN pg_catalog.pg_replication_slots s ON s.slot_name = $1",
                 1, values, &res, err))
        return -1;
    pthread_mutex_lock(&p->lock);
    p->lsn_source = pg_get_lsn(res, 0, 0);
    p->slot_retained_bytes = pg_get_int64(res, 0, 1);
    p->lag_bytes = p->lsn_applied && p->lsn_source > p->lsn_applied ? (int64_t)(p->lsn_source - p->lsn_applied) : 0;
    p->lag_seconds = lag_seconds(m, p);
    pthread_mutex_unlock(&p->lock);
    if (clock_monotonic() < m->next_sequences)
        return 0;
    m->next_sequences = clock_monotonic() + SEQUENCES_S;
    return sequence_watch_poll(m->sequences, m->source, err);
}

static void guard_slot(Monitor *m, int64_t retained)
{
    int64_t limit = m->ctx->task->slot_guard_bytes;
    double now = clock_monotonic();

    if (limit <= 0 || retained < limit || now < m->next_guard_line)
        return;
    m->next_guard_line = now + GUARD_LINE_S;
    log_warn("apply",
             "slot \"%s\" holds back %.1f GB of WAL on the source (guard: %.1f GB): the sink does not keep up, or is "
             "stopped",
             m->ctx->slot, (double)retained / 1e9, (double)limit / 1e9);
}

static void write_lines(Monitor *m)
{
    Progress *p = m->ctx->progress;
    char when[40];
    struct tm tm;

    pthread_mutex_lock(&p->lock);
    uint64_t applied = p->lsn_applied;
    double commit_time = p->commit_time > 0 ? p->commit_time : 0, lag = p->lag_seconds;
    int64_t changes = p->changes, transactions = p->transactions, bytes = p->lag_bytes,
            retained = p->slot_retained_bytes;
    pthread_mutex_unlock(&p->lock);

    time_t seconds = (time_t)commit_time;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(when + n, sizeof when - n, ".%03d", (int)((commit_time - (double)seconds) * 1000));
    log_info("position_logger", "current_position | lsn:%s,timestamp:%s UTC-0000", lsn_format(applied).text,
             commit_time > 0 ? when : "-");
    double now = clock_monotonic(), span = now - m->last_line;
    log_info("metrics",
             "transactions:%lld,changes:%lld,changes_per_second:%.0f,lag_bytes:%lld,lag_seconds:%.3f,slot_retained_"
             "bytes:%lld",
             (long long)transactions, (long long)changes, span > 0 ? (double)(changes - m->last_changes) / span : 0.0,
             (long long)bytes, lag, (long long)retained);
    m->last_changes = changes;
    m->last_line = now;
    guard_slot(m, retained);
}

static void *run(void *arg)
{
    Monitor *m = arg;
    struct timespec until;

    pthread_mutex_lock(&m->lock);
    while (!m->quit) {
        Error err = {0};
        pthread_mutex_unlock(&m->lock);
        if (look(m, &err) && m->source) { // the stream's own reconnecting tells of a source that is away
            PQfinish(m->source);
            m->source = NULL;
        }
        if (clock_monotonic() >= m->next_line) {
            write_lines(m);
            m->next_line = clock_monotonic() + LINE_S;
        }
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += LOOK_MS / 1000;
        pthread_mutex_lock(&m->lock);
        if (!m->quit)
            pthread_cond_timedwait(&m->wake, &m->lock, &until);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

int monitor_start(const Context *ctx, SequenceWatch *sequences, Monitor **out, Error *err)
{
    Monitor *m = memory_zalloc(sizeof *m);

    m->ctx = ctx;
    m->sequences = sequences;
    m->last_line = clock_monotonic();
    m->next_line = m->last_line + LINE_S;
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->wake, NULL);
    if (pthread_create(&m->thread, NULL, run, m)) {
        free(m);
        return error_set(err, ERROR_SYSTEM, "could not start the monitoring thread");
    }
    *out = m;
    return 0;
}

void monitor_stop(Monitor *m)
{
    if (!m)
        return;
    pthread_mutex_lock(&m->lock);
    m->quit = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    if (m->source)
        PQfinish(m->source);
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->wake);
    free(m);
}
