// SPDX-License-Identifier: Apache-2.0
#include "controller/template.h"

#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"
#include "controller/json_hash.h"

#include <stdio.h>
#include <string.h>

static void read_container(json_object *object, TemplateContainer *out)
{
    const char *image = k8s_text(object, "image");
    json_object *command = k8s_member(object, "command"), *env = k8s_member(object, "env");

    out->image = *image ? memory_strdup(image) : NULL;
    out->command = k8s_count(command) > 0 ? json_object_get(command) : NULL;
    out->env = k8s_count(env) > 0 ? json_object_get(env) : NULL;
}

static void read_steps(json_object *spec, Template *template)
{
    json_object *steps = k8s_at(spec, "initialization", "steps", NULL);
    bool seen[STEP_COUNT] = {false};

    for (size_t i = 0; i < k8s_count(steps); i++) {
        json_object *item = k8s_item(steps, i);
        const char *name = k8s_text(item, "step");
        Step step;
        if (!step_parse(name, strlen(name), &step) || step == STEP_CDC || seen[step])
            continue;
        seen[step] = true;
        template->order[template->step_count++] = step;
        read_container(k8s_member(item, "container"), &template->containers[step]);
    }
    read_container(k8s_at(spec, "cdc", "container", NULL), &template->containers[STEP_CDC]);
}

static char *check_database(json_object *spec, const char *end)
{
    const char *type = k8s_text(k8s_member(spec, end), "dbType");

    if (!*type || strcmp(type, "PostgreSQL") == 0)
        return NULL;
    return memory_printf("%s.dbType is %s: only PostgreSQL can be migrated, use the template apecloud-pg2pg", end,
                         type);
}

// A structure that is made after its rows would not find them; one that is made later must have been left out before.
static char *check_order(const Template *template)
{
    for (size_t i = 1; i < template->step_count; i++)
        if (template->order[i] < template->order[i - 1])
            return memory_printf("initialization.steps: %s cannot come after %s; the order is preCheck, initStruct, "
                                 "initData, initStructLater",
                                 step_api_name(template->order[i]), step_api_name(template->order[i - 1]));
    return NULL;
}

Template *template_read(json_object *object)
{
    json_object *metadata = k8s_member(object, "metadata"), *spec = k8s_member(object, "spec");
    json_object *status = k8s_member(object, "status"), *types = k8s_member(spec, "taskType");
    Template *template = memory_zalloc(sizeof *template);

    template->name = memory_strdup(k8s_text(metadata, "name"));
    template->generation = k8s_integer(metadata, "generation", 0);
    template->types = k8s_count(types) > 0 ? json_object_get(types) : NULL;
    read_steps(spec, template);
    template->problem = check_database(spec, "source");
    if (!template->problem)
        template->problem = check_database(spec, "target");
    if (!template->problem)
        template->problem = check_order(template);
    snprintf(template->seen_phase, sizeof template->seen_phase, "%s", k8s_text(status, "phase"));
    template->seen_generation = k8s_integer(status, "observedGeneration", -1);
    template->seen_message = json_hash_text(k8s_text(status, "message"));
    return template;
}

void template_free(Template *template)
{
    if (!template)
        return;
    for (int i = 0; i < STEP_COUNT; i++) {
        free(template->containers[i].image);
        json_object_put(template->containers[i].command);
        json_object_put(template->containers[i].env);
    }
    json_object_put(template->types);
    free(template->name);
    free(template->problem);
    free(template);
}

bool template_takes(const Template *template, const char *task_type)
{
    for (size_t i = 0; i < k8s_count(template->types); i++)
        if (strcmp(json_object_get_string(k8s_item(template->types, i)) ?: "", task_type) == 0)
            return true;
    return !template->types;
}

char *template_status_patch(const Template *template)
{
    const char *phase = template->problem ? "Unavailable" : "Available";
    const char *message = template->problem ? template->problem : "";

    if (strcmp(template->seen_phase, phase) == 0 && template->seen_generation == template->generation &&
        template->seen_message == json_hash_text(message))
        return NULL;
    json_object *status = json_object_new_object(), *patch = json_object_new_object();
    json_object_object_add(status, "phase", json_object_new_string(phase));
    json_object_object_add(status, "observedGeneration", json_object_new_int64(template->generation));
    json_object_object_add(status, "message", *message ? json_object_new_string(message) : NULL);
    json_object_object_add(patch, "status", status);
    char *text = memory_strdup(json_object_to_json_string_ext(patch, JSON_C_TO_STRING_PLAIN));
    json_object_put(patch);
    return text;
}
