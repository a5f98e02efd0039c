// SPDX-License-Identifier: Apache-2.0
// A failed answer of the API server as an Error.
// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#response-status-kind
#pragma once

#include "common/base/error.h"

#include <json-c/json.h>
#include <stddef.h>

// status: the HTTP status, not 2xx. body: the Status object, or whatever came instead. Sets err: http_status, a code
// (401, 403 of RBAC: credentials; other 403, 404, 409, 410, 422: condition; 408, 429, 5xx: transient; others:
// protocol), a message as "GET /apis/…: 403 Forbidden: …" and, where something can be done, the hint.
void k8s_status_error(const char *method, const char *path, int status, const char *body, size_t len, Error *err);
// The same from a Status object that came as an ERROR event of a watch; its `code` is the status.
void k8s_status_event_error(const char *path, json_object *status_object, Error *err);
// One JSON document of a known length; NULL when it is malformed or nested deeper than 100. The caller puts it.
json_object *k8s_json_parse(const char *text, size_t len);
