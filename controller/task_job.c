// SPDX-License-Identifier: Apache-2.0
#include "controller/task_job.h"

#include "common/base/memory.h"
#include "common/contract/exit_codes.h"
#include "common/k8s/k8s_object.h"
#include "controller/json_hash.h"
#include "controller/names.h"
#include "controller/owner.h"
#include "controller/task_secret.h"

#include <stdio.h>
#include <string.h>

enum {
    USER = 65532,
    KEY_MODE = 0440,   // libpq wants a private key that not everybody can read
    BACKOFF_LIMIT = 5, // 10 s, 20 s, … then the controller makes the Job anew
    GRACE_SECONDS = 30,
    UNDO_SECONDS = 90,     // a cutover that is ended gives the source back first
    CLEANUP_SECONDS = 120, // of one attempt
    VERIFY_BACKOFF_LIMIT = 2,
};

static void add_text(json_object *object, const char *name, const char *text)
{
    json_object_object_add(object, name, json_object_new_string(text));
}

static void add_int(json_object *object, const char *name, int value)
{
    json_object_object_add(object, name, json_object_new_int(value));
}

static void add_bool(json_object *object, const char *name, bool value)
{
    json_object_object_add(object, name, json_object_new_boolean(value));
}

static json_object *add_object(json_object *object, const char *name)
{
    json_object *child = json_object_new_object();
    json_object_object_add(object, name, child);
    return child;
}

static json_object *add_array(json_object *object, const char *name)
{
    json_object *child = json_object_new_array();
    json_object_object_add(object, name, child);
    return child;
}

static json_object *append_object(json_object *array)
{
    json_object *child = json_object_new_object();
    json_object_array_add(array, child);
    return child;
}

// What is done beside cdc, or after it, has its resources and its place.
static const SpecConfig *config_of(const JobWish *wish)
{
    return &wish->spec->config[wish->work < STEP_COUNT ? wish->work : STEP_CDC];
}

int task_job_parallelism(const TaskSpec *spec, int work)
{
    int wanted = work == STEP_INIT_DATA ? spec->config[STEP_INIT_DATA].parallelism : 1;
    return wanted > 1 ? wanted : 1;
}

// ---- the pod -------------------------------------------------------------------------------------------------------

static void add_env(json_object *env, const char *name, const char *value)
{
    json_object *item = append_object(env);
    add_text(item, "name", name);
    add_text(item, "value", value);
}

static void add_env_of_secret(json_object *env, const char *name, const char *secret, const char *key)
{
    json_object *item = append_object(env), *reference;

    add_text(item, "name", name);
    reference = add_object(add_object(item, "valueFrom"), "secretKeyRef");
    add_text(reference, "name", secret);
    add_text(reference, "key", key);
}

static void add_credentials(json_object *env, const SpecEndpoint *endpoint, const char *user, const char *password)
{
    if (!*endpoint->secret)
        return;
    if (!*endpoint->user)
        add_env_of_secret(env, user, endpoint->secret, endpoint->user_key);
    add_env_of_secret(env, password, endpoint->secret, endpoint->password_key);
}

static void fill_env(json_object *env, const JobWish *wish, const TemplateContainer *container)
{
    add_env(env, "HOME", WORKER_DATA_DIR);
    add_env(env, "TMPDIR", WORKER_DATA_DIR);
    add_env(env, "KUBEFERRY_TERMINATION_FILE", "/dev/termination-log");
    add_credentials(env, &wish->spec->source, "SOURCE_USER", "SOURCE_PASSWORD");
    add_credentials(env, &wish->spec->sink, "SINK_USER", "SINK_PASSWORD");
    for (size_t i = 0; container && i < k8s_count(container->env); i++)
        json_object_array_add(env, json_object_get(k8s_item(container->env, i)));
}

static void add_text_arg(json_object *args, const char *name, const char *value)
{
    auto_free char *text = memory_printf("--%s=%s", name, value);

    if (*value)
        json_object_array_add(args, json_object_new_string(text));
}

static void add_count_arg(json_object *args, const char *name, int value)
{
    char text[16] = "";

    if (value > 0)
        snprintf(text, sizeof text, "%d", value);
    add_text_arg(args, name, text);
}

static const SpecSwitch *switch_of(const JobWish *wish) // NULL: it is none
{
    return wish->work == WORK_CUTOVER    ? &wish->spec->cutover
           : wish->work == WORK_ROLLBACK ? &wish->spec->rollback
                                         : NULL;
}

static void add_switch_args(json_object *args, const SpecSwitch *wanted)
{
    add_text_arg(args, "block", wanted->block);
    add_text_arg(args, "verification", wanted->verification);
    add_count_arg(args, "timeout", wanted->timeout_seconds);
    add_count_arg(args, "max-lag", wanted->max_lag_seconds);
}

static void fill_args(json_object *args, const JobWish *wish)
{
    const SpecConfig *config = config_of(wish);

    json_object_array_add(args, json_object_new_string(work_info(wish->work)->verb));
    json_object_array_add(args, json_object_new_string("--task"));
    json_object_array_add(args, json_object_new_string(WORKER_TASK_DIR "/task.json"));
    if (task_spec_both_ways(wish->spec) && (wish->work == STEP_PRECHECK || wish->work == WORK_CUTOVER))
        json_object_array_add(args, json_object_new_string("--reverse"));
    if (switch_of(wish))
        add_switch_args(args, switch_of(wish));
    else
        add_count_arg(args, "jobs", config->jobs);
    if (wish->work == WORK_VERIFY)
        add_count_arg(args, "sample", wish->spec->verification.sample);
}

static json_object *resources(const JobWish *wish)
{
    json_object *given = config_of(wish)->resource;

    if (!given)
        given = wish->spec->resources;
    if (given) {
        json_object *copy = json_object_new_object();
        json_object_object_foreach(given, name, value) if (json_object_is_type(value, json_type_object) &&
                                                           json_object_object_length(value) > 0)
            json_object_object_add(copy, name, json_object_get(value));
        return copy;
    }
    json_object *modest = json_object_new_object(), *requests = add_object(modest, "requests");
    add_text(requests, "cpu", "100m");
    add_text(requests, "memory", "128Mi");
    return modest;
}

static void add_mount(json_object *mounts, const char *name, const char *path, bool read_only)
{
    json_object *mount = append_object(mounts);
    add_text(mount, "name", name);
    add_text(mount, "mountPath", path);
    if (read_only)
        add_bool(mount, "readOnly", true);
}

static void add_item(json_object *items, const char *key, const char *path)
{
    json_object *item = append_object(items);
    add_text(item, "key", key);
    add_text(item, "path", path);
}

// Certificates of one end, from one or two Secrets, as one folder.
static void add_tls(const SpecEndpoint *endpoint, const char *end, json_object *volumes, json_object *mounts)
{
    auto_free char *name = memory_printf("%s-tls", end), *path = memory_printf(WORKER_TLS_DIR "/%s", end);

    if (!*endpoint->ca_secret && !*endpoint->client_secret)
        return;
    json_object *volume = append_object(volumes);
    add_text(volume, "name", name);
    json_object *projected = add_object(volume, "projected");
    add_int(projected, "defaultMode", KEY_MODE);
    json_object *sources = add_array(projected, "sources");
    if (*endpoint->ca_secret) {
        json_object *secret = add_object(append_object(sources), "secret");
        add_text(secret, "name", endpoint->ca_secret);
        add_item(add_array(secret, "items"), endpoint->ca_key, "ca.crt");
    }
    if (*endpoint->client_secret) {
        json_object *secret = add_object(append_object(sources), "secret"), *items;
        add_text(secret, "name", endpoint->client_secret);
        items = add_array(secret, "items");
        add_item(items, endpoint->cert_key, "tls.crt");
        add_item(items, endpoint->key_key, "tls.key");
    }
    add_mount(mounts, name, path, true);
}

static void add_volumes(const JobWish *wish, json_object *volumes, json_object *mounts)
{
    // A claim that one node alone may mount is cdc's.
    const char *claim = wish->work < STEP_COUNT ? config_of(wish)->volume_claim : "";
    json_object *volume = append_object(volumes), *secret;

    add_text(volume, "name", "task");
    secret = add_object(volume, "secret");
    add_text(secret, "secretName", wish->secret);
    add_int(secret, "defaultMode", KEY_MODE);
    add_mount(mounts, "task", WORKER_TASK_DIR, true);
    volume = append_object(volumes);
    add_text(volume, "name", "data");
    if (*claim)
        add_text(add_object(volume, "persistentVolumeClaim"), "claimName", claim);
    else
        add_object(volume, "emptyDir");
    add_mount(mounts, "data", WORKER_DATA_DIR, false);
    add_tls(&wish->spec->source, "source", volumes, mounts);
    add_tls(&wish->spec->sink, "sink", volumes, mounts);
}

static void secure_container(json_object *container)
{
    json_object *security = add_object(container, "securityContext");

    add_bool(security, "allowPrivilegeEscalation", false);
    add_bool(security, "readOnlyRootFilesystem", true);
    json_object_array_add(add_array(add_object(security, "capabilities"), "drop"), json_object_new_string("ALL"));
}

static void fill_container(json_object *container, const WorkerSettings *settings, const JobWish *wish,
                           json_object *volumes)
{
    int step = wish->work < STEP_COUNT ? wish->work : STEP_CDC;
    const TemplateContainer *own = wish->template ? &wish->template->containers[step] : NULL;

    add_text(container, "name", wish->task->name);
    add_text(container, "image", own && own->image ? own->image : settings->image);
    add_text(container, "imagePullPolicy", settings->pull_policy);
    if (own && own->command)
        json_object_object_add(container, "command", json_object_get(own->command));
    fill_args(add_array(container, "args"), wish);
    fill_env(add_array(container, "env"), wish, own);
    json_object *port = append_object(add_array(container, "ports"));
    add_text(port, "name", "metrics");
    add_int(port, "containerPort", WORKER_PORT);
    add_text(port, "protocol", "TCP");
    json_object_object_add(container, "resources", resources(wish));
    secure_container(container);
    add_volumes(wish, volumes, add_array(container, "volumeMounts"));
}

static void secure_pod(json_object *pod)
{
    json_object *security = add_object(pod, "securityContext");

    add_bool(security, "runAsNonRoot", true);
    add_int(security, "runAsUser", USER);
    add_int(security, "runAsGroup", USER);
    add_int(security, "fsGroup", USER);
    add_text(add_object(security, "seccompProfile"), "type", "RuntimeDefault");
    add_bool(pod, "automountServiceAccountToken", false);
    add_bool(pod, "enableServiceLinks", false);
}

static void add_all(json_object *list, json_object *from)
{
    for (size_t i = 0; i < k8s_count(from); i++)
        json_object_array_add(list, json_object_get(k8s_item(from, i)));
}

static void add_pull_secrets(json_object *pod, const char *names)
{
    json_object *list = add_array(pod, "imagePullSecrets");

    for (const char *p = names; *p;) {
        size_t len = strcspn(p, ",");
        auto_free char *name = memory_printf("%.*s", (int)len, p);
        if (len > 0)
            add_text(append_object(list), "name", name);
        p += len + (p[len] == ',');
    }
    if (json_object_array_length(list) == 0)
        json_object_object_del(pod, "imagePullSecrets");
}

static void fill_pod(json_object *pod, const WorkerSettings *settings, const JobWish *wish)
{
    json_object *tolerations = json_object_new_array(), *volumes = json_object_new_array();

    add_text(pod, "restartPolicy", "Never");
    add_int(pod, "terminationGracePeriodSeconds", switch_of(wish) ? UNDO_SECONDS : GRACE_SECONDS);
    secure_pod(pod);
    add_pull_secrets(pod, settings->pull_secrets);
    add_all(tolerations, wish->spec->tolerations);
    add_all(tolerations, config_of(wish)->tolerations);
    json_object_object_add(pod, "tolerations", tolerations);
    fill_container(append_object(add_array(pod, "containers")), settings, wish, volumes);
    json_object_object_add(pod, "volumes", volumes);
}

// Clients find steps by these (reference: the add-on's contract).
static void fill_pod_metadata(json_object *metadata, const JobWish *wish)
{
    json_object *labels = add_object(metadata, "labels"), *annotations = add_object(metadata, "annotations");

    add_text(labels, LABEL_NAME, LABEL_NAME_VALUE);
    add_text(labels, LABEL_MANAGED_BY, LABEL_MANAGED_BY_VALUE);
    add_text(labels, LABEL_TASK, wish->task->name);
    add_text(labels, LABEL_CLIENT_TASK, wish->task->name);
    add_text(labels, LABEL_WORK, work_info(wish->work)->verb);
    if (wish->work == STEP_CDC)
        add_text(annotations, ANNOTATION_STEP, "cdc");
    if (switch_of(wish)) // another request is another Job
        add_text(annotations, ANNOTATION_REQUEST, switch_of(wish)->request);
    if (wish->work < STEP_CDC) {
        auto_free char *order = memory_printf("%zu", task_plan_order(wish->plan, wish->work));
        add_text(annotations, ANNOTATION_ORDER, order);
    }
}

// ---- the Job -------------------------------------------------------------------------------------------------------

// What a person must change is not tried again by Kubernetes; what a node's end stopped does not count.
static void add_failure_policy(json_object *job, const JobWish *wish)
{
    json_object *rules = add_array(add_object(job, "podFailurePolicy"), "rules");
    json_object *ignore = append_object(rules), *fail = append_object(rules), *codes, *values, *condition;

    add_text(ignore, "action", "Ignore");
    condition = append_object(add_array(ignore, "onPodConditions"));
    add_text(condition, "type", "DisruptionTarget");
    add_text(condition, "status", "True");
    add_text(fail, "action", "FailJob");
    codes = add_object(fail, "onExitCodes");
    add_text(codes, "containerName", wish->task->name);
    add_text(codes, "operator", "In");
    values = add_array(codes, "values");
    if (wish->work == WORK_VERIFY) // in ascending order, as the API server wants it
        json_object_array_add(values, json_object_new_int(EXIT_DIFFERENT));
    json_object_array_add(values, json_object_new_int(EXIT_CONFIG));
    json_object_array_add(values, json_object_new_int(EXIT_CONDITION));
}

// Cleaning up and the switch are tried again by us: the switch not by itself once it has kept writes away.
static int backoff_limit(int work)
{
    if (work == WORK_CLEANUP || work == WORK_CUTOVER || work == WORK_ROLLBACK)
        return 0;
    return work == WORK_VERIFY ? VERIFY_BACKOFF_LIMIT : BACKOFF_LIMIT;
}

static void fill_job(json_object *job, const WorkerSettings *settings, const JobWish *wish)
{
    int parallelism = task_job_parallelism(wish->spec, wish->work);
    json_object *template;

    add_int(job, "backoffLimit", backoff_limit(wish->work) * parallelism);
    add_int(job, "parallelism", parallelism);
    add_int(job, "completions", parallelism);
    add_text(job, "completionMode", parallelism > 1 ? "Indexed" : "NonIndexed");
    add_text(job, "podReplacementPolicy", "Failed"); // never two workers for one place
    if (wish->work == WORK_CLEANUP)
        add_int(job, "activeDeadlineSeconds", CLEANUP_SECONDS);
    add_failure_policy(job, wish);
    template = add_object(job, "template");
    fill_pod_metadata(add_object(template, "metadata"), wish);
    fill_pod(add_object(template, "spec"), settings, wish);
}

json_object *task_job(const WorkerSettings *settings, const JobWish *wish, char **inputs)
{
    json_object *object = json_object_new_object(), *spec = json_object_new_object(), *labels = NULL;
    auto_free char *name = task_plan_job_name(wish->task->name, wish->work, task_plan_order(wish->plan, wish->work));
    auto_free char *attempt = memory_printf("%d", wish->attempt);
    json_object *metadata = owner_metadata(wish->task, name), *annotations = add_object(metadata, "annotations");

    fill_job(spec, settings, wish);
    *inputs = memory_printf("%016llx", (unsigned long long)json_hash(spec));
    add_text(annotations, ANNOTATION_INPUTS, *inputs);
    add_text(annotations, ANNOTATION_ATTEMPT, attempt);
    if (wish->work == WORK_VERIFY)
        add_text(annotations, ANNOTATION_REQUEST, wish->spec->verification.request);
    labels = k8s_member(metadata, "labels");
    add_text(labels, LABEL_WORK, work_info(wish->work)->verb);
    if (wish->work < STEP_CDC) // clients count the Jobs with this label
        add_text(labels, LABEL_CLIENT_TASK, wish->task->name);
    add_bool(spec, "suspend", wish->suspend);
    add_text(object, "apiVersion", "batch/v1");
    add_text(object, "kind", "Job");
    json_object_object_add(object, "metadata", metadata);
    json_object_object_add(object, "spec", spec);
    return object;
}
