// SPDX-License-Identifier: Apache-2.0
// Carries sequences over while changes are followed. What cannot be read or set is said once and passed over: the
// cutover checks all of them.
#include "engine/apply/sequence_watch.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "engine/copy/sequences.h"
#include "engine/pg/array.h"
#include "engine/pg/query.h"
#include "sql.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static const double LIST_SECONDS = 60; // how old the list of sequences may be

struct SequenceWatch {
    const Context *ctx;
    // the monitor's
    PGresult *list;
    double listed;    // monotonic
    char **last;      // the last value of each of the list as text, "" for none; NULL: not looked at yet
    bool read_failed; // said already
    // the reader's
    bool write_failed;

    atomic_bool waiting; // values are there to be written
    pthread_mutex_t lock;
    SequenceValues *values; // several runs of at most SEQUENCES_A_STATEMENT
    size_t count;
};

SequenceWatch *sequence_watch_new(const Context *ctx)
{
    SequenceWatch *w = memory_zalloc(sizeof *w);
    w->ctx = ctx;
    pthread_mutex_init(&w->lock, NULL);
    return w;
}

static void forget_list(SequenceWatch *w)
{
    for (int i = 0; w->list && i < PQntuples(w->list); i++)
        free(w->last[i]);
    free(w->last);
    PQclear(w->list);
    w->last = NULL;
    w->list = NULL;
}

static void forget_values(SequenceWatch *w)
{
    for (size_t i = 0; i < w->count; i++)
        sequence_values_free(&w->values[i]);
    free(w->values);
    w->values = NULL;
    w->count = 0;
}

void sequence_watch_free(SequenceWatch *w)
{
    if (!w)
        return;
    forget_list(w);
    forget_values(w);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

// A statement that is refused is no reason to stop following; the same refusal is told once.
static int pass_over(bool *told, const char *what, Error *err)
{
    if (err->code != ERROR_SQL)
        return -1;
    if (!*told)
        log_warn("sequences", "%s: %s; the cutover sets them", what, err->message);
    *told = true;
    error_clear(err);
    return 0;
}

// ---- the monitor's side ------------------------------------------------------------------------------------------

// A fresh list knows no last values: all of it counts as moved, which costs a read a minute.
static int list_if_old(SequenceWatch *w, PGconn *source, Error *err)
{
    double now = clock_monotonic();

    if (w->list && now - w->listed < LIST_SECONDS)
        return 0;
    forget_list(w);
    if (sequences_list(w->ctx, source, &w->list, err))
        return -1;
    w->last = memory_zalloc(((size_t)PQntuples(w->list) + 1) * sizeof *w->last);
    w->listed = now;
    return 0;
}

static int ask(SequenceWatch *w, PGconn *source, PGresult **out, Error *err)
{
    auto_buffer Buffer oids = {0};

    array_begin(&oids);
    for (int i = 0; i < PQntuples(w->list); i++)
        array_put(&oids, pg_get_bool(w->list, i, SEQUENCE_READABLE) ? PQgetvalue(w->list, i, SEQUENCE_OID) : NULL);
    array_end(&oids);
    const char *values[] = {oids.data};
    return pg_query(source, sql_sequences_moved, 1, values, out, err);
}

static int read_moved(SequenceWatch *w, PGconn *source, const int *moved, int count, Error *err)
{
    for (int first = 0; first < count; first += SEQUENCES_A_STATEMENT) {
        int here = count - first < SEQUENCES_A_STATEMENT ? count - first : SEQUENCES_A_STATEMENT;
        SequenceValues values;
        if (sequences_read(source, w->list, moved + first, here, &values, err)) {
            sequence_values_free(&values);
            return -1;
        }
        w->values = memory_realloc(w->values, (w->count + 1) * sizeof *w->values);
        w->values[w->count++] = values;
    }
    return 0;
}

static int poll_all(SequenceWatch *w, PGconn *source, Error *err)
{
    auto_pgresult PGresult *res = NULL;
    auto_free int *moved = NULL;
    int count = 0;

    if (list_if_old(w, source, err))
        return -1;
    if (PQntuples(w->list) == 0)
        return 0;
    if (ask(w, source, &res, err))
        return -1;
    moved = memory_alloc((size_t)PQntuples(res) * sizeof *moved + 1);
    for (int i = 0; i < PQntuples(res); i++) {
        int at = (int)pg_get_int64(res, i, 0) - 1;
        if (!w->last[at] || strcmp(w->last[at], PQgetvalue(res, i, 1)) != 0)
            moved[count++] = at;
        free(w->last[at]);
        w->last[at] = memory_strdup(PQgetvalue(res, i, 1));
    }
    return read_moved(w, source, moved, count, err);
}

int sequence_watch_poll(SequenceWatch *w, PGconn *source, Error *err)
{
    if (atomic_load(&w->waiting)) // the reader has not come to it: it is busy, or the sink is away
        return 0;
    pthread_mutex_lock(&w->lock);
    int rc = poll_all(w, source, err);
    if (rc) {
        forget_values(w);
        forget_list(w); // what has moved is looked for again
        rc = pass_over(&w->read_failed, "sequences of the source cannot be read", err);
    }
    atomic_store(&w->waiting, w->count > 0);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

// ---- the reader's side -------------------------------------------------------------------------------------------

int sequence_watch_write(SequenceWatch *w, PGconn *sink, Error *err)
{
    int rc = 0;

    if (!atomic_load(&w->waiting))
        return 0;
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->count && rc == 0; i++)
        rc = sequences_write(sink, &w->values[i], w->ctx->task->sequence_margin, NULL, err);
    if (rc)
        rc = pass_over(&w->write_failed, "sequences of the sink cannot be set", err);
    if (rc == 0) {
        forget_values(w);
        atomic_store(&w->waiting, false);
    }
    pthread_mutex_unlock(&w->lock);
    return rc;
}
