// SPDX-License-Identifier: Apache-2.0
// Timers in a binary heap (a process may have one for each of its objects), transfers in curl's multi handle.
#include "common/k8s/k8s_loop_private.h"

#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/stop.h"

#include <math.h>

struct K8sTimer {
    K8sLoop *loop;
    size_t at; // in the heap
    double due;
    uint64_t order; // of two that are due at the same time, the one that was started first
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
    curl_multi_setopt(loop->multi, CURLMOPT_MAX_HOST_CONNECTIONS, 64L);
    curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, 24L);
    loop->now = clock_monotonic();
    return loop;
}

void k8s_loop_free(K8sLoop *loop)
{
    if (!loop)
        return;
    for (size_t i = 0; i < loop->timer_count; i++)
        free(loop->timers[i]);
    free(loop->timers);
    curl_multi_cleanup(loop->multi);
    free(loop);
}

double k8s_loop_now(const K8sLoop *loop)
{
    return loop->now;
}

// ---- timers --------------------------------------------------------------------------------------------------------

static bool before(const K8sTimer *a, const K8sTimer *b)
{
    return a->due < b->due || (a->due <= b->due && a->order < b->order);
}

static void put(K8sLoop *loop, size_t at, K8sTimer *timer)
{
    loop->timers[at] = timer;
    timer->at = at;
}

// Puts the timer, whose place `at` is free, where it belongs.
static void settle(K8sLoop *loop, size_t at, K8sTimer *timer)
{
    for (; at > 0 && before(timer, loop->timers[(at - 1) / 2]); at = (at - 1) / 2)
        put(loop, at, loop->timers[(at - 1) / 2]);
    for (size_t child; (child = 2 * at + 1) < loop->timer_count; at = child) {
        if (child + 1 < loop->timer_count && before(loop->timers[child + 1], loop->timers[child]))
            child++;
        if (!before(loop->timers[child], timer))
            break;
        put(loop, at, loop->timers[child]);
    }
    put(loop, at, timer);
}

static void take_out(K8sTimer *timer)
{
    K8sLoop *loop = timer->loop;
    K8sTimer *last = loop->timers[--loop->timer_count];

    if (last != timer)
        settle(loop, timer->at, last);
}

K8sTimer *k8s_timer_start(K8sLoop *loop, int64_t ms, void (*fire)(void *context), void *context)
{
    K8sTimer *timer = memory_alloc(sizeof *timer);

    *timer = (K8sTimer){.loop = loop,
                        .due = clock_monotonic() + (double)ms / 1000.0,
                        .order = loop->timer_order++,
                        .fire = fire,
                        .context = context};
    if (loop->timer_count == loop->timer_room) {
        loop->timer_room = loop->timer_room ? loop->timer_room * 2 : 16;
        loop->timers = memory_realloc(loop->timers, loop->timer_room * sizeof *loop->timers);
    }
    loop->timer_count++;
    settle(loop, loop->timer_count - 1, timer);
    return timer;
}

void k8s_timer_cancel(K8sTimer *timer)
{
    if (!timer)
        return;
    take_out(timer);
    free(timer);
}

// Timers that a callback starts for "at once" wait for the next turn, so that transfers get theirs in between.
static void fire_due(K8sLoop *loop)
{
    double now = loop->now;

    while (loop->timer_count > 0 && loop->timers[0]->due <= now) {
        K8sTimer *timer = loop->timers[0];
        void (*fire)(void *) = timer->fire;
        void *context = timer->context;
        take_out(timer);
        free(timer);
        fire(context);
    }
}

// ---- turning -------------------------------------------------------------------------------------------------------

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
    if (loop->timer_count > 0) {
        double ms = ceil((loop->timers[0]->due - loop->now) * 1000.0);
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
