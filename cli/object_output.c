// SPDX-License-Identifier: Apache-2.0
#include "cli/object_output.h"

#include "cli/commands.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_status.h"
#include "common/k8s/k8s_yaml.h"

#include <stdio.h>
#include <string.h>

#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"
#define MASK         "********"

OutputForm object_output_form(const Cli *cli)
{
    static const OutputForm FORMS[] = {OUTPUT_JSON, OUTPUT_YAML, OUTPUT_NAME, OUTPUT_WIDE}; // as in the options' table

    return cli_given(cli, O_OUTPUT) ? FORMS[cli->values[O_OUTPUT].integer] : OUTPUT_TABLE;
}

static void mask_endpoint(json_object *spec, const char *name)
{
    json_object *endpoint = k8s_member(spec, name);

    if (*k8s_text(endpoint, "password"))
        json_object_object_add(endpoint, "password", json_object_new_string(MASK));
}

static void mask_spec(json_object *object)
{
    mask_endpoint(k8s_member(object, "spec"), "sourceEndpoint");
    mask_endpoint(k8s_member(object, "spec"), "sinkEndpoint");
}

static void mask_annotation(json_object *annotations)
{
    const char *text = k8s_text(annotations, LAST_APPLIED);
    json_object *applied = *text ? k8s_json_parse(text, strlen(text)) : NULL;

    if (!applied)
        return;
    mask_spec(applied);
    const char *masked =
        json_object_to_json_string_ext(applied, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    json_object_object_add(annotations, LAST_APPLIED, json_object_new_string(masked));
    json_object_put(applied);
}

void object_output_clean(json_object *object)
{
    json_object *metadata = k8s_member(object, "metadata"), *items = k8s_member(object, "items");

    if (metadata)
        json_object_object_del(metadata, "managedFields");
    mask_annotation(k8s_member(metadata, "annotations"));
    mask_spec(object);
    for (size_t i = 0; i < k8s_count(items); i++)
        object_output_clean(k8s_item(items, i));
}

static void print_name(json_object *object, const char *resource)
{
    printf("%s/%s\n", resource, k8s_text(k8s_member(object, "metadata"), "name"));
}

void object_output_print(json_object *object, OutputForm form, const char *resource)
{
    auto_buffer Buffer text = {0};
    json_object *items = k8s_member(object, "items");

    object_output_clean(object);
    if (form == OUTPUT_NAME) {
        if (!items)
            print_name(object, resource);
        for (size_t i = 0; i < k8s_count(items); i++)
            print_name(k8s_item(items, i), resource);
        return;
    }
    if (form == OUTPUT_YAML)
        k8s_yaml_write(object, &text);
    else
        buffer_printf(&text, "%s\n",
                      json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                                 JSON_C_TO_STRING_NOSLASHESCAPE));
    fwrite(text.data, 1, text.len, stdout);
}
