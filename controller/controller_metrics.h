// SPDX-License-Identifier: Apache-2.0
// What the controller counts, under the names that dashboards of controllers know
// (https://book.kubebuilder.io/reference/metrics-reference), and /metrics, /healthz, /readyz. Written by the loop's
// thread, read by the HTTP server's.
#pragma once

#include "common/base/http_server.h"
#include "common/k8s/k8s_client.h"
#include "controller/queue.h"

typedef struct ControllerMetrics ControllerMetrics;

typedef enum ReconcileOutcome {
    RECONCILE_SUCCESS,
    RECONCILE_ERROR,
    RECONCILE_REQUEUE_AFTER,
    RECONCILE_OUTCOMES
} ReconcileOutcome;

ControllerMetrics *controller_metrics_new(void);
void controller_metrics_free(ControllerMetrics *metrics); // after its server was stopped; NULL is fine
// The labels "host" of requests ("https://10.96.0.1:443": the scheme is taken off) and "name" of leadership; copied. To
// be told before the server starts.
void controller_metrics_names(ControllerMetrics *metrics, const char *api_server, const char *lease_name);
K8sObserver controller_metrics_observer(ControllerMetrics *metrics); // for k8s_client_observe
void controller_metrics_reconciled(ControllerMetrics *metrics, ReconcileOutcome outcome, double seconds);
void controller_metrics_leading(ControllerMetrics *metrics, bool leading);
void controller_metrics_synced(ControllerMetrics *metrics, bool synced); // /readyz: 200 from then on, else 503
void controller_metrics_queue(ControllerMetrics *metrics, const QueueStats *stats);
// How many tasks there are by taskStatus, and how many are Stalled. names: literals, the same ones each time; at
// most 16.
void controller_metrics_tasks(ControllerMetrics *metrics, const char *const *names, const size_t *counts, size_t count,
                              size_t stalled);
void controller_metrics_alive(ControllerMetrics *metrics); // each turn of the loop: /healthz is 503 after 60 s without
// The text of /metrics. Caller frees.
char *controller_metrics_text(ControllerMetrics *metrics);
// Starts the server with its routes.
MUST_CHECK int controller_metrics_serve(ControllerMetrics *metrics, const char *listen, HttpServer **out, Error *err);
