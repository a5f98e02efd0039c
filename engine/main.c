// SPDX-License-Identifier: Apache-2.0
// kubeferry-engine: moves a live PostgreSQL database into another one. Sets the process up and hands over to a verb.
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "common/contract/exit_codes.h"
#include "engine/ledger/ledger.h"
#include "engine/options_table.h"
#include "engine/start.h"
#include "engine/status_server.h"
#include "engine/verbs/cdc.h"
#include "engine/verbs/cleanup.h"
#include "engine/verbs/cutover.h"
#include "engine/verbs/init_data.h"
#include "engine/verbs/init_data_worker.h"
#include "engine/verbs/init_struct.h"
#include "engine/verbs/init_struct_later.h"
#include "engine/verbs/precheck.h"
#include "engine/verbs/run.h"
#include "engine/verbs/verify.h"
#include "engine/view.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

static int do_precheck(const EngineOptions *options, Progress *progress, Error *err)
{
    return verb_precheck(&options->task, progress, err);
}

static int do_cleanup(const EngineOptions *options, Progress *progress, Error *err)
{
    return verb_cleanup(&options->task, progress, options->force, err);
}

static int do_run(const EngineOptions *options, Progress *progress, Error *err)
{
    return verb_run(&options->task, progress, err);
}

// A step by itself: connects, takes the task's lock, does it.
static int do_step(const EngineOptions *options, Progress *progress, int (*step)(Context *, Ledger *, Error *),
                   Error *err)
{
    Context ctx;
    Ledger ledger = {0};

    int rc = start_task(&ctx, &ledger, &options->task, progress, err) || step(&ctx, &ledger, err) ? -1 : 0;
    ledger_close(&ledger);
    context_close(&ctx);
    return rc;
}

static int do_init_struct(const EngineOptions *options, Progress *progress, Error *err)
{
    return do_step(options, progress, verb_init_struct, err);
}

// It may come before the coordinator, which ends what it takes for sessions of an earlier one: it tries again.
static int do_init_data_worker(const EngineOptions *options, Progress *progress, Error *err)
{
    enum { PATIENCE_S = 30 };
    const TaskDocument *task = &options->task;
    Context ctx;

    int seconds = task->wait_seconds > PATIENCE_S ? task->wait_seconds : PATIENCE_S;
    int rc = start_context(&ctx, task, progress, seconds, err) || verb_init_data_worker(&ctx, err) ? -1 : 0;
    context_close(&ctx);
    return rc;
}

static int do_init_data(const EngineOptions *options, Progress *progress, Error *err)
{
    return options->worker_index > 0 ? do_init_data_worker(options, progress, err)
                                     : do_step(options, progress, verb_init_data, err);
}

static int do_init_struct_later(const EngineOptions *options, Progress *progress, Error *err)
{
    return do_step(options, progress, verb_init_struct_later, err);
}

static int do_cdc(const EngineOptions *options, Progress *progress, Error *err)
{
    return do_step(options, progress, verb_cdc, err);
}

static bool verified_equal = true;

static int do_verify(const EngineOptions *options, Progress *progress, Error *err)
{
    Context ctx;
    int rc = start_context(&ctx, &options->task, progress, options->task.wait_seconds, err) ||
                     verb_verify(&ctx, progress, options->resume, &verified_equal, err)
                 ? -1
                 : 0;
    context_close(&ctx);
    return rc;
}

static int do_cutover(const EngineOptions *options, Progress *progress, Error *err)
{
    Context ctx;
    int rc = start_context(&ctx, &options->task, progress, options->task.wait_seconds, err) ||
                     verb_cutover(&ctx, options->check, options->abort, err)
                 ? -1
                 : 0;
    context_close(&ctx);
    return rc;
}

// The task of the way back is made by a cutover and by nobody else.
static int do_reverse(const EngineOptions *options, Progress *progress, Error *err)
{
    Context ctx;
    Ledger ledger = {0};
    bool found = false;

    int rc = start_context(&ctx, &options->task, progress, options->task.wait_seconds, err) ||
                     ledger_open_shared(&ctx, &ledger, &found, err)
                 ? -1
                 : 0;
    ledger_close(&ledger);
    context_close(&ctx);
    if (rc == 0 && !found) {
        rc = error_set(err, ERROR_CONDITION, "there is no way back: no cutover has left one");
        error_hint(err, "it is made by kubeferry-engine cutover --reverse");
    }
    return rc ? rc : do_step(options, progress, verb_cdc, err);
}

static const struct {
    int (*run)(const EngineOptions *options, Progress *progress, Error *err);
    bool view;   // worth watching while it runs
    bool report; // ends with the short report
} VERBS[VERB_COUNT] = {
    [VERB_PRECHECK] = {do_precheck, false, false},
    [VERB_INIT_STRUCT] = {do_init_struct, true, true},
    [VERB_INIT_DATA] = {do_init_data, true, true},
    [VERB_INIT_STRUCT_LATER] = {do_init_struct_later, true, true},
    [VERB_CDC] = {do_cdc, true, true},
    [VERB_VERIFY] = {do_verify, true, true},
    [VERB_CUTOVER] = {do_cutover, false, true},
    [VERB_REVERSE] = {do_reverse, true, true},
    [VERB_ROLLBACK] = {do_cutover, false, true},
    [VERB_CLEANUP] = {do_cleanup, false, false},
    [VERB_RUN] = {do_run, true, true},
};

// What a container's runtime picks up as the last word of the process; the file is named by the environment.
static void write_termination(Progress *progress)
{
    const char *path = getenv("KUBEFERRY_TERMINATION_FILE");

    if (!path || !*path)
        return;
    auto_free char *text = progress_to_termination(progress);
    FILE *f = fopen(path, "we");
    if (!f || fputs(text, f) < 0 || fflush(f))
        log_warn("engine", "the termination message could not be written to %s: %s", path, strerror(errno));
    if (f)
        fclose(f);
}

// Before there is a task: what is wrong with the options or the task document is the last word, too.
static int refuse(const EngineOptions *options, const Error *err)
{
    Progress progress;

    progress_init(&progress, &options->task, engine_verb_name(options->verb));
    progress_fail(&progress, err);
    log_failure("engine", err);
    write_termination(&progress);
    progress_free(&progress);
    return error_class(err->code)->exit_code;
}

static int finish(const EngineOptions *options, Progress *progress, int rc, const Error *err)
{
    if (rc) {
        progress_fail(progress, err);
        if (err->code == ERROR_STOPPED)
            log_info("engine", "stopped before the end: %s; the same command goes on from there", err->message);
        else
            log_failure("engine", err);
    } else {
        pthread_mutex_lock(&progress->lock);
        progress->state = stop_requested() ? PROGRESS_STOPPED : PROGRESS_DONE;
        pthread_mutex_unlock(&progress->lock);
    }
    view_stop();
    if (VERBS[options->verb].report && rc == 0)
        view_print_report(progress, options->task.log_format, stdout);
    write_termination(progress);
    if (rc)
        return error_class(err->code)->exit_code;
    return options->verb == VERB_VERIFY && !verified_equal ? EXIT_DIFFERENT : EXIT_DONE;
}

static int run_verb(const EngineOptions *options)
{
    Progress progress;
    HttpServer *server = NULL;
    Error err = {0};
    bool view = options->task.log_format == LOG_TEXT && VERBS[options->verb].view;

    progress_init(&progress, &options->task, engine_verb_name(options->verb));
    if (options->verb == VERB_REVERSE)
        progress_want(&progress, STEP_CDC);
    progress.worker = options->worker_index > 0 ? options->worker_index : 0;
    int rc = options->task.listen ? status_server_start(options->task.listen, &progress, &server, &err) : 0;
    if (rc == 0 && view)
        rc = view_start(&progress, &err);
    if (rc == 0)
        rc = VERBS[options->verb].run(options, &progress, &err);
    int code = finish(options, &progress, rc, &err);
    http_server_stop(server);
    progress_free(&progress);
    return code;
}

int main(int argc, char **argv)
{
    EngineOptions options;
    Error err = {0};
    int code;

    // Few malloc arenas: what one worker gives back, another takes, and the process stays small.
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    // The handlers come first: as the first process of a container we would not get a signal without one.
    if (stop_init(&err)) {
        log_failure("engine", &err);
        return error_class(err.code)->exit_code;
    }
    if (engine_options_parse(argc, argv, &options, &err)) {
        code = refuse(&options, &err);
    } else if (engine_options_want_page(&options)) {
        engine_options_answer(&options, stdout);
        code = EXIT_DONE;
    } else {
        log_init(options.task.log_format, LOG_INFO);
        code = run_verb(&options);
    }
    engine_options_free(&options);
    return code;
}
