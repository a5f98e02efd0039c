// SPDX-License-Identifier: Apache-2.0
// The progress document as Prometheus text (version 0.0.4). Every name is in docs/progress-document.md.
#include "common/base/buffer.h"
#include "common/contract/progress_document.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>

enum { LAG_BUCKETS = 64, LAG_BUCKETS_TOLD_FROM = 4, LAG_BUCKETS_TOLD_TO = 44 }; // 0.4 ms to 419 s

typedef struct Metric {
    const char *name;
    const char *type;
    const char *help;
    size_t offset; // of an int64_t in Progress
} Metric;

static const Metric INTEGERS[] = {
    {"tables_done", "gauge", "Tables whose rows are copied.", offsetof(Progress, tables_done)},
    {"tables", "gauge", "Tables to copy.", offsetof(Progress, tables_total)},
    {"rows_done", "gauge", "Rows copied.", offsetof(Progress, rows_done)},
    {"rows_estimate", "gauge", "Rows to copy, as the source estimates them.", offsetof(Progress, rows_total)},
    {"bytes_done", "gauge", "Bytes copied.", offsetof(Progress, bytes_done)},
    {"bytes", "gauge", "Bytes to copy.", offsetof(Progress, bytes_total)},
    {"indexes_done", "gauge", "Indexes and constraints built.", offsetof(Progress, indexes_done)},
    {"indexes", "gauge", "Indexes and constraints to build.", offsetof(Progress, indexes_total)},
    {"lag_bytes", "gauge", "WAL of the source that is not applied yet.", offsetof(Progress, lag_bytes)},
    {"transactions_total", "counter", "Source transactions applied.", offsetof(Progress, transactions)},
    {"changes_total", "counter", "Changes applied.", offsetof(Progress, changes)},
    {"inserts_total", "counter", "Inserts applied.", offsetof(Progress, inserts)},
    {"updates_total", "counter", "Updates applied.", offsetof(Progress, updates)},
    {"deletes_total", "counter", "Deletes applied.", offsetof(Progress, deletes)},
    {"truncates_total", "counter", "Truncates applied.", offsetof(Progress, truncates)},
    {"batches_total", "counter", "Sink transactions that applied changes.", offsetof(Progress, batches)},
    {"replays_total", "counter", "Batches that were replayed change by change.", offsetof(Progress, replays)},
    {"reconnects_total", "counter", "Connections that were lost and made again.", offsetof(Progress, reconnects)},
    {"slot_retained_bytes", "gauge", "WAL that the source keeps for the slot.",
     offsetof(Progress, slot_retained_bytes)},
    {"verified_rows", "gauge", "Rows compared on both ends.", offsetof(Progress, verified_rows)},
    {"differences", "gauge", "Rows found to differ; -1 before verify has run.", offsetof(Progress, differences)},
};

// Task names hold nothing that must be escaped.
static void put_head(Buffer *out, const char *name, const char *type, const char *help)
{
    buffer_printf(out, "# HELP kubeferry_%s %s\n# TYPE kubeferry_%s %s\n", name, help, name, type);
}

static void put_integer(Buffer *out, const Progress *p, const Metric *m)
{
    int64_t value = *(const int64_t *)(const void *)((const char *)p + m->offset);
    put_head(out, m->name, m->type, m->help);
    buffer_printf(out, "kubeferry_%s{task=\"%s\"} %" PRId64 "\n", m->name, p->task, value);
}

static void put_number(Buffer *out, const Progress *p, const char *name, const char *help, double value)
{
    put_head(out, name, "gauge", help);
    buffer_printf(out, "kubeferry_%s{task=\"%s\"} %.15g\n", name, p->task, value);
}

// A gauge that is 1 for the present state and 0 for the others.
static void put_states(Buffer *out, const Progress *p)
{
    put_head(out, "state", "gauge", "1 for the state that the process is in.");
    for (int i = PROGRESS_WAITING; i <= PROGRESS_STOPPED; i++)
        buffer_printf(out, "kubeferry_state{task=\"%s\",state=\"%s\"} %d\n", p->task,
                      progress_state_name((ProgressState)i), (int)p->state == i);
    put_head(out, "step_state", "gauge", "State of each step: 0 waiting, 1 running, 2 done, 3 failed, 4 stopped.");
    for (int i = 0; i < STEP_COUNT; i++)
        buffer_printf(out, "kubeferry_step_state{task=\"%s\",step=\"%s\"} %d\n", p->task, step_name((Step)i),
                      (int)p->steps[i].state);
}

static void put_lag_histogram(Buffer *out, const Progress *p)
{
    int64_t count = 0;

    put_head(out, "commit_lag_seconds", "histogram", "From the commit on the source to the commit on the sink.");
    for (int i = 0; i < LAG_BUCKETS; i++) {
        count += p->lag_histogram[i];
        if (i >= LAG_BUCKETS_TOLD_FROM && i <= LAG_BUCKETS_TOLD_TO && i % 2 == 0)
            buffer_printf(out, "kubeferry_commit_lag_seconds_bucket{task=\"%s\",le=\"%.9g\"} %" PRId64 "\n", p->task,
                          0.0001 * exp2(i / 2), count);
    }
    buffer_printf(out, "kubeferry_commit_lag_seconds_bucket{task=\"%s\",le=\"+Inf\"} %" PRId64 "\n", p->task, count);
    buffer_printf(out, "kubeferry_commit_lag_seconds_sum{task=\"%s\"} %.9g\n", p->task, p->lag_sum);
    buffer_printf(out, "kubeferry_commit_lag_seconds_count{task=\"%s\"} %" PRId64 "\n", p->task, count);
}

char *progress_to_metrics(Progress *p)
{
    Buffer out = {0};

    pthread_mutex_lock(&p->lock);
    put_states(&out, p);
    for (size_t i = 0; i < sizeof INTEGERS / sizeof *INTEGERS; i++)
        put_integer(&out, p, &INTEGERS[i]);
    put_number(&out, p, "start_time_seconds", "When the process started, since the epoch.", p->started);
    put_number(&out, p, "lag_seconds", "Age of the newest applied commit while more is to come; 0 when caught up.",
               p->lag_seconds);
    put_number(&out, p, "applied_commit_time_seconds",
               "Commit time of the newest applied transaction, since the epoch.", p->commit_time);
    put_number(&out, p, "applied_lsn", "Newest applied LSN, as a number of bytes.", (double)p->lsn_applied);
    put_number(&out, p, "source_lsn", "Newest LSN of the source, as a number of bytes.", (double)p->lsn_source);
    put_lag_histogram(&out, p);
    pthread_mutex_unlock(&p->lock);
    return out.data;
}
