// SPDX-License-Identifier: Apache-2.0
// The keywords of an endpoint. The forms that a person may write them in are in endpoint_parse.c.
#include "common/contract/endpoint.h"

#include "common/base/buffer.h"
#include "common/base/memory.h"
#include "common/base/secrets.h"

#include <string.h>

static size_t find(const Endpoint *e, const char *keyword)
{
    size_t i = 0;
    while (i < e->count && strcmp(e->keywords[i], keyword) != 0)
        i++;
    return i;
}

void endpoint_set(Endpoint *e, const char *keyword, const char *value)
{
    if (strcmp(keyword, "password") == 0 || strcmp(keyword, "sslpassword") == 0)
        secrets_register(value);
    char *copy = memory_strdup(value); // the value may be the one that is replaced
    size_t i = find(e, keyword);
    if (i == e->count) {
        e->keywords = memory_realloc(e->keywords, (e->count + 2) * sizeof *e->keywords);
        e->values = memory_realloc(e->values, (e->count + 2) * sizeof *e->values);
        e->keywords[i] = memory_strdup(keyword);
        e->keywords[i + 1] = e->values[i + 1] = NULL;
        e->count++;
    } else {
        free(e->values[i]);
    }
    e->values[i] = copy;
}

const char *endpoint_get(const Endpoint *e, const char *keyword)
{
    size_t i = find(e, keyword);
    return i < e->count ? e->values[i] : NULL;
}

void endpoint_copy(const Endpoint *from, Endpoint *to)
{
    *to = (Endpoint){0};
    for (size_t i = 0; i < from->count; i++)
        endpoint_set(to, from->keywords[i], from->values[i]);
}

void endpoint_free(Endpoint *e)
{
    for (size_t i = 0; i < e->count; i++) {
        free(e->keywords[i]);
        free(e->values[i]);
    }
    free(e->keywords);
    free(e->values);
    *e = (Endpoint){0};
}

static const char *get_text(const Endpoint *e, const char *keyword)
{
    const char *value = endpoint_get(e, keyword);
    return value ? value : "";
}

char *endpoint_label(const Endpoint *e)
{
    const char *host = get_text(e, "host");
    const char *service = get_text(e, "service");
    const char *user = get_text(e, "user");
    const char *port = get_text(e, "port");
    const char *database = get_text(e, "dbname");

    if (!*host)
        host = get_text(e, "hostaddr");
    if (!*host && *service)
        return memory_printf("service %s", service);
    return memory_printf("%s%s%s%s%s%s%s", user, *user ? "@" : "", *host ? host : "(default host)", *port ? ":" : "",
                         port, *database ? "/" : "", database);
}
