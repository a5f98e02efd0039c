// SPDX-License-Identifier: Apache-2.0
// Typed reading of JSON, on top of json-c.
#include "common/base/json_read.h"

#include "common/base/buffer.h"
#include "common/base/file.h"
#include "common/base/memory.h"
#include "common/base/nearest.h"
#include "common/base/utf8.h"

#include <math.h>
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
    [JSON_FIELD_TEXT] = {json_type_string, "a string"},    [JSON_FIELD_INTEGER] = {json_type_int, "a whole number"},
    [JSON_FIELD_NUMBER] = {json_type_int, "a number"},     [JSON_FIELD_BOOL] = {json_type_boolean, "true or false"},
    [JSON_FIELD_OBJECT] = {json_type_object, "an object"}, [JSON_FIELD_ARRAY] = {json_type_array, "a list"},
};

static size_t line_of(const char *text, size_t place)
{
    size_t line = 1;

    for (size_t i = 0; i < place; i++)
        line += text[i] == '\n';
    return line;
}

// Characters beyond ASCII as \u sequences: with JSON_TOKENER_STRICT, json-c 0.18 takes their bytes for control
// characters, since its char is signed.
static void put_ascii(const char *text, size_t len, Buffer *out)
{
    bool behind_backslash = false; // an odd number of them: what follows is an escape, or wrong

    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t length = utf8_decode(text + i, len - i, &code);
        if (length < 2 || behind_backslash)
            buffer_append(out, text + i, length > 0 ? length : 1);
        else if (code < 0x10000)
            buffer_printf(out, "\\u%04x", (unsigned)code);
        else
            buffer_printf(out, "\\u%04x\\u%04x", (unsigned)(0xD7C0 + (code >> 10)),
                          (unsigned)(0xDC00 + (code & 0x3FF)));
        behind_backslash = !behind_backslash && text[i] == '\\';
        i += length > 0 ? length : 1;
    }
}

// where: `task document 'a.json'`, for messages.
static json_object *parse(const char *given, size_t given_len, const char *where, Error *err)
{
    auto_buffer Buffer ascii = {0};
    put_ascii(given, given_len, &ascii);
    const char *text = buffer_text(&ascii);
    size_t len = ascii.len;
    json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    json_object *document = json_tokener_parse_ex(tokener, text, (int)len);
    size_t end = json_tokener_get_parse_end(tokener);
    if (json_tokener_get_error(tokener) == json_tokener_continue) // a bare number needs an end
        document = json_tokener_parse_ex(tokener, "", 1);
    enum json_tokener_error problem = json_tokener_get_error(tokener);
    json_tokener_free(tokener);
    if (problem == json_tokener_success && end < len) // it takes a NUL for the end
        problem = json_tokener_error_parse_unexpected;
    if (problem != json_tokener_success) {
        json_object_put(document);
        error_set(err, ERROR_USAGE, "%s: line %zu: %s", where, line_of(text, end < len ? end : len),
                  json_tokener_error_desc(problem));
        return NULL;
    }
    if (!document)
        error_set(err, ERROR_USAGE, "%s: expected an object, found null", where);
    return document;
}

json_object *json_read_file(const char *path, const char *what, size_t max_bytes, Error *err)
{
    size_t len;
    auto_free char *text = file_read(path, max_bytes, &len, err);
    if (!text) {
        error_wrap(err, "%s", what);
        return NULL;
    }
    auto_free char *where = memory_printf("%s '%s'", what, path);
    return parse(text, len, where, err);
}

json_object *json_read_text(const char *text, size_t len, const char *what, Error *err)
{
    if (utf8_valid(text, len) < len) {
        error_set(err, ERROR_USAGE, "%s: line %zu: it is not UTF-8", what, line_of(text, utf8_valid(text, len)));
        return NULL;
    }
    return parse(text, len, what, err);
}

static bool type_fits(json_object *value, JsonFieldType type)
{
    if (type == JSON_FIELD_NUMBER && json_object_is_type(value, json_type_double))
        return isfinite(json_object_get_double(value));
    return json_object_is_type(value, TYPES[type].type);
}

static int read_value(json_object *value, const char *path, const JsonField *field, Error *err)
{
    if (!type_fits(value, field->type))
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
    case JSON_FIELD_NUMBER:
        *(double *)field->target = json_object_get_double(value);
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

static int read_fields(json_object *object, const char *path, const JsonField *fields, size_t count, bool known_only,
                       Error *err)
{
    if (!json_object_is_type(object, json_type_object))
        return error_set(err, ERROR_USAGE, "%s: expected an object, found %s", path, type_found(object));
    json_object_object_foreach(object, name, value)
    {
        size_t i = 0;
        while (i < count && strcmp(fields[i].name, name) != 0)
            i++;
        if (i == count && known_only)
            continue;
        if (i == count)
            return refuse(name, path, fields, count, err);
        if (value && read_value(value, path, &fields[i], err))
            return -1;
    }
    return 0;
}

int json_read_fields(json_object *object, const char *path, const JsonField *fields, size_t count, Error *err)
{
    return read_fields(object, path, fields, count, false, err);
}

int json_read_known_fields(json_object *object, const char *path, const JsonField *fields, size_t count, Error *err)
{
    return read_fields(object, path, fields, count, true, err);
}
