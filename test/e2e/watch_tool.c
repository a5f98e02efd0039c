// SPDX-License-Identifier: Apache-2.0
// Watches a collection and prints what it is told, for test_watch.py: "begin", "synced", "ADDED name value", ….
//   watch_tool KUBECONFIG PATH [SELECTOR]
#include "common/base/log.h"
#include "common/base/stop.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_watch.h"

#include <stdio.h>

static void begin(void *context)
{
    (void)context;
    printf("begin\n");
}

static void synced(void *context)
{
    (void)context;
    printf("synced\n");
    fflush(stdout);
}

static void object(void *context, K8sEventType type, json_object *object)
{
    static const char *const NAMES[] = {[K8S_ADDED] = "ADDED", [K8S_MODIFIED] = "MODIFIED", [K8S_DELETED] = "DELETED"};

    (void)context;
    printf("%s %s %s\n", NAMES[type], k8s_text(k8s_member(object, "metadata"), "name"),
           k8s_text(k8s_member(object, "data"), "value"));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    K8sConfig config;
    K8sClient *client;
    Error err = {0};

    if (argc < 3)
        return 64;
    log_init(LOG_TEXT, LOG_DEBUG);
    K8sLoop *loop = k8s_loop_new();
    if (stop_init(&err) || k8s_config_load(argv[1], NULL, &config, &err) ||
        k8s_client_new(loop, &config, "kubeferry-watch-tool", &client, &err)) {
        log_failure("watch-tool", &err);
        return 1;
    }
    K8sWatchSpec spec = {.path = argv[2],
                         .label_selector = argc > 3 ? argv[3] : NULL,
                         .begin = begin,
                         .object = object,
                         .synced = synced};
    K8sWatch *watch = k8s_watch_start(client, &spec);
    int rc = 0;
    while (!stop_requested() && rc == 0)
        rc = k8s_loop_turn(loop, 1000, &err);
    if (rc)
        log_failure("watch-tool", &err);
    k8s_watch_stop(watch);
    k8s_client_free(client);
    k8s_loop_free(loop);
    k8s_config_free(&config);
    return rc ? 1 : 0;
}
