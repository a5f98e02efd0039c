// SPDX-License-Identifier: Apache-2.0
// kubeferry-controller: wires the rooms together and turns the loop. Must not know PostgreSQL.
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "controller/controller_metrics.h"
#include "controller/controller_options.h"
#include "controller/lease.h"
#include "controller/reconciler.h"
#include "controller/store.h"

#include <malloc.h>
#include <string.h>
#include <sys/random.h>

enum {
    TURN_MS = 30000, // at most: nothing is to be done by the clock but what has a timer
    FINISH_S = 1,    // for what is under way at the end
    RELEASE_S = 2,   // for giving the lease back
    COUNT_MS = 10000,
};

typedef struct Controller {
    K8sLoop *loop;
    K8sClient *client;
    ControllerMetrics *metrics;
    HttpServer *server;
    Events *events;
    Reconciler *reconciler;
    Store *store;
    Lease *lease;
    uint64_t adds; // of the queue, at the count before
} Controller;

// ---- what one room tells the other ---------------------------------------------------------------------------------

static void on_task_changed(void *context, const char *key)
{
    Controller *c = context;
    reconciler_enqueue(c->reconciler, key);
}

static void on_template_changed(void *context, const char *name)
{
    Controller *c = context;
    auto_free char *key = memory_printf("/%s", name);
    reconciler_enqueue(c->reconciler, key);
}

static void on_synced(void *context)
{
    Controller *c = context;
    controller_metrics_synced(c->metrics, true);
    reconciler_start(c->reconciler, c->store);
}

static void on_leading(void *context, bool leading)
{
    Controller *c = context;
    controller_metrics_leading(c->metrics, leading);
    reconciler_lead(c->reconciler, leading);
}

static bool is_leading(void *context)
{
    Controller *c = context;
    return c->lease && lease_leading(c->lease);
}

static void on_reconciled(void *context, bool failed, bool later, double seconds)
{
    Controller *c = context;
    controller_metrics_reconciled(c->metrics,
                                  failed  ? RECONCILE_ERROR
                                  : later ? RECONCILE_REQUEUE_AFTER
                                          : RECONCILE_SUCCESS,
                                  seconds);
}

// ---- counting tasks ------------------------------------------------------------------------------------------------

enum { STATUS_NAMES = 9 };
static const char *const STATUSES[STATUS_NAMES] = {"Prepare", "InitPrepared", "Init", "InitFinished", "Running",
                                                   "Cached",  "Pause",        "Done", "None"};

typedef struct TaskCounts {
    size_t by_status[STATUS_NAMES], stalled;
} TaskCounts;

static void count_task(void *context, Task *task)
{
    TaskCounts *counts = context;
    size_t i = 0;

    while (i < STATUS_NAMES - 1 && strcmp(STATUSES[i], task->seen.task_status) != 0)
        i++;
    counts->by_status[i]++;
    counts->stalled += task->seen.conditions[CONDITION_STALLED].status == 'T';
}

static void count(void *context)
{
    Controller *c = context;
    TaskCounts counts = {0};
    QueueStats stats = reconciler_stats(c->reconciler);

    store_each_task(c->store, count_task, &counts);
    controller_metrics_tasks(c->metrics, STATUSES, counts.by_status, STATUS_NAMES, counts.stalled);
    controller_metrics_queue(c->metrics, &stats);
    // Passes take and give back many small pieces; what is left between those that stay goes back to the system.
    if (stats.adds != c->adds && reconciler_idle(c->reconciler))
        malloc_trim(0);
    c->adds = stats.adds;
    k8s_timer_start(c->loop, COUNT_MS, count, c);
}

// ---- start and end -------------------------------------------------------------------------------------------------

// Unique among all processes that ever ask for the lease.
static char *make_identity(void)
{
    char host[256] = "";
    uint64_t number = 0;

    gethostname(host, sizeof host - 1);
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        number = (uint64_t)(clock_now() * 1e6);
    return memory_printf("%s_%016llx", host, (unsigned long long)number);
}

static int start(Controller *c, const ControllerOptions *options, const K8sConfig *config,
                 const WorkerSettings *settings, Error *err)
{
    const ReconcilerHooks hooks = {.leading = is_leading, .reconciled = on_reconciled, .context = c};
    const StoreListener listener = {
        .task_changed = on_task_changed, .template_changed = on_template_changed, .synced = on_synced, .context = c};
    auto_free char *identity = make_identity();
    const LeaseSpec lease = {.namespace_name = options->lease_namespace ?: config->namespace_name,
                             .name = options->lease_name,
                             .identity = identity,
                             .changed = on_leading,
                             .context = c};

    c->loop = k8s_loop_new();
    if (k8s_client_new(c->loop, config, "kubeferry-controller/" KUBEFERRY_VERSION, &c->client, err))
        return -1;
    c->metrics = controller_metrics_new();
    controller_metrics_names(c->metrics, config->server, options->lease_name);
    k8s_client_observe(c->client, controller_metrics_observer(c->metrics));
    if (controller_metrics_serve(c->metrics, options->listen, &c->server, err))
        return -1;
    log_info("controller", "kubeferry-controller " KUBEFERRY_VERSION " at %s, workers are %s", config->server,
             settings->image);
    c->events = events_new(c->client, identity);
    c->reconciler = reconciler_new(c->client, settings, c->events, &hooks);
    c->store = store_start(c->client, &listener);
    c->lease = lease_start(c->client, &lease);
    count(c);
    return 0;
}

static int turn(Controller *c, Error *err)
{
    controller_metrics_alive(c->metrics);
    return k8s_loop_turn(c->loop, TURN_MS, err);
}

// What is under way is finished, nothing new begun, then a successor may begin at once.
static int wind_down(Controller *c, Error *err)
{
    double until = clock_monotonic() + FINISH_S;
    int rc = 0;

    log_info("controller", "stopping");
    reconciler_lead(c->reconciler, false);
    while (rc == 0 && !reconciler_idle(c->reconciler) && clock_monotonic() < until)
        rc = k8s_loop_turn(c->loop, 50, err);
    lease_release(c->lease);
    until = clock_monotonic() + RELEASE_S;
    while (rc == 0 && !lease_released(c->lease) && clock_monotonic() < until)
        rc = k8s_loop_turn(c->loop, 50, err);
    return rc;
}

static void free_all(Controller *c)
{
    http_server_stop(c->server);
    lease_free(c->lease);
    reconciler_free(c->reconciler);
    store_free(c->store);
    events_free(c->events);
    k8s_client_free(c->client);
    controller_metrics_free(c->metrics);
    k8s_loop_free(c->loop);
}

static int run(const ControllerOptions *options, Error *err)
{
    const WorkerSettings settings = controller_options_worker(options);
    Controller controller = {0};
    K8sConfig config = {0};
    int rc = stop_init(err) || k8s_config_load(options->kubeconfig, options->context, &config, err) ||
                     start(&controller, options, &config, &settings, err)
                 ? -1
                 : 0;

    while (rc == 0 && !stop_requested())
        rc = turn(&controller, err);
    if (rc == 0)
        rc = wind_down(&controller, err);
    free_all(&controller);
    k8s_config_free(&config);
    return rc;
}

int main(int argc, char **argv)
{
    ControllerOptions options;
    Error err = {0};
    int rc = 0;

    mallopt(M_ARENA_MAX, 2);
    if (controller_options_parse(argc, argv, &options, &err)) {
        rc = -1;
    } else if (controller_options_asks(&options)) {
        controller_options_answer(&options, stdout);
    } else {
        log_init(options.log_format, options.log_level);
        rc = run(&options, &err);
    }
    if (rc)
        log_failure("controller", &err);
    controller_options_free(&options);
    return rc ? error_class(err.code)->exit_code : 0;
}
