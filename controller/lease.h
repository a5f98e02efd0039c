// SPDX-License-Identifier: Apache-2.0
// Leadership by a Lease (coordination.k8s.io/v1): of several controllers one works, the others keep their caches warm.
// The numbers are client-go's: a lease lasts 15 s, its holder gives up when it could not renew it for 10 s, everybody
// looks every 2 s (with jitter). Only the local monotonic clock counts: another's lease is over when it has not changed
// for 15 s of ours. https://kubernetes.io/docs/concepts/architecture/leases/
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
bool lease_leading(const Lease *lease);
// Gives leadership back, so that a successor need not wait: to be called once the work has stopped. The loop is to be
// turned until lease_released (at most 2 s make sense). Not leading: released at once.
void lease_release(Lease *lease);
bool lease_released(const Lease *lease);
void lease_free(Lease *lease); // NULL is fine
