// SPDX-License-Identifier: Apache-2.0
// Asks running workers for their progress document every 2 s (GET http://<pod IP>:<port>/progress) and hands over what
// was read. Must not decide anything.
#pragma once

#include "common/contract/progress_read.h"
#include "common/k8s/k8s_client.h"

typedef struct WorkerPoll WorkerPoll;

// answered: called from the loop for each answer that could be read. What was read may be taken over: leave it zeroed
// then, else it is freed after the call. A worker that does not answer is logged at level debug and asked again.
WorkerPoll *worker_poll_new(K8sClient *client,
                            void (*answered)(void *context, const char *key, const char *pod,
                                             ProgressRead *progress),
                            void *context);
void worker_poll_free(WorkerPoll *poll);
// The pod of this key that is to be asked; replaces the one before. key: "namespace/name" of the task.
void worker_poll_set(WorkerPoll *poll, const char *key, const char *pod, const char *address, int port);
void worker_poll_forget(WorkerPoll *poll, const char *key);
