// SPDX-License-Identifier: Apache-2.0
// Requests to the API server (and plain HTTP to a worker), without waiting: the answer comes to a callback in the loop.
// HTTP/1.1 with kept connections (not to workers: there may be thousands of those): a connection that has gone silent
// takes one request with it and not, as a shared HTTP/2 one, every watch and the lease. Credentials go to the API
// server alone; the token's file is read again every 60 s and after a 401. Must not know what the objects mean.
#pragma once

#include "common/k8s/k8s_config.h"
#include "common/k8s/k8s_loop.h"

#include <stddef.h>

typedef struct K8sClient K8sClient;
typedef struct K8sCall K8sCall; // a request under way

typedef struct K8sReply {
    int status;       // HTTP status; 0: no answer came
    const char *body; // followed by a NUL; borrowed, for the time of the callback; "" when it was streamed
    size_t len;
    bool idle;            // ended because no byte came for idle_ms
    double retry_after_s; // of Retry-After; 0: none
    Error error;          // ERROR_NONE for 2xx; else with http_status, and the reason and message of the Status object
} K8sReply;

typedef struct K8sRequest { // everything is copied
    const char *method;     // "GET", "POST", "PATCH", …
    const char *path;       // "/apis/…?…", or an absolute "http://…" URL of somebody else: no credentials, no TLS
    const char *content_type; // of the body: "application/json", "application/apply-patch+yaml", …; NULL: no body
    const char *body;
    size_t body_len;
    int timeout_ms;  // of the whole; 0: none
    int idle_ms;     // ends it when no byte came for so long; 0: never
    size_t body_max; // an answer longer than this is an error; 0: 64 MiB
    bool fresh;      // on a connection of its own, not a kept one that may be dead
    // When set, the body of a 2xx is given piece by piece as it comes; false ends the call (done is still called).
    bool (*data)(void *context, const char *bytes, size_t len);
    void (*done)(void *context, const K8sReply *reply); // exactly once, from the loop, unless cancelled; may be NULL
    void *context;
    bool to_the_end; // k8s_client_call: a wish to stop does not end it
} K8sRequest;

typedef struct K8sObserver { // for metrics; called once a finished request to the API server
    void (*finished)(void *context, const char *method, int status, double seconds);
    void *context;
} K8sObserver;

// config is borrowed and must outlive the client. loop too.
MUST_CHECK int k8s_client_new(K8sLoop *loop, const K8sConfig *config, const char *user_agent, K8sClient **out,
                              Error *err);
void k8s_client_free(K8sClient *client); // cancels what is under way; NULL is fine
void k8s_client_observe(K8sClient *client, K8sObserver observer);
K8sLoop *k8s_client_loop(const K8sClient *client);
K8sCall *k8s_client_send(K8sClient *client, const K8sRequest *request); // never NULL
void k8s_client_cancel(K8sCall *call);                                  // done is not called; NULL is fine
// The simple form for a command line: sends and turns the loop until the answer is there, or a stop is requested
// (ERROR_STOPPED). reply->body is owned by the caller then (k8s_reply_free).
MUST_CHECK int k8s_client_call(K8sClient *client, const K8sRequest *request, K8sReply *reply, Error *err);
void k8s_reply_free(K8sReply *reply);
