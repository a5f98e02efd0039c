// SPDX-License-Identifier: Apache-2.0
#include "controller/task.h"

#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"
#include "controller/json_hash.h"
#include "controller/names.h"

#include <stdio.h>
#include <string.h>

const char *const COPY_COUNT_NAMES[COPY_COUNTS] = {
    [COPY_PERCENT] = "percent",
    [COPY_ROWS] = "rows",
    [COPY_ROWS_TOTAL] = "rowsTotal",
    [COPY_BYTES] = "bytes",
    [COPY_BYTES_TOTAL] = "bytesTotal",
    [COPY_TABLES] = "tables",
    [COPY_TABLES_TOTAL] = "tablesTotal",
    [COPY_INDEXES] = "indexes",
    [COPY_INDEXES_TOTAL] = "indexesTotal",
};

const char *const CONDITION_NAMES[CONDITION_TYPES] = {[CONDITION_READY] = "Ready",
                                                      [CONDITION_RECONCILING] = "Reconciling",
                                                      [CONDITION_STALLED] = "Stalled",
                                                      [CONDITION_VERIFIED] = "Verified"};

static void read_condition(json_object *status, ConditionType type, SeenStatus *out)
{
    json_object *condition = k8s_condition(status, CONDITION_NAMES[type]);
    const char *reason = k8s_text(condition, "reason"), *message = k8s_text(condition, "message");
    auto_free char *text = memory_printf("%s\n%s", reason, message);

    if (!condition)
        return;
    out->conditions[type] = (SeenCondition){.status = *k8s_text(condition, "status"),
                                            .since = k8s_time(k8s_text(condition, "lastTransitionTime")),
                                            .text = json_hash_text(text),
                                            .generation = k8s_integer(condition, "observedGeneration", -1)};
    if (type == CONDITION_READY)
        out->ready_reason = memory_strdup(reason);
    if (type == CONDITION_VERIFIED) {
        out->verified_reason = memory_strdup(reason);
        out->verified_message = memory_strdup(message);
    }
    if (type == CONDITION_STALLED && out->conditions[type].status == 'T') {
        out->stalled_reason = memory_strdup(reason);
        out->stalled_message = memory_strdup(message);
    }
}

static bool has_text(json_object *object, const char *field)
{
    return *k8s_text(object, field) != '\0';
}

void task_read_status(json_object *object, SeenStatus *out)
{
    json_object *status = k8s_member(object, "status");
    json_object *initialization = k8s_member(status, "initialization"), *cdc = k8s_member(status, "cdc");
    json_object *verification = k8s_member(status, "verification"), *cutover = k8s_member(status, "cutover");
    json_object *rollback = k8s_member(status, "rollback");

    *out = (SeenStatus){
        .generation = k8s_integer(status, "observedGeneration", -1),
        .started = k8s_time(k8s_text(status, "startTime")),
        .finished = k8s_time(k8s_text(status, "finishTime")),
        .verify_started = k8s_time(k8s_text(verification, "startTime")),
        .verification = json_hash(verification),
        .verify_request = json_hash_text(k8s_text(verification, "request")),
        .cutover = json_hash(cutover),
        .rollback = json_hash(rollback),
        .service_switched =
            {[WORK_CUTOVER] = has_text(cutover, "service"), [WORK_ROLLBACK] = has_text(rollback, "service")},
        .init_started = k8s_time(k8s_text(initialization, "startTime")),
        .init_finished = k8s_time(k8s_text(initialization, "finishTime")),
        .cdc_started = k8s_time(k8s_text(cdc, "startTime")),
        .initialization = json_hash(initialization),
        .cdc_metrics = json_hash(k8s_member(cdc, "metrics")),
        .cdc_failed = json_hash(k8s_member(cdc, "failedReason")),
        .progress = json_hash(k8s_member(status, "progress")),
        .prechecks = json_hash(k8s_member(status, "prechecks")),
    };
    snprintf(out->task_status, sizeof out->task_status, "%s", k8s_text(status, "taskStatus"));
    for (int i = 0; i < COPY_COUNTS; i++)
        out->copy[i] = k8s_integer(k8s_member(status, "progress"), COPY_COUNT_NAMES[i], -1);
    for (int type = 0; type < CONDITION_TYPES; type++)
        read_condition(object, (ConditionType)type, out);
}

void task_status_free(SeenStatus *seen)
{
    free(seen->ready_reason);
    free(seen->verified_reason);
    free(seen->verified_message);
    free(seen->stalled_reason);
    free(seen->stalled_message);
    *seen = (SeenStatus){0};
}

static void read_finalizers(json_object *list, Task *task)
{
    task->finalizer = -1;
    for (size_t i = 0; i < k8s_count(list); i++) {
        const char *name = json_object_get_string(k8s_item(list, i));
        if (name && strcmp(name, FINALIZER) == 0)
            task->finalizer = (int)i;
        else
            task->other_finalizers = true;
    }
}

Task *task_read(json_object *object)
{
    json_object *metadata = k8s_member(object, "metadata"), *spec = k8s_member(object, "spec");
    const char *name = k8s_text(metadata, "name"), *namespace_name = k8s_text(metadata, "namespace");
    size_t len = 2;

    if (!*name || !*namespace_name)
        return NULL;
    Task *task = memory_zalloc(sizeof *task);
    task->key = memory_printf("%s/%s", namespace_name, name);
    task->namespace_name = memory_strdup(namespace_name);
    task->name = strchr(task->key, '/') + 1;
    task->uid = memory_strdup(k8s_text(metadata, "uid"));
    task->version = memory_strdup(k8s_text(metadata, "resourceVersion"));
    task->polled = -1;
    task->generation = k8s_integer(metadata, "generation", 0);
    task->deleted = k8s_time(k8s_text(metadata, "deletionTimestamp"));
    task->template = memory_strdup(k8s_text(spec, "template"));
    const char *text = json_object_is_type(spec, json_type_object)
                           ? json_object_to_json_string_length(spec, JSON_C_TO_STRING_PLAIN, &len)
                           : "{}";
    task->spec = memory_strdup(text); // always an object
    task->spec_len = len;
    read_finalizers(k8s_member(metadata, "finalizers"), task);
    task_read_status(object, &task->seen);
    return task;
}

static void free_state(Task *task)
{
    free(task->uid);
    free(task->version);
    free(task->template);
    free(task->spec);
    task_status_free(&task->seen);
}

void task_update(Task *task, Task *newer)
{
    Task before = *task;

    *task = *newer;
    free(newer->key);
    free(newer->namespace_name);
    task->key = before.key; // tables hold it
    task->name = before.name;
    task->namespace_name = before.namespace_name;
    if (strcmp(before.uid, newer->uid) == 0) {
        task->progress = before.progress;
        task->metrics_written = before.metrics_written;
        task->progress_written = before.progress_written;
        task->polled = before.polled;
        memcpy(task->service_patched, before.service_patched, sizeof task->service_patched);
        task->cleanup_since = before.cleanup_since;
        memcpy(task->attempt, before.attempt, sizeof task->attempt);
    } else {
        task_progress_free(before.progress);
    }
    free_state(&before);
    free(newer);
}

void task_free(Task *task)
{
    if (!task)
        return;
    task_progress_free(task->progress);
    free_state(task);
    free(task->key);
    free(task->namespace_name);
    free(task);
}

bool task_service_is_switched(const Task *task, int work)
{
    return task->service_patched[work] || task->seen.service_switched[work];
}
