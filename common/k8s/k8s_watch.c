// SPDX-License-Identifier: Apache-2.0
// A state machine around two kinds of request: LIST pages, and the stream of a WATCH. Must not keep objects.
// WatchList: https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/3157-watch-list
// Bookmarks, 410: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
#include "common/k8s/k8s_watch.h"

#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/k8s/k8s_lines.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_path.h"
#include "common/k8s/k8s_status.h"

#include <malloc.h>
#include <string.h>

enum {
    PAGE = 500,
    LINE_MAX_BYTES = 32 << 20, // an object is at most 1.5 MiB in etcd
    LIST_TIMEOUT_MS = 60000,
    WATCH_SECONDS_MIN = 300, // and up to twice as long
    IDLE_MS = 75000,         // bookmarks come every minute
    BACKOFF_FIRST_MS = 800,
    BACKOFF_MAX_MS = 30000,
    HEALTHY_S = 10, // of a watch, after which the back-off begins anew: several short outages in a row are no long one
};

struct K8sWatch {
    K8sClient *client;
    K8sWatchSpec spec;
    char *path, *selector; // selector percent-encoded, or ""
    bool no_watch_list;    // the server does not know it
    bool synced;           // has been complete once
    bool whole;            // what was given is a complete state, as of version; false: it must be listed
    bool newest;           // list at "", the newest, and not at any state from version on
    bool listing;          // the stream under way began with a list
    char *version;         // resourceVersion to go on from; NULL: none
    char *next_page;       // continue token, percent-encoded; or NULL
    K8sLines lines;
    json_tokener *tokener;
    Error stream_error;  // an ERROR event, or a line that makes no sense
    double stream_since; // monotonic
    int64_t backoff_ms;
    uint32_t random;
    K8sCall *call;
    K8sTimer *timer;
};

static void begin(K8sWatch *w);

static uint32_t next_random(K8sWatch *w)
{
    w->random = w->random * 1664525U + 1013904223U;
    return w->random >> 8;
}

static void set_version(K8sWatch *w, const char *version)
{
    if (!*version || (w->version && strcmp(w->version, version) == 0))
        return;
    free(w->version);
    w->version = memory_strdup(version);
}

// ---- when to go on -------------------------------------------------------------------------------------------------

static void on_timer(void *context)
{
    K8sWatch *w = context;

    w->timer = NULL;
    begin(w);
}

static void go_on_after(K8sWatch *w, int64_t ms)
{
    w->timer = k8s_timer_start(k8s_client_loop(w->client), ms, on_timer, w);
}

static void double_backoff(K8sWatch *w)
{
    w->backoff_ms = w->backoff_ms * 2 < BACKOFF_MAX_MS ? w->backoff_ms * 2 : BACKOFF_MAX_MS;
}

// What failed is tried again, later each time, with jitter so that many clients do not come at once.
static void back_off(K8sWatch *w, const Error *err, double retry_after_s)
{
    int64_t ms = w->backoff_ms + next_random(w) % (uint32_t)(w->backoff_ms / 2 + 1);

    if (retry_after_s > 0 && (double)ms < retry_after_s * 1000.0)
        ms = (int64_t)(retry_after_s * 1000.0);
    log_warn("watch", "%s%s%s%s; again in %.1f s", err->message, *err->hint ? " (" : "", err->hint,
             *err->hint ? ")" : "", (double)ms / 1000.0);
    double_backoff(w);
    go_on_after(w, ms);
}

// The version is too old to go on from: a complete state again, first from any that is not older than what we have
// (which costs the server nothing), and if the server has no such one, the newest.
static void expired(K8sWatch *w)
{
    log_info("watch", "%s: the state is too old to go on from; listing again", w->path);
    w->newest = !w->whole || !w->version;
    w->whole = false;
    go_on_after(w, w->backoff_ms / 8);
    double_backoff(w);
}

static void complete(K8sWatch *w)
{
    w->whole = true;
    w->newest = false;
    w->synced = true;
    w->spec.synced(w->spec.context);
    malloc_trim(0); // what parsing the list took
}

// ---- the stream ----------------------------------------------------------------------------------------------------

static void bookmark(K8sWatch *w, json_object *object)
{
    json_object *metadata = k8s_member(object, "metadata");

    set_version(w, k8s_text(metadata, "resourceVersion"));
    if (strcmp(k8s_text(k8s_member(metadata, "annotations"), "k8s.io/initial-events-end"), "true") == 0 && !w->whole)
        complete(w);
}

static bool on_change(K8sWatch *w, K8sEventType type, json_object *object)
{
    if (!json_object_is_type(object, json_type_object)) {
        error_set(&w->stream_error, ERROR_PROTOCOL, "WATCH %s: an event without an object", w->path);
        return false;
    }
    // In the initial list a version is only that of its object: going on from it would miss others.
    if (w->whole)
        set_version(w, k8s_text(k8s_member(object, "metadata"), "resourceVersion"));
    w->spec.object(w->spec.context, type, object);
    return true;
}

static bool on_event(K8sWatch *w, json_object *event)
{
    static const struct {
        const char *name;
        K8sEventType type;
    } TYPES[] = {{"ADDED", K8S_ADDED}, {"MODIFIED", K8S_MODIFIED}, {"DELETED", K8S_DELETED}};
    const char *type = k8s_text(event, "type");
    json_object *object = k8s_member(event, "object");

    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (strcmp(type, TYPES[i].name) == 0)
            return on_change(w, TYPES[i].type, object);
    if (strcmp(type, "BOOKMARK") == 0) {
        bookmark(w, object);
        return true;
    }
    if (strcmp(type, "ERROR") == 0)
        k8s_status_event_error(w->path, object, &w->stream_error);
    else
        error_set(&w->stream_error, ERROR_PROTOCOL, "WATCH %s: an event of unknown type \"%.40s\"", w->path, type);
    return false;
}

static bool on_line(void *context, const char *text, size_t len)
{
    K8sWatch *w = context;

    json_tokener_reset(w->tokener);
    json_object *event = json_tokener_parse_ex(w->tokener, text, (int)len);
    if (json_tokener_get_error(w->tokener) != json_tokener_success || !json_object_is_type(event, json_type_object)) {
        json_object_put(event);
        error_set(&w->stream_error, ERROR_PROTOCOL, "WATCH %s: a line that is no JSON object: %.*s", w->path,
                  (int)(len < 80 ? len : 80), text);
        return false;
    }
    bool go_on = on_event(w, event);
    json_object_put(event);
    return go_on;
}

static bool on_bytes(void *context, const char *bytes, size_t len)
{
    K8sWatch *w = context;
    bool go_on = false;

    if (k8s_lines_feed(&w->lines, bytes, len, on_line, w, &go_on, &w->stream_error))
        return false;
    return go_on;
}

static bool refuses_watch_list(const K8sWatch *w, const K8sReply *reply)
{
    return w->listing && (reply->status == 400 || reply->status == 405 || reply->status == 422);
}

// A server that was set back to an older state (a restored etcd) has not reached our version yet, and may never.
static bool is_ahead(const Error *err)
{
    return strstr(err->message, "Too large resource version") != NULL;
}

static void on_stream_end(void *context, const K8sReply *reply)
{
    K8sWatch *w = context;
    const Error *err = w->stream_error.code != ERROR_NONE ? &w->stream_error : &reply->error;
    double lived = clock_monotonic() - w->stream_since;

    w->call = NULL;
    buffer_clear(&w->lines.partial, 0); // half a line is lost with its stream, and comes again
    if (lived > HEALTHY_S || (err->code == ERROR_NONE && lived > 1))
        w->backoff_ms = BACKOFF_FIRST_MS;
    if (err->http_status == 410) {
        expired(w);
    } else if (refuses_watch_list(w, reply)) {
        log_info("watch", "%s; listing in pages instead", err->message);
        w->no_watch_list = true;
        go_on_after(w, 0);
    } else if (reply->idle && w->whole) {
        // Of a kind that nobody has touched since it started, a server sends no bookmarks either: no news.
        log_debug("watch", "%s: silent for %d s, asking anew", w->path, IDLE_MS / 1000);
        go_on_after(w, 0);
    } else if (err->code == ERROR_NONE && lived > 1) {
        go_on_after(w, 0); // timeoutSeconds are over
    } else if (err->code == ERROR_NONE) {
        Error early = {0};
        error_set(&early, ERROR_TRANSIENT, "WATCH %s: ended at once", w->path);
        back_off(w, &early, 0);
    } else {
        w->newest = w->newest || is_ahead(err);
        back_off(w, err, reply->retry_after_s);
    }
}

static void send_stream(K8sWatch *w)
{
    uint32_t seconds = WATCH_SECONDS_MIN + next_random(w) % WATCH_SECONDS_MIN;
    bool from_version = w->version && !w->newest;

    w->listing = !w->whole;
    auto_free char *path =
        memory_printf("%s?watch=1&allowWatchBookmarks=true&timeoutSeconds=%u%s%s&resourceVersion=%s%s", w->path,
                      seconds, *w->selector ? "&labelSelector=" : "", w->selector, from_version ? w->version : "",
                      w->listing ? "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan" : "");
    w->stream_error = (Error){0};
    w->stream_since = clock_monotonic();
    if (w->listing)
        w->spec.begin(w->spec.context);
    K8sRequest request = {
        .method = "GET", .path = path, .idle_ms = IDLE_MS, .data = on_bytes, .done = on_stream_end, .context = w};
    w->call = k8s_client_send(w->client, &request);
}

// ---- pages ---------------------------------------------------------------------------------------------------------

// Always the newest state: a page that continues another one has that one's version.
static void take_page(K8sWatch *w, json_object *page)
{
    json_object *items = k8s_member(page, "items"), *metadata = k8s_member(page, "metadata");
    const char *more = k8s_text(metadata, "continue");

    if (!w->next_page)
        w->spec.begin(w->spec.context);
    for (size_t i = 0; i < k8s_count(items); i++)
        w->spec.object(w->spec.context, K8S_ADDED, k8s_item(items, i));
    free(w->next_page);
    w->next_page = *more ? k8s_path_encode(more) : NULL;
    if (w->next_page)
        return;
    set_version(w, k8s_text(metadata, "resourceVersion"));
    complete(w);
}

static void on_page(void *context, const K8sReply *reply)
{
    K8sWatch *w = context;
    Error err = reply->error;
    json_object *page = err.code == ERROR_NONE ? k8s_json_parse(reply->body, reply->len) : NULL;

    w->call = NULL;
    if (err.code == ERROR_NONE && !json_object_is_type(k8s_member(page, "items"), json_type_array))
        error_set(&err, ERROR_PROTOCOL, "GET %s: the answer is no list", w->path);
    if (err.code == ERROR_NONE) {
        take_page(w, page);
        w->backoff_ms = BACKOFF_FIRST_MS;
        go_on_after(w, 0);
    } else {
        free(w->next_page); // from the first page again; 410: the pages that were read are too old to go on from
        w->next_page = NULL;
        back_off(w, &err, reply->retry_after_s);
    }
    json_object_put(page);
}

static void send_page(K8sWatch *w)
{
    auto_free char *path =
        memory_printf("%s?limit=%d%s%s%s%s", w->path, PAGE, *w->selector ? "&labelSelector=" : "", w->selector,
                      w->next_page ? "&continue=" : "", w->next_page ? w->next_page : "");
    K8sRequest request = {.method = "GET", .path = path, .timeout_ms = LIST_TIMEOUT_MS, .done = on_page, .context = w};

    w->call = k8s_client_send(w->client, &request);
}

static void begin(K8sWatch *w)
{
    if (!w->whole && w->no_watch_list)
        send_page(w);
    else
        send_stream(w);
}

K8sWatch *k8s_watch_start(K8sClient *client, const K8sWatchSpec *spec)
{
    K8sWatch *w = memory_zalloc(sizeof *w);

    *w = (K8sWatch){.client = client, .spec = *spec, .backoff_ms = BACKOFF_FIRST_MS, .lines.max = LINE_MAX_BYTES};
    w->path = memory_strdup(spec->path);
    w->selector = k8s_path_encode(spec->label_selector ? spec->label_selector : "");
    w->tokener = json_tokener_new_ex(100);
    w->random = (uint32_t)(clock_now() * 1000.0) ^ (uint32_t)getpid() ^ (uint32_t)(uintptr_t)w;
    begin(w);
    return w;
}

void k8s_watch_stop(K8sWatch *w)
{
    if (!w)
        return;
    k8s_client_cancel(w->call);
    k8s_timer_cancel(w->timer);
    k8s_lines_free(&w->lines);
    json_tokener_free(w->tokener);
    free(w->path);
    free(w->selector);
    free(w->version);
    free(w->next_page);
    free(w);
}

bool k8s_watch_synced(const K8sWatch *w)
{
    return w->synced;
}
