// SPDX-License-Identifier: Apache-2.0
// endpoint_parse takes any text without harm, and gives back any password that was percent-encoded.
#include "common/base/buffer.h"
#include "common/base/memory.h"
#include "common/contract/endpoint.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void parse_text(const char *text)
{
    Endpoint e;
    Error err = {0};

    if (endpoint_parse(text, &e, &err)) {
        require(err.code == ERROR_USAGE && err.message[0] && e.count == 0);
        return;
    }
    require(e.count == 0 || (!e.keywords[e.count] && !e.values[e.count]));
    for (size_t i = 0; i < e.count; i++)
        require(endpoint_get(&e, e.keywords[i]) == e.values[i]); // each keyword once
    auto_free char *label = endpoint_label(&e);
    require(label[0]);
    Endpoint copy;
    endpoint_copy(&e, &copy);
    require(copy.count == e.count);
    endpoint_free(&copy);
    endpoint_free(&e);
}

static void carry_password(const char *password)
{
    auto_buffer Buffer uri = {0};
    Endpoint e;
    Error err = {0};

    buffer_puts(&uri, "postgresql://u:");
    for (const char *p = password; *p; p++)
        buffer_printf(&uri, "%%%02X", (unsigned char)*p);
    buffer_puts(&uri, "@h:5432/db");
    require(endpoint_parse(uri.data, &e, &err) == 0);
    const char *found = endpoint_get(&e, "password");
    require(*password ? found && strcmp(found, password) == 0 : !found);
    endpoint_free(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = memory_alloc(size + 1);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    parse_text(text);
    carry_password(text);
    return 0;
}
