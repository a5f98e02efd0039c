// SPDX-License-Identifier: Apache-2.0
// Numbers under one lock, and Prometheus text (version 0.0.4) made of them when it is asked for.
#include "controller/controller_metrics.h"

#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "controller/histogram.h"

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    ALIVE_S = 60,
    REQUESTS_MAX = 128, // kinds of (method, status); a server's odd statuses beyond are counted together
    TASKS_MAX = 16,
    METHOD_SIZE = 8,
};

typedef struct Requests { // that were answered alike
    char method[METHOD_SIZE];
    int status; // 0: no answer
    uint64_t count;
} Requests;

struct ControllerMetrics {
    pthread_mutex_t lock;
    char *host, *lease_name;
    double started; // of the process, seconds since 1970
    double alive;   // monotonic
    bool leading, synced;
    uint64_t reconciled[RECONCILE_OUTCOMES];
    Histogram reconcile_seconds;
    QueueStats queue;
    Requests requests[REQUESTS_MAX];
    size_t request_kinds;
    const char *task_names[TASKS_MAX];
    size_t task_counts[TASKS_MAX], task_kinds, stalled;
};

static const char *const OUTCOMES[RECONCILE_OUTCOMES] = {
    [RECONCILE_SUCCESS] = "success",
    [RECONCILE_ERROR] = "error",
    [RECONCILE_REQUEUE_AFTER] = "requeue_after",
};

// ---- what the loop tells -------------------------------------------------------------------------------------------

static void finished(void *context, const char *method, int status, double seconds)
{
    ControllerMetrics *m = context;
    size_t i = 0;

    (void)seconds;
    pthread_mutex_lock(&m->lock);
    while (i < m->request_kinds &&
           (m->requests[i].status != status || strncmp(m->requests[i].method, method, METHOD_SIZE - 1) != 0))
        i++;
    if (i == m->request_kinds && i < REQUESTS_MAX) {
        snprintf(m->requests[i].method, METHOD_SIZE, "%s", method);
        m->requests[i].status = status;
        m->request_kinds++;
    }
    m->requests[i < REQUESTS_MAX ? i : REQUESTS_MAX - 1].count++;
    pthread_mutex_unlock(&m->lock);
}

K8sObserver controller_metrics_observer(ControllerMetrics *m)
{
    return (K8sObserver){.finished = finished, .context = m};
}

void controller_metrics_reconciled(ControllerMetrics *m, ReconcileOutcome outcome, double seconds)
{
    pthread_mutex_lock(&m->lock);
    m->reconciled[outcome]++;
    histogram_observe(&m->reconcile_seconds, seconds);
    pthread_mutex_unlock(&m->lock);
}

void controller_metrics_leading(ControllerMetrics *m, bool leading)
{
    pthread_mutex_lock(&m->lock);
    m->leading = leading;
    pthread_mutex_unlock(&m->lock);
}

void controller_metrics_synced(ControllerMetrics *m, bool synced)
{
    pthread_mutex_lock(&m->lock);
    m->synced = synced;
    pthread_mutex_unlock(&m->lock);
}

void controller_metrics_queue(ControllerMetrics *m, const QueueStats *stats)
{
    pthread_mutex_lock(&m->lock);
    m->queue = *stats;
    pthread_mutex_unlock(&m->lock);
}

void controller_metrics_tasks(ControllerMetrics *m, const char *const *names, const size_t *counts, size_t count,
                              size_t stalled)
{
    pthread_mutex_lock(&m->lock);
    m->task_kinds = count < TASKS_MAX ? count : TASKS_MAX;
    for (size_t i = 0; i < m->task_kinds; i++) {
        m->task_names[i] = names[i];
        m->task_counts[i] = counts[i];
    }
    m->stalled = stalled;
    pthread_mutex_unlock(&m->lock);
}

void controller_metrics_alive(ControllerMetrics *m)
{
    pthread_mutex_lock(&m->lock);
    m->alive = clock_monotonic();
    pthread_mutex_unlock(&m->lock);
}

// ---- as text -------------------------------------------------------------------------------------------------------

static void put_head(Buffer *out, const char *name, const char *type, const char *help)
{
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

// `name="value"`, the value escaped.
static void put_label(Buffer *out, const char *name, const char *value)
{
    buffer_printf(out, "%s=\"", name);
    for (const char *p = value; *p; p++) {
        if (*p == '\\' || *p == '"')
            buffer_putc(out, '\\');
        if (*p == '\n')
            buffer_puts(out, "\\n");
        else
            buffer_putc(out, *p);
    }
    buffer_putc(out, '"');
}

static void put_requests(Buffer *out, const ControllerMetrics *m)
{
    put_head(out, "rest_client_requests_total", "counter", "Requests to the API server by status code and method.");
    for (size_t i = 0; i < m->request_kinds; i++) {
        char code[16] = "<error>"; // as client-go says it
        if (m->requests[i].status)
            snprintf(code, sizeof code, "%d", m->requests[i].status);
        buffer_puts(out, "rest_client_requests_total{");
        put_label(out, "code", code);
        buffer_putc(out, ',');
        put_label(out, "host", m->host);
        buffer_putc(out, ',');
        put_label(out, "method", m->requests[i].method);
        buffer_printf(out, "} %" PRIu64 "\n", m->requests[i].count);
    }
}

static void put_reconciles(Buffer *out, const ControllerMetrics *m)
{
    static const char LABELS[] = "controller=\"migrationtask\"";

    put_head(out, "controller_runtime_reconcile_total", "counter", "Reconciliations by their result.");
    for (size_t i = 0; i < RECONCILE_OUTCOMES; i++)
        buffer_printf(out, "controller_runtime_reconcile_total{%s,result=\"%s\"} %" PRIu64 "\n", LABELS, OUTCOMES[i],
                      m->reconciled[i]);
    put_head(out, "controller_runtime_reconcile_time_seconds", "histogram", "How long a reconciliation took.");
    histogram_put(&m->reconcile_seconds, "controller_runtime_reconcile_time_seconds", LABELS, out);
}

static void put_queue(Buffer *out, const QueueStats *queue)
{
    static const char LABELS[] = "name=\"migrationtask\"";

    put_head(out, "workqueue_depth", "gauge", "Keys that wait to be reconciled.");
    buffer_printf(out, "workqueue_depth{%s} %zu\n", LABELS, queue->depth);
    put_head(out, "workqueue_adds_total", "counter", "Keys that were added.");
    buffer_printf(out, "workqueue_adds_total{%s} %" PRIu64 "\n", LABELS, queue->adds);
    put_head(out, "workqueue_retries_total", "counter", "Keys that failed and are tried again.");
    buffer_printf(out, "workqueue_retries_total{%s} %" PRIu64 "\n", LABELS, queue->retries);
    put_head(out, "workqueue_queue_duration_seconds", "histogram", "How long keys waited.");
    histogram_put(&queue->waited, "workqueue_queue_duration_seconds", LABELS, out);
    put_head(out, "workqueue_work_duration_seconds", "histogram", "How long keys were worked on.");
    histogram_put(&queue->worked, "workqueue_work_duration_seconds", LABELS, out);
}

static void put_tasks(Buffer *out, const ControllerMetrics *m)
{
    put_head(out, "kubeferry_tasks", "gauge", "Migration tasks by their status.");
    for (size_t i = 0; i < m->task_kinds; i++) {
        buffer_puts(out, "kubeferry_tasks{");
        put_label(out, "status", m->task_names[i]);
        buffer_printf(out, "} %zu\n", m->task_counts[i]);
    }
    put_head(out, "kubeferry_tasks_stalled", "gauge", "Migration tasks that need a person.");
    buffer_printf(out, "kubeferry_tasks_stalled %zu\n", m->stalled);
}

static size_t count_open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;

    if (!directory)
        return 0;
    for (const struct dirent *entry; (entry = readdir(directory));)
        count += *entry->d_name != '.';
    closedir(directory);
    return count - 1; // the directory's own
}

static void read_memory(uint64_t *virtual_bytes, uint64_t *resident_bytes)
{
    FILE *f = fopen("/proc/self/statm", "re");
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    *virtual_bytes = *resident_bytes = 0;
    if (!f)
        return;
    if (fscanf(f, "%" SCNu64 " %" SCNu64, virtual_bytes, resident_bytes) != 2)
        *virtual_bytes = *resident_bytes = 0;
    fclose(f);
    *virtual_bytes *= page;
    *resident_bytes *= page;
}

static double cpu_seconds(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void put_process(Buffer *out, const ControllerMetrics *m)
{
    uint64_t virtual_bytes, resident_bytes;
    struct rlimit files = {0};

    read_memory(&virtual_bytes, &resident_bytes);
    getrlimit(RLIMIT_NOFILE, &files);
    put_head(out, "process_cpu_seconds_total", "counter", "Processor time, user and system.");
    buffer_printf(out, "process_cpu_seconds_total %.6f\n", cpu_seconds());
    put_head(out, "process_resident_memory_bytes", "gauge", "Resident memory.");
    buffer_printf(out, "process_resident_memory_bytes %" PRIu64 "\n", resident_bytes);
    put_head(out, "process_virtual_memory_bytes", "gauge", "Virtual memory.");
    buffer_printf(out, "process_virtual_memory_bytes %" PRIu64 "\n", virtual_bytes);
    put_head(out, "process_open_fds", "gauge", "Open file descriptors.");
    buffer_printf(out, "process_open_fds %zu\n", count_open_files());
    put_head(out, "process_max_fds", "gauge", "File descriptors that may be open.");
    buffer_printf(out, "process_max_fds %ju\n", (uintmax_t)files.rlim_cur);
    put_head(out, "process_start_time_seconds", "gauge", "When the process started, since the epoch.");
    buffer_printf(out, "process_start_time_seconds %.3f\n", m->started);
}

char *controller_metrics_text(ControllerMetrics *m)
{
    Buffer out = {0};

    pthread_mutex_lock(&m->lock);
    put_tasks(&out, m);
    put_reconciles(&out, m);
    put_queue(&out, &m->queue);
    put_requests(&out, m);
    put_head(&out, "leader_election_master_status", "gauge", "1 for the one that leads, 0 for the others.");
    buffer_puts(&out, "leader_election_master_status{");
    put_label(&out, "name", m->lease_name);
    buffer_printf(&out, "} %d\n", m->leading);
    pthread_mutex_unlock(&m->lock);
    put_head(&out, "kubeferry_build_info", "gauge", "1, with the version.");
    buffer_puts(&out, "kubeferry_build_info{version=\"" KUBEFERRY_VERSION "\"} 1\n");
    put_process(&out, m);
    return out.data;
}

// ---- pages ---------------------------------------------------------------------------------------------------------

static void show_metrics(void *context, HttpReply *reply)
{
    reply->body = controller_metrics_text(context);
}

static void show_health(void *context, HttpReply *reply)
{
    ControllerMetrics *m = context;

    pthread_mutex_lock(&m->lock);
    double silent = clock_monotonic() - m->alive;
    pthread_mutex_unlock(&m->lock);
    if (silent > ALIVE_S) {
        reply->status = 503;
        reply->body = memory_printf("the loop has not turned for %.0f s\n", silent);
    } else {
        reply->body = memory_strdup("ok\n");
    }
}

static void show_ready(void *context, HttpReply *reply)
{
    ControllerMetrics *m = context;

    pthread_mutex_lock(&m->lock);
    bool synced = m->synced;
    pthread_mutex_unlock(&m->lock);
    reply->status = synced ? 200 : 503;
    reply->body = memory_strdup(synced ? "ok\n" : "the caches are not in sync with the API server yet\n");
}

int controller_metrics_serve(ControllerMetrics *m, const char *listen, HttpServer **out, Error *err)
{
    static const HttpRoute ROUTES[] = {
        {"/metrics", "text/plain; version=0.0.4; charset=utf-8", show_metrics},
        {"/healthz", "text/plain; charset=utf-8", show_health},
        {"/readyz", "text/plain; charset=utf-8", show_ready},
    };

    return http_server_start(listen, ROUTES, sizeof ROUTES / sizeof *ROUTES, m, out, err);
}

// ---- making one ----------------------------------------------------------------------------------------------------

ControllerMetrics *controller_metrics_new(void)
{
    ControllerMetrics *m = memory_zalloc(sizeof *m);

    pthread_mutex_init(&m->lock, NULL);
    m->started = clock_now();
    m->alive = clock_monotonic();
    m->host = memory_strdup("");
    m->lease_name = memory_strdup("");
    return m;
}

void controller_metrics_free(ControllerMetrics *m)
{
    if (!m)
        return;
    pthread_mutex_destroy(&m->lock);
    free(m->host);
    free(m->lease_name);
    free(m);
}

void controller_metrics_names(ControllerMetrics *m, const char *api_server, const char *lease_name)
{
    const char *scheme_end = strstr(api_server, "://");
    const char *host = scheme_end ? scheme_end + 3 : api_server;

    free(m->host);
    free(m->lease_name);
    m->host = memory_printf("%.*s", (int)strcspn(host, "/"), host);
    m->lease_name = memory_strdup(lease_name);
}
