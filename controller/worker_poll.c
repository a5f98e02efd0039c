// SPDX-License-Identifier: Apache-2.0
// The workers stand in a ring; a timer asks the one in front and sends it to the back. Must not trust what they answer.
#include "controller/worker_poll.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "controller/key_table.h"

#include <string.h>

enum {
    INTERVAL_MS = 2000, // of each worker
    STEP_MIN_MS = 5,    // between two of them
    UNDER_WAY_MAX = 32, // the loop's connections are needed for other things, too
    TIMEOUT_MS = 2000,
    BODY_MAX = 1 << 20,
    SKIP_MAX = 15, // turns that a failing worker is passed over
};

typedef struct Worker {
    WorkerPoll *poll;
    struct Worker *next, *previous; // in the ring
    char *key, *pod, *url;
    K8sCall *call;
    unsigned skip_next, skip; // turns to be passed over after the next failure; from now
} Worker;

struct WorkerPoll {
    K8sClient *client;
    void (*answered)(void *context, const char *key, const char *pod, ProgressRead *progress);
    void *context;
    KeyTable workers;
    Worker *front; // its previous is the last one
    size_t under_way;
    K8sTimer *timer;
    bool hurry; // the one in front is new
};

static void plan(WorkerPoll *poll);

// ---- the ring ------------------------------------------------------------------------------------------------------

static void insert_front(WorkerPoll *poll, Worker *worker)
{
    if (poll->front) {
        worker->next = poll->front;
        worker->previous = poll->front->previous;
        worker->next->previous = worker->previous->next = worker;
    } else {
        worker->next = worker->previous = worker;
    }
    poll->front = worker;
}

static void take_out(WorkerPoll *poll, Worker *worker)
{
    if (poll->front == worker)
        poll->front = worker->next == worker ? NULL : worker->next;
    worker->next->previous = worker->previous;
    worker->previous->next = worker->next;
}

static void no_call(Worker *worker)
{
    if (!worker->call)
        return;
    k8s_client_cancel(worker->call);
    worker->call = NULL;
    worker->poll->under_way--;
}

static void drop(Worker *worker)
{
    no_call(worker);
    take_out(worker->poll, worker);
    key_table_remove(&worker->poll->workers, worker->key);
    free(worker->key);
    free(worker->pod);
    free(worker->url);
    free(worker);
}

// ---- asking --------------------------------------------------------------------------------------------------------

static void failed(Worker *worker, const Error *err)
{
    log_debug("worker-poll", "worker %s of %s: %s", worker->pod, worker->key, err->message);
    worker->skip = worker->skip_next;
    worker->skip_next = worker->skip_next * 2 + 1 < SKIP_MAX ? worker->skip_next * 2 + 1 : SKIP_MAX;
}

static void on_answer(void *context, const K8sReply *reply)
{
    Worker *worker = context;
    WorkerPoll *poll = worker->poll;
    ProgressRead progress;
    Error err = reply->error;

    worker->call = NULL;
    poll->under_way--;
    if (err.code != ERROR_NONE || progress_read(reply->body, reply->len, &progress, &err)) {
        failed(worker, &err);
        return;
    }
    worker->skip_next = 0;
    auto_free char *key = memory_strdup(worker->key); // `answered` may forget it
    auto_free char *pod = memory_strdup(worker->pod);
    poll->answered(poll->context, key, pod, &progress);
    progress_read_free(&progress);
}

static void ask(Worker *worker)
{
    K8sRequest request = {.method = "GET",
                          .path = worker->url,
                          .timeout_ms = TIMEOUT_MS,
                          .body_max = BODY_MAX,
                          .done = on_answer,
                          .context = worker};

    worker->poll->under_way++;
    worker->call = k8s_client_send(worker->poll->client, &request);
}

static void on_timer(void *context)
{
    WorkerPoll *poll = context;
    Worker *worker = poll->front;

    poll->timer = NULL;
    if (poll->under_way < UNDER_WAY_MAX) {
        poll->hurry = false;
        poll->front = worker->next;
        if (worker->skip > 0)
            worker->skip--;
        else if (!worker->call)
            ask(worker);
    }
    plan(poll);
}

static void plan(WorkerPoll *poll)
{
    int64_t step_ms = INTERVAL_MS / (int64_t)(key_table_count(&poll->workers) + (poll->front == NULL));

    k8s_timer_cancel(poll->timer);
    poll->timer = NULL;
    if (poll->hurry || step_ms < STEP_MIN_MS)
        step_ms = STEP_MIN_MS;
    if (poll->front)
        poll->timer = k8s_timer_start(k8s_client_loop(poll->client), step_ms, on_timer, poll);
}

// ---- which workers -------------------------------------------------------------------------------------------------

void worker_poll_set(WorkerPoll *poll, const char *key, const char *pod, const char *address, int port)
{
    bool v6 = strchr(address, ':') != NULL;
    auto_free char *url = memory_printf("http://%s%s%s:%d/progress", v6 ? "[" : "", address, v6 ? "]" : "", port);
    Worker *worker = key_table_get(&poll->workers, key);

    if (worker && strcmp(worker->pod, pod) == 0 && strcmp(worker->url, url) == 0)
        return;
    auto_free char *kept = memory_strdup(key); // it may be the old one's
    if (worker)
        drop(worker);
    worker = memory_zalloc(sizeof *worker);
    *worker = (Worker){.poll = poll, .key = memory_strdup(kept), .pod = memory_strdup(pod), .url = memory_strdup(url)};
    key_table_put(&poll->workers, worker->key, worker);
    insert_front(poll, worker);
    poll->hurry = true;
    plan(poll);
}

void worker_poll_forget(WorkerPoll *poll, const char *key)
{
    Worker *worker = key_table_get(&poll->workers, key);

    if (!worker)
        return;
    drop(worker);
    if (!poll->front)
        plan(poll);
}

size_t worker_poll_count(const WorkerPoll *poll)
{
    return key_table_count(&poll->workers);
}

WorkerPoll *worker_poll_new(K8sClient *client,
                            void (*answered)(void *context, const char *key, const char *pod, ProgressRead *progress),
                            void *context)
{
    WorkerPoll *poll = memory_zalloc(sizeof *poll);

    *poll = (WorkerPoll){.client = client, .answered = answered, .context = context};
    return poll;
}

void worker_poll_free(WorkerPoll *poll)
{
    if (!poll)
        return;
    k8s_timer_cancel(poll->timer);
    while (poll->front)
        drop(poll->front);
    key_table_free(&poll->workers);
    free(poll);
}
