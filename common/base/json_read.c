// SPDX-License-Identifier: Apache-2.0
// Typed reading of JSON, on top of json-c.
#include "common/base/json_read.h"

#include "common/base/file.h"
#include "common/base/memory.h"
#include "common/base/nearest.h"

#include <stdio.h>
#include <string.h>

enum { MAX_FIELDS = 32, MAX_DEPTH = 16 };

static const char *type_found(json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return "null";
    case json_type_boolean:
        return "true or false";
    case json_type_double:
        return "a number with a fraction";
    case json_type_int:
        return "a number";
    case json_type_object:
        return "an object";
    case json_type_array:
        return "a list";
    case json_type_string:
        return "a string";
    }
    return "something else";
}

static const struct {
    json_type type;
    const char *expected;
} TYPES[] = {
    [JSON_FIELD_TEXT] = {json_type_string, "a string"},       [JSON_FIELD_INTEGER] = {json_type_int, "a whole number"},
    [JSON_FIELD_BOOL] = {json_type_boolean, "true or false"}, [JSON_FIELD_OBJECT] = {json_type_object, "an object"},
    [JSON_FIELD_ARRAY] = {json_type_array, "a list"},
};

json_object *json_read_file(const char *path, const char *what, size_t max_bytes, Error *err)
{
    size_t len;
    auto_free char *text = file_read(path, max_bytes, &len, err);
    if (!text) {
        error_wrap(err, "%s", what);
        return NULL;
    }
    json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    json_object *document = json_tokener_parse_ex(tokener, text, (int)len + 1); // the NUL ends a bare number, too
    enum json_tokener_error problem = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    json_tokener_free(tokener);
    if (problem != json_tokener_success) {
        size_t line = 1;
        for (size_t i = 0; i < end && i < len; i++)
            line += text[i] == '\n';
        json_object_put(document);
        error_set(err, ERROR_USAGE, "%s '%s': line %zu: %s", what, path, line, json_tokener_error_desc(problem));
        return NULL;
    }
    if (!document)
        error_set(err, ERROR_USAGE, "%s '%s': expected an object, found null", what, path);
    return document;
}

static int read_value(json_object *value, const char *path, const JsonField *field, Error *err)
{
    if (json_object_get_type(value) != TYPES[field->type].type)
        return error_set(err, ERROR_USAGE, "%s.%s: expected %s, found %s", path, field->name,
                         TYPES[field->type].expected, type_found(value));
    switch (field->type) {
    case JSON_FIELD_TEXT: {
        char **text = field->target;
        if (strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value))
            return error_set(err, ERROR_USAGE, "%s.%s: it holds the character U+0000", path, field->name);
        free(*text);
        *text = memory_strdup(json_object_get_string(value));
        break;
    }
    case JSON_FIELD_INTEGER:
        *(int64_t *)field->target = json_object_get_int64(value);
        break;
    case JSON_FIELD_BOOL:
        *(bool *)field->target = json_object_get_boolean(value);
        break;
    case JSON_FIELD_OBJECT:
    case JSON_FIELD_ARRAY:
        *(json_object **)field->target = value;
        break;
    }
    return 0;
}

static int refuse(const char *name, const char *path, const JsonField *fields, size_t count, Error *err)
{
    const char *names[MAX_FIELDS];
    for (size_t i = 0; i < count && i < MAX_FIELDS; i++)
        names[i] = fields[i].name;
    const char *near = nearest_word(name, names, count < MAX_FIELDS ? count : MAX_FIELDS);
    error_set(err, ERROR_USAGE, "%s: there is no field '%.64s'", path, name);
    return near ? error_hint(err, "did you mean '%s'?", near) : -1;
}

int json_read_fields(json_object *object, const char *path, const JsonField *fields, size_t count, Error *err)
{
    if (!json_object_is_type(object, json_type_object))
        return error_set(err, ERROR_USAGE, "%s: expected an object, found %s", path, type_found(object));
    json_object_object_foreach(object, name, value)
    {
        size_t i = 0;
        while (i < count && strcmp(fields[i].name, name) != 0)
            i++;
        if (i == count)
            return refuse(name, path, fields, count, err);
        if (value && read_value(value, path, &fields[i], err))
            return -1;
    }
    return 0;
}
