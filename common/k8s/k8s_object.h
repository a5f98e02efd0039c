// SPDX-License-Identifier: Apache-2.0
// Reading what every Kubernetes object has, leniently: a missing or mistyped field reads as empty.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

json_object *k8s_member(json_object *object,
                        const char *name);                   // borrowed; NULL: object is none, or it has none (or null)
const char *k8s_text(json_object *object, const char *name); // borrowed; "" when it is no text
int64_t k8s_integer(json_object *object, const char *name, int64_t otherwise);
bool k8s_bool(json_object *object, const char *name);
// By a path of names: k8s_at(pod, "status", "podIP", NULL).
json_object *k8s_at(json_object *object, ...) __attribute__((sentinel));
size_t k8s_count(json_object *array); // 0 when it is no array
json_object *k8s_item(json_object *array, size_t i);

// RFC 3339 to seconds since 1970; 0 when it is none.
double k8s_time(const char *text);
enum { K8S_TIME_SIZE = 32 };
void k8s_time_format(double epoch, char text[K8S_TIME_SIZE]);       // 2026-11-22T21:07:12Z
void k8s_time_format_micro(double epoch, char text[K8S_TIME_SIZE]); // 2026-11-22T21:07:12.345678Z: MicroTime

// The owner that is the controller: uid, and its kind; "" when there is none.
const char *k8s_owner_uid(json_object *metadata);
// A condition of status.conditions by type; NULL when it is not there.
json_object *k8s_condition(json_object *object, const char *type);
bool k8s_condition_true(json_object *object, const char *type);
