// SPDX-License-Identifier: Apache-2.0
#include "controller/task_secret.h"

#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"
#include "controller/names.h"
#include "controller/owner.h"

#include <openssl/evp.h>
#include <string.h>

enum { WAIT_SECONDS = 60, NAME_MAX_BYTES = 63, HASH_BYTES = 5 };

static void add_text(json_object *object, const char *name, const char *text)
{
    if (*text)
        json_object_object_add(object, name, json_object_new_string(text));
}

// end: "source" or "sink"; upper: the same for names of variables.
static json_object *endpoint(const SpecEndpoint *from, const char *end, const char *upper)
{
    json_object *object = json_object_new_object(), *tls = json_object_new_object();
    auto_free char *user = memory_printf("%s_USER", upper), *password = memory_printf("%s_PASSWORD", upper);
    auto_free char *file = memory_printf(WORKER_TASK_DIR "/%s-password", end);
    auto_free char *ca = memory_printf(WORKER_TLS_DIR "/%s/ca.crt", end);
    auto_free char *certificate = memory_printf(WORKER_TLS_DIR "/%s/tls.crt", end);
    auto_free char *key = memory_printf(WORKER_TLS_DIR "/%s/tls.key", end);

    add_text(object, "address", from->address);
    add_text(object, "database", from->database);
    add_text(object, *from->user ? "user" : "userEnv", *from->user ? from->user : user);
    if (*from->secret)
        add_text(object, "passwordEnv", password);
    else if (*from->password)
        add_text(object, "passwordFile", file);
    add_text(tls, "mode", from->tls_mode);
    if (*from->ca_secret)
        add_text(tls, "caFile", ca);
    if (*from->client_secret) {
        add_text(tls, "certFile", certificate);
        add_text(tls, "keyFile", key);
    }
    if (json_object_object_length(tls) > 0)
        json_object_object_add(object, "tls", tls);
    else
        json_object_put(tls);
    return object;
}

static void add_object(json_object *list, const char *schema, const char *table)
{
    json_object *item = json_object_new_object();

    add_text(item, "schema", schema);
    add_text(item, "table", table);
    json_object_array_add(list, item);
}

// A schema that stands twice is merged by the engine, as in the grammar of its command line.
static json_object *objects(json_object *from)
{
    json_object *list = json_object_new_array();

    for (size_t i = 0; i < k8s_count(from); i++) {
        json_object *entry = k8s_item(from, i), *tables = k8s_member(entry, "tableList");
        const char *schema = k8s_text(entry, "schemaName");
        if (k8s_bool(entry, "isAll"))
            add_object(list, schema, "");
        else
            for (size_t t = 0; t < k8s_count(tables); t++)
                add_object(list, schema, k8s_text(k8s_item(tables, t), "tableName"));
    }
    return list;
}

json_object *task_secret_document(const Task *task, const TaskSpec *spec, const TaskPlan *plan)
{
    json_object *document = json_object_new_object(), *steps = json_object_new_object();

    for (int i = 0; i < STEP_COUNT; i++)
        json_object_object_add(steps, step_name((Step)i), json_object_new_boolean(task_plan_has(plan, i)));
    auto_free char *listen = memory_printf(":%d", WORKER_PORT);
    json_object_object_add(document, "version", json_object_new_int(1));
    add_text(document, "name", task->name);
    json_object_object_add(document, "source", endpoint(&spec->source, "source", "SOURCE"));
    json_object_object_add(document, "sink", endpoint(&spec->sink, "sink", "SINK"));
    json_object_object_add(document, "objects", objects(spec->white_list));
    json_object_object_add(document, "excluded", objects(spec->black_list));
    json_object_object_add(document, "steps", steps);
    add_text(document, "until", "forever"); // a pod that is ended has not done its work
    add_text(document, "listen", listen);
    add_text(document, "workDir", WORKER_DATA_DIR);
    json_object_object_add(document, "slotGuardBytes", json_object_new_int64(spec->slot_guard_bytes));
    if (spec->config[STEP_INIT_DATA].parallelism > 1) // which one a pod is, its index says
        json_object_object_add(document, "workers", json_object_new_int(spec->config[STEP_INIT_DATA].parallelism));
    if (spec->sequence_margin > 0)
        json_object_object_add(document, "sequenceMargin", json_object_new_int64(spec->sequence_margin));
    json_object_object_add(document, "waitSeconds", json_object_new_int(WAIT_SECONDS));
    return document;
}

// A name must not tell anything of a password: where there is one, the generation stands for it.
char *task_secret_name(const Task *task, const TaskSpec *spec, json_object *document)
{
    bool inline_password = *spec->source.password || *spec->sink.password;
    auto_free char *text = memory_printf("%s %lld %s", task->uid, inline_password ? (long long)task->generation : 0LL,
                                         json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN));
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[2 * HASH_BYTES + 1];

    EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL);
    for (int i = 0; i < HASH_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    int room = NAME_MAX_BYTES - 1 - 2 * HASH_BYTES, len = (int)strlen(task->name);
    return memory_printf("%.*s-%s", len < room ? len : room, task->name, hex);
}

json_object *task_secret_object(const Task *task, const TaskSpec *spec, json_object *document, const char *name)
{
    json_object *object = json_object_new_object(), *data = json_object_new_object();

    json_object_object_add(object, "apiVersion", json_object_new_string("v1"));
    json_object_object_add(object, "kind", json_object_new_string("Secret"));
    json_object_object_add(object, "metadata", owner_metadata(task, name));
    json_object_object_add(object, "immutable", json_object_new_boolean(true));
    add_text(data, "task.json", json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN));
    add_text(data, "source-password", spec->source.password);
    add_text(data, "sink-password", spec->sink.password);
    json_object_object_add(object, "stringData", data);
    return object;
}
