// SPDX-License-Identifier: Apache-2.0
// Tables by key. After a new listing, what was not in it is swept: each listing has a number, its epoch.
#include "controller/store.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_watch.h"
#include "controller/names.h"

#include <json-c/linkhash.h>
#include <string.h>

typedef enum StoreKind { KIND_TASKS, KIND_TEMPLATES, KIND_JOBS, KIND_PODS, KIND_COUNT } StoreKind;

typedef struct StoreWatch {
    Store *store;
    K8sWatch *watch;
    unsigned epoch;
    bool listing; // between begin and synced
} StoreWatch;

struct Store {
    StoreListener listener;
    StoreWatch watches[KIND_COUNT];
    struct lh_table *tasks, *templates, *jobs; // key → Task, Template, WorkerJob
    bool synced;
};

static void *look_up(struct lh_table *table, const char *key)
{
    void *value = NULL;

    return lh_table_lookup_ex(table, key, &value) ? value : NULL;
}

static void tell(Store *store, const char *task_key)
{
    store->listener.task_changed(store->listener.context, task_key);
}

// A resourceVersion grows with each write (KEP-5504); an older state than the one we have is news from before our
// write.
static bool is_older(const char *version, const char *than)
{
    size_t a = strlen(version), b = strlen(than);

    return a != b ? a < b : strcmp(version, than) < 0;
}

// ---- tasks ---------------------------------------------------------------------------------------------------------

static void remove_task(Store *store, Task *task)
{
    auto_free char *key = memory_strdup(task->key);

    lh_table_delete(store->tasks, task->key);
    task_free(task);
    tell(store, key);
}

// What decisions are made from; the status is none of it.
static bool is_other_task(const Task *a, const Task *b)
{
    return strcmp(a->uid, b->uid) != 0 || a->generation != b->generation || (a->deleted > 0) != (b->deleted > 0) ||
           a->finalizer != b->finalizer;
}

// own: what a write of ours gave back. It is no news unless somebody else has changed the task, too: a status that
// tells of a failure must not cut the waiting after that failure short.
static void put_task(Store *store, json_object *object, bool own)
{
    Task *task = task_read(object);

    if (!task)
        return;
    task->epoch = store->watches[KIND_TASKS].epoch;
    Task *known = look_up(store->tasks, task->key);
    bool same = known && strcmp(known->uid, task->uid) == 0;
    if (same && (is_older(task->version, known->version) || strcmp(task->version, known->version) == 0)) {
        known->epoch = task->epoch;
        task_free(task);
        return;
    }
    bool news = !own || !known || is_other_task(known, task);
    if (known) {
        task_update(known, task);
        task = known;
    } else {
        lh_table_insert(store->tasks, task->key, task);
    }
    if (news)
        tell(store, task->key);
}

static void on_task(Store *store, K8sEventType type, json_object *object)
{
    if (type != K8S_DELETED) {
        put_task(store, object, false);
        return;
    }
    json_object *metadata = k8s_member(object, "metadata");
    auto_free char *key = memory_printf("%s/%s", k8s_text(metadata, "namespace"), k8s_text(metadata, "name"));
    Task *known = look_up(store->tasks, key);
    if (known && strcmp(known->uid, k8s_text(metadata, "uid")) == 0)
        remove_task(store, known);
}

// ---- templates -----------------------------------------------------------------------------------------------------

static void tell_users(Store *store, const char *name)
{
    struct lh_entry *entry;

    store->listener.template_changed(store->listener.context, name);
    lh_foreach(store->tasks, entry)
    {
        const Task *task = lh_entry_v(entry);
        if (strcmp(task->template, name) == 0)
            tell(store, task->key);
    }
}

static void on_template(Store *store, K8sEventType type, json_object *object)
{
    Template *template = template_read(object), *known = look_up(store->templates, template->name);

    if (known) {
        lh_table_delete(store->templates, known->name);
        template_free(known);
    }
    template->epoch = store->watches[KIND_TEMPLATES].epoch;
    if (type != K8S_DELETED)
        lh_table_insert(store->templates, template->name, template);
    tell_users(store, template->name);
    if (type == K8S_DELETED)
        template_free(template);
}

// ---- Jobs and pods -------------------------------------------------------------------------------------------------

static WorkerJob *job_of(Store *store, const char *namespace_name, const char *name)
{
    auto_free char *key = memory_printf("%s/%s", namespace_name, name);
    WorkerJob *job = look_up(store->jobs, key);

    if (!job) {
        job = memory_zalloc(sizeof *job);
        job->key = key;
        key = NULL;
        lh_table_insert(store->jobs, job->key, job);
    }
    return job;
}

// Tells, and forgets what is neither there nor has pods.
static void job_changed(Store *store, WorkerJob *job)
{
    auto_free char *task_key = job->task_key ? memory_strdup(job->task_key) : NULL;

    if (!job->exists && !job->pods) {
        lh_table_delete(store->jobs, job->key);
        worker_job_free(job);
    }
    if (task_key)
        tell(store, task_key);
}

static void put_job(Store *store, json_object *object)
{
    json_object *metadata = k8s_member(object, "metadata");
    WorkerJob *job = job_of(store, k8s_text(metadata, "namespace"), k8s_text(metadata, "name"));

    if (job->exists && strcmp(job->uid, k8s_text(metadata, "uid")) == 0 &&
        is_older(k8s_text(metadata, "resourceVersion"), job->version)) {
        job->epoch = store->watches[KIND_JOBS].epoch;
        return;
    }
    worker_job_read(object, job);
    job->epoch = store->watches[KIND_JOBS].epoch;
    job_changed(store, job);
}

static void on_job(Store *store, K8sEventType type, json_object *object)
{
    json_object *metadata = k8s_member(object, "metadata");

    if (type != K8S_DELETED) {
        put_job(store, object);
        return;
    }
    WorkerJob *job = job_of(store, k8s_text(metadata, "namespace"), k8s_text(metadata, "name"));
    if (!job->exists || strcmp(job->uid, k8s_text(metadata, "uid")) == 0)
        worker_job_clear(job);
    job_changed(store, job);
}

static void take_pod_out(WorkerJob *job, const char *uid)
{
    for (WorkerPod **at = &job->pods; *at; at = &(*at)->next)
        if (strcmp((*at)->uid, uid) == 0) {
            WorkerPod *pod = *at;
            *at = pod->next;
            worker_pod_free(pod);
            return;
        }
}

static void on_pod(Store *store, K8sEventType type, json_object *object)
{
    json_object *metadata = k8s_member(object, "metadata");
    const char *job_name, *namespace_name = k8s_text(metadata, "namespace");
    const char *task = k8s_text(k8s_member(metadata, "labels"), LABEL_TASK);
    WorkerPod *pod = worker_pod_read(object, &job_name);

    if (!pod)
        return;
    WorkerJob *job = job_of(store, namespace_name, job_name);
    if (!job->task_key && *task)
        job->task_key = memory_printf("%s/%s", namespace_name, task);
    take_pod_out(job, pod->uid);
    if (type == K8S_DELETED) {
        worker_pod_free(pod);
    } else {
        pod->epoch = store->watches[KIND_PODS].epoch;
        pod->next = job->pods;
        job->pods = pod;
    }
    job_changed(store, job);
}

// ---- sweeping after a listing --------------------------------------------------------------------------------------

static void sweep_tasks(Store *store, unsigned epoch)
{
    struct lh_entry *entry, *next;

    lh_foreach_safe(store->tasks, entry, next)
    {
        Task *task = lh_entry_v(entry);
        if (task->epoch != epoch)
            remove_task(store, task);
    }
}

static void sweep_templates(Store *store, unsigned epoch)
{
    struct lh_entry *entry, *next;

    lh_foreach_safe(store->templates, entry, next)
    {
        Template *template = lh_entry_v(entry);
        if (template->epoch == epoch)
            continue;
        lh_table_delete(store->templates, template->name);
        tell_users(store, template->name);
        template_free(template);
    }
}

static void sweep_jobs(Store *store, unsigned epoch)
{
    struct lh_entry *entry, *next;

    lh_foreach_safe(store->jobs, entry, next)
    {
        WorkerJob *job = lh_entry_v(entry);
        if (!job->exists || job->epoch == epoch)
            continue;
        worker_job_clear(job);
        job_changed(store, job);
    }
}

static void sweep_pods(Store *store, unsigned epoch)
{
    struct lh_entry *entry, *next;

    lh_foreach_safe(store->jobs, entry, next)
    {
        WorkerJob *job = lh_entry_v(entry);
        bool changed = false;
        for (WorkerPod **at = &job->pods; *at;) {
            WorkerPod *pod = *at;
            if (pod->epoch == epoch) {
                at = &pod->next;
                continue;
            }
            *at = pod->next;
            worker_pod_free(pod);
            changed = true;
        }
        if (changed)
            job_changed(store, job);
    }
}

// ---- the watches ---------------------------------------------------------------------------------------------------

static const struct {
    const char *path, *selector;
    void (*object)(Store *store, K8sEventType type, json_object *object);
    void (*sweep)(Store *store, unsigned epoch);
} KINDS[KIND_COUNT] = {
    [KIND_TASKS] = {API_BASE "/migrationtasks", NULL, on_task, sweep_tasks},
    [KIND_TEMPLATES] = {API_BASE "/migrationtemplates", NULL, on_template, sweep_templates},
    [KIND_JOBS] = {"/apis/batch/v1/jobs", LABEL_MANAGED_BY "=" LABEL_MANAGED_BY_VALUE, on_job, sweep_jobs},
    [KIND_PODS] = {"/api/v1/pods", LABEL_MANAGED_BY "=" LABEL_MANAGED_BY_VALUE, on_pod, sweep_pods},
};

static void begin(void *context)
{
    StoreWatch *watch = context;

    watch->epoch++;
    watch->listing = true;
}

static void object(void *context, K8sEventType type, json_object *object)
{
    StoreWatch *watch = context;

    KINDS[watch - watch->store->watches].object(watch->store, type, object);
}

static void synced(void *context)
{
    StoreWatch *watch = context;
    Store *store = watch->store;

    watch->listing = false;
    KINDS[watch - store->watches].sweep(store, watch->epoch);
    if (store->synced)
        return;
    for (int i = 0; i < KIND_COUNT; i++)
        if (!store->watches[i].watch || !k8s_watch_synced(store->watches[i].watch))
            return;
    store->synced = true;
    log_info("store", "in sync: %d tasks, %d templates, %d jobs", lh_table_length(store->tasks),
             lh_table_length(store->templates), lh_table_length(store->jobs));
    store->listener.synced(store->listener.context);
}

Store *store_start(K8sClient *client, const StoreListener *listener)
{
    Store *store = memory_zalloc(sizeof *store);

    store->listener = *listener;
    store->tasks = lh_kchar_table_new(64, NULL);
    store->templates = lh_kchar_table_new(16, NULL);
    store->jobs = lh_kchar_table_new(64, NULL);
    for (int i = 0; i < KIND_COUNT; i++) {
        store->watches[i].store = store;
        const K8sWatchSpec spec = {.path = KINDS[i].path,
                                   .label_selector = KINDS[i].selector,
                                   .begin = begin,
                                   .object = object,
                                   .synced = synced,
                                   .context = &store->watches[i]};
        store->watches[i].watch = k8s_watch_start(client, &spec);
    }
    return store;
}

void store_free(Store *store)
{
    struct lh_entry *entry;

    if (!store)
        return;
    for (int i = 0; i < KIND_COUNT; i++)
        k8s_watch_stop(store->watches[i].watch);
    lh_foreach(store->tasks, entry) task_free(lh_entry_v(entry));
    lh_foreach(store->templates, entry) template_free(lh_entry_v(entry));
    lh_foreach(store->jobs, entry) worker_job_free(lh_entry_v(entry));
    lh_table_free(store->tasks);
    lh_table_free(store->templates);
    lh_table_free(store->jobs);
    free(store);
}

bool store_synced(const Store *store)
{
    return store->synced;
}

Task *store_task(const Store *store, const char *key)
{
    return look_up(store->tasks, key);
}

Template *store_template(const Store *store, const char *name)
{
    return look_up(store->templates, name);
}

WorkerJob *store_job(const Store *store, const char *namespace_name, const char *name)
{
    auto_free char *key = memory_printf("%s/%s", namespace_name, name);

    return look_up(store->jobs, key);
}

size_t store_task_count(const Store *store)
{
    return (size_t)lh_table_length(store->tasks);
}

void store_each_task(const Store *store, void (*visit)(void *context, Task *task), void *context)
{
    struct lh_entry *entry;

    lh_foreach(store->tasks, entry) visit(context, lh_entry_v(entry));
}

void store_each_template(const Store *store, void (*visit)(void *context, Template *template), void *context)
{
    struct lh_entry *entry;

    lh_foreach(store->templates, entry) visit(context, lh_entry_v(entry));
}

void store_put_task(Store *store, json_object *object)
{
    put_task(store, object, true);
}

void store_put_job(Store *store, json_object *object)
{
    put_job(store, object);
}

void store_note_service(Store *store, const char *task_key, int work)
{
    Task *task = look_up(store->tasks, task_key);

    if (!task)
        return;
    task->service_patched[work] = true;
    tell(store, task_key);
}

void store_forget_job(Store *store, const char *key, const char *uid)
{
    WorkerJob *job = look_up(store->jobs, key);

    if (!job || !job->exists || strcmp(job->uid, uid) != 0)
        return;
    worker_job_clear(job);
    job_changed(store, job);
}
