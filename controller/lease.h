// SPDX-License-Identifier: Apache-2.0
// Leadership by a Lease (coordination.k8s.io/v1): of several controllers one works, the others keep their caches warm.
// The numbers are client-go's: a lease lasts 15 s, its holder renews it every 2 s and gives up when it could not for
// 10 s. The others look every 1.5 s, so that one follows a holder that fell silent within 17 s, and one that gave it
// back within 2 s. All with jitter. Only the local monotonic clock counts: another's lease is over when it has not
// changed for 15 s of ours. https://kubernetes.io/docs/concepts/architecture/leases/
#pragma once

#include "common/k8s/k8s_client.h"

typedef struct Lease Lease;

typedef struct LeaseSpec { // texts are copied
    const char *namespace_name, *name;
    const char *identity; // of this process: unique, "pod-name_6f1c…"
    // Called from the loop when leadership begins and when it ends (lost, or given back).
    void (*changed)(void *context, bool leading);
    void *context;
} LeaseSpec;

Lease *lease_start(K8sClient *client, const LeaseSpec *spec); // never NULL; failures are logged and retried
// Asks the clock, so it is right even before the loop has turned: a process that was stopped for a minute no longer
// leads, though `changed` has not been called yet. To be asked before each piece of work.
bool lease_leading(const Lease *lease);
// Gives leadership back, so that a successor need not wait: to be called once the work has stopped. lease_leading is
// false from here on. The loop is to be turned until lease_released (at most 3 s). Not leading: released at once.
void lease_release(Lease *lease);
bool lease_released(const Lease *lease);
void lease_free(Lease *lease); // NULL is fine
