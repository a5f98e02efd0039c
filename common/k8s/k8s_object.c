// SPDX-License-Identifier: Apache-2.0
#include "common/k8s/k8s_object.h"

#include "common/base/clock.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

json_object *k8s_member(json_object *object, const char *name)
{
    json_object *found = NULL;

    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, name, &found);
    return found;
}

const char *k8s_text(json_object *object, const char *name)
{
    json_object *found = k8s_member(object, name);

    return json_object_is_type(found, json_type_string) ? json_object_get_string(found) : "";
}

int64_t k8s_integer(json_object *object, const char *name, int64_t otherwise)
{
    json_object *found = k8s_member(object, name);

    return json_object_is_type(found, json_type_int) ? json_object_get_int64(found) : otherwise;
}

bool k8s_bool(json_object *object, const char *name)
{
    json_object *found = k8s_member(object, name);

    return json_object_is_type(found, json_type_boolean) && json_object_get_boolean(found);
}

json_object *k8s_at(json_object *object, ...)
{
    va_list names;

    va_start(names, object);
    for (const char *name; object && (name = va_arg(names, const char *));)
        object = k8s_member(object, name);
    va_end(names);
    return object;
}

size_t k8s_count(json_object *array)
{
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

json_object *k8s_item(json_object *array, size_t i)
{
    return i < k8s_count(array) ? json_object_array_get_idx(array, i) : NULL;
}

double k8s_time(const char *text)
{
    return clock_parse(text);
}

static void format(double epoch, bool micro, char *text, size_t size)
{
    double whole = floor(epoch);
    time_t seconds = (time_t)whole;
    struct tm tm;

    gmtime_r(&seconds, &tm);
    size_t used = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
    if (micro)
        snprintf(text + used, size - used, ".%06dZ", (int)((epoch - whole) * 1e6) % 1000000);
    else
        snprintf(text + used, size - used, "Z");
}

void k8s_time_format(double epoch, char text[K8S_TIME_SIZE])
{
    format(epoch, false, text, K8S_TIME_SIZE);
}

void k8s_time_format_micro(double epoch, char text[K8S_TIME_SIZE])
{
    format(epoch, true, text, K8S_TIME_SIZE);
}

const char *k8s_owner_uid(json_object *metadata)
{
    json_object *owners = k8s_member(metadata, "ownerReferences");

    for (size_t i = 0; i < k8s_count(owners); i++)
        if (k8s_bool(k8s_item(owners, i), "controller"))
            return k8s_text(k8s_item(owners, i), "uid");
    return "";
}

json_object *k8s_condition(json_object *object, const char *type)
{
    json_object *conditions = k8s_at(object, "status", "conditions", NULL);

    for (size_t i = 0; i < k8s_count(conditions); i++)
        if (strcmp(k8s_text(k8s_item(conditions, i), "type"), type) == 0)
            return k8s_item(conditions, i);
    return NULL;
}

bool k8s_condition_true(json_object *object, const char *type)
{
    return strcmp(k8s_text(k8s_condition(object, type), "status"), "True") == 0;
}
