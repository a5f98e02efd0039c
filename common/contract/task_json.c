// SPDX-License-Identifier: Apache-2.0
// The task document as JSON (docs/task-document.md). Passwords may stand in files or in the environment beside it.
#include "common/base/buffer.h"
#include "common/base/file.h"
#include "common/base/json_read.h"
#include "common/base/memory.h"
#include "common/base/secrets.h"
#include "common/contract/task_document.h"

#include <stdio.h>
#include <string.h>

enum { TASK_VERSION = 1, MAX_DOCUMENT = 32 * 1024 * 1024, MAX_PASSWORD = 64 * 1024 };

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

typedef struct EndpointText {
    char *conninfo, *address, *database, *user, *user_env;
    char *password, *password_file, *password_env;
    char *mode, *ca_file, *cert_file, *key_file;
    json_object *tls;
} EndpointText;

static void endpoint_text_free(EndpointText *t)
{
    char *all[] = {t->conninfo,     t->address, t->database, t->user,      t->password, t->password_file,
                   t->password_env, t->mode,    t->ca_file,  t->cert_file, t->key_file, t->user_env};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        free(all[i]);
}

static bool given(const char *text)
{
    return text && *text;
}

static void set_given(Endpoint *e, const char *keyword, const char *value)
{
    if (given(value))
        endpoint_set(e, keyword, value);
}

// What a Secret holds often ends with the newline of the editor or of echo; no user or password does.
static int read_variable(const char *name, const char *path, const char *field, char **out, Error *err)
{
    const char *value = getenv(name);

    if (!value) {
        error_set(err, ERROR_USAGE, "%s.%s: the environment has no variable '%.100s'", path, field, name);
        return error_hint(err, "set %.100s in the environment of the process, or name another variable", name);
    }
    *out = memory_strdup(value);
    size_t len = strlen(*out);
    while (len && ((*out)[len - 1] == '\n' || (*out)[len - 1] == '\r'))
        (*out)[--len] = '\0';
    return 0;
}

static int read_user(const EndpointText *t, const char *path, Endpoint *out, Error *err)
{
    auto_free char *user = NULL;

    if (given(t->user) && given(t->user_env))
        return error_set(err, ERROR_USAGE, "%s: expected one of user and userEnv, found both", path);
    set_given(out, "user", t->user);
    if (!given(t->user_env))
        return 0;
    if (read_variable(t->user_env, path, "userEnv", &user, err))
        return -1;
    if (!*user) // libpq would take the name of the system's user
        return error_set(err, ERROR_USAGE, "%s.userEnv: the variable '%.100s' is empty", path, t->user_env);
    endpoint_set(out, "user", user);
    return 0;
}

static int read_password(const EndpointText *t, const char *path, Endpoint *out, Error *err)
{
    if (given(t->password) + given(t->password_file) + given(t->password_env) > 1)
        return error_set(err, ERROR_USAGE, "%s: expected one of password, passwordFile and passwordEnv, found several",
                         path);
    set_given(out, "password", t->password);
    if (given(t->password_env)) {
        auto_free char *value = NULL;
        if (read_variable(t->password_env, path, "passwordEnv", &value, err))
            return -1;
        set_given(out, "password", value);
        memset(value, 0, strlen(value));
    }
    if (given(t->password_file)) {
        auto_free char *text = file_read(t->password_file, MAX_PASSWORD, NULL, err);
        if (!text)
            return error_wrap(err, "%s.passwordFile", path);
        text[strcspn(text, "\r\n")] = '\0';
        set_given(out, "password", text);
    }
    return 0;
}

static int read_address(const EndpointText *t, const char *path, Endpoint *out, Error *err)
{
    // A name before an '@' would be taken for the user: only hosts and ports stand here.
    if (strpbrk(t->address, "@/?= "))
        return error_set(err, ERROR_USAGE, "%s.address: expected host:port", path);
    auto_free char *uri = memory_printf("postgresql://%s", t->address);
    if (endpoint_parse(uri, out, err)) {
        error_set(err, ERROR_USAGE, "%s.address: expected host:port", path);
        return error_hint(err, "an IPv6 address stands in brackets: [2001:db8::1]:5432");
    }
    set_given(out, "dbname", t->database);
    return read_user(t, path, out, err);
}

static int read_tls(EndpointText *t, const char *path, Endpoint *out, Error *err)
{
    char tls_path[JSON_PATH_MAX];
    const JsonField fields[] = {
        {"mode", JSON_FIELD_TEXT, &t->mode},
        {"caFile", JSON_FIELD_TEXT, &t->ca_file},
        {"certFile", JSON_FIELD_TEXT, &t->cert_file},
        {"keyFile", JSON_FIELD_TEXT, &t->key_file},
    };
    static const char *const MODES[] = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"};

    if (!t->tls)
        return 0;
    snprintf(tls_path, sizeof tls_path, "%s.tls", path);
    if (json_read_fields(t->tls, tls_path, fields, COUNT_OF(fields), err))
        return -1;
    if (given(t->mode)) {
        size_t i = 0;
        while (i < COUNT_OF(MODES) && strcmp(MODES[i], t->mode) != 0)
            i++;
        if (i == COUNT_OF(MODES))
            return error_set(
                err, ERROR_USAGE,
                "%s.mode: expected disable, allow, prefer, require, verify-ca or verify-full, found '%.40s'", tls_path,
                t->mode);
    }
    set_given(out, "sslmode", t->mode);
    set_given(out, "sslrootcert", t->ca_file);
    set_given(out, "sslcert", t->cert_file);
    set_given(out, "sslkey", t->key_file);
    return 0;
}

static int read_endpoint_text(json_object *o, const char *path, EndpointText *t, Endpoint *out, Error *err)
{
    const JsonField fields[] = {
        {"conninfo", JSON_FIELD_TEXT, &t->conninfo},        {"address", JSON_FIELD_TEXT, &t->address},
        {"database", JSON_FIELD_TEXT, &t->database},        {"user", JSON_FIELD_TEXT, &t->user},
        {"password", JSON_FIELD_TEXT, &t->password},        {"passwordFile", JSON_FIELD_TEXT, &t->password_file},
        {"passwordEnv", JSON_FIELD_TEXT, &t->password_env}, {"tls", JSON_FIELD_OBJECT, &t->tls},
        {"userEnv", JSON_FIELD_TEXT, &t->user_env},
    };

    if (json_read_fields(o, path, fields, COUNT_OF(fields), err))
        return -1;
    if (given(t->conninfo) == given(t->address))
        return error_set(err, ERROR_USAGE, "%s: expected either conninfo or address, found %s", path,
                         given(t->address) ? "both" : "neither");
    if (given(t->conninfo) && (given(t->database) || given(t->user) || given(t->user_env)))
        return error_set(err, ERROR_USAGE, "%s: database and user stand in conninfo when it is given", path);
    if (given(t->conninfo)) {
        if (endpoint_parse(t->conninfo, out, err))
            return error_wrap(err, "%s.conninfo", path);
    } else if (read_address(t, path, out, err)) {
        return -1;
    }
    return read_tls(t, path, out, err) || read_password(t, path, out, err) ? -1 : 0;
}

static int read_endpoint(json_object *o, const char *path, Endpoint *out, Error *err)
{
    EndpointText text = {0};
    Endpoint found = {0};

    if (!o)
        return 0;
    int result = read_endpoint_text(o, path, &text, &found, err);
    endpoint_text_free(&text);
    if (result) {
        endpoint_free(&found);
        return -1;
    }
    endpoint_free(out);
    *out = found;
    return 0;
}

static void wipe_variables(json_object *endpoint)
{
    static const char *const FIELDS[] = {"passwordEnv", "userEnv"};

    for (size_t i = 0; endpoint && i < COUNT_OF(FIELDS); i++) {
        const char *name = json_object_get_string(json_object_object_get(endpoint, FIELDS[i]));
        if (given(name))
            secrets_wipe_variable(name);
    }
}

static int read_object_name(json_object *o, const char *path, ObjectList *out, Error *err)
{
    auto_free char *schema = NULL, *table = NULL;
    const JsonField fields[] = {{"schema", JSON_FIELD_TEXT, &schema}, {"table", JSON_FIELD_TEXT, &table}};

    if (json_read_fields(o, path, fields, COUNT_OF(fields), err))
        return -1;
    if (!given(schema))
        return error_set(err, ERROR_USAGE, "%s.schema: expected a name", path);
    if (strlen(schema) > TASK_NAME_MAX || (table && strlen(table) > TASK_NAME_MAX))
        return error_set(err, ERROR_USAGE, "%s: a name is longer than PostgreSQL's 63 bytes", path);
    object_list_add(out, schema, given(table) ? table : NULL);
    return 0;
}

static int read_objects(json_object *list, const char *name, ObjectList *out, Error *err)
{
    char path[JSON_PATH_MAX];

    if (!list)
        return 0;
    object_list_free(out);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        snprintf(path, sizeof path, "$.%s[%zu]", name, i);
        if (read_object_name(json_object_array_get_idx(list, i), path, out, err))
            return -1;
    }
    return 0;
}

static int read_steps(json_object *o, bool steps[STEP_COUNT], Error *err)
{
    JsonField fields[2 * STEP_COUNT];

    for (int i = 0; i < STEP_COUNT; i++) {
        fields[2 * i] = (JsonField){step_name((Step)i), JSON_FIELD_BOOL, &steps[i]};
        fields[2 * i + 1] = (JsonField){step_api_name((Step)i), JSON_FIELD_BOOL, &steps[i]};
    }
    return o ? json_read_fields(o, "$.steps", fields, COUNT_OF(fields), err) : 0;
}

// choices: their names joined, for the message.
static int read_choice(const char *text, const char *name, const char *const names[], size_t count, const char *choices,
                       int *out, Error *err)
{
    if (!given(text))
        return 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (int)i;
            return 0;
        }
    return error_set(err, ERROR_USAGE, "$.%s: expected %s, found '%.40s'", name, choices, text);
}

static int read_name(const char *text, const char *path, const char *const *names, int *out, Error *err)
{
    auto_buffer Buffer all = {0};

    if (!given(text))
        return 0;
    for (int i = 0; names[i]; i++) {
        if (strcmp(text, names[i]) == 0)
            return *out = i, 0;
        buffer_printf(&all, "%s%s", i ? ", " : "", names[i]);
    }
    return error_set(err, ERROR_USAGE, "%s: expected one of %s, found '%.40s'", path, all.data, text);
}

static int read_cutover(json_object *o, TaskCutover *cutover, Error *err)
{
    auto_free char *block = NULL, *verification = NULL;
    int block_index = (int)cutover->block, verification_index = (int)cutover->verification;
    int64_t timeout = cutover->timeout_seconds, lag = cutover->max_lag_seconds;
    const JsonField fields[] = {
        {"block", JSON_FIELD_TEXT, &block},
        {"verification", JSON_FIELD_TEXT, &verification},
        {"timeoutSeconds", JSON_FIELD_INTEGER, &timeout},
        {"maxLagSeconds", JSON_FIELD_INTEGER, &lag},
        {"reverse", JSON_FIELD_BOOL, &cutover->reverse},
    };

    if (!o)
        return 0;
    if (json_read_fields(o, "$.cutover", fields, COUNT_OF(fields), err) ||
        read_name(block, "$.cutover.block", TASK_BLOCKS, &block_index, err) ||
        read_name(verification, "$.cutover.verification", TASK_VERIFICATIONS, &verification_index, err))
        return -1;
    if (timeout < 1 || timeout > TASK_CUTOVER_MAX || lag < 1 || lag > TASK_CUTOVER_MAX)
        return error_set(err, ERROR_USAGE, "$.cutover: expected timeoutSeconds and maxLagSeconds of 1 to %d",
                         TASK_CUTOVER_MAX);
    cutover->block = (TaskBlock)block_index;
    cutover->verification = (TaskVerification)verification_index;
    cutover->timeout_seconds = (int)timeout;
    cutover->max_lag_seconds = (int)lag;
    return 0;
}

static void take_text(char **target, char **value)
{
    if (!given(*value))
        return;
    free(*target);
    *target = *value;
    *value = NULL;
}

typedef struct TaskText {
    char *name, *until, *listen, *log_format, *work_dir;
    int64_t version, jobs, workers, slot_guard_bytes, wait_seconds, sequence_margin, verify_sample;
    json_object *source, *sink, *objects, *excluded, *steps, *cutover; // borrowed from the document
} TaskText;

static void task_text_free(TaskText *t)
{
    free(t->name);
    free(t->until);
    free(t->listen);
    free(t->log_format);
    free(t->work_dir);
}

static int take_scalars(TaskText *t, TaskDocument *task, Error *err)
{
    static const char *const UNTIL[] = {
        [UNTIL_STOPPED] = "stopped", [UNTIL_CAUGHT_UP] = "caught-up", [UNTIL_FOREVER] = "forever"};
    static const char *const FORMATS[] = {[LOG_TEXT] = "text", [LOG_JSON] = "json"};
    int until = (int)task->until, format = (int)task->log_format;

    if (t->version != TASK_VERSION)
        return error_set(err, ERROR_USAGE, "$.version: expected %d, found %lld", TASK_VERSION, (long long)t->version);
    if (t->jobs < 1 || t->jobs > TASK_JOBS_MAX)
        return error_set(err, ERROR_USAGE, "$.jobs: expected 1 to %d, found %lld", TASK_JOBS_MAX, (long long)t->jobs);
    if (t->workers < 1 || t->workers > TASK_WORKERS_MAX)
        return error_set(err, ERROR_USAGE, "$.workers: expected 1 to %d, found %lld", TASK_WORKERS_MAX,
                         (long long)t->workers);
    if (t->verify_sample < 1 || t->verify_sample > 100)
        return error_set(err, ERROR_USAGE, "$.verifySample: expected 1 to 100, found %lld",
                         (long long)t->verify_sample);
    if (t->slot_guard_bytes < 0)
        return error_set(err, ERROR_USAGE, "$.slotGuardBytes: expected 0 (off) or more, found %lld",
                         (long long)t->slot_guard_bytes);
    if (t->wait_seconds < 0 || t->wait_seconds > TASK_WAIT_MAX)
        return error_set(err, ERROR_USAGE, "$.waitSeconds: expected 0 to %d, found %lld", TASK_WAIT_MAX,
                         (long long)t->wait_seconds);
    if (read_choice(t->until, "until", UNTIL, COUNT_OF(UNTIL), "\"stopped\", \"caught-up\" or \"forever\"", &until,
                    err) ||
        read_choice(t->log_format, "logFormat", FORMATS, COUNT_OF(FORMATS), "\"text\" or \"json\"", &format, err))
        return -1;
    task->until = (TaskUntil)until;
    task->log_format = (LogFormat)format;
    task->jobs = (int)t->jobs;
    task->workers = (int)t->workers;
    task->slot_guard_bytes = t->slot_guard_bytes;
    task->wait_seconds = (int)t->wait_seconds;
    task->sequence_margin = t->sequence_margin;
    task->verify_sample = (int)t->verify_sample;
    take_text(&task->name, &t->name);
    take_text(&task->listen, &t->listen);
    take_text(&task->work_dir, &t->work_dir);
    return 0;
}

static int read_endpoints(const TaskText *t, TaskDocument *task, Error *err)
{
    int rc =
        read_endpoint(t->source, "$.source", &task->source, err) || read_endpoint(t->sink, "$.sink", &task->sink, err);

    // Not before both are read: they may name the same variable.
    wipe_variables(t->source);
    wipe_variables(t->sink);
    return rc ? -1 : 0;
}

static int read_document(json_object *document, TaskText *t, TaskDocument *task, Error *err)
{
    const JsonField fields[] = {
        {"version", JSON_FIELD_INTEGER, &t->version},
        {"name", JSON_FIELD_TEXT, &t->name},
        {"source", JSON_FIELD_OBJECT, &t->source},
        {"sink", JSON_FIELD_OBJECT, &t->sink},
        {"objects", JSON_FIELD_ARRAY, &t->objects},
        {"excluded", JSON_FIELD_ARRAY, &t->excluded},
        {"steps", JSON_FIELD_OBJECT, &t->steps},
        {"cutover", JSON_FIELD_OBJECT, &t->cutover},
        {"jobs", JSON_FIELD_INTEGER, &t->jobs},
        {"workers", JSON_FIELD_INTEGER, &t->workers},
        {"until", JSON_FIELD_TEXT, &t->until},
        {"listen", JSON_FIELD_TEXT, &t->listen},
        {"logFormat", JSON_FIELD_TEXT, &t->log_format},
        {"workDir", JSON_FIELD_TEXT, &t->work_dir},
        {"slotGuardBytes", JSON_FIELD_INTEGER, &t->slot_guard_bytes},
        {"waitSeconds", JSON_FIELD_INTEGER, &t->wait_seconds},
        {"sequenceMargin", JSON_FIELD_INTEGER, &t->sequence_margin},
        {"verifySample", JSON_FIELD_INTEGER, &t->verify_sample},
    };

    if (json_read_fields(document, "$", fields, COUNT_OF(fields), err) || take_scalars(t, task, err))
        return -1;
    if (read_endpoints(t, task, err))
        return -1;
    if (read_objects(t->objects, "objects", &task->objects, err) ||
        read_objects(t->excluded, "excluded", &task->excluded, err))
        return -1;
    if (read_cutover(t->cutover, &task->cutover, err))
        return -1;
    return read_steps(t->steps, task->steps, err);
}

int task_document_load(const char *path, TaskDocument *task, Error *err)
{
    TaskText text = {.jobs = task->jobs,
                     .workers = task->workers,
                     .slot_guard_bytes = task->slot_guard_bytes,
                     .wait_seconds = task->wait_seconds,
                     .sequence_margin = task->sequence_margin,
                     .verify_sample = task->verify_sample};
    json_object *document = json_read_file(path, "task document", MAX_DOCUMENT, err);

    if (!document)
        return -1;
    int result = read_document(document, &text, task, err);
    task_text_free(&text);
    json_object_put(document);
    return result ? error_wrap(err, "task document '%s'", path) : 0;
}
