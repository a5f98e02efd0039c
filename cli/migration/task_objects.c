// SPDX-License-Identifier: Apache-2.0
#include "cli/migration/task_objects.h"

#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_path.h"

#include <stdlib.h>
#include <string.h>

static int get_labelled(Cli *cli, const char *base, const char *resource, const char *label, const char *value,
                        json_object **out, Error *err)
{
    auto_free char *collection = k8s_path(base, cli_namespace(cli), resource, NULL, NULL);
    auto_free char *selector = memory_printf("%s=%s", label, value);
    auto_free char *encoded = k8s_path_encode(selector);
    auto_free char *path = memory_printf("%s?labelSelector=%s", collection, encoded);

    return cli_get(cli, path, out, err);
}

int task_objects_pods(Cli *cli, const char *task, json_object **out, Error *err)
{
    return get_labelled(cli, "/api/v1", "pods", TASK_LABEL, task, out, err);
}

static int get_cdc_job(Cli *cli, const char *name, json_object **out, Error *err)
{
    json_object *list = NULL;

    if (get_labelled(cli, "/apis/batch/v1", "jobs", "kubeferry.io/task", name, &list, err))
        return -1;
    json_object *items = k8s_member(list, "items");
    for (size_t i = 0; i < k8s_count(items); i++) {
        const char *job = k8s_text(k8s_member(k8s_item(items, i), "metadata"), "name");
        size_t len = strlen(job);
        if (len > 4 && strcmp(job + len - 4, "-cdc") == 0)
            *out = json_object_get(k8s_item(items, i));
    }
    json_object_put(list);
    return 0;
}

int task_objects_get(Cli *cli, const char *name, TaskObjects *out, Error *err)
{
    Error ignored = {0};

    *out = (TaskObjects){0};
    if (cli_get_task(cli, name, &out->task, err))
        return -1;
    auto_free char *template_path =
        k8s_path(MIGRATION_API, NULL, "migrationtemplates", k8s_text(k8s_member(out->task, "spec"), "template"), NULL);
    if (cli_get(cli, template_path, &out->template, &ignored))
        out->template = NULL;
    if (get_labelled(cli, "/apis/batch/v1", "jobs", TASK_LABEL, name, &out->jobs, err) ||
        task_objects_pods(cli, name, &out->pods, err) || get_cdc_job(cli, name, &out->cdc_job, err)) {
        task_objects_free(out);
        return -1;
    }
    return 0;
}

void task_objects_free(TaskObjects *o)
{
    json_object_put(o->task);
    json_object_put(o->template);
    json_object_put(o->jobs);
    json_object_put(o->pods);
    json_object_put(o->cdc_job);
    *o = (TaskObjects){0};
}

static bool is_wanted(json_object *wanted, const char *name)
{
    for (size_t i = 0; i < k8s_count(wanted); i++)
        if (strcmp(json_object_get_string(k8s_item(wanted, i)) ?: "", name) == 0)
            return true;
    return k8s_count(wanted) == 0;
}

size_t task_objects_steps(json_object *task, json_object *template, Step steps[STEP_COUNT])
{
    json_object *wanted = k8s_at(task, "spec", "initialization", "steps", NULL);
    json_object *all = k8s_at(template, "spec", "initialization", "steps", NULL);
    bool from_template = k8s_count(all) > 0;
    json_object *list = from_template ? all : wanted;
    size_t count = 0;

    if (strcmp(k8s_text(k8s_member(task, "spec"), "taskType"), "cdc") == 0)
        return 0;
    for (size_t i = 0; i < k8s_count(list) && count < STEP_COUNT; i++) {
        const char *name =
            from_template ? k8s_text(k8s_item(list, i), "step") : json_object_get_string(k8s_item(list, i)) ?: "";
        Step step;
        if (step_parse(name, strlen(name), &step) && step != STEP_CDC && is_wanted(wanted, name))
            steps[count++] = step;
    }
    return count;
}

static bool is_pod_of(json_object *pod, int order)
{
    json_object *annotations = k8s_at(pod, "metadata", "annotations", NULL);
    const char *number = k8s_text(annotations, STEP_ORDER_ANNOTATION);

    if (order < 0)
        return strcmp(k8s_text(annotations, STEP_ANNOTATION), "cdc") == 0;
    return *number && atoi(number) == order;
}

json_object *task_objects_pod(json_object *pods, int order)
{
    json_object *items = k8s_member(pods, "items"), *newest = NULL;
    double newest_time = -1;

    for (size_t i = 0; i < k8s_count(items); i++) {
        json_object *pod = k8s_item(items, i);
        double made = k8s_time(k8s_text(k8s_member(pod, "metadata"), "creationTimestamp"));
        if (is_pod_of(pod, order) && made > newest_time) {
            newest = pod;
            newest_time = made;
        }
    }
    return newest;
}

json_object *task_objects_job(json_object *jobs, int order)
{
    json_object *items = k8s_member(jobs, "items");

    for (size_t i = 0; i < k8s_count(items); i++) {
        const char *dash = strrchr(k8s_text(k8s_member(k8s_item(items, i), "metadata"), "name"), '-');
        if (dash && dash[1] && strspn(dash + 1, "0123456789") == strlen(dash + 1) && atoi(dash + 1) == order)
            return k8s_item(items, i);
    }
    return NULL;
}

const char *task_objects_job_state(json_object *job)
{
    if (k8s_condition_true(job, "Complete"))
        return "Complete";
    if (k8s_condition_true(job, "Failed"))
        return "Failed";
    if (k8s_integer(k8s_member(job, "status"), "active", 0) > 0)
        return "Running";
    if (k8s_bool(k8s_member(job, "spec"), "suspend"))
        return "Suspended";
    return "-";
}
