// SPDX-License-Identifier: Apache-2.0
// Timers in a list sorted by time (a process has a few hundred at most), transfers in curl's multi handle.
#include "common/k8s/k8s_loop_private.h"

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/stop.h"

#include <math.h>

struct K8sTimer {
    K8sTimer *next;
    K8sLoop *loop;
    double due;
    void (*fire)(void *context);
    void *context;
};

K8sLoop *k8s_loop_new(void)
{
    K8sLoop *loop = memory_zalloc(sizeof *loop);

    curl_global_init(CURL_GLOBAL_DEFAULT);
    loop->multi = curl_multi_init();
    if (!loop->multi)
        abort(); // out of memory, like every other allocation
    // Watches and the lease must never wait for writes: callers keep fewer than these under way.
    curl_multi_setopt(loop->multi, CURLMOPT_MAX_HOST_CONNECTIONS, 48L);
    curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, 24L);
    loop->now = clock_monotonic();
    return loop;
}

void k8s_loop_free(K8sLoop *loop)
{
    if (!loop)
        return;
    while (loop->timers)
        k8s_timer_cancel(loop->timers);
    curl_multi_cleanup(loop->multi);
    free(loop);
}

double k8s_loop_now(const K8sLoop *loop)
{
    return loop->now;
}

K8sTimer *k8s_timer_start(K8sLoop *loop, int64_t ms, void (*fire)(void *context), void *context)
{
    K8sTimer *timer = memory_alloc(sizeof *timer), **place = &loop->timers;

    *timer = (K8sTimer){.loop = loop, .due = clock_monotonic() + (double)ms / 1000.0, .fire = fire, .context = context};
    while (*place && (*place)->due <= timer->due)
        place = &(*place)->next;
    timer->next = *place;
    *place = timer;
    return timer;
}

void k8s_timer_cancel(K8sTimer *timer)
{
    if (!timer)
        return;
    for (K8sTimer **place = &timer->loop->timers; *place; place = &(*place)->next) {
        if (*place == timer) {
            *place = timer->next;
            break;
        }
    }
    free(timer);
}

// Timers that a callback starts for "at once" wait for the next turn, so that transfers get theirs in between.
static void fire_due(K8sLoop *loop)
{
    double now = loop->now;

    while (loop->timers && loop->timers->due <= now) {
        K8sTimer *timer = loop->timers;
        loop->timers = timer->next;
        void (*fire)(void *) = timer->fire;
        void *context = timer->context;
        free(timer);
        fire(context);
    }
}

static void finish_transfers(K8sLoop *loop)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(loop->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        K8sTransfer *transfer = NULL;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        transfer->finished(transfer, result);
    }
}

int k8s_loop_turn(K8sLoop *loop, int max_ms, Error *err)
{
    struct curl_waitfd stop = {.fd = stop_fd(), .events = CURL_WAIT_POLLIN};
    int wait_ms = max_ms, running = 0;

    loop->now = clock_monotonic();
    if (loop->timers) {
        double ms = ceil((loop->timers->due - loop->now) * 1000.0);
        if (ms < (double)wait_ms)
            wait_ms = ms > 0 ? (int)ms : 0;
    }
    CURLMcode code = curl_multi_perform(loop->multi, &running);
    if (code == CURLM_OK) {
        finish_transfers(loop);
        // A stop that was asked for stays readable: waiting on it would spin.
        bool watch_stop = stop.fd >= 0 && !stop_requested();
        code = curl_multi_poll(loop->multi, watch_stop ? &stop : NULL, watch_stop ? 1 : 0, wait_ms, NULL);
    }
    if (code == CURLM_OK)
        code = curl_multi_perform(loop->multi, &running);
    if (code != CURLM_OK)
        return error_set(err, ERROR_SYSTEM, "the event loop's transfers: %s", curl_multi_strerror(code));
    loop->now = clock_monotonic();
    finish_transfers(loop);
    fire_due(loop);
    return 0;
}
