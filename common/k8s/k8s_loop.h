// SPDX-License-Identifier: Apache-2.0
// The one event loop of a process that talks to Kubernetes: timers, and the transfers of libcurl's multi interface
// (https://curl.se/libcurl/c/libcurl-multi.html). Single-threaded: every callback runs inside k8s_loop_turn.
#pragma once

#include "common/base/error.h"

#include <stdint.h>

typedef struct K8sLoop K8sLoop;
typedef struct K8sTimer K8sTimer;

K8sLoop *k8s_loop_new(void); // never NULL
void k8s_loop_free(K8sLoop *loop);
double k8s_loop_now(const K8sLoop *loop); // monotonic seconds, as of the start of this turn's callbacks
// Fires once, ms milliseconds from now (0: in the next turn); the timer is gone after it fired or was cancelled.
K8sTimer *k8s_timer_start(K8sLoop *loop, int64_t ms, void (*fire)(void *context), void *context);
void k8s_timer_cancel(K8sTimer *timer); // NULL is fine
// Waits for a transfer, a timer or stop_fd() (at most max_ms milliseconds), then runs every callback that is due.
MUST_CHECK int k8s_loop_turn(K8sLoop *loop, int max_ms, Error *err);
