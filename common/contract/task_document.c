// SPDX-License-Identifier: Apache-2.0
// A task's defaults, checks and derived names. Reading it from JSON is in task_json.c.
#include "common/contract/task_document.h"

#include "common/base/listen_address.h"
#include "common/base/memory.h"

#include <ctype.h>
#include <string.h>

enum { DEFAULT_JOBS = 2, DEFAULT_CUTOVER_SECONDS = 30, DEFAULT_LAG_SECONDS = 10 };

static const char BACK[] = "-back";

const char *const TASK_BLOCKS[] = {[BLOCK_NONE] = "none", [BLOCK_READ_ONLY] = "read-only", [BLOCK_LOCK] = "lock", NULL};
const char *const TASK_VERIFICATIONS[] = {[VERIFICATION_IF_KNOWN] = "if-known",
                                          [VERIFICATION_IGNORED] = "ignored",
                                          [VERIFICATION_REQUIRED] = "required",
                                          [VERIFICATION_FINAL] = "final",
                                          NULL};

void task_document_init(TaskDocument *task)
{
    *task = (TaskDocument){.name = memory_strdup("kubeferry"), .jobs = DEFAULT_JOBS, .workers = 1};
    task->verify_sample = 100;
    task->cutover = (TaskCutover){
        .block = BLOCK_READ_ONLY, .timeout_seconds = DEFAULT_CUTOVER_SECONDS, .max_lag_seconds = DEFAULT_LAG_SECONDS};
    for (int i = 0; i < STEP_COUNT; i++)
        task->steps[i] = i != STEP_INIT_STRUCT_LATER;
}

void task_document_free(TaskDocument *task)
{
    free(task->name);
    free(task->listen);
    free(task->work_dir);
    endpoint_free(&task->source);
    endpoint_free(&task->sink);
    object_list_free(&task->objects);
    object_list_free(&task->excluded);
    *task = (TaskDocument){0};
}

static int check_name(const char *name, Error *err)
{
    size_t len = strlen(name);
    bool good = len >= 1 && len <= TASK_NAME_MAX;
    for (size_t i = 0; i < len && good; i++) {
        bool plain = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9');
        good = plain || (i > 0 && i + 1 < len && strchr("-_.", name[i]));
    }
    if (good)
        return 0;
    error_set(err, ERROR_USAGE, "task name '%.80s': expected 1 to %d characters of a-z and 0-9, with - _ . inside",
              name, TASK_NAME_MAX);
    return error_hint(err, "the replication slot on the source takes the same name, which allows no others");
}

static bool is_way_back(const char *name)
{
    size_t len = strlen(name);
    return len > strlen(BACK) && strcmp(name + len - strlen(BACK), BACK) == 0;
}

static int check_back_name(const TaskDocument *task, Error *err)
{
    if (!task->cutover.reverse || (strlen(task->name) <= TASK_BACK_NAME_MAX && !is_way_back(task->name)))
        return 0;
    return error_set(err, ERROR_USAGE,
                     "task name '%s': with a way back expected at most %d characters, and another end than %s",
                     task->name, TASK_BACK_NAME_MAX, BACK);
}

static int check_endpoint(const Endpoint *e, const char *role, Error *err)
{
    if (e->count)
        return 0;
    error_set(err, ERROR_USAGE, "the %s is not given", role);
    return error_hint(err, "give it with --%s, the environment (KUBEFERRY_SOURCE, KUBEFERRY_SINK) or the task document",
                      role);
}

int task_document_check(const TaskDocument *task, Error *err)
{
    ListenAddress ignored;
    bool any = false;

    if (check_name(task->name, err) || check_back_name(task, err) || check_endpoint(&task->source, "source", err) ||
        check_endpoint(&task->sink, "sink", err))
        return -1;
    if (task->jobs < 1 || task->jobs > TASK_JOBS_MAX)
        return error_set(err, ERROR_USAGE, "jobs: expected 1 to %d, found %d", TASK_JOBS_MAX, task->jobs);
    if (task->workers < 1 || task->workers > TASK_WORKERS_MAX)
        return error_set(err, ERROR_USAGE, "workers: expected 1 to %d, found %d", TASK_WORKERS_MAX, task->workers);
    if (task->wait_seconds < 0 || task->wait_seconds > TASK_WAIT_MAX)
        return error_set(err, ERROR_USAGE, "wait: expected 0 to %d seconds, found %d", TASK_WAIT_MAX,
                         task->wait_seconds);
    if (task->cutover.timeout_seconds < 1 || task->cutover.timeout_seconds > TASK_CUTOVER_MAX)
        return error_set(err, ERROR_USAGE, "cutover.timeoutSeconds: expected 1 to %d, found %d", TASK_CUTOVER_MAX,
                         task->cutover.timeout_seconds);
    if (task->cutover.max_lag_seconds < 1 || task->cutover.max_lag_seconds > TASK_CUTOVER_MAX)
        return error_set(err, ERROR_USAGE, "cutover.maxLagSeconds: expected 1 to %d, found %d", TASK_CUTOVER_MAX,
                         task->cutover.max_lag_seconds);
    if (task->verify_sample < 1 || task->verify_sample > 100)
        return error_set(err, ERROR_USAGE, "verifySample: expected 1 to 100, found %d", task->verify_sample);
    if (task->sequence_margin < 0 || task->sequence_margin > TASK_MARGIN_MAX)
        return error_set(err, ERROR_USAGE, "sequenceMargin: expected 0 to %lld, found %lld", (long long)TASK_MARGIN_MAX,
                         (long long)task->sequence_margin);
    if (task->slot_guard_bytes < 0)
        return error_set(err, ERROR_USAGE, "slotGuardBytes: expected 0 (off) or more");
    if (task->listen && listen_address_parse(task->listen, &ignored, err))
        return -1;
    for (int i = 0; i < STEP_COUNT; i++)
        any = any || task->steps[i];
    return any ? 0 : error_set(err, ERROR_USAGE, "steps: every step is switched off");
}

static int fail_steps(const char *text, size_t len, Error *err)
{
    error_set(err, ERROR_USAGE, "expected STEP=true or STEP=false, found '%.*s'", (int)(len < 80 ? len : 80), text);
    return error_hint(
        err, "the steps are precheck, init-struct, init-data, init-struct-later and cdc: precheck=true,cdc=false");
}

int task_document_set_steps(TaskDocument *task, const char *text, Error *err)
{
    const char *p = text;

    for (;;) {
        size_t len = strcspn(p, ",");
        size_t name_len = strcspn(p, "=,");
        const char *value = p + name_len + 1;
        size_t value_len = len > name_len ? len - name_len - 1 : 0;
        Step step;
        bool on = value_len == 4 && memcmp(value, "true", 4) == 0;
        bool off = value_len == 5 && memcmp(value, "false", 5) == 0;
        if (!step_parse(p, name_len, &step) || !(on || off))
            return fail_steps(p, len, err);
        task->steps[step] = on;
        p += len;
        if (!*p)
            return 0;
        p++;
    }
}

void task_document_turn(TaskDocument *task)
{
    Endpoint source = task->source;
    char *name = task->name;

    task->source = task->sink;
    task->sink = source;
    task->name = is_way_back(name) ? memory_printf("%.*s", (int)(strlen(name) - strlen(BACK)), name)
                                   : memory_printf("%.*s%s", TASK_BACK_NAME_MAX, name, BACK);
    free(name);
}

char *task_document_slot(const TaskDocument *task)
{
    char *slot = memory_strdup(task->name);
    for (char *p = slot; *p; p++)
        if (*p == '-' || *p == '.')
            *p = '_';
    return slot;
}

char *task_document_publication(const TaskDocument *task)
{
    auto_free char *slot = task_document_slot(task);
    char *name = memory_printf("%s_publication_for_all_tables", slot);
    // PostgreSQL would cut a longer name itself, and then find none of that name.
    if (strlen(name) > TASK_NAME_MAX)
        name[TASK_NAME_MAX] = '\0';
    return name;
}
