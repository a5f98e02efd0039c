// SPDX-License-Identifier: Apache-2.0
#include "common/k8s/k8s_status.h"

#include "common/k8s/k8s_object.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int status;
    ErrorCode code;
    const char *hint;
} KNOWN[] = {
    {400, ERROR_PROTOCOL, ""},
    {401, ERROR_CREDENTIALS,
     "the token or certificate is not accepted: see the kubeconfig, or the pod's service account"},
    {403, ERROR_CONDITION, ""}, // an admission plugin's: quota, Pod Security, a namespace that ends; see hint_rights()
    {404, ERROR_CONDITION, ""},
    {405, ERROR_PROTOCOL, ""},
    {408, ERROR_TRANSIENT, ""},
    {409, ERROR_CONDITION, ""},
    {410, ERROR_CONDITION, ""},
    {413, ERROR_CONDITION, "the object is too large for the API server"},
    {422, ERROR_CONDITION, ""},
    {429, ERROR_TRANSIENT, ""},
};

json_object *k8s_json_parse(const char *text, size_t len)
{
    if (len > INT_MAX - 1)
        return NULL;
    json_tokener *tokener = json_tokener_new_ex(100);
    json_object *object = json_tokener_parse_ex(tokener, text, (int)len);
    if (json_tokener_get_error(tokener) != json_tokener_success) {
        json_object_put(object);
        object = NULL;
    }
    json_tokener_free(tokener);
    return object;
}

// What RBAC refuses names the right: … cannot list resource "jobs" in API group "batch" in the namespace "x".
static void hint_rights(const char *message, Error *err)
{
    const char *cannot = strstr(message, " cannot ");
    char verb[32], resource[128], group[128] = "";

    if (err->http_status != 403 || !cannot ||
        sscanf(cannot, " cannot %31[a-z] resource \"%127[^\"]\" in API group \"%127[^\"]", verb, resource, group) < 2)
        return;
    err->code = ERROR_CREDENTIALS;
    bool one = strstr(message, " in the namespace ") != NULL;
    error_hint(err, "give the account this right by a %s: apiGroups: [\"%s\"], resources: [\"%s\"], verbs: [\"%s\"]",
               one ? "Role and a RoleBinding" : "ClusterRole and a ClusterRoleBinding", group, resource, verb);
}

static void hint_unknown(const char *message, Error *err)
{
    if (err->http_status == 404 &&
        (strstr(message, "could not find the requested resource") || strstr(message, "404 page not found")))
        error_hint(err,
                   "the API server does not know this kind of object: are the CustomResourceDefinitions installed?");
}

static void fill(const char *method, const char *path, int status, const char *reason, const char *message, Error *err)
{
    ErrorCode code = status >= 500 ? ERROR_TRANSIENT : ERROR_PROTOCOL;
    const char *hint = "";
    int path_len = (int)strcspn(path, "?");

    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        if (KNOWN[i].status == status) {
            code = KNOWN[i].code;
            hint = KNOWN[i].hint;
        }
    }
    error_set(err, code, "%s %.*s: %d%s%s%s%.900s", method, path_len, path, status, *reason ? " " : "", reason,
              *message ? ": " : "", message);
    err->http_status = status;
    if (*hint)
        error_hint(err, "%s", hint);
    hint_rights(message, err);
    hint_unknown(message, err);
}

void k8s_status_error(const char *method, const char *path, int status, const char *body, size_t len, Error *err)
{
    json_object *object = k8s_json_parse(body, len);
    char plain[200];

    if (object && *k8s_text(object, "message")) {
        fill(method, path, status, k8s_text(object, "reason"), k8s_text(object, "message"), err);
    } else { // a proxy's page, say
        snprintf(plain, sizeof plain, "%.*s", (int)(len < sizeof plain ? len : sizeof plain - 1), body);
        plain[strcspn(plain, "\r\n")] = '\0';
        fill(method, path, status, "", plain, err);
    }
    json_object_put(object);
}

void k8s_status_event_error(const char *path, json_object *status_object, Error *err)
{
    json_object *code = k8s_member(status_object, "code");
    int status = code ? json_object_get_int(code) : 500;

    fill("WATCH", path, status, k8s_text(status_object, "reason"), k8s_text(status_object, "message"), err);
}
