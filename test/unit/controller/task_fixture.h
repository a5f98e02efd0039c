// SPDX-License-Identifier: Apache-2.0
// A task and a template as the API server sends them, for the tests of the controller.
#pragma once

#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_status.h"
#include "controller/task.h"
#include "controller/task_plan.h"
#include "controller/template.h"

#include <string.h>

static const char FIXTURE_TASK[] =
    "{\"apiVersion\":\"datamigration.apecloud.io/v1alpha1\",\"kind\":\"MigrationTask\","
    "\"metadata\":{\"name\":\"mytask\",\"namespace\":\"shop\",\"uid\":\"u-1\",\"resourceVersion\":\"7\",\"generation\":"
    "2,"
    "\"finalizers\":[\"datamigration.apecloud.io/cleanup\"]},"
    "\"spec\":{\"taskType\":\"initialization-and-cdc\",\"template\":\"apecloud-pg2pg\","
    "\"sourceEndpoint\":{\"userName\":\"u\",\"password\":\"pw-one\",\"address\":\"10.0.0.1:5432\",\"databaseName\":"
    "\"a\","
    "\"secret\":{\"name\":\"\"}},"
    "\"sinkEndpoint\":{\"address\":\"10.0.0.2:5432\",\"databaseName\":\"b\",\"secret\":{\"name\":\"sink-login\"},"
    "\"tls\":{\"mode\":\"verify-full\",\"caSecret\":{\"name\":\"ca\"}}},"
    "\"initialization\":{\"steps\":[\"preCheck\",\"initStruct\",\"initData\"],\"config\":{\"initData\":{\"resource\":"
    "{\"limits\":{\"cpu\":\"1\"}},\"jobs\":4,\"parallelism\":3,\"tolerations\":null,\"persistentVolumeClaimName\":\"\"}"
    "}},"
    "\"cdc\":{\"config\":{\"param\":{\"extractor.server_id\":10001}}},"
    "\"migrationObj\":{\"whiteList\":[{\"schemaName\":\"public\",\"isAll\":false,\"tableList\":[{\"tableName\":\"t\","
    "\"isAll\":true}]},{\"schemaName\":\"sales\",\"isAll\":true,\"tableList\":null}]},"
    "\"globalTolerations\":[],\"globalResources\":{\"limits\":{}}}}";

static const char FIXTURE_TEMPLATE[] =
    "{\"metadata\":{\"name\":\"apecloud-pg2pg\",\"generation\":1},\"spec\":{\"taskType\":[\"initialization-and-cdc\","
    "\"initialization\",\"cdc\"],\"source\":{\"dbType\":\"PostgreSQL\"},\"target\":{\"dbType\":\"PostgreSQL\"},"
    "\"initialization\":{\"steps\":[{\"step\":\"preCheck\"},{\"step\":\"initStruct\"},{\"step\":\"initData\"}]},"
    "\"cdc\":{\"container\":{\"env\":[{\"name\":\"EXTRA\",\"value\":\"1\"}]}}}}";

static inline json_object *fixture_json(const char *text)
{
    json_object *object = k8s_json_parse(text, strlen(text));
    assert_non_null(object);
    return object;
}

static inline Task *fixture_task(const char *text)
{
    json_object *object = fixture_json(text);
    Task *task = task_read(object);
    json_object_put(object);
    assert_non_null(task);
    return task;
}

static inline Template *fixture_template(const char *text)
{
    json_object *object = fixture_json(text);
    Template *template = template_read(object);
    json_object_put(object);
    return template;
}

static inline const char *json_text_of(json_object *object)
{
    return json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
}
