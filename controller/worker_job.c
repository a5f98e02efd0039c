// SPDX-License-Identifier: Apache-2.0
#include "controller/worker_job.h"

#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"
#include "controller/names.h"
#include "controller/work.h"

#include <string.h>

static json_object *labels(json_object *object)
{
    return k8s_at(object, "metadata", "labels", NULL);
}

// ---- Jobs ----------------------------------------------------------------------------------------------------------

static void free_texts(WorkerJob *job)
{
    free(job->uid);
    free(job->owner);
    free(job->version);
    free(job->inputs);
    free(job->request);
    free(job->failed_reason);
    free(job->failed_message);
}

void worker_job_clear(WorkerJob *job)
{
    WorkerJob empty = {.key = job->key, .task_key = job->task_key, .work = job->work, .pods = job->pods};

    free_texts(job);
    *job = empty;
}

bool worker_job_read(json_object *object, WorkerJob *job)
{
    json_object *metadata = k8s_member(object, "metadata"), *annotations = k8s_member(metadata, "annotations");
    json_object *status = k8s_member(object, "status"), *failed = k8s_condition(object, "Failed");
    const char *task = k8s_text(labels(object), LABEL_TASK), *attempt = k8s_text(annotations, ANNOTATION_ATTEMPT);
    int work = work_parse(k8s_text(labels(object), LABEL_WORK));

    if (!*task || work < 0)
        return false;
    worker_job_clear(job);
    free(job->task_key);
    job->task_key = memory_printf("%s/%s", k8s_text(metadata, "namespace"), task);
    job->work = work;
    job->exists = true;
    job->uid = memory_strdup(k8s_text(metadata, "uid"));
    job->owner = memory_strdup(k8s_owner_uid(metadata));
    job->version = memory_strdup(k8s_text(metadata, "resourceVersion"));
    job->inputs = memory_strdup(k8s_text(annotations, ANNOTATION_INPUTS));
    job->request = memory_strdup(k8s_text(annotations, ANNOTATION_REQUEST));
    job->attempt = *attempt ? (int)strtol(attempt, NULL, 10) : 1;
    job->suspended = k8s_bool(k8s_member(object, "spec"), "suspend");
    job->complete = k8s_condition_true(object, "Complete");
    job->failed = k8s_condition_true(object, "Failed");
    job->deleted = *k8s_text(metadata, "deletionTimestamp") != '\0';
    job->failed_reason = memory_strdup(job->failed ? k8s_text(failed, "reason") : "");
    job->failed_message = memory_strdup(job->failed ? k8s_text(failed, "message") : "");
    job->failed_at = job->failed ? k8s_time(k8s_text(failed, "lastTransitionTime")) : 0;
    job->created = k8s_time(k8s_text(metadata, "creationTimestamp"));
    job->started = k8s_time(k8s_text(status, "startTime"));
    job->finished = k8s_time(k8s_text(status, "completionTime"));
    job->pods_failed = k8s_integer(status, "failed", 0);
    return true;
}

void worker_job_free(WorkerJob *job)
{
    if (!job)
        return;
    while (job->pods) {
        WorkerPod *next = job->pods->next;
        worker_pod_free(job->pods);
        job->pods = next;
    }
    free_texts(job);
    free(job->key);
    free(job->task_key);
    free(job);
}

// ---- pods ----------------------------------------------------------------------------------------------------------

// A container that waits for something that may never come. Its creation alone is no problem.
static char *container_problem(json_object *waiting)
{
    const char *reason = k8s_text(waiting, "reason"), *message = k8s_text(waiting, "message");

    if (!*reason || strcmp(reason, "ContainerCreating") == 0 || strcmp(reason, "PodInitializing") == 0)
        return NULL;
    return memory_printf("%s%s%s", reason, *message ? ": " : "", message);
}

static char *find_problem(json_object *object, json_object *state)
{
    json_object *scheduled = k8s_condition(object, "PodScheduled");
    char *problem = container_problem(k8s_member(state, "waiting"));

    if (!problem && strcmp(k8s_text(scheduled, "status"), "False") == 0)
        problem = memory_printf("%s: %s", k8s_text(scheduled, "reason"), k8s_text(scheduled, "message"));
    return problem ? problem : memory_strdup("");
}

// The termination message; without one the runtime's word, when it says more than that there was an error.
static char *last_words(json_object *ended)
{
    const char *message = k8s_text(ended, "message"), *reason = k8s_text(ended, "reason");
    bool plain = strcmp(reason, "Error") == 0 || strcmp(reason, "Completed") == 0;

    return memory_strdup(*message || plain ? message : reason);
}

WorkerPod *worker_pod_read(json_object *object, const char **job_name)
{
    json_object *metadata = k8s_member(object, "metadata"), *status = k8s_member(object, "status");
    json_object *state = k8s_member(k8s_item(k8s_member(status, "containerStatuses"), 0), "state");
    json_object *ended = k8s_member(state, "terminated");
    const char *index = k8s_text(k8s_member(metadata, "annotations"), ANNOTATION_INDEX);

    *job_name = k8s_text(labels(object), LABEL_JOB);
    if (!**job_name)
        return NULL;
    WorkerPod *pod = memory_zalloc(sizeof *pod);
    pod->name = memory_strdup(k8s_text(metadata, "name"));
    pod->uid = memory_strdup(k8s_text(metadata, "uid"));
    pod->owner = memory_strdup(k8s_owner_uid(metadata));
    pod->address = memory_strdup(k8s_text(status, "podIP"));
    pod->phase = memory_strdup(k8s_text(status, "phase"));
    pod->problem = find_problem(object, state);
    pod->message = last_words(ended);
    pod->created = k8s_time(k8s_text(metadata, "creationTimestamp"));
    pod->finished = k8s_time(k8s_text(ended, "finishedAt"));
    pod->exit_code = ended ? (int)k8s_integer(ended, "exitCode", 0) : -1;
    pod->index = *index ? (int)strtol(index, NULL, 10) : 0;
    pod->running = k8s_member(state, "running") != NULL;
    pod->deleted = *k8s_text(metadata, "deletionTimestamp") != '\0';
    return pod;
}

void worker_pod_free(WorkerPod *pod)
{
    if (!pod)
        return;
    free(pod->name);
    free(pod->uid);
    free(pod->owner);
    free(pod->address);
    free(pod->phase);
    free(pod->problem);
    free(pod->message);
    free(pod);
}

static bool newer(const WorkerPod *a, const WorkerPod *b)
{
    return !b || a->created > b->created || (a->created >= b->created && !a->deleted && b->exit_code >= 0);
}

static bool is_of(const WorkerPod *pod, const WorkerJob *job)
{
    return !job->exists || strcmp(pod->owner, job->uid) == 0;
}

const WorkerPod *worker_job_pod(const WorkerJob *job)
{
    const WorkerPod *found = NULL;

    for (const WorkerPod *pod = job->pods; pod; pod = pod->next)
        if (pod->index == 0 && is_of(pod, job) && newer(pod, found))
            found = pod;
    return found;
}

const WorkerPod *worker_job_failed_pod(const WorkerJob *job)
{
    const WorkerPod *found = NULL;

    for (const WorkerPod *pod = job->pods; pod; pod = pod->next)
        if (pod->exit_code > 0 && is_of(pod, job) && (!found || pod->finished > found->finished))
            found = pod;
    return found;
}
