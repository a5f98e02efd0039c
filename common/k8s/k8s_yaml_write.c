// SPDX-License-Identifier: Apache-2.0
// A JSON tree as YAML, with libyaml's emitter.
#include "common/k8s/k8s_yaml.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

enum { LINE_WIDTH = -1 }; // lines are not broken

static int take_bytes(void *context, unsigned char *bytes, size_t len)
{
    buffer_append(context, bytes, len);
    return 1;
}

// Readers of YAML 1.1 and 1.2 alike must find a text: no word of theirs, and nothing that begins like a number or a
// date.
static bool reads_as_text(const char *text)
{
    static const char *const WORDS[] = {"",   "~",   "null", "true", "false", "yes", "no",
                                        "on", "off", "y",    "n",    "=",     "<<"};

    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (strcasecmp(text, WORDS[i]) == 0)
            return false;
    const char *p = text + (*text == '-' || *text == '+');
    p += *p == '.';
    return !isdigit((unsigned char)*p) && strncasecmp(p, "inf", 3) != 0 && strncasecmp(p, "nan", 3) != 0;
}

static void emit(yaml_emitter_t *emitter, yaml_event_t *event)
{
    if (!yaml_emitter_emit(emitter, event))
        abort(); // out of memory: what we emit is well-formed
}

static void put_scalar(yaml_emitter_t *emitter, const char *text, bool plain)
{
    yaml_event_t event;
    yaml_scalar_style_t style = strchr(text, '\n') ? YAML_LITERAL_SCALAR_STYLE
                                : plain            ? YAML_PLAIN_SCALAR_STYLE
                                                   : YAML_DOUBLE_QUOTED_SCALAR_STYLE;

    yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1, style);
    emit(emitter, &event);
}

static void put_value(yaml_emitter_t *emitter, json_object *value)
{
    yaml_event_t event;

    switch (json_object_get_type(value)) {
    case json_type_object:
        yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
                                            json_object_object_length(value) ? YAML_BLOCK_MAPPING_STYLE
                                                                             : YAML_FLOW_MAPPING_STYLE);
        emit(emitter, &event);
        json_object_object_foreach(value, key, member)
        {
            put_scalar(emitter, key, reads_as_text(key));
            put_value(emitter, member);
        }
        yaml_mapping_end_event_initialize(&event);
        emit(emitter, &event);
        return;
    case json_type_array:
        yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
                                             json_object_array_length(value) ? YAML_BLOCK_SEQUENCE_STYLE
                                                                             : YAML_FLOW_SEQUENCE_STYLE);
        emit(emitter, &event);
        for (size_t i = 0; i < json_object_array_length(value); i++)
            put_value(emitter, json_object_array_get_idx(value, i));
        yaml_sequence_end_event_initialize(&event);
        emit(emitter, &event);
        return;
    case json_type_string:
        put_scalar(emitter, json_object_get_string(value), reads_as_text(json_object_get_string(value)));
        return;
    case json_type_null:
        put_scalar(emitter, "null", true);
        return;
    default: // numbers and booleans are written as in JSON
        put_scalar(emitter, json_object_get_string(value), true);
    }
}

void k8s_yaml_write(json_object *object, Buffer *out)
{
    yaml_emitter_t emitter;
    yaml_event_t event;

    if (!yaml_emitter_initialize(&emitter))
        abort(); // out of memory
    yaml_emitter_set_output(&emitter, take_bytes, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, LINE_WIDTH);
    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
    emit(&emitter, &event);
    yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
    emit(&emitter, &event);
    put_value(&emitter, object);
    yaml_document_end_event_initialize(&event, 1);
    emit(&emitter, &event);
    yaml_stream_end_event_initialize(&event);
    emit(&emitter, &event);
    yaml_emitter_delete(&emitter);
}
