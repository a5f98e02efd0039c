// SPDX-License-Identifier: Apache-2.0
#include "cli/refusal.h"

#include "common/base/buffer.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_status.h"

#include <string.h>

// `Invalid value: "object": write the role …`: what stands in front of a rule's message says nothing to a person, and
// may show a value.
static const char *message_of(const char *text)
{
    static const char *const PREFIXES[] = {
        "Invalid value: ", "Forbidden: ", "Required value: ", "Duplicate value", "Unsupported value: ", "Too long: "};

    if (strncmp(text, PREFIXES[0], strlen(PREFIXES[0])) == 0) {
        const char *p = text + strlen(PREFIXES[0]), *quote = *p == '"' ? strchr(p + 1, '"') : NULL;
        const char *end = strstr(quote ? quote : p, ": ");
        return end ? end + 2 : text;
    }
    for (size_t i = 1; i < 3; i++)
        if (strncmp(text, PREFIXES[i], strlen(PREFIXES[i])) == 0 && text[strlen(PREFIXES[i])])
            return text + strlen(PREFIXES[i]);
    return text;
}

static void put_causes(json_object *causes, Buffer *out)
{
    for (size_t i = 0; i < k8s_count(causes); i++) {
        json_object *cause = k8s_item(causes, i);
        const char *field = k8s_text(cause, "field"), *message = k8s_text(cause, "message");
        if (strstr(message, "some validation rules were not checked"))
            continue;
        buffer_printf(out, "%s%s%s%s", out->len ? "; " : "", field, *field ? ": " : "", message_of(message));
    }
}

static void explain_invalid(json_object *status, Error *err)
{
    auto_buffer Buffer text = {0};
    json_object *details = k8s_member(status, "details");
    int http_status = err->http_status;

    put_causes(k8s_member(details, "causes"), &text);
    if (!text.len)
        return;
    error_set(err, ERROR_CONDITION, "the API server refuses %s \"%s\": %s", k8s_text(details, "kind"),
              k8s_text(details, "name"), text.data);
    err->http_status = http_status;
}

void refusal_explain(const K8sReply *reply, const K8sConfig *config, Error *err)
{
    json_object *status = k8s_json_parse(reply->body, reply->len);
    const char *from = config->context ? config->context : "the pod's service account";

    if (reply->status == 0)
        error_wrap(err, "the API server %s (context %s) cannot be asked", config->server, from);
    else if (reply->status == 401)
        error_set(err, ERROR_CREDENTIALS,
                  "the API server %s does not accept the credentials of context %s: they are wrong or have expired",
                  config->server, from),
            error_hint(err, "log in again, or choose another user or --context");
    else if (reply->status == 422)
        explain_invalid(status, err);
    else if (reply->status == 404 && strstr(reply->body, "could not find the requested resource"))
        error_set(err, ERROR_CONDITION, "the cluster of context %s has no migrations yet", from),
            error_hint(err, "kubeferry addon enable migration");
    if (reply->status)
        err->http_status = reply->status;
    json_object_put(status);
}
