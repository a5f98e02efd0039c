// SPDX-License-Identifier: Apache-2.0
#include "controller/task_actions.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_path.h"
#include "common/k8s/k8s_status.h"
#include "controller/names.h"
#include "controller/task_secret.h"

#include <string.h>

enum { TIMEOUT_MS = 15000 };

#define MERGE_PATCH "application/merge-patch+json"
#define JSON_PATCH  "application/json-patch+json"
#define APPLY_PATCH "application/apply-patch+yaml"

typedef struct Write { // one request
    char *method, *path, *content_type, *body;
    char *job_key, *job_uid; // of a Job that it deletes; NULL else
    int switched;            // the switch whose Service it patches; 0 else
} Write;

typedef struct Run { // the writes of one action: those of `first` are answered before the others are sent
    ActionTools tools;
    void (*done)(void *context, const Error *err);
    void *context;
    char *task_key;
    Write *writes;
    size_t count, sent, answered;
    bool first_alone; // the others need what the first one makes
    bool failed;
    Error error;
} Run;

typedef struct Answer { // what an answer belongs to
    Run *run;
    const Write *write;
} Answer;

static Write *add_write(Run *run, const char *method, char *path, const char *content_type, char *body)
{
    run->writes = memory_realloc(run->writes, (run->count + 1) * sizeof *run->writes);
    run->writes[run->count++] = (Write){
        .method = memory_strdup(method), .path = path, .content_type = memory_strdup(content_type), .body = body};
    return &run->writes[run->count - 1];
}

static void finish(Run *run)
{
    run->done(run->context, run->failed ? &run->error : NULL);
    for (size_t i = 0; i < run->count; i++) {
        free(run->writes[i].method);
        free(run->writes[i].path);
        free(run->writes[i].content_type);
        free(run->writes[i].body);
        free(run->writes[i].job_key);
        free(run->writes[i].job_uid);
    }
    free(run->writes);
    free(run->task_key);
    free(run);
}

// ---- sending -------------------------------------------------------------------------------------------------------

static void send_due(Run *run);

// A quota that changes meanwhile is a conflict, too, and then nothing was made.
static bool is_there(const K8sReply *reply)
{
    json_object *status = k8s_json_parse(reply->body, reply->len);
    bool there = reply->status == 409 && strcmp(k8s_text(status, "reason"), "AlreadyExists") == 0;

    json_object_put(status);
    return there;
}

// What was to be made is there, what was to be deleted is gone.
static bool is_fine(const Write *write, const K8sReply *reply)
{
    if (reply->error.code == ERROR_NONE)
        return true;
    return (strcmp(write->method, "POST") == 0 && is_there(reply)) ||
           (reply->status == 404 && strcmp(write->method, "DELETE") == 0);
}

// The cache must not be older than what was written.
static void take_answer(const Run *run, const Write *write, const K8sReply *reply)
{
    if (write->job_key) {
        store_forget_job(run->tools.store, write->job_key, write->job_uid);
        return;
    }
    json_object *object = reply->error.code == ERROR_NONE ? k8s_json_parse(reply->body, reply->len) : NULL;
    const char *kind = k8s_text(object, "kind");

    if (strcmp(kind, "Job") == 0)
        store_put_job(run->tools.store, object);
    else if (strcmp(kind, KIND_TASK) == 0)
        store_put_task(run->tools.store, object);
    else if (write->switched && strcmp(kind, "Service") == 0)
        store_note_service(run->tools.store, run->task_key, write->switched);
    json_object_put(object);
}

static void on_answer(void *context, const K8sReply *reply)
{
    Answer *answer = context;
    Run *run = answer->run;

    if (is_fine(answer->write, reply)) {
        take_answer(run, answer->write, reply);
    } else if (!run->failed) {
        run->failed = true;
        run->error = reply->error;
    }
    free(answer);
    run->answered++;
    if (!run->failed && run->sent < run->count && run->tools.leading && !run->tools.leading(run->tools.context)) {
        run->failed = true;
        error_set(&run->error, ERROR_STOPPED, "no longer the leader");
    }
    if (run->answered == run->sent && (run->failed || run->sent == run->count))
        finish(run);
    else if (run->answered == run->sent)
        send_due(run);
}

static void send_due(Run *run)
{
    size_t until = run->first_alone && run->sent == 0 ? 1 : run->count, from = run->sent;

    run->sent = until; // before the first answer can come
    for (size_t i = from; i < until; i++) {
        const Write *write = &run->writes[i];
        Answer *answer = memory_alloc(sizeof *answer);
        *answer = (Answer){.run = run, .write = write};
        const K8sRequest request = {.method = write->method,
                                    .path = write->path,
                                    .content_type = write->content_type,
                                    .body = write->body,
                                    .body_len = strlen(write->body),
                                    .timeout_ms = TIMEOUT_MS,
                                    .done = on_answer,
                                    .context = answer};
        k8s_client_send(run->tools.client, &request);
    }
}

// ---- what is written -----------------------------------------------------------------------------------------------

static char *json_text(json_object *object) // takes it over
{
    // An apply patch is read as YAML, which knows no "\/".
    const char *plain = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    char *text = memory_strdup(plain);
    json_object_put(object);
    return text;
}

static void add_secret(Run *run, const TaskFacts *facts)
{
    char *path = k8s_path("/api/v1", facts->task->namespace_name, "secrets", NULL, NULL);
    json_object *secret = task_secret_object(facts->task, &facts->spec, facts->document, facts->secret);

    add_write(run, "POST", path, "application/json", json_text(secret));
}

static char *job_path(const TaskFacts *facts, int work)
{
    auto_free char *name = task_facts_job_name(facts, work);
    return k8s_path("/apis/batch/v1", facts->task->namespace_name, "jobs", name, NULL);
}

static void add_job(Run *run, const TaskFacts *facts, int work, bool suspend)
{
    auto_free char *inputs = NULL, *base = job_path(facts, work);
    json_object *job = task_facts_job(facts, run->tools.settings, work, suspend, &inputs);

    add_write(run, "PATCH", memory_printf("%s?fieldManager=" FIELD_MANAGER "&force=true", base), APPLY_PATCH,
              json_text(job));
}

static void add_suspension(Run *run, const TaskFacts *facts, int work, bool suspend)
{
    const WorkerJob *job = facts->works[work].job;

    add_write(run, "PATCH", job_path(facts, work), MERGE_PATCH,
              memory_printf("{\"metadata\":{\"uid\":\"%s\"},\"spec\":{\"suspend\":%s}}", job->uid,
                            suspend ? "true" : "false"));
}

// attempt: of the Job that will be made in its place. One at work is suspended instead, and deleted once its pods have
// ended: the Job controller ends the pods of a suspended Job at once, those of a deleted one wait for the garbage
// collector, which may be minutes behind.
static void add_deletion(Run *run, const TaskFacts *facts, int work, int attempt)
{
    const WorkerJob *job = facts->works[work].job;

    if (work_at_work(&facts->works[work])) {
        add_suspension(run, facts, work, true);
        return;
    }
    if (facts->works[work].live_pod)
        return;
    Write *write = add_write(
        run, "DELETE", job_path(facts, work), "application/json",
        memory_printf("{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"propagationPolicy\":\"Background\","
                      "\"preconditions\":{\"uid\":\"%s\"}}",
                      job->uid));

    write->job_key = memory_strdup(job->key);
    write->job_uid = memory_strdup(job->uid);
    facts->task->attempt[work] = attempt;
}

static bool is_ours(const WorkFacts *w)
{
    return w->job && w->job->exists && w->state != WORK_FOREIGN && w->state != WORK_ENDING;
}

// ---- one for each action -------------------------------------------------------------------------------------------

static void add_finalizer(Run *run, const TaskFacts *facts)
{
    const Task *task = facts->task;
    char *path = k8s_path(API_BASE, task->namespace_name, "migrationtasks", task->name, NULL);

    if (task->other_finalizers)
        add_write(run, "PATCH", path, JSON_PATCH,
                  memory_strdup("[{\"op\":\"add\",\"path\":\"/metadata/finalizers/-\",\"value\":\"" FINALIZER "\"}]"));
    else // with the version: somebody else's that was added meanwhile must not be lost
        add_write(run, "PATCH", path, MERGE_PATCH,
                  memory_printf("{\"metadata\":{\"resourceVersion\":\"%s\",\"finalizers\":[\"" FINALIZER "\"]}}",
                                task->version));
}

static void remove_finalizer(Run *run, const TaskFacts *facts)
{
    const Task *task = facts->task;

    add_write(run, "PATCH", k8s_path(API_BASE, task->namespace_name, "migrationtasks", task->name, NULL), JSON_PATCH,
              memory_printf("[{\"op\":\"test\",\"path\":\"/metadata/finalizers/%d\",\"value\":\"" FINALIZER "\"},"
                            "{\"op\":\"remove\",\"path\":\"/metadata/finalizers/%d\"}]",
                            task->finalizer, task->finalizer));
}

static void let_go(Run *run, const TaskFacts *facts)
{
    const EventObject about = task_event_object(facts->task);
    auto_free char *slot = task_facts_slot(facts);

    log_warn("reconcile", "%s: let go by isForceDelete; slot %s may be left on the source", facts->task->key, slot);
    events_record(run->tools.events, &about, true, "LeftBehind", "Delete",
                  "isForceDelete: replication slot %s and publication %s_publication_for_all_tables may be left on the "
                  "source and keep its WAL; drop them by hand",
                  slot, slot);
    remove_finalizer(run, facts);
}

static void create_jobs(Run *run, const TaskFacts *facts)
{
    bool from_here = false;

    add_secret(run, facts);
    for (size_t i = 0; i < facts->plan.count; i++) {
        int work = facts->plan.works[i];
        from_here = from_here || work == facts->current;
        if (from_here && facts->works[work].state == WORK_ABSENT)
            add_job(run, facts, work, work != facts->current);
    }
}

static void delete_outdated(Run *run, const TaskFacts *facts)
{
    for (size_t i = 0; i < facts->plan.count; i++)
        if (facts->works[facts->plan.works[i]].outdated)
            add_deletion(run, facts, facts->plan.works[i], 1);
}

static void delete_current(Run *run, const TaskFacts *facts)
{
    const WorkFacts *w = &facts->works[facts->current];

    add_deletion(run, facts, facts->current, facts->spec.suspend ? 1 : w->job->attempt + 1);
}

static void resume_current(Run *run, const TaskFacts *facts)
{
    add_suspension(run, facts, facts->current, false);
}

static void suspend_all(Run *run, const TaskFacts *facts)
{
    for (size_t i = 0; i < facts->plan.count; i++) {
        int work = facts->plan.works[i];
        WorkState state = facts->works[work].state;
        if (state == WORK_STARTING || state == WORK_RUNNING || state == WORK_RETRYING)
            add_suspension(run, facts, work, true);
    }
}

static void delete_workers(Run *run, const TaskFacts *facts)
{
    for (int work = 0; work < WORK_CLEANUP; work++)
        if (is_ours(&facts->works[work]))
            add_deletion(run, facts, work, 1);
}

static void create_cleanup(Run *run, const TaskFacts *facts)
{
    if (facts->task->cleanup_since <= 0)
        facts->task->cleanup_since = facts->monotonic;
    add_secret(run, facts);
    add_job(run, facts, WORK_CLEANUP, false);
}

static void delete_cleanup(Run *run, const TaskFacts *facts)
{
    add_deletion(run, facts, WORK_CLEANUP, facts->works[WORK_CLEANUP].job->attempt + 1);
}

static void create_verify(Run *run, const TaskFacts *facts)
{
    add_secret(run, facts);
    add_job(run, facts, WORK_VERIFY, false);
}

static void delete_verify(Run *run, const TaskFacts *facts)
{
    add_deletion(run, facts, WORK_VERIFY, 1);
}

static void create_cutover(Run *run, const TaskFacts *facts)
{
    add_secret(run, facts);
    add_job(run, facts, WORK_CUTOVER, false);
}

static void create_rollback(Run *run, const TaskFacts *facts)
{
    add_secret(run, facts);
    add_job(run, facts, WORK_ROLLBACK, false);
}

static void delete_switch(Run *run, const TaskFacts *facts, int work, bool wanted)
{
    const WorkFacts *w = &facts->works[work];
    bool again = work_is_failed(w) && !w->outdated && wanted;

    add_deletion(run, facts, work, again ? w->job->attempt + 1 : 1);
}

static void delete_cutover(Run *run, const TaskFacts *facts)
{
    delete_switch(run, facts, WORK_CUTOVER, facts->spec.cutover.requested);
}

static void delete_rollback(Run *run, const TaskFacts *facts)
{
    delete_switch(run, facts, WORK_ROLLBACK, facts->spec.rollback.requested);
}

// ---- the Service of a switch ---------------------------------------------------------------------------------------

static json_object *to_external_name(const char *host)
{
    json_object *patch = json_object_new_object(), *spec = json_object_new_object();

    json_object_object_add(spec, "type", json_object_new_string("ExternalName"));
    json_object_object_add(spec, "externalName", json_object_new_string(host));
    json_object_object_add(spec, "clusterIP", NULL);
    json_object_object_add(spec, "clusterIPs", NULL);
    json_object_object_add(spec, "selector", NULL);
    json_object_object_add(patch, "spec", spec);
    return patch;
}

static void add_operation(json_object *list, const char *path, json_object *value)
{
    json_object *operation = json_object_new_object();

    json_object_object_add(operation, "op", json_object_new_string("add"));
    json_object_object_add(operation, "path", json_object_new_string(path));
    json_object_object_add(operation, "value", value);
    json_object_array_add(list, operation);
}

// A JSON patch, since a merge would keep the labels of the old selector.
static json_object *to_selector(json_object *selector, bool was_external)
{
    json_object *list = json_object_new_array();

    if (was_external) {
        add_operation(list, "/spec/type", json_object_new_string("ClusterIP"));
        add_operation(list, "/spec/externalName", json_object_new_string(""));
    }
    add_operation(list, "/spec/selector", json_object_get(selector));
    return list;
}

// What led to the other end is replaced. before: what an earlier switch made of a Service, or NULL.
static void switch_service(Run *run, const TaskFacts *facts, int work, json_object *wish, json_object *before)
{
    const char *name = k8s_text(wish, "name"), *host = k8s_text(wish, "externalName");
    bool was_external = *k8s_text(before, "externalName") && strcmp(k8s_text(before, "name"), name) == 0;
    json_object *patch = *host ? to_external_name(host) : to_selector(k8s_member(wish, "selector"), was_external);
    char *path = k8s_path("/api/v1", facts->task->namespace_name, "services", name, NULL);

    add_write(run, "PATCH", path, *host ? MERGE_PATCH : JSON_PATCH, json_text(patch))->switched = work;
}

static void service_to_sink(Run *run, const TaskFacts *facts)
{
    switch_service(run, facts, WORK_CUTOVER, facts->spec.cutover.service, NULL);
}

static void service_to_source(Run *run, const TaskFacts *facts)
{
    switch_service(run, facts, WORK_ROLLBACK, facts->spec.rollback.service, facts->spec.cutover.service);
}

static void (*const ACTIONS[ACTION_COUNT])(Run *run, const TaskFacts *facts) = {
    [ACTION_ADD_FINALIZER] = add_finalizer,
    [ACTION_REMOVE_FINALIZER] = remove_finalizer,
    [ACTION_LET_GO] = let_go,
    [ACTION_CREATE_JOBS] = create_jobs,
    [ACTION_DELETE_OUTDATED] = delete_outdated,
    [ACTION_DELETE_CURRENT] = delete_current,
    [ACTION_RESUME_CURRENT] = resume_current,
    [ACTION_SUSPEND_ALL] = suspend_all,
    [ACTION_DELETE_WORKERS] = delete_workers,
    [ACTION_CREATE_CLEANUP] = create_cleanup,
    [ACTION_DELETE_CLEANUP] = delete_cleanup,
    [ACTION_CREATE_VERIFY] = create_verify,
    [ACTION_DELETE_VERIFY] = delete_verify,
    [ACTION_CREATE_CUTOVER] = create_cutover,
    [ACTION_DELETE_CUTOVER] = delete_cutover,
    [ACTION_CREATE_ROLLBACK] = create_rollback,
    [ACTION_DELETE_ROLLBACK] = delete_rollback,
    [ACTION_SERVICE_TO_SINK] = service_to_sink,
    [ACTION_SERVICE_TO_SOURCE] = service_to_source,
};

void task_action_start(const ActionTools *tools, const TaskFacts *facts, TaskAction action,
                       void (*done)(void *context, const Error *err), void *context)
{
    Run *run = memory_zalloc(sizeof *run);

    *run = (Run){.tools = *tools, .done = done, .context = context, .task_key = memory_strdup(facts->task->key)};
    run->first_alone = action == ACTION_CREATE_JOBS || action == ACTION_CREATE_CLEANUP ||
                       action == ACTION_CREATE_VERIFY || action == ACTION_CREATE_CUTOVER ||
                       action == ACTION_CREATE_ROLLBACK;
    if (ACTIONS[action])
        ACTIONS[action](run, facts);
    if (run->count == 0)
        finish(run);
    else
        send_due(run);
}

EventObject task_event_object(const Task *task)
{
    return (EventObject){.api_version = API_VERSION,
                         .kind = KIND_TASK,
                         .namespace_name = task->namespace_name,
                         .name = task->name,
                         .uid = task->uid};
}
