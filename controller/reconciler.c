// SPDX-License-Identifier: Apache-2.0
// One pass over a key: facts → row → action and status, then the next pass when something changed. A pass may take
// several requests; the queue gives each key to one pass at a time.
#include "controller/reconciler.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_path.h"
#include "common/k8s/k8s_status.h"
#include "controller/names.h"
#include "controller/task_actions.h"
#include "controller/task_secret.h"
#include "controller/task_status.h"
#include "controller/worker_poll.h"

#include <string.h>

enum {
    WORKERS = 8, // keys at a time; each has at most some five requests under way, see K8sLoop's limit of connections
    TIMEOUT_MS = 15000,
    PROGRESS_S = 5,         // a task's status.progress is written no more often than that
    PROGRESS_WRITES_S = 20, // and all tasks' no more often than so many times a second
    METRICS_S = 10,
    FORCE_LOOK_S = 61,
    VERIFY_LOOK_S = 60, // whether a verification is due
    TEXT_IN_LOG = 300,
};

struct Reconciler {
    K8sClient *client;
    Store *store;
    const WorkerSettings *settings;
    Events *events;
    ReconcilerHooks hooks;
    Queue *queue;
    WorkerPoll *poll;
    bool leading;
};

typedef struct Pass { // over one key
    Reconciler *reconciler;
    char *key;
    double begun;
    int waiting;   // answers that are still to come
    bool failed;   // something could not be written
    bool conflict; // because somebody else wrote first: no news for a person
    bool reported; // the failure has been put into the status
    bool held;     // the status waits for the action: it told of a failure, which may come again
    Error error;
    int64_t again_ms; // 0: when something changes
    bool progress_due, metrics_due;
} Pass;

// ---- polling the worker --------------------------------------------------------------------------------------------

static double progress_interval(const Reconciler *r)
{
    double interval = (double)worker_poll_count(r->poll) / PROGRESS_WRITES_S;
    return interval > PROGRESS_S ? interval : PROGRESS_S;
}

static void on_progress(void *context, const char *key, const char *pod, ProgressRead *said)
{
    Reconciler *r = context;
    Task *task = store_task(r->store, key);
    double now = clock_monotonic();

    if (!task)
        return;
    bool first = !task->progress || task->progress->said.state != said->state ||
                 (task->progress->said.lsn_applied == 0) != (said->lsn_applied == 0) ||
                 task->progress->said.check_count != said->check_count;
    if (!task->progress)
        task->progress = memory_zalloc(sizeof *task->progress);
    progress_read_free(&task->progress->said);
    task->progress->said = *said;
    *said = (ProgressRead){0};
    task->progress->at = now;
    task->progress->work = task->polled;
    free(task->progress->pod);
    task->progress->pod = memory_strdup(pod);
    if (first || now - task->progress_written >= progress_interval(r))
        queue_add(r->queue, key);
}

static void set_poll(Reconciler *r, const TaskFacts *facts)
{
    Task *task = facts->task;
    int work = task->deleted > 0 ? (int)WORK_CLEANUP : facts->current;
    const WorkFacts *w = work >= 0 ? &facts->works[work] : NULL;
    bool polled = w && w->state == WORK_RUNNING && w->pod && *w->pod->address;

    if (polled)
        worker_poll_set(r->poll, task->key, w->pod->name, w->pod->address, WORKER_PORT);
    else if (task->polled >= 0)
        worker_poll_forget(r->poll, task->key);
    task->polled = polled ? work : -1;
}

static bool may_work(const Reconciler *r)
{
    return !r->hooks.leading || r->hooks.leading(r->hooks.context);
}

// ---- the end of a pass ---------------------------------------------------------------------------------------------

static void write_status(Pass *pass, const TaskFacts *facts, const TaskRow *row, const Error *trouble);

static void end(Pass *pass)
{
    Reconciler *r = pass->reconciler;
    QueueResult result = pass->failed ? QUEUE_RETRY : pass->again_ms > 0 ? QUEUE_AFTER : QUEUE_DONE;

    if (r->hooks.reconciled)
        r->hooks.reconciled(r->hooks.context, pass->failed, pass->again_ms > 0, clock_monotonic() - pass->begun);
    if (pass->failed && !pass->conflict)
        log_warn("reconcile", "%s: %s", pass->key, pass->error.message);
    queue_finished(r->queue, pass->key, result, pass->again_ms);
    free(pass->key);
    free(pass);
}

// What could not be written is told where the user looks, if that can be written; and that it could be in the end.
static void report(Pass *pass, const Error *trouble)
{
    Task *task = store_task(pass->reconciler->store, pass->key);
    TaskFacts facts;

    pass->reported = true;
    if (!task)
        return;
    task_facts_gather(pass->reconciler->store, pass->reconciler->settings, task, &facts);
    const TaskRow *row = task_states_decide(&facts);
    if (trouble || row->outcome != OUTCOME_KEEP)
        write_status(pass, &facts, row, trouble);
    task_facts_free(&facts);
}

static void one_less(Pass *pass)
{
    if (--pass->waiting > 0)
        return;
    bool news = pass->failed ? !pass->conflict : pass->held;
    if (news && !pass->reported && may_work(pass->reconciler)) {
        pass->waiting = 1;
        report(pass, pass->failed ? &pass->error : NULL);
        one_less(pass);
        return;
    }
    end(pass);
}

static void note_failure(Pass *pass, const Error *err)
{
    if (!pass->failed)
        pass->error = *err;
    pass->conflict = (!pass->failed || pass->conflict) && err->http_status == 409;
    pass->failed = true;
}

static void on_action_done(void *context, const Error *err)
{
    Pass *pass = context;

    if (err)
        note_failure(pass, err);
    one_less(pass);
}

// ---- status --------------------------------------------------------------------------------------------------------

static void on_status_written(void *context, const K8sReply *reply)
{
    Pass *pass = context;
    Task *task = store_task(pass->reconciler->store, pass->key);
    double now = clock_monotonic();

    if (reply->error.code == ERROR_NONE) {
        json_object *object = k8s_json_parse(reply->body, reply->len);
        store_put_task(pass->reconciler->store, object);
        json_object_put(object);
        if (task && pass->progress_due)
            task->progress_written = now;
        if (task && pass->metrics_due)
            task->metrics_written = now;
    } else if (reply->status == 404) { // it is gone
    } else {
        pass->reported = true; // the status itself cannot be written
        note_failure(pass, &reply->error);
    }
    one_less(pass);
}

static bool is_trouble(const TaskFacts *facts, const TaskRow *row)
{
    static const char *const ROWS[] = {"exhausted",   "blocked",         "retrying",         "cleanup-failed",
                                       "foreign-job", "cutover-waiting", "rollback-waiting", "cleanup-blocked"};

    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        if (strcmp(row->id, ROWS[i]) == 0)
            return true;
    return row->outcome == OUTCOME_STALLED && facts;
}

// An Event for what the condition has not said yet.
static void tell(Pass *pass, const TaskFacts *facts, const TaskRow *row, const TaskMessage *message, bool trouble)
{
    const EventObject about = task_event_object(facts->task);
    const char *seen = facts->task->seen.ready_reason;

    if (task_status_still_stalled(facts, row) || (seen && strcmp(seen, message->reason) == 0))
        return;
    log_info("reconcile", "%s: %s: %.*s", facts->task->key, message->reason, TEXT_IN_LOG, buffer_text(&message->text));
    events_record(pass->reconciler->events, &about, trouble || is_trouble(facts, row), message->reason, "Reconcile",
                  "%s", buffer_text(&message->text));
}

static void write_status(Pass *pass, const TaskFacts *facts, const TaskRow *row, const Error *trouble)
{
    const Task *task = facts->task;
    TaskMessage message;

    task_message(facts, row, trouble, &message);
    bool news = !task->seen.ready_reason || strcmp(task->seen.ready_reason, message.reason) != 0;
    int period = facts->spec.config[STEP_CDC].metrics_seconds;
    pass->progress_due =
        news || !facts->following || facts->monotonic - task->progress_written >= progress_interval(pass->reconciler);
    pass->metrics_due = news || facts->monotonic - task->metrics_written >= (period > 0 ? period : METRICS_S);
    auto_free char *patch = task_status_patch(
        facts, row, &message, (StatusDue){.progress = pass->progress_due, .metrics = pass->metrics_due});
    if (patch) {
        auto_free char *path = k8s_path(API_BASE, task->namespace_name, "migrationtasks", task->name, "status");
        const K8sRequest request = {.method = "PATCH",
                                    .path = path,
                                    .content_type = "application/merge-patch+json",
                                    .body = patch,
                                    .body_len = strlen(patch),
                                    .timeout_ms = TIMEOUT_MS,
                                    .done = on_status_written,
                                    .context = pass};
        tell(pass, facts, row, &message, trouble != NULL);
        pass->waiting++;
        k8s_client_send(pass->reconciler->client, &request);
    }
    task_message_free(&message);
}

// ---- a pass --------------------------------------------------------------------------------------------------------

// When to look again though nothing changes.
static int64_t look_again_ms(const TaskFacts *facts, const TaskRow *row)
{
    double seconds = 0;

    if (strcmp(row->id, "failed") == 0 || strcmp(row->id, "exhausted") == 0)
        seconds = task_facts_retry_time(&facts->works[facts->current]) - facts->now;
    else if (strcmp(row->id, "cleanup-failed") == 0)
        seconds = task_facts_retry_time(&facts->works[WORK_CLEANUP]) - facts->now;
    else if (strcmp(row->id, "cutover-waiting") == 0)
        seconds = task_facts_retry_time(&facts->works[WORK_CUTOVER]) - facts->now;
    else if (strcmp(row->id, "rollback-waiting") == 0)
        seconds = task_facts_retry_time(&facts->works[WORK_ROLLBACK]) - facts->now;
    else if ((strcmp(row->id, "following") == 0 || strcmp(row->id, "cutover-failed") == 0) &&
             facts->spec.verification.every_minutes > 0)
        seconds = VERIFY_LOOK_S;
    else if (facts->task->deleted <= 0 && facts->current >= 0 &&
             task_facts_patience(facts, &facts->works[facts->current]) > 0)
        seconds = task_facts_patience(facts, &facts->works[facts->current]);
    else if (facts->task->deleted > 0 && row->outcome == OUTCOME_WORKING)
        seconds = FORCE_LOOK_S;
    else
        return 0;
    return seconds > 0 ? (int64_t)(seconds * 1000.0) + 100 : 100;
}

static void reconcile_task(Reconciler *r, Task *task)
{
    Pass *pass = memory_zalloc(sizeof *pass);
    TaskFacts facts;

    *pass = (Pass){.reconciler = r, .key = memory_strdup(task->key), .begun = clock_monotonic(), .waiting = 1};
    task_facts_gather(r->store, r->settings, task, &facts);
    const TaskRow *row = task_states_decide(&facts);
    const ActionTools tools = {.client = r->client,
                               .store = r->store,
                               .events = r->events,
                               .settings = r->settings,
                               .leading = r->hooks.leading,
                               .context = r->hooks.context};
    log_debug("reconcile", "%s: %s", task->key, row->id);
    set_poll(r, &facts);
    pass->again_ms = look_again_ms(&facts, row);
    pass->held =
        row->action != ACTION_NONE && task->seen.ready_reason && strcmp(task->seen.ready_reason, REASON_TROUBLE) == 0;
    if (row->outcome != OUTCOME_KEEP && !pass->held)
        write_status(pass, &facts, row, NULL);
    pass->waiting++;
    task_action_start(&tools, &facts, row->action, on_action_done, pass);
    task_facts_free(&facts);
    one_less(pass);
}

// ---- templates: their key is "/NAME" -------------------------------------------------------------------------------

static void on_template_written(void *context, const K8sReply *reply)
{
    Pass *pass = context;

    if (reply->error.code != ERROR_NONE && reply->status != 404)
        note_failure(pass, &reply->error);
    end(pass);
}

static void reconcile_template(Reconciler *r, const char *key)
{
    const Template *template = store_template(r->store, key + 1);
    auto_free char *patch = template ? template_status_patch(template) : NULL;

    if (!patch) {
        queue_finished(r->queue, key, QUEUE_DONE, 0);
        return;
    }
    Pass *pass = memory_zalloc(sizeof *pass);
    auto_free char *path = k8s_path(API_BASE, NULL, "migrationtemplates", template->name, "status");
    *pass = (Pass){.reconciler = r, .key = memory_strdup(key), .begun = clock_monotonic()};
    const K8sRequest request = {.method = "PATCH",
                                .path = path,
                                .content_type = "application/merge-patch+json",
                                .body = patch,
                                .body_len = strlen(patch),
                                .timeout_ms = TIMEOUT_MS,
                                .done = on_template_written,
                                .context = pass};
    k8s_client_send(r->client, &request);
}

static void process(void *context, const char *key)
{
    Reconciler *r = context;
    Task *task = *key == '/' ? NULL : store_task(r->store, key);

    if (!may_work(r)) {
        queue_finished(r->queue, key, QUEUE_DONE, 0); // who leads next looks at every key
    } else if (*key == '/') {
        reconcile_template(r, key);
    } else if (task) {
        reconcile_task(r, task);
    } else { // it is gone; what is left of it goes with its owner
        worker_poll_forget(r->poll, key);
        queue_finished(r->queue, key, QUEUE_DONE, 0);
    }
}

// ---- the whole -----------------------------------------------------------------------------------------------------

Reconciler *reconciler_new(K8sClient *client, const WorkerSettings *settings, Events *events,
                           const ReconcilerHooks *hooks)
{
    Reconciler *r = memory_zalloc(sizeof *r);

    *r = (Reconciler){.client = client, .settings = settings, .events = events, .hooks = *hooks};
    r->queue = queue_new(k8s_client_loop(client), WORKERS, process, r);
    r->poll = worker_poll_new(client, on_progress, r);
    queue_pause(r->queue, true);
    return r;
}

void reconciler_free(Reconciler *r)
{
    if (!r)
        return;
    worker_poll_free(r->poll);
    queue_free(r->queue);
    free(r);
}

static void pause_or_go(Reconciler *r)
{
    queue_pause(r->queue, !r->leading || !r->store);
}

void reconciler_start(Reconciler *r, Store *store)
{
    r->store = store;
    pause_or_go(r);
}

static void enqueue_task(void *context, Task *task)
{
    Reconciler *r = context;

    if (!r->leading && task->polled >= 0) {
        worker_poll_forget(r->poll, task->key);
        task->polled = -1;
    }
    if (r->leading)
        queue_add(r->queue, task->key);
}

static void enqueue_template(void *context, Template *template)
{
    Reconciler *r = context;
    auto_free char *key = memory_printf("/%s", template->name);

    if (r->leading)
        queue_add(r->queue, key);
}

void reconciler_lead(Reconciler *r, bool leading)
{
    r->leading = leading;
    if (r->store) {
        store_each_template(r->store, enqueue_template, r);
        store_each_task(r->store, enqueue_task, r);
    }
    pause_or_go(r);
}

void reconciler_enqueue(Reconciler *r, const char *key)
{
    if (r->leading) // all are looked at when leadership begins
        queue_add(r->queue, key);
}

bool reconciler_idle(const Reconciler *r)
{
    return queue_processing(r->queue) == 0;
}

QueueStats reconciler_stats(const Reconciler *r)
{
    return queue_stats(r->queue);
}
