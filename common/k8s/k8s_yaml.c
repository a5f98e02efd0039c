// SPDX-License-Identifier: Apache-2.0
// Builds the tree from libyaml's events. Must not know what the document means.
#include "common/k8s/k8s_yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_MAX = 32, NODES_MAX = 100000 };

typedef struct Reader {
    yaml_parser_t parser;
    int nodes;
    Error *err;
} Reader;

static int refuse(Reader *r, const yaml_event_t *event, const char *what)
{
    return error_set(r->err, ERROR_USAGE, "line %zu, column %zu: %s", event->start_mark.line + 1,
                     event->start_mark.column + 1, what);
}

static int next_event(Reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event))
        return 0;
    return error_set(r->err, ERROR_USAGE, "line %zu, column %zu: %s", r->parser.problem_mark.line + 1,
                     r->parser.problem_mark.column + 1, r->parser.problem ? r->parser.problem : "malformed YAML");
}

static json_object *scalar(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;

    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        if (len == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)
            return NULL;
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
            return json_object_new_boolean(text[0] == 't');
        char *end;
        errno = 0;
        long long number = strtoll(text, &end, 10);
        if (*end == '\0' && errno == 0 && end != text && len < 19)
            return json_object_new_int64(number);
    }
    return json_object_new_string_len(text, (int)len);
}

static int value(Reader *r, const yaml_event_t *event, int depth, json_object **out);

static int sequence(Reader *r, int depth, json_object *array)
{
    for (;;) {
        yaml_event_t event;
        json_object *item = NULL;
        if (next_event(r, &event))
            return -1;
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        int rc = end ? 0 : value(r, &event, depth, &item);
        yaml_event_delete(&event);
        if (end || rc)
            return rc;
        json_object_array_add(array, item);
    }
}

static int entry(Reader *r, const yaml_event_t *key, int depth, json_object *object)
{
    yaml_event_t event;
    json_object *item = NULL;

    if (key->type != YAML_SCALAR_EVENT)
        return refuse(r, key, "expected a key");
    if (next_event(r, &event))
        return -1;
    int rc = value(r, &event, depth, &item);
    yaml_event_delete(&event);
    if (rc == 0)
        json_object_object_add(object, (const char *)key->data.scalar.value, item);
    return rc;
}

static int mapping(Reader *r, int depth, json_object *object)
{
    for (;;) {
        yaml_event_t event;
        if (next_event(r, &event))
            return -1;
        bool end = event.type == YAML_MAPPING_END_EVENT;
        int rc = end ? 0 : entry(r, &event, depth, object);
        yaml_event_delete(&event);
        if (end || rc)
            return rc;
    }
}

static int value(Reader *r, const yaml_event_t *event, int depth, json_object **out)
{
    int rc;

    if (depth > DEPTH_MAX || ++r->nodes > NODES_MAX)
        return refuse(r, event, "too deeply nested or too large");
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        *out = scalar(event);
        return 0;
    case YAML_SEQUENCE_START_EVENT:
        *out = json_object_new_array();
        rc = sequence(r, depth + 1, *out);
        break;
    case YAML_MAPPING_START_EVENT:
        *out = json_object_new_object();
        rc = mapping(r, depth + 1, *out);
        break;
    default:
        return refuse(r, event, "expected a value (aliases are not supported)");
    }
    if (rc) {
        json_object_put(*out);
        *out = NULL;
    }
    return rc;
}

static int document(Reader *r, json_object **out)
{
    for (;;) {
        yaml_event_t event;
        if (next_event(r, &event))
            return -1;
        bool skip = event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT;
        int rc = skip                                  ? 0
                 : event.type == YAML_STREAM_END_EVENT ? refuse(r, &event, "the document is empty")
                                                       : value(r, &event, 0, out);
        yaml_event_delete(&event);
        if (!skip)
            return rc;
    }
}

json_object *k8s_yaml_parse(const char *text, size_t len, Error *err)
{
    Reader r = {.err = err};
    json_object *out = NULL;

    if (!yaml_parser_initialize(&r.parser))
        abort(); // out of memory
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    int rc = document(&r, &out);
    if (rc == 0 && !out)
        error_set(err, ERROR_USAGE, "line 1: the document is empty");
    yaml_parser_delete(&r.parser);
    return out;
}
