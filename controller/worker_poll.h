// SPDX-License-Identifier: Apache-2.0
// Asks running workers for their progress document every 2 s (GET http://<pod IP>:<port>/progress) and hands over what
// was read. One after the other, spread over the time; with more than 400 workers the time grows, 5 ms each. Must not
// decide anything.
#pragma once

#include "common/contract/progress_read.h"
#include "common/k8s/k8s_client.h"

typedef struct WorkerPoll WorkerPoll;

// answered: called from the loop for each answer that could be read. It may take over what was read, and leaves it
// zeroed then; it may set and forget keys, its own too.
// A worker that does not answer is logged at level debug and asked again, less often with each failure (down to a
// sixteenth).
WorkerPoll *worker_poll_new(K8sClient *client,
                            void (*answered)(void *context, const char *key, const char *pod, ProgressRead *progress),
                            void *context);
void worker_poll_free(WorkerPoll *poll); // NULL is fine
// The pod of this key that is to be asked; replaces the one before. key: "namespace/name" of the task. A new one is the
// next to be asked; the same pod at the same address: nothing happens.
void worker_poll_set(WorkerPoll *poll, const char *key, const char *pod, const char *address, int port);
void worker_poll_forget(WorkerPoll *poll, const char *key);
size_t worker_poll_count(const WorkerPoll *poll); // of workers that are asked
