// SPDX-License-Identifier: Apache-2.0
// The routes of the engine's HTTP server. Must only read the progress.
#include "engine/status_server.h"

#include "common/base/memory.h"

static void show_progress(void *context, HttpReply *reply)
{
    json_object *document = progress_to_json(context);
    reply->body = memory_printf(
        "%s\n", json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(document);
}

static void show_metrics(void *context, HttpReply *reply)
{
    reply->body = progress_to_metrics(context);
}

static void show_health(void *context, HttpReply *reply)
{
    Progress *p = context;

    pthread_mutex_lock(&p->lock);
    if (p->state == PROGRESS_FAILED) {
        reply->status = 503;
        reply->body = memory_printf("%s\n", p->error.message);
    } else {
        reply->body = memory_strdup("ok\n");
    }
    pthread_mutex_unlock(&p->lock);
}

static const HttpRoute ROUTES[] = {
    {"/progress", "application/json", show_progress},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", show_metrics},
    {"/healthz", "text/plain; charset=utf-8", show_health},
};

int status_server_start(const char *listen, Progress *progress, HttpServer **out, Error *err)
{
    return http_server_start(listen, ROUTES, sizeof ROUTES / sizeof *ROUTES, progress, out, err);
}
