// SPDX-License-Identifier: Apache-2.0
#include "controller/task_spec.h"

#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_status.h"

#include <stdio.h>
#include <string.h>

static const char TWO_WAY[] = "initialization-and-twoway-cdc";

// An object or array that says something; NULL else.
static json_object *filled(json_object *object, const char *name)
{
    json_object *value = k8s_member(object, name);

    if (json_object_is_type(value, json_type_array))
        return json_object_array_length(value) > 0 ? value : NULL;
    return json_object_is_type(value, json_type_object) && json_object_object_length(value) > 0 ? value : NULL;
}

static const char *text_or(json_object *object, const char *name, const char *otherwise)
{
    const char *text = k8s_text(object, name);
    return *text ? text : otherwise;
}

static void read_endpoint(json_object *object, SpecEndpoint *out)
{
    json_object *secret = k8s_member(object, "secret"), *tls = k8s_member(object, "tls");
    json_object *ca = k8s_member(tls, "caSecret"), *client = k8s_member(tls, "clientSecret");

    *out = (SpecEndpoint){
        .address = k8s_text(object, "address"),
        .database = k8s_text(object, "databaseName"),
        .user = k8s_text(object, "userName"),
        .password = k8s_text(object, "password"),
        .secret = k8s_text(secret, "name"),
        .secret_namespace = k8s_text(secret, "namespace"),
        .user_key = text_or(secret, "userKeyword", "username"),
        .password_key = text_or(secret, "passwordKeyword", "password"),
        .tls_mode = k8s_text(tls, "mode"),
        .ca_secret = k8s_text(ca, "name"),
        .ca_key = text_or(ca, "key", "ca.crt"),
        .client_secret = k8s_text(client, "name"),
        .cert_key = text_or(client, "certKey", "tls.crt"),
        .key_key = text_or(client, "keyKey", "tls.key"),
    };
}

static void read_config(json_object *object, SpecConfig *out)
{
    json_object *metrics = k8s_member(object, "metrics"), *resource = k8s_member(object, "resource");

    *out = (SpecConfig){
        .resource =
            filled(resource, "limits") || filled(resource, "requests") || filled(resource, "claims") ? resource : NULL,
        .tolerations = filled(object, "tolerations"),
        .param = filled(object, "param"),
        .volume_claim = k8s_text(object, "persistentVolumeClaimName"),
        .jobs = (int)k8s_integer(object, "jobs", 0),
        .parallelism = (int)k8s_integer(object, "parallelism", 0),
        .metrics_off = k8s_bool(metrics, "isDisable"),
        .metrics_seconds = (int)k8s_integer(metrics, "periodSeconds", 0),
    };
}

static void read_steps(TaskSpec *spec, json_object *initialization)
{
    json_object *steps = filled(initialization, "steps"), *config = k8s_member(initialization, "config");

    spec->steps_given = steps != NULL;
    for (size_t i = 0; i < k8s_count(steps); i++) {
        const char *name = json_object_get_string(k8s_item(steps, i));
        Step step;
        if (name && step_parse(name, strlen(name), &step))
            spec->steps[step] = true;
    }
    for (int i = 0; i < STEP_CDC; i++)
        read_config(k8s_member(config, step_api_name((Step)i)), &spec->config[i]);
    read_config(k8s_at(spec->root, "cdc", "config", NULL), &spec->config[STEP_CDC]);
}

static void read_switch(json_object *object, SpecSwitch *out)
{
    *out = (SpecSwitch){.requested = k8s_bool(object, "requested"),
                        .request = k8s_text(object, "request"),
                        .block = k8s_text(object, "block"),
                        .verification = k8s_text(object, "verification"),
                        .timeout_seconds = (int)k8s_integer(object, "timeoutSeconds", 0),
                        .max_lag_seconds = (int)k8s_integer(object, "maxLagSeconds", 0),
                        .service = filled(object, "service")};
}

// What is done beside cdc when it is asked for.
static void read_side_works(TaskSpec *spec)
{
    json_object *verification = k8s_member(spec->root, "verification");

    spec->verification = (SpecVerification){.request = k8s_text(verification, "request"),
                                            .every_minutes = (int)k8s_integer(verification, "everyMinutes", 0),
                                            .sample = (int)k8s_integer(verification, "sample", 0)};
    read_switch(k8s_member(spec->root, "cutover"), &spec->cutover);
    read_switch(k8s_member(spec->root, "rollback"), &spec->rollback);
}

void task_spec_read(const char *text, size_t len, TaskSpec *out)
{
    json_object *root = k8s_json_parse(text, len);

    json_object *objects = k8s_member(root, "migrationObj");
    *out = (TaskSpec){
        .root = root,
        .template = k8s_text(root, "template"),
        .task_type = text_or(root, "taskType", "initialization-and-cdc"),
        .suspend = k8s_bool(root, "suspend"),
        .force_delete = k8s_bool(root, "isForceDelete"),
        .white_list = filled(objects, "whiteList"),
        .black_list = filled(objects, "blackList"),
        .tolerations = filled(root, "globalTolerations"),
        .resources = filled(root, "globalResources"),
        .slot_guard_bytes = k8s_integer(k8s_member(root, "slotGuard"), "maxRetainedBytes", 0),
    };
    out->sequence_margin = k8s_integer(root, "sequenceMargin", 0);
    read_side_works(out);
    read_endpoint(k8s_member(root, "sourceEndpoint"), &out->source);
    read_endpoint(k8s_member(root, "sinkEndpoint"), &out->sink);
    read_steps(out, k8s_member(root, "initialization"));
    if (!filled(out->resources, "limits") && !filled(out->resources, "requests") && !filled(out->resources, "claims"))
        out->resources = NULL;
}

void task_spec_free(TaskSpec *spec)
{
    json_object_put(spec->root);
    *spec = (TaskSpec){0};
}

bool task_spec_wants_init(const TaskSpec *spec)
{
    return strcmp(spec->task_type, "cdc") != 0;
}

bool task_spec_wants_cdc(const TaskSpec *spec)
{
    return strcmp(spec->task_type, "initialization") != 0;
}

bool task_spec_both_ways(const TaskSpec *spec)
{
    return strcmp(spec->task_type, TWO_WAY) == 0;
}

// ---- what is not built ---------------------------------------------------------------------------------------------

static bool all_are(json_object *list, const char *const *allowed)
{
    for (size_t i = 0; i < k8s_count(list); i++) {
        const char *item = json_object_get_string(k8s_item(list, i));
        bool found = false;
        for (size_t a = 0; allowed[a]; a++)
            found = found || (item && strcmp(item, allowed[a]) == 0);
        if (!found)
            return false;
    }
    return true;
}

// insert, update and delete together are every change, too.
static bool takes_all_rows(json_object *list)
{
    static const char *const ALL[] = {"all", NULL}, *const EACH[] = {"insert", "update", "delete", NULL};
    size_t count = k8s_count(list), kinds = 0;

    if (count == 0 || all_are(list, ALL))
        return true;
    for (size_t e = 0; EACH[e]; e++)
        for (size_t i = 0; i < count; i++)
            if (strcmp(json_object_get_string(k8s_item(list, i)) ?: "", EACH[e]) == 0) {
                kinds++;
                break;
            }
    return kinds == 3;
}

static void check_operations(json_object *entry, const char *place, Buffer *out)
{
    static const char *const NONE[] = {"none", NULL};

    if (!takes_all_rows(k8s_member(entry, "dmlOp")))
        buffer_printf(out, "%s.dmlOp: a choice of changes is not supported, leave it empty; ", place);
    if (!all_are(k8s_member(entry, "ddlOp"), NONE))
        buffer_printf(out, "%s.ddlOp: changes of structure are not followed, leave it empty; ", place);
    if (!all_are(k8s_member(entry, "dclOp"), NONE))
        buffer_printf(out, "%s.dclOp: changes of rights are not followed, leave it empty; ", place);
}

static void check_mapping(json_object *entry, const char *name, const char *mapping, const char *place, Buffer *out)
{
    const char *mapped = k8s_text(entry, mapping);

    if (*mapped && strcmp(mapped, k8s_text(entry, name)) != 0)
        buffer_printf(out, "%s.%s: another name in the sink is not supported, leave it empty; ", place, mapping);
}

enum { PROBLEMS_MAX = 8000 }; // bytes: who mends so many will find the rest

static void check_objects(json_object *list, const char *name, Buffer *out)
{
    for (size_t i = 0; i < k8s_count(list) && out->len < PROBLEMS_MAX; i++) {
        json_object *schema = k8s_item(list, i), *tables = k8s_member(schema, "tableList");
        char place[128];
        snprintf(place, sizeof place, "migrationObj.%s[%zu]", name, i);
        check_mapping(schema, "schemaName", "schemaMappingName", place, out);
        check_operations(schema, place, out);
        for (size_t t = 0; t < k8s_count(tables) && out->len < PROBLEMS_MAX; t++) {
            json_object *table = k8s_item(tables, t);
            snprintf(place, sizeof place, "migrationObj.%s[%zu].tableList[%zu]", name, i, t);
            check_mapping(table, "tableName", "tableMappingName", place, out);
            check_operations(table, place, out);
            if (k8s_count(k8s_member(table, "fieldList")) > 0 && !k8s_bool(table, "isAll"))
                buffer_printf(out, "%s.fieldList: a choice of columns is not supported, leave it empty; ", place);
        }
    }
}

static void check_config(const SpecConfig *config, const char *place, Buffer *out)
{
    if (config->param) {
        json_object_object_foreach(config->param, key, value)
        {
            (void)value;
            if (strcmp(key, "extractor.server_id") != 0)
                buffer_printf(out, "%s.param.%.60s: no such setting is known, take it out; ", place, key);
        }
    }
    if (filled(config->resource, "claims"))
        buffer_printf(out, "%s.resource.claims: claims of dynamic resources are not supported, take them out; ", place);
}

static void check_secret(const SpecEndpoint *endpoint, const char *place, const char *namespace_name, Buffer *out)
{
    if (*endpoint->secret && *endpoint->secret_namespace && strcmp(endpoint->secret_namespace, namespace_name) != 0)
        buffer_printf(out,
                      "%s.secret.namespace: a Secret is only read in the namespace of the task (%s): copy Secret %s "
                      "there and leave the field empty; ",
                      place, namespace_name, endpoint->secret);
}

bool task_spec_unsupported(const TaskSpec *spec, const char *namespace_name, Buffer *out)
{
    size_t before = out->len;
    char place[64];

    if (spec->rollback.requested && !task_spec_both_ways(spec))
        buffer_puts(out, "rollback.requested: only a task of the type initialization-and-twoway-cdc leaves a way back, "
                         "take it out; ");
    check_secret(&spec->source, "sourceEndpoint", namespace_name, out);
    check_secret(&spec->sink, "sinkEndpoint", namespace_name, out);
    check_objects(spec->white_list, "whiteList", out);
    check_objects(spec->black_list, "blackList", out);
    for (int i = 0; i < STEP_CDC; i++) {
        snprintf(place, sizeof place, "initialization.config.%s", step_api_name((Step)i));
        check_config(&spec->config[i], place, out);
    }
    check_config(&spec->config[STEP_CDC], "cdc.config", out);
    if (filled(spec->resources, "claims"))
        buffer_puts(out, "globalResources.claims: claims of dynamic resources are not supported, take them out; ");
    if (out->len == before)
        return false;
    out->data[out->len -= 2] = '\0'; // the last "; "
    return true;
}
