// SPDX-License-Identifier: Apache-2.0
// Puts the questions of the table and collects the answers. One question that cannot be put fails its own check alone;
// an end that is lost takes its remaining questions with it. Must not change anything on either end.
#include "engine/precheck/precheck.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "engine/precheck/functions.h"

#include <string.h>

int precheck_ask(Precheck *p, CheckSide side, const CheckQuestion *question, PGresult **out, Error *err)
{
    const char *values[CHECK_PARAMS_MAX];
    int count = 0;

    while (count < CHECK_PARAMS_MAX && question->params[count] != PARAM_END) {
        values[count] = p->params[question->params[count]];
        count++;
    }
    return pg_query(p->ends[side], question->sql, count, values, out, err);
}

static CheckVerdict read_verdict(const char *word)
{
    return *word == 'p' ? CHECK_PASS : *word == 'w' ? CHECK_WARN : CHECK_FAIL;
}

static const char *text_or_null(const PGresult *res, int row, int column)
{
    return PQgetisnull(res, row, column) ? NULL : PQgetvalue(res, row, column);
}

void precheck_read(const PGresult *res, CheckVerdict severity, Findings *findings)
{
    for (int i = 0; i < PQntuples(res); i++) {
        const char *what = text_or_null(res, i, 1);
        findings_add(findings, PQgetisnull(res, i, 0) ? severity : read_verdict(PQgetvalue(res, i, 0)),
                     what ? what : "", text_or_null(res, i, 2), text_or_null(res, i, 3));
    }
}

static int ask_facts(Precheck *p, const Check *check, Error *err)
{
    CheckSide other = check->side == CHECK_SOURCE ? CHECK_SINK : CHECK_SOURCE;
    auto_pgresult PGresult *res = NULL;

    if (precheck_ask(p, other, &check->facts, &res, err))
        return error_wrap(err, "asking the %s", check_side_name(other));
    precheck_set_param(p, PARAM_FACTS, PQntuples(res) > 0 ? text_or_null(res, 0, 0) : NULL);
    return 0;
}

static int make_check(Precheck *p, const Check *check, Findings *findings, Error *err)
{
    auto_pgresult PGresult *res = NULL;

    if (check->function)
        return check->function(p, findings, err);
    if (check->facts.sql && ask_facts(p, check, err))
        return -1;
    if (precheck_ask(p, check->side, &check->question, &res, err))
        return -1;
    precheck_read(res, check->severity, findings);
    return 0;
}

static bool is_wanted(const Precheck *p, const Check *check)
{
    static const struct {
        int flag;
        Step step;
    } STEPS[] = {{ASK_FOR_STRUCT, STEP_INIT_STRUCT}, {ASK_FOR_DATA, STEP_INIT_DATA}, {ASK_FOR_CDC, STEP_CDC}};

    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++)
        if ((check->ask & STEPS[i].flag) && !p->task->steps[STEPS[i].step])
            return false;
    return true;
}

static bool has_params(const Precheck *p, const CheckQuestion *question)
{
    for (int i = 0; i < CHECK_PARAMS_MAX && question->params[i] != PARAM_END; i++)
        if (question->params[i] != PARAM_FACTS && !p->params[question->params[i]])
            return false;
    return true;
}

static bool connects(const Check *check)
{
    return check->function == check_source_connection || check->function == check_sink_connection;
}

// What keeps the check from being made: an end, CHECK_SIDES for something that is not known; -1 nothing.
static int obstacle(const Precheck *p, const Check *check)
{
    bool both = check->facts.sql || (check->ask & ASK_BOTH_ENDS);

    if (connects(check))
        return -1;
    if (!p->ends[check->side])
        return (int)check->side;
    for (int side = 0; side < CHECK_SIDES && both; side++)
        if (!p->ends[side])
            return side;
    for (size_t i = 0; check->after && i < CHECK_TABLE_COUNT; i++)
        if (strcmp(CHECKS[i].id, check->after) == 0 && (p->failed_bits >> i & 1))
            return CHECK_SIDES;
    if ((check->ask & ASK_TABLES) && !p->params[PARAM_EXISTING_SINK])
        return p->ends[CHECK_SINK] && p->ends[CHECK_SOURCE] ? CHECK_SIDES
               : p->ends[CHECK_SINK]                        ? CHECK_SOURCE
                                                            : CHECK_SINK;
    if (has_params(p, &check->question) && has_params(p, &check->facts))
        return -1;
    // What is not known follows from the tables, so from the source, or from the sink.
    if (!p->ends[CHECK_SOURCE])
        return CHECK_SOURCE;
    return !p->ends[CHECK_SINK] && p->have_relations ? CHECK_SINK : CHECK_SIDES;
}

static void put_id(Buffer *list, const char *id)
{
    if (list->len)
        buffer_puts(list, ", ");
    buffer_puts(list, id);
}

static void report(Precheck *p, const Check *check, const Findings *findings)
{
    auto_buffer Buffer message = {0};
    auto_buffer Buffer remedy = {0};
    CheckVerdict verdict = findings_verdict(findings);

    findings_message(findings, &message);
    findings_remedy(findings, check->remedy, &remedy);
    progress_check(p->ctx.progress, check->id, verdict, message.len ? message.data : check->title,
                   buffer_text(&remedy));
    if (verdict == CHECK_FAIL) {
        put_id(&p->failed_ids, check->id);
        p->failed_bits |= UINT64_C(1) << (check - CHECKS);
    }
    *(verdict == CHECK_FAIL ? &p->failed : verdict == CHECK_WARN ? &p->warned : &p->passed) += 1;
}

// An end whose connection broke answers nothing more.
static void notice_lost_ends(Precheck *p, const Error *err)
{
    for (int side = 0; side < CHECK_SIDES; side++) {
        if (!p->ends[side] || PQstatus(p->ends[side]) == CONNECTION_OK)
            continue;
        p->refused[side] = *err;
        PQfinish(p->ends[side]);
        p->ends[side] = NULL;
    }
}

static int run_check(Precheck *p, const Check *check, Error *err)
{
    Findings findings = {0};
    Error failed = {0};

    if (make_check(p, check, &findings, &failed)) {
        if (failed.code == ERROR_STOPPED) {
            findings_free(&findings);
            *err = failed;
            return -1;
        }
        findings_addf(&findings, check->severity,
                      failed.hint[0] ? failed.hint : "see the message and the server's log, then run precheck again",
                      "%s%s%s%s%s", connects(check) ? "" : "this could not be checked: ", failed.message,
                      failed.sqlstate[0] ? " (SQLSTATE " : "", failed.sqlstate, failed.sqlstate[0] ? ")" : "");
        notice_lost_ends(p, &failed);
    }
    report(p, check, &findings);
    findings_free(&findings);
    return 0;
}

// Nothing is called checked that was not asked.
static void note_what_was_not_asked(Precheck *p)
{
    static const char *const WHY[CHECK_SIDES + 1] = {"because the source cannot be reached",
                                                     "because the sink cannot be reached",
                                                     "because an earlier check failed"};

    if (p->left_out) {
        log_info("precheck", "%zu checks that only steps not wanted need were left out", p->left_out);
        progress_note(p->ctx.progress, "precheck: %zu checks that only steps not wanted need were left out",
                      p->left_out);
    }
    for (int i = 0; i <= CHECK_SIDES; i++)
        if (p->not_asked[i].len) {
            log_warn("precheck", "not checked %s: %s", WHY[i], p->not_asked[i].data);
            progress_note(p->ctx.progress, "precheck: not checked %s: %s", WHY[i], p->not_asked[i].data);
        }
}

int precheck_run(Precheck *p, const TaskDocument *task, Progress *progress, Error *err)
{
    *p = (Precheck){.task = task};
    context_name(&p->ctx, task, progress);
    precheck_set_param(p, PARAM_TASK, task->name);
    precheck_set_param(p, PARAM_SLOT, p->ctx.slot);
    precheck_set_param(p, PARAM_PUBLICATION, p->ctx.publication);
    precheck_set_param(p, PARAM_APPLICATION, p->ctx.application);
    p->params[PARAM_MARK] = memory_printf("kubeferry task %s", task->name);
    p->params[PARAM_JOBS] = memory_printf("%d", task->jobs * task->workers);
    // Without init-struct the tables must be there, if anything is to be done with them.
    bool tables_needed = !task->steps[STEP_INIT_STRUCT] && (task->steps[STEP_INIT_DATA] || task->steps[STEP_CDC]);
    precheck_set_param(p, PARAM_WITH_STRUCT, tables_needed ? "false" : "true");
    precheck_set_param(p, PARAM_WITH_CDC, task->steps[STEP_CDC] ? "true" : "false");
    precheck_set_param(p, PARAM_WHOLE_DATABASE, task->objects.count == 0 ? "true" : "false");

    for (size_t i = 0; i < CHECK_TABLE_COUNT; i++) {
        const Check *check = &CHECKS[i];
        if ((check->ask & ASK_FOR_REVERSE) && !task->cutover.reverse)
            continue;
        if (!is_wanted(p, check)) {
            p->left_out++;
            continue;
        }
        int missing = obstacle(p, check);
        if (missing >= 0)
            put_id(&p->not_asked[missing], check->id);
        else if (run_check(p, check, err))
            return -1;
    }
    note_what_was_not_asked(p);
    return 0;
}

int precheck_result(const Precheck *p, Error *err)
{
    for (int side = 0; side < CHECK_SIDES; side++) {
        if (p->refused[side].code == ERROR_NONE)
            continue;
        *err = p->refused[side];
        return -1;
    }
    if (p->failed == 0)
        return 0;
    error_set(err, ERROR_PRECHECK, "%zu of %zu prechecks failed: %s", p->failed, p->failed + p->warned + p->passed,
              buffer_text(&p->failed_ids));
    return error_hint(err, "each failed check says what to do; then start again");
}

void precheck_free(Precheck *p)
{
    for (int side = 0; side < CHECK_SIDES; side++)
        if (p->ends[side])
            PQfinish(p->ends[side]);
    for (int i = 0; i < PARAM_COUNT; i++)
        free(p->params[i]);
    for (int i = 0; i <= CHECK_SIDES; i++)
        buffer_free(&p->not_asked[i]);
    buffer_free(&p->failed_ids);
    relations_free(&p->relations);
    free(p->source_system);
    free(p->source_database);
    context_close(&p->ctx);
    *p = (Precheck){0};
}
