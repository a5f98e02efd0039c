// SPDX-License-Identifier: Apache-2.0
// What every verb needs to know of its task.
#include "engine/context.h"

#include "common/base/memory.h"
#include "common/base/stop.h"
#include "engine/pg/query.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void context_name(Context *ctx, const TaskDocument *task, Progress *progress)
{
    *ctx = (Context){.task = task, .progress = progress};
    ctx->slot = task_document_slot(task);
    ctx->publication = task_document_publication(task);
    ctx->application = memory_printf("kubeferry %s", task->name);
    snprintf(ctx->encoding, sizeof ctx->encoding, "UTF8");
}

static int make_work_dir(Context *ctx, Error *err)
{
    if (ctx->task->work_dir) {
        ctx->work_dir = memory_strdup(ctx->task->work_dir);
        if (mkdir(ctx->work_dir, 0700) && errno != EEXIST)
            return error_errno(err, "cannot make the work folder %s", ctx->work_dir);
        return 0;
    }
    const char *tmp = getenv("TMPDIR");
    ctx->work_dir = memory_printf("%s/kubeferry-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(ctx->work_dir))
        return error_errno(err, "cannot make a work folder %s (see --work-dir)", ctx->work_dir);
    ctx->work_dir_is_ours = true;
    return 0;
}

static int read_source_identity(Context *ctx, PGconn *source, Error *err)
{
    auto_free char *database = NULL;
    auto_free char *system = NULL;
    Error closed = {0};

    if (pg_text(source, "SELECT pg_catalog.current_database()", &database, err))
        return -1;
    snprintf(ctx->source_database, sizeof ctx->source_database, "%s", database);
    // pg_control_system() may be closed to ordinary roles: then the identity stays unknown.
    if (pg_text(source, "SELECT system_identifier FROM pg_catalog.pg_control_system()", &system, &closed) == 0 &&
        system)
        snprintf(ctx->source_system, sizeof ctx->source_system, "%s", system);
    return stop_check(err);
}

int context_open(Context *ctx, const TaskDocument *task, Progress *progress, Error *err)
{
    auto_pgconn PGconn *source = NULL;
    auto_pgconn PGconn *sink = NULL;

    context_name(ctx, task, progress);
    ctx->encoding[0] = '\0';
    if (make_work_dir(ctx, err) || context_connect_source(ctx, PG_ORDINARY, &source, err))
        return -1;
    ctx->source_version = PQserverVersion(source);
    if (context_connect_sink(ctx, &sink, err))
        return -1;
    const char *source_encoding = PQparameterStatus(source, "server_encoding");
    const char *sink_encoding = PQparameterStatus(sink, "server_encoding");
    ctx->same_encoding = source_encoding && sink_encoding && strcmp(source_encoding, sink_encoding) == 0;
    snprintf(ctx->encoding, sizeof ctx->encoding, "%s", ctx->same_encoding ? source_encoding : "UTF8");
    ctx->sink_version = PQserverVersion(sink);
    return read_source_identity(ctx, source, err);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void context_close(Context *ctx)
{
    if (ctx->work_dir_is_ours)
        nftw(ctx->work_dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(ctx->slot);
    free(ctx->publication);
    free(ctx->application);
    free(ctx->work_dir);
    *ctx = (Context){0};
}

int context_connect_source(const Context *ctx, PgKind kind, PGconn **out, Error *err)
{
    PgTarget target = {.endpoint = &ctx->task->source,
                       .role = "source",
                       .application = ctx->application,
                       .encoding = ctx->encoding[0] ? ctx->encoding : NULL};
    return pg_connect(&target, kind, out, err);
}

int context_connect_sink(const Context *ctx, PGconn **out, Error *err)
{
    PgTarget target = {.endpoint = &ctx->task->sink,
                       .role = "sink",
                       .application = ctx->application,
                       .encoding = ctx->encoding[0] ? ctx->encoding : NULL};
    return pg_connect(&target, PG_ORDINARY, out, err);
}

int context_can_set_replication_role(PGconn *sink, bool *can, Error *err)
{
    Error refused = {0};

    if (pg_exec(sink, "BEGIN", err))
        return -1;
    *can = pg_exec(sink, "SET LOCAL session_replication_role = replica", &refused) == 0;
    return pg_exec(sink, "ROLLBACK", err);
}
