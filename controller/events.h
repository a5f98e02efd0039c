// SPDX-License-Identifier: Apache-2.0
// Kubernetes Events (events.k8s.io/v1) about our objects: equal ones become one Event with a series, so that 1,000
// equal errors are one object. Never blocks and never fails the caller; what cannot be written is logged once and
// dropped.
#pragma once

#include "common/k8s/k8s_client.h"

typedef struct Events Events;

typedef struct EventObject { // what it is about
    const char *api_version, *kind, *namespace_name, *name, *uid;
} EventObject;

Events *events_new(K8sClient *client, const char *reporting_instance);
void events_free(Events *events);
// warning: type Warning instead of Normal. reason: CamelCase. action: what was being done, CamelCase ("Reconcile").
void events_record(Events *events, const EventObject *about, bool warning, const char *reason, const char *action,
                   const char *fmt, ...) PRINTF_LIKE(6, 7);
