// SPDX-License-Identifier: Apache-2.0
// A list of objects that is kept up to date: WatchList (KEP-3157) where the server has it, else LIST in pages of 500
// and WATCH; bookmarks; 410 Gone as a status and as an ERROR event; back-off with jitter. One JSON line is parsed at a
// time and nothing of it is kept: the callbacks take what they need into structs.
#pragma once

#include "common/k8s/k8s_client.h"

#include <json-c/json.h>

typedef enum K8sEventType { K8S_ADDED, K8S_MODIFIED, K8S_DELETED } K8sEventType;

typedef struct K8sWatchSpec {   // texts are copied
    const char *path;           // of the collection: "/apis/batch/v1/jobs" for all namespaces
    const char *label_selector; // or NULL
    // A complete new state follows (at the start, and again after 410): what is not given until `synced` is gone.
    // A consumer fills a temporary store and swaps; it drops what it has when it begins anew before `synced`.
    void (*begin)(void *context);
    void (*object)(void *context, K8sEventType type, json_object *object); // borrowed
    void (*synced)(void *context); // the state is complete; from here on events change it
    void *context;
} K8sWatchSpec;

typedef struct K8sWatch K8sWatch;

K8sWatch *k8s_watch_start(K8sClient *client, const K8sWatchSpec *spec); // never NULL; failures are logged and retried
void k8s_watch_stop(K8sWatch *watch);         // NULL is fine; no callback after it; not from one of them
bool k8s_watch_synced(const K8sWatch *watch); // has been complete at least once
