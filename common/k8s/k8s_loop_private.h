// SPDX-License-Identifier: Apache-2.0
// What the loop and the client know of each other.
#pragma once

#include "common/k8s/k8s_loop.h"

#include <curl/curl.h>
#include <stddef.h>
#include <stdint.h>

typedef struct K8sTransfer K8sTransfer;
struct K8sTransfer { // CURLOPT_PRIVATE of every handle in the loop; first member of what it belongs to
    void (*finished)(K8sTransfer *transfer, CURLcode result);
};

struct K8sLoop {
    CURLM *multi;
    K8sTimer **timers; // a binary heap, the earliest first
    size_t timer_count, timer_room;
    uint64_t timer_order; // given to the next one
    double now;
};
