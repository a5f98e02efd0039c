// SPDX-License-Identifier: Apache-2.0
#include "controller/task_message.h"

#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"
#include "controller/task_secret.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 16000 }; // of failed prechecks; a condition's message may have 32768 characters

static void put_sentence(Buffer *out, const char *text)
{
    if (!*text)
        return;
    if (out->len > 0)
        buffer_puts(out, strchr(".!?:;", out->data[out->len - 1]) ? " " : ". ");
    buffer_puts(out, text);
}

// The worker's error; for a precheck each check that failed, with its remedy.
static void put_error(const ProgressRead *said, Buffer *out)
{
    put_sentence(out, said->error.message);
    if (*said->error.sqlstate && !strstr(said->error.message, said->error.sqlstate))
        buffer_printf(out, " (SQLSTATE %s)", said->error.sqlstate);
    put_sentence(out, said->error.hint);
    for (size_t i = 0; i < said->check_count && out->len < TEXT_MAX; i++) {
        if (said->checks[i].verdict != CHECK_FAIL || strstr(buffer_text(out), said->checks[i].message))
            continue; // that an end cannot be reached is the error and a check
        auto_free char *line = memory_printf("%s: %s", said->checks[i].id, said->checks[i].message);
        put_sentence(out, line);
        put_sentence(out, said->checks[i].remedy);
    }
}

static void put_retry_time(double when, Buffer *out)
{
    char text[K8S_TIME_SIZE];

    k8s_time_format(when, text);
    buffer_printf(out, "%s It is tried again at %s, and at once when the task is changed",
                  out->len > 0 && out->data[out->len - 1] == '.' ? "" : ".", text);
}

static bool has_error(const TaskFacts *facts)
{
    return facts->said && *facts->said->error.code;
}

// What failed: the worker's last words if it left any, else what Kubernetes says of it.
static void failure(const TaskFacts *facts, int work, TaskMessage *out)
{
    const WorkFacts *w = &facts->works[work];

    if (has_error(facts)) {
        snprintf(out->reason, sizeof out->reason, "%.60s", facts->said->error.reason);
        put_error(facts->said, &out->text);
        return;
    }
    snprintf(out->reason, sizeof out->reason, "%s", "WorkerFailed");
    if (w->failed && strcmp(w->failed->message, "OOMKilled") == 0)
        buffer_printf(&out->text,
                      "pod %s was ended, for it took more memory than its limit: raise it in the step's "
                      "resource.limits, or in globalResources",
                      w->failed->name);
    else if (w->failed && *w->failed->message) // of the container's runtime
        buffer_printf(&out->text, "pod %s could not run: %s", w->failed->name, w->failed->message);
    else if (w->failed)
        buffer_printf(&out->text, "pod %s ended with exit code %d and left no message; see its log", w->failed->name,
                      w->failed->exit_code);
    else if (w->job && *w->job->failed_message)
        buffer_printf(&out->text, "%s: %s", w->job->failed_reason, w->job->failed_message);
    else
        buffer_puts(&out->text, "its pod ended without a message");
    if (w->pod && *w->pod->problem)
        buffer_printf(&out->text, "; pod %s: %s", w->pod->name, w->pod->problem);
}

static void put_secrets(const SpecEndpoint *endpoint, const char *end, Buffer *out)
{
    if (*endpoint->secret)
        buffer_printf(out, "; the %s needs Secret %s with the key %s%s%s", end, endpoint->secret,
                      endpoint->password_key, *endpoint->user ? "" : " and the key ",
                      *endpoint->user ? "" : endpoint->user_key);
}

// Nothing says why: Kubernetes tells of missing volumes, of quotas and of admission only in Events.
static void say_slow(const TaskFacts *facts, const WorkFacts *w, Buffer *out)
{
    const SpecEndpoint *ends[] = {&facts->spec.source, &facts->spec.sink};

    if (w->pod)
        buffer_printf(out, "pod %s has not started for a while", w->pod->name);
    else
        buffer_printf(out, "no pod of Job %s has been made for a while", strchr(w->job->key, '/') + 1);
    for (int i = 0; w->pod && i < 2; i++) {
        if (*ends[i]->ca_secret)
            buffer_printf(out, "; it needs Secret %s with the key %s", ends[i]->ca_secret, ends[i]->ca_key);
        if (*ends[i]->client_secret)
            buffer_printf(out, "; it needs Secret %s with the keys %s and %s", ends[i]->client_secret,
                          ends[i]->cert_key, ends[i]->key_key);
    }
    buffer_printf(out, "; kubectl describe %s %s -n %s shows what it waits for", w->pod ? "pod" : "job",
                  w->pod ? w->pod->name : strchr(w->job->key, '/') + 1, facts->task->namespace_name);
}

// A pod that does not start: which Secret is missing, which image cannot be had, why no node takes it.
static void say_blocked(const TaskFacts *facts, TaskMessage *message)
{
    Buffer *out = &message->text;
    const WorkFacts *w = &facts->works[facts->task->deleted > 0 ? (int)WORK_CLEANUP : facts->current];
    const WorkerPod *pod = w->pod;

    if (!pod || !*pod->problem) {
        say_slow(facts, w, out);
        return;
    }
    buffer_printf(out, "pod %s cannot start: %s", pod->name, pod->problem);
    if (strstr(pod->problem, "secret")) {
        put_secrets(&facts->spec.source, "source", out);
        put_secrets(&facts->spec.sink, "sink", out);
        buffer_puts(out, "; the worker starts by itself once it is there");
    }
}

static void say_cleanup_failed(const TaskFacts *facts, TaskMessage *out)
{
    auto_free char *slot = task_facts_slot(facts);
    TaskMessage cause = {0};

    failure(facts, WORK_CLEANUP, &cause);
    buffer_printf(
        &out->text,
        "replication slot %s and its publication could not be dropped from the source: %s. It is tried again "
        "until it succeeds; set spec.isForceDelete to true to let the task go without it, and drop both by hand",
        slot, buffer_text(&cause.text));
    buffer_free(&cause.text);
}

static void say_suspended(const TaskFacts *facts, TaskMessage *message)
{
    Buffer *out = &message->text;

    buffer_puts(out, "held by spec.suspend; set it to false to go on");
    if (facts->touched && task_spec_wants_cdc(&facts->spec))
        buffer_puts(out, ". The source keeps all its WAL for the task meanwhile");
}

// ---- one for each row that has more to say than its own sentence
// ------------------------------------------------------

static void say_problem(const TaskFacts *facts, TaskMessage *out)
{
    buffer_puts(&out->text, buffer_text(&facts->problem));
}

static void say_template_missing(const TaskFacts *facts, TaskMessage *out)
{
    buffer_printf(
        &out->text,
        "there is no MigrationTemplate %s: make it, or make the task anew with one that kubectl get mtp lists",
        facts->spec.template);
}

static void say_failure(const TaskFacts *facts, TaskMessage *out)
{
    failure(facts, facts->current, out);
}

static void say_failure_and_retry(const TaskFacts *facts, TaskMessage *out)
{
    failure(facts, facts->current, out);
    put_retry_time(task_facts_retry_time(&facts->works[facts->current]), &out->text);
}

// Why a switch has not taken place, in the words of the one that tried.
static void say_switch(const TaskFacts *facts, int work, TaskMessage *out)
{
    if (facts->words[work] && *facts->words[work]->error.code)
        put_error(facts->words[work], &out->text);
    else
        buffer_printf(&out->text, "%s ended without a word: %s", work_info(work)->doing,
                      facts->works[work].job->failed_message);
}

static void say_switch_failed(const TaskFacts *facts, int work, const char *field, TaskMessage *out)
{
    bool done = task_facts_switch_is(facts, work, "done");
    auto_free char *what = memory_printf("%s give spec.%s.request another text, or change what else stands there",
                                         done ? "Applications use the new end; to have the rest done, mend that and"
                                              : "All is as it was before, and changes are followed; to try again,",
                                         field);
    say_switch(facts, work, out);
    put_sentence(&out->text, what);
}

static void say_switch_waiting(const TaskFacts *facts, int work, TaskMessage *out)
{
    say_switch(facts, work, out);
    put_retry_time(task_facts_retry_time(&facts->works[work]), &out->text);
}

static void say_cutover_failed(const TaskFacts *facts, TaskMessage *out)
{
    say_switch_failed(facts, WORK_CUTOVER, "cutover", out);
}

static void say_cutover_waiting(const TaskFacts *facts, TaskMessage *out)
{
    say_switch_waiting(facts, WORK_CUTOVER, out);
}

static void say_rollback_failed(const TaskFacts *facts, TaskMessage *out)
{
    say_switch_failed(facts, WORK_ROLLBACK, "rollback", out);
}

static void say_rollback_waiting(const TaskFacts *facts, TaskMessage *out)
{
    say_switch_waiting(facts, WORK_ROLLBACK, out);
}

static void say_doing(const TaskFacts *facts, TaskMessage *out)
{
    buffer_puts(&out->text, work_info(facts->current)->doing);
}

static const struct {
    const char *row;
    void (*say)(const TaskFacts *facts, TaskMessage *out);
} SAYINGS[] = {
    {"unsupported", say_problem},
    {"template-unusable", say_problem},
    {"template-missing", say_template_missing},
    {"blocked", say_blocked},
    {"cleanup-blocked", say_blocked},
    {"failed", say_failure_and_retry},
    {"exhausted", say_failure_and_retry},
    {"retrying", say_failure},
    {"cleanup-failed", say_cleanup_failed},
    {"suspended", say_suspended},
    {"at-work", say_doing},
    {"cutover-failed", say_cutover_failed},
    {"cutover-waiting", say_cutover_waiting},
    {"rollback-failed", say_rollback_failed},
    {"rollback-waiting", say_rollback_waiting},
};

// kubectl delete namespace: Jobs and Secrets go at once, and nothing new may be made.
static void say_namespace_ends(const TaskFacts *facts, const Error *trouble, Buffer *out)
{
    auto_free char *slot = task_facts_slot(facts);
    auto_free char *advice =
        memory_printf("The namespace is being deleted, so no worker can clean up the source any more. Drop slot %s and "
                      "publication %s_publication_for_all_tables there by hand if they exist, and let the task go: "
                      "kubectl patch mt %s -n %s --type merge -p '{\"spec\":{\"isForceDelete\":true}}'",
                      slot, slot, facts->task->name, facts->task->namespace_name);

    if (facts->task->deleted > 0 && trouble->http_status == 403 && strstr(trouble->message, "is being terminated"))
        put_sentence(out, advice);
}

void task_message(const TaskFacts *facts, const TaskRow *row, const Error *trouble, TaskMessage *out)
{
    *out = (TaskMessage){0};
    snprintf(out->reason, sizeof out->reason, "%s",
             row->reason ? row->reason : work_info(facts->current >= 0 ? facts->current : 0)->reason);
    if (trouble) {
        snprintf(out->reason, sizeof out->reason, "%s", REASON_TROUBLE);
        buffer_puts(&out->text, trouble->message);
        put_sentence(&out->text, trouble->hint);
        say_namespace_ends(facts, trouble, &out->text);
        return;
    }
    for (size_t i = 0; i < sizeof SAYINGS / sizeof *SAYINGS; i++)
        if (strcmp(SAYINGS[i].row, row->id) == 0)
            SAYINGS[i].say(facts, out);
    if (out->text.len == 0)
        buffer_puts(&out->text, row->why);
}

void task_message_free(TaskMessage *message)
{
    buffer_free(&message->text);
}
