// SPDX-License-Identifier: Apache-2.0
// A watch's stream, cut into pieces of the length that the first byte says, each line parsed as JSON.
#include "common/k8s/k8s_lines.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_status.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take(void *context, const char *text, size_t len)
{
    json_object *event = k8s_json_parse(text, len);
    Error *err = context;

    k8s_owner_uid(k8s_at(event, "object", "metadata", NULL));
    if (k8s_text(event, "type")[0] == 'E')
        k8s_status_event_error("/fuzz", k8s_member(event, "object"), err);
    json_object_put(event);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    K8sLines lines = {.max = 256};
    Error err = {0}, seen = {0};
    size_t piece = size > 0 ? data[0] % 32 + 1U : 1;
    bool go_on = true;

    for (size_t at = 1; at < size && go_on; at += piece) {
        size_t len = size - at < piece ? size - at : piece;
        if (k8s_lines_feed(&lines, (const char *)data + at, len, take, &seen, &go_on, &err))
            break;
    }
    k8s_lines_free(&lines);
    return 0;
}
