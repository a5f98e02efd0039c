// SPDX-License-Identifier: Apache-2.0
// migration logs: what the worker of one step said.
#include "cli/commands.h"

#include "cli/migration/task_objects.h"
#include "cli/refusal.h"
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "common/base/nearest.h"
#include "common/base/stop.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_path.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { FIND_AGAIN_MS = 1000 };

typedef struct Reading {
    Cli *cli;
    const char *task;
    Step step;
    char *last;       // the pod that was read last, and how often it had restarted then
    bool broken;      // its stream was cut, and not ended by the container
    double last_byte; // monotonic seconds
    bool reader_gone; // who reads our output has ended
    bool done;
    Error error;
} Reading;

// ---- which step, which pod ----------------------------------------------------------------------------------------

static int choose_step(const Cli *cli, json_object *task, Step *step, Error *err)
{
    const char *names[STEP_COUNT];
    const char *typed =
        cli_given(cli, O_STEP) ? cli_text(cli, O_STEP) : k8s_text(k8s_at(task, "status", "progress", NULL), "step");

    for (int i = 0; i < STEP_COUNT; i++)
        names[i] = step_name((Step)i);
    if (step_parse(typed, strlen(typed), step))
        return 0;
    if (!*typed) {
        error_set(err, ERROR_USAGE, "--step is missing, and no step is at work");
        return error_hint(err, "for example --step precheck; there are precheck, init-struct, init-data, cdc");
    }
    const char *near = nearest_word(typed, names, STEP_COUNT);
    error_set(err, ERROR_USAGE, "--step: there is no step '%.40s'", typed);
    return error_hint(
        err, "%s%s%sfor example --step cdc; there are precheck, init-struct, init-data, init-struct-later, cdc",
        near ? "did you mean " : "", near ? near : "", near ? "? " : "");
}

// The place of the step among those of the task; -1 for cdc.
static int order_of(const TaskObjects *objects, const Reading *reading, int *order, Error *err)
{
    Step steps[STEP_COUNT];
    size_t count = task_objects_steps(objects->task, objects->template, steps);

    *order = -1;
    if (reading->step == STEP_CDC)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (steps[i] == reading->step)
            *order = (int)i;
    if (*order >= 0)
        return 0;
    return error_set(err, ERROR_CONDITION, "the task %s has no step %s", reading->task, step_name(reading->step));
}

static int no_pod(const TaskObjects *objects, const Reading *reading, int order, Error *err)
{
    json_object *job = order < 0 ? objects->cdc_job : task_objects_job(objects->jobs, order);
    const char *state = task_objects_job_state(job);

    error_set(err, ERROR_CONDITION, "migrationtask[%s] step[%s] 's pod not found", reading->task,
              step_name(reading->step));
    if (strcmp(state, "Suspended") == 0)
        return error_hint(err, "the step has not begun: it waits for the one before, or the task is suspended");
    if (strcmp(state, "Complete") == 0 || strcmp(state, "Failed") == 0)
        return error_hint(err, "the step is %s and its pod is gone", state);
    return error_hint(err, "kubeferry migration describe %s says what it waits for", reading->task);
}

// ---- reading -------------------------------------------------------------------------------------------------------

static bool write_out(void *context, const char *bytes, size_t len)
{
    Reading *reading = context;

    while (len > 0 && !stop_requested()) {
        ssize_t n = write(STDOUT_FILENO, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) { // `… | head` has seen enough
            reading->reader_gone = true;
            return false;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return !stop_requested();
}

static bool take_bytes(void *context, const char *bytes, size_t len)
{
    Reading *reading = context;

    reading->last_byte = clock_monotonic();
    return write_out(reading, bytes, len);
}

static void on_done(void *context, const K8sReply *reply)
{
    Reading *reading = context;

    reading->done = true;
    reading->error = reply->error;
    if (reply->status && reply->error.code != ERROR_NONE)
        refusal_explain(reply, &reading->cli->config, &reading->error);
}

// since: only what came after this moment (monotonic seconds); 0: from the beginning.
static char *log_path(const Reading *reading, json_object *pod, bool follow, double since)
{
    const Cli *cli = reading->cli;
    json_object *metadata = k8s_member(pod, "metadata");
    const char *chosen = k8s_text(k8s_member(metadata, "annotations"), "kubectl.kubernetes.io/default-container");
    const char *first = k8s_text(k8s_item(k8s_at(pod, "spec", "containers", NULL), 0), "name");
    auto_free char *container = k8s_path_encode(*chosen ? chosen : first);
    auto_free char *path = k8s_path("/api/v1", cli_namespace(cli), "pods", k8s_text(metadata, "name"), "log");
    Buffer out = {0};

    buffer_printf(&out, "%s?container=%s", path, container);
    if (follow)
        buffer_puts(&out, "&follow=true");
    if (cli_given(cli, O_PREVIOUS))
        buffer_puts(&out, "&previous=true");
    if (since > 0)
        buffer_printf(&out, "&sinceSeconds=%d", (int)(clock_monotonic() - since) + 1);
    else if (cli_given(cli, O_TAIL) && !reading->last)
        buffer_printf(&out, "&tailLines=%lld", (long long)cli_number(cli, O_TAIL, 0));
    return out.data;
}

// `… | grep -m 1` has found it: seen at once, and not only when the next line cannot be written.
static bool look_for_reader(Reading *reading)
{
    struct pollfd p = {.fd = STDOUT_FILENO};

    if (poll(&p, 1, 0) > 0 && (p.revents & POLLERR))
        reading->reader_gone = true;
    return !reading->reader_gone;
}

static int read_pod(Reading *reading, json_object *pod, bool follow, double since, Error *err)
{
    auto_free char *path = log_path(reading, pod, follow, since);
    K8sRequest request = {.method = "GET", .path = path, .data = take_bytes, .done = on_done, .context = reading};

    reading->done = false;
    K8sCall *call = k8s_client_send(reading->cli->client, &request);
    while (!reading->done) {
        if (stop_requested() || !look_for_reader(reading) || k8s_loop_turn(reading->cli->loop, FIND_AGAIN_MS, err)) {
            k8s_client_cancel(call);
            return stop_requested() || reading->reader_gone ? 0 : -1;
        }
    }
    if (reading->error.code == ERROR_NONE || reading->reader_gone)
        return 0;
    *err = reading->error;
    return -1;
}

static int restarts_of(json_object *pod)
{
    return (int)k8s_integer(k8s_item(k8s_at(pod, "status", "containerStatuses", NULL), 0), "restartCount", 0);
}

static bool is_over(const TaskObjects *objects, json_object *pod, int order)
{
    const char *phase = k8s_text(k8s_member(pod, "status"), "phase");
    json_object *job = order < 0 ? objects->cdc_job : task_objects_job(objects->jobs, order);
    const char *state = task_objects_job_state(job);

    if (strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0)
        return false;
    return strcmp(state, "Complete") == 0 || strcmp(state, "Failed") == 0 || !job;
}

// A pod, or its restarted container, that was not read yet; or goes on with one whose stream was cut. over: it says no
// more. *done: all that it says was read.
static int read_if_new(Reading *reading, json_object *pod, bool follow, bool over, bool *done, Error *err)
{
    auto_free char *identity = memory_printf("%s %d", k8s_text(k8s_member(pod, "metadata"), "uid"), restarts_of(pod));
    bool same = reading->last && strcmp(reading->last, identity) == 0;

    *done = same && !reading->broken;
    if (*done)
        return 0;
    double before = reading->last_byte;
    int rc = read_pod(reading, pod, follow, same ? before : 0, err);
    reading->broken = rc != 0;
    if (rc && err->http_status == 400 && follow && !over) // its container is not there yet
        return 0;
    if (rc && (!follow || (!reading->last && reading->last_byte <= before)))
        return -1;
    *done = rc == 0;
    free(reading->last);
    reading->last = memory_strdup(identity);
    return 0;
}

// One look at the task and one reading. *more: there may be another pod, or a restarted container.
static int read_once(Reading *reading, bool follow, bool *more, Error *err)
{
    TaskObjects objects;
    int order;
    bool over = false, done = false;

    *more = false;
    if (task_objects_get(reading->cli, reading->task, &objects, err)) {
        bool lost = err->http_status != 404;
        *more = reading->last && lost;
        return reading->last ? 0 : -1;
    }
    int rc = order_of(&objects, reading, &order, err);
    json_object *pod = rc == 0 ? task_objects_pod(objects.pods, order) : NULL;
    if (rc == 0 && !pod) {
        rc = reading->last ? 0 : no_pod(&objects, reading, order, err);
    } else if (rc == 0) {
        over = is_over(&objects, pod, order);
        rc = read_if_new(reading, pod, follow, over, &done, err);
    }
    *more = follow && rc == 0 && !(over && done);
    task_objects_free(&objects);
    return rc;
}

int migration_logs(Cli *cli, Error *err)
{
    Reading reading = {.cli = cli, .task = cli_text(cli, O_NAME)};
    bool follow = cli_given(cli, O_FOLLOW), more = true;
    json_object *task = NULL;

    if (cli_get_task(cli, reading.task, &task, err))
        return -1;
    int rc = choose_step(cli, task, &reading.step, err);
    json_object_put(task);
    while (rc == 0 && more && !stop_requested() && look_for_reader(&reading)) {
        rc = read_once(&reading, follow, &more, err);
        if (rc == 0 && more && !reading.reader_gone)
            stop_sleep_ms(FIND_AGAIN_MS);
    }
    free(reading.last);
    return rc;
}
