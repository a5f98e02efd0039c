// SPDX-License-Identifier: Apache-2.0
#include "cli/migration/create_spec.h"

#include "cli/commands.h"
#include "cli/migration/create_workers.h"
#include "common/base/memory.h"

#include <string.h>

static void add_text(json_object *object, const char *name, const char *value)
{
    if (value && *value)
        json_object_object_add(object, name, json_object_new_string(value));
}

static json_object *child(json_object *object, const char *name)
{
    json_object *found = NULL;

    if (!json_object_object_get_ex(object, name, &found)) {
        found = json_object_new_object();
        json_object_object_add(object, name, found);
    }
    return found;
}

char *create_spec_secret_name(const CreateInput *input)
{
    return memory_printf("%s-credentials", input->name);
}

static void add_secret(json_object *object, const CreateInput *input, const CreateEnd *end)
{
    auto_free char *own = create_spec_secret_name(input);
    auto_free char *key = memory_printf("%s-password", end->which);

    if (end->secret.name) {
        json_object *secret = child(object, "secret");
        add_text(secret, "name", end->secret.name);
        add_text(secret, "userKeyword", end->secret.user_key);
        add_text(secret, "passwordKeyword", end->secret.password_key);
    } else if (endpoint_get(&end->endpoint, "password")) {
        json_object *secret = child(object, "secret");
        add_text(secret, "name", own);
        add_text(secret, "passwordKeyword", key);
    }
}

static json_object *endpoint_of(const Cli *cli, const CreateInput *input, const CreateEnd *end)
{
    json_object *object = json_object_new_object();
    const char *mode = endpoint_get(&end->endpoint, "sslmode");

    add_text(object, "endpointType", "address");
    add_text(object, "address", end->address);
    add_text(object, "databaseName", endpoint_get(&end->endpoint, "dbname"));
    add_text(object, "userName", endpoint_get(&end->endpoint, "user"));
    add_secret(object, input, end);
    if (!mode)
        mode = cli_text(cli, O_TLS);
    if (mode)
        add_text(child(object, "tls"), "mode", mode);
    if (input->ca.name) {
        json_object *ca = child(child(object, "tls"), "caSecret");
        add_text(ca, "name", input->ca.name);
        add_text(ca, "key", input->ca.key);
    }
    return object;
}

// The list is sorted, so that tables of one schema stand together.
static json_object *white_list(const ObjectList *objects)
{
    json_object *list = json_object_new_array(), *tables = NULL;
    const char *schema = NULL;

    for (size_t i = 0; i < objects->count; i++) {
        const ObjectName *item = &objects->items[i];
        if (!item->table || !tables || strcmp(schema, item->schema) != 0) {
            json_object *entry = json_object_new_object();
            add_text(entry, "schemaName", item->schema);
            json_object_object_add(entry, "isAll", json_object_new_boolean(!item->table));
            tables = NULL;
            if (item->table) {
                tables = json_object_new_array();
                json_object_object_add(entry, "tableList", tables);
            }
            json_object_array_add(list, entry);
            schema = item->schema;
        }
        if (item->table) {
            json_object *table = json_object_new_object();
            add_text(table, "tableName", item->table);
            json_object_object_add(table, "isAll", json_object_new_boolean(true));
            json_object_array_add(tables, table);
        }
    }
    return list;
}

static json_object *spec_of(const Cli *cli, const CreateInput *input)
{
    json_object *spec = json_object_new_object(), *steps = json_object_new_array();

    add_text(spec, "taskType", input->steps[STEP_CDC] ? "initialization-and-cdc" : "initialization");
    add_text(spec, "template", input->template_name);
    json_object_object_add(spec, "sourceEndpoint", endpoint_of(cli, input, &input->ends[CREATE_SOURCE]));
    json_object_object_add(spec, "sinkEndpoint", endpoint_of(cli, input, &input->ends[CREATE_SINK]));
    for (int i = 0; i < STEP_CDC; i++)
        if (input->steps[i])
            json_object_array_add(steps, json_object_new_string(step_api_name((Step)i)));
    json_object_object_add(child(spec, "initialization"), "steps", steps);
    if (input->objects.count)
        json_object_object_add(child(spec, "migrationObj"), "whiteList", white_list(&input->objects));
    return spec;
}

static json_object *new_object(const char *version, const char *kind, const char *name, const char *namespace_name)
{
    json_object *object = json_object_new_object(), *metadata;

    add_text(object, "apiVersion", version);
    add_text(object, "kind", kind);
    metadata = child(object, "metadata");
    add_text(metadata, "name", name);
    add_text(metadata, "namespace", namespace_name);
    return object;
}

int create_spec_task(const Cli *cli, const CreateInput *input, json_object **out, Error *err)
{
    json_object *spec = spec_of(cli, input);

    *out = new_object(MIGRATION_VERSION, "MigrationTask", input->name, cli_namespace(cli));
    json_object_object_add(*out, "spec", spec);
    if (create_workers_tolerations(&cli->values[O_TOLERATIONS], spec, err) == 0 &&
        create_workers_resources(&cli->values[O_RESOURCES], spec, err) == 0)
        return 0;
    json_object_put(*out);
    *out = NULL;
    return -1;
}

json_object *create_spec_secret(const CreateInput *input, const char *namespace_name, const char *uid)
{
    auto_free char *name = create_spec_secret_name(input);
    json_object *secret = new_object("v1", "Secret", name, namespace_name), *data = child(secret, "stringData");

    add_text(child(child(secret, "metadata"), "labels"), "app.kubernetes.io/managed-by", "kubeferry");
    for (int i = 0; i < CREATE_ENDS; i++) {
        auto_free char *key = memory_printf("%s-password", input->ends[i].which);
        if (!input->ends[i].secret.name)
            add_text(data, key, endpoint_get(&input->ends[i].endpoint, "password"));
    }
    if (json_object_object_length(data) == 0) {
        json_object_put(secret);
        return NULL;
    }
    if (uid) {
        json_object *owners = json_object_new_array(), *owner = json_object_new_object();
        add_text(owner, "apiVersion", MIGRATION_VERSION);
        add_text(owner, "kind", "MigrationTask");
        add_text(owner, "name", input->name);
        add_text(owner, "uid", uid);
        json_object_array_add(owners, owner);
        json_object_object_add(child(secret, "metadata"), "ownerReferences", owners);
    }
    return secret;
}
