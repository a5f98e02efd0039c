// SPDX-License-Identifier: Apache-2.0
// Kubernetes Events (events.k8s.io/v1) about our objects: equal ones become one Event with a series, so that 1,000
// equal errors are one object. Never blocks and never fails the caller; what cannot be written is logged once and
// dropped. https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
#pragma once

#include "common/k8s/k8s_client.h"

typedef struct Events Events;

typedef struct EventObject { // what it is about
    const char *api_version, *kind, *namespace_name, *name, *uid;
} EventObject;

// reporting_instance: which of several controllers tells it.
Events *events_new(K8sClient *client, const char *reporting_instance);
void events_free(Events *events); // what is not written yet is dropped; NULL is fine
// warning: type Warning instead of Normal. reason: CamelCase. action: what was being done, CamelCase ("Reconcile").
// Equal: same object, type, reason, action and text within an hour; then the count goes up, which is written when it
// has doubled, or after 6 minutes. An object's events are limited to 25 writes, and one more every 5 minutes.
void events_record(Events *events, const EventObject *about, bool warning, const char *reason, const char *action,
                   const char *fmt, ...) PRINTF_LIKE(6, 7);
// Whether all that was recorded has been written or dropped, but for counts that wait for their 6 minutes.
bool events_idle(const Events *events);
