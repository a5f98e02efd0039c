// SPDX-License-Identifier: Apache-2.0
// Reading a progress document into a struct. Must take any bytes without harm.
#include "common/contract/progress_read.h"

#include "common/base/clock.h"
#include "common/base/json_read.h"
#include "common/base/lsn.h"
#include "common/base/memory.h"

#include <stdio.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const double NUMBER_MAX = 1e15; // seconds and rates: readers may make whole numbers of them

typedef struct Place { // a node of the document that is being read
    json_object *node; // borrowed; NULL: absent, nothing is read
    const char *path;
} Place;

static int read_at(Place at, const JsonField *fields, size_t count, Error *err)
{
    return at.node ? json_read_known_fields(at.node, at.path, fields, count, err) : 0;
}

typedef struct CountField { // a whole number of 0 or more
    const char *name;
    int64_t *target;
} CountField;

static int read_counts(Place at, const CountField *counts, size_t count, Error *err)
{
    for (size_t i = 0; i < count; i++) {
        const JsonField field = {counts[i].name, JSON_FIELD_INTEGER, counts[i].target};
        if (read_at(at, &field, 1, err))
            return -1;
        if (*counts[i].target < 0)
            return error_set(err, ERROR_PROTOCOL, "%s.%s: expected 0 or more, found %lld", at.path, counts[i].name,
                             (long long)*counts[i].target);
    }
    return 0;
}

static int read_number(Place at, const char *name, double *out, Error *err)
{
    const JsonField field = {name, JSON_FIELD_NUMBER, out};

    if (read_at(at, &field, 1, err))
        return -1;
    if (*out < 0 || *out > NUMBER_MAX)
        return error_set(err, ERROR_PROTOCOL, "%s.%s: expected 0 to %g, found %g", at.path, name, NUMBER_MAX, *out);
    return 0;
}

static int read_time(Place at, const char *name, double *out, Error *err)
{
    auto_free char *text = NULL;
    const JsonField field = {name, JSON_FIELD_TEXT, &text};

    if (read_at(at, &field, 1, err))
        return -1;
    if (text && (*out = clock_parse(text)) <= 0)
        return error_set(err, ERROR_PROTOCOL, "%s.%s: expected a time like 2026-11-22T21:07:12.345Z", at.path, name);
    return 0;
}

static int read_lsn(Place at, const char *name, uint64_t *out, Error *err)
{
    auto_free char *text = NULL;
    const JsonField field = {name, JSON_FIELD_TEXT, &text};

    if (read_at(at, &field, 1, err))
        return -1;
    if (text && !lsn_parse(text, out))
        return error_set(err, ERROR_PROTOCOL, "%s.%s: expected a position like 0/56E54A8", at.path, name);
    return 0;
}

static int parse_state(const char *text, Place at, ProgressState *out, Error *err)
{
    for (int state = PROGRESS_WAITING; state <= PROGRESS_STOPPED; state++)
        if (strcmp(text, progress_state_name((ProgressState)state)) == 0) {
            *out = (ProgressState)state;
            return 0;
        }
    return error_set(err, ERROR_PROTOCOL, "%s.state: there is no state '%.40s'", at.path, text);
}

static int read_step(Place at, ProgressRead *out, Error *err)
{
    auto_free char *name = NULL, *state = NULL;
    const JsonField fields[] = {{"step", JSON_FIELD_TEXT, &name}, {"state", JSON_FIELD_TEXT, &state}};
    Step step;

    if (read_at(at, fields, COUNT_OF(fields), err))
        return -1;
    if (!name || !state || !step_parse(name, strlen(name), &step)) // a step that this version does not know
        return 0;
    ProgressReadStep *read = &out->steps[step];
    read->wanted = strcmp(state, "off") != 0;
    if (read->wanted && parse_state(state, at, &read->state, err))
        return -1;
    return read_time(at, "startedAt", &read->started, err) || read_time(at, "finishedAt", &read->finished, err) ? -1
                                                                                                                : 0;
}

static int read_check(Place at, ProgressRead *out, Error *err)
{
    ProgressCheck *check = &out->checks[out->check_count];
    auto_free char *verdict = NULL;
    const JsonField fields[] = {{"id", JSON_FIELD_TEXT, &check->id},
                                {"verdict", JSON_FIELD_TEXT, &verdict},
                                {"message", JSON_FIELD_TEXT, &check->message},
                                {"remedy", JSON_FIELD_TEXT, &check->remedy}};

    *check = (ProgressCheck){memory_strdup(""), CHECK_PASS, memory_strdup(""), memory_strdup("")};
    out->check_count++;
    if (read_at(at, fields, COUNT_OF(fields), err))
        return -1;
    for (int i = CHECK_PASS; i <= CHECK_FAIL; i++)
        if (verdict && strcmp(verdict, progress_verdict_name((CheckVerdict)i)) == 0) {
            check->verdict = (CheckVerdict)i;
            return 0;
        }
    return error_set(err, ERROR_PROTOCOL, "%s.verdict: expected pass, warn or fail", at.path);
}

static int read_note(Place at, ProgressRead *out, Error *err)
{
    if (!json_object_is_type(at.node, json_type_string))
        return error_set(err, ERROR_PROTOCOL, "%s: expected a string", at.path);
    out->notes[out->note_count++] = memory_strdup(json_object_get_string(at.node));
    return 0;
}

// Each element of a list, which may be absent.
static int read_list(json_object *list, const char *name, ProgressRead *out,
                     int (*read)(Place at, ProgressRead *out, Error *err), Error *err)
{
    char path[JSON_PATH_MAX];
    size_t count = list ? json_object_array_length(list) : 0;

    for (size_t i = 0; i < count; i++) {
        const Place at = {json_object_array_get_idx(list, i), path};
        snprintf(path, sizeof path, "$.%s[%zu]", name, i);
        if (!at.node)
            return error_set(err, ERROR_PROTOCOL, "%s: found null", path);
        if (read(at, out, err))
            return -1;
    }
    return 0;
}

static int read_error(Place at, ProgressReadError *out, Error *err)
{
    int64_t exit_code = 0;
    const JsonField fields[] = {
        {"code", JSON_FIELD_TEXT, &out->code},       {"reason", JSON_FIELD_TEXT, &out->reason},
        {"retry", JSON_FIELD_BOOL, &out->retry},     {"sqlstate", JSON_FIELD_TEXT, &out->sqlstate},
        {"message", JSON_FIELD_TEXT, &out->message}, {"hint", JSON_FIELD_TEXT, &out->hint},
    };
    const CountField counts[] = {{"exitCode", &exit_code}};

    if (read_at(at, fields, COUNT_OF(fields), err) || read_counts(at, counts, COUNT_OF(counts), err))
        return -1;
    if (at.node && !*out->code)
        return error_set(err, ERROR_PROTOCOL, "%s.code: expected a name", at.path);
    if (exit_code > 255)
        return error_set(err, ERROR_PROTOCOL, "%s.exitCode: expected at most 255, found %lld", at.path,
                         (long long)exit_code);
    out->exit_code = (int)exit_code;
    return 0;
}

static int read_copy(Place at, ProgressRead *out, Error *err)
{
    const CountField counts[] = {
        {"tablesDone", &out->tables_done},   {"tablesTotal", &out->tables_total},
        {"rowsDone", &out->rows_done},       {"rowsTotalEstimate", &out->rows_total},
        {"bytesDone", &out->bytes_done},     {"bytesTotal", &out->bytes_total},
        {"indexesDone", &out->indexes_done}, {"indexesTotal", &out->indexes_total},
    };
    double left = 0;
    bool known = at.node && json_object_object_get(at.node, "secondsLeft");

    if (read_counts(at, counts, COUNT_OF(counts), err) ||
        read_number(at, "rowsPerSecond", &out->rows_per_second, err) ||
        read_number(at, "bytesPerSecond", &out->bytes_per_second, err) || read_number(at, "secondsLeft", &left, err))
        return -1;
    out->seconds_left = known ? left : -1;
    return 0;
}

static int read_stream(Place at, ProgressRead *out, Error *err)
{
    const CountField counts[] = {
        {"lagBytes", &out->lag_bytes}, {"transactions", &out->transactions}, {"changes", &out->changes}};

    if (read_counts(at, counts, COUNT_OF(counts), err) || read_lsn(at, "lsnApplied", &out->lsn_applied, err) ||
        read_lsn(at, "lsnFlushed", &out->lsn_flushed, err) || read_lsn(at, "lsnSource", &out->lsn_source, err) ||
        read_time(at, "commitTime", &out->commit_time, err) || read_number(at, "lagSeconds", &out->lag_seconds, err))
        return -1;
    return read_number(at, "transactionsPerSecond", &out->transactions_per_second, err) ||
                   read_number(at, "changesPerSecond", &out->changes_per_second, err)
               ? -1
               : 0;
}

static int read_slot(Place at, ProgressRead *out, Error *err)
{
    const JsonField name = {"name", JSON_FIELD_TEXT, &out->slot};
    const CountField counts[] = {{"retainedBytes", &out->slot_retained_bytes}};

    return read_at(at, &name, 1, err) || read_counts(at, counts, COUNT_OF(counts), err) ? -1 : 0;
}

static int read_verify(Place at, ProgressRead *out, Error *err)
{
    int64_t differences = 0;
    const CountField counts[] = {
        {"tables", &out->verified_tables}, {"rows", &out->verified_rows}, {"differences", &differences}};
    bool known = at.node && json_object_object_get(at.node, "differences");

    if (read_counts(at, counts, COUNT_OF(counts), err))
        return -1;
    out->differences = known ? differences : -1;
    return 0;
}

static int read_cutover(Place at, ProgressRead *out, Error *err)
{
    const JsonField state = {"state", JSON_FIELD_TEXT, &out->cutover_state};

    return read_at(at, &state, 1, err) || read_time(at, "startedAt", &out->cutover_started, err) ||
                   read_time(at, "blockedAt", &out->cutover_blocked, err) ||
                   read_time(at, "releasedAt", &out->cutover_released, err)
               ? -1
               : 0;
}

typedef struct Parts { // borrowed from the document
    json_object *error, *steps, *copy, *stream, *slot, *verify, *cutover, *checks, *notes;
} Parts;

static int read_head(Place at, ProgressRead *out, Parts *parts, Error *err)
{
    auto_free char *state = NULL, *step = NULL;
    int64_t version = 0;
    const JsonField fields[] = {
        {"version", JSON_FIELD_INTEGER, &version},
        {"task", JSON_FIELD_TEXT, &out->task},
        {"verb", JSON_FIELD_TEXT, &out->verb},
        {"state", JSON_FIELD_TEXT, &state},
        {"step", JSON_FIELD_TEXT, &step},
        {"phase", JSON_FIELD_TEXT, &out->phase},
        {"error", JSON_FIELD_OBJECT, &parts->error},
        {"steps", JSON_FIELD_ARRAY, &parts->steps},
        {"copy", JSON_FIELD_OBJECT, &parts->copy},
        {"stream", JSON_FIELD_OBJECT, &parts->stream},
        {"slot", JSON_FIELD_OBJECT, &parts->slot},
        {"verify", JSON_FIELD_OBJECT, &parts->verify},
        {"cutover", JSON_FIELD_OBJECT, &parts->cutover},
        {"checks", JSON_FIELD_ARRAY, &parts->checks},
        {"notes", JSON_FIELD_ARRAY, &parts->notes},
    };
    const CountField counts[] = {
        {"worker", &out->worker}, {"checksDropped", &out->checks_dropped}, {"notesDropped", &out->notes_dropped}};

    if (read_at(at, fields, COUNT_OF(fields), err))
        return -1;
    if (version != PROGRESS_VERSION)
        return error_set(err, ERROR_PROTOCOL, "$.version: expected %d, found %lld", PROGRESS_VERSION,
                         (long long)version);
    if (!state)
        return error_set(err, ERROR_PROTOCOL, "$.state: there is none");
    if (!step || !step_parse(step, strlen(step), &out->step))
        out->step = STEP_COUNT;
    if (parse_state(state, at, &out->state, err) || read_counts(at, counts, COUNT_OF(counts), err))
        return -1;
    return read_time(at, "startedAt", &out->started, err) || read_time(at, "updatedAt", &out->updated, err) ? -1 : 0;
}

static int read_document(json_object *document, ProgressRead *out, Error *err)
{
    Parts parts = {0};

    if (read_head((Place){document, "$"}, out, &parts, err))
        return -1;
    if (parts.checks) // room for one more, since an empty list needs an address, too
        out->checks = memory_zalloc((json_object_array_length(parts.checks) + 1) * sizeof *out->checks);
    if (parts.notes)
        out->notes = memory_zalloc((json_object_array_length(parts.notes) + 1) * sizeof *out->notes);
    if (read_error((Place){parts.error, "$.error"}, &out->error, err) ||
        read_copy((Place){parts.copy, "$.copy"}, out, err) ||
        read_stream((Place){parts.stream, "$.stream"}, out, err) ||
        read_slot((Place){parts.slot, "$.slot"}, out, err) ||
        read_verify((Place){parts.verify, "$.verify"}, out, err) ||
        read_cutover((Place){parts.cutover, "$.cutover"}, out, err))
        return -1;
    return read_list(parts.steps, "steps", out, read_step, err) ||
                   read_list(parts.checks, "checks", out, read_check, err) ||
                   read_list(parts.notes, "notes", out, read_note, err)
               ? -1
               : 0;
}

static void make_empty(ProgressRead *p)
{
    char **texts[] = {&p->task,         &p->verb,           &p->phase,         &p->slot,       &p->error.code,
                      &p->error.reason, &p->error.sqlstate, &p->error.message, &p->error.hint, &p->cutover_state};

    *p = (ProgressRead){.step = STEP_COUNT, .seconds_left = -1, .differences = -1};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        *texts[i] = memory_strdup("");
}

int progress_read(const char *text, size_t len, ProgressRead *out, Error *err)
{
    *out = (ProgressRead){0};
    if (len > PROGRESS_READ_MAX)
        return error_set(err, ERROR_PROTOCOL, "progress document: it has %zu bytes, more than %d", len,
                         PROGRESS_READ_MAX);
    json_object *document = json_read_text(text, len, "progress document", err);
    if (!document) {
        err->code = ERROR_PROTOCOL;
        return -1;
    }
    make_empty(out);
    int rc = read_document(document, out, err);
    json_object_put(document);
    if (rc == 0)
        return 0;
    err->code = ERROR_PROTOCOL; // what json_read refuses is no user's mistake here
    progress_read_free(out);
    return error_wrap(err, "progress document");
}

void progress_read_free(ProgressRead *p)
{
    char *texts[] = {p->task,         p->verb,           p->phase,         p->slot,       p->error.code,
                     p->error.reason, p->error.sqlstate, p->error.message, p->error.hint, p->cutover_state};

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free(texts[i]);
    for (size_t i = 0; i < p->check_count; i++) {
        free(p->checks[i].id);
        free(p->checks[i].message);
        free(p->checks[i].remedy);
    }
    for (size_t i = 0; i < p->note_count; i++)
        free(p->notes[i]);
    free(p->checks);
    free(p->notes);
    *p = (ProgressRead){0};
}
