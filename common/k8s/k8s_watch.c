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
#include "common/k8s/k8s_status.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

enum {
    PAGE = 500,
    LINE_MAX_BYTES = 32 << 20, // an object is at most 1.5 MiB in etcd
    LIST_TIMEOUT_MS = 60000,
    WATCH_SECONDS_MIN = 300, // and up to twice as long
    IDLE_MS = 100000,        // bookmarks come every minute
    BACKOFF_FIRST_MS = 800,
    BACKOFF_MAX_MS = 30000,
    HEALTHY_S = 120, // of a watch, after which the back-off begins anew
};

typedef enum Mode { MODE_WATCH_LIST, MODE_LIST, MODE_WATCH } Mode;

struct K8sWatch {
    K8sClient *client;
    K8sWatchSpec spec;
    char *path, *selector; // selector percent-encoded, or ""
    Mode mode;
    bool no_watch_list; // the server does not know it
    bool synced;        // has been complete once
    bool initial;       // objects of a complete state are coming
    bool consistent;    // list at "" and not at the last version
    char *version;      // resourceVersion to go on from; NULL: none
    char *next_page;    // continue token, percent-encoded; or NULL
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

static void forget_version(K8sWatch *w)
{
    free(w->version);
    w->version = NULL;
}

static char *encode(const char *text)
{
    static const char HEX[] = "0123456789ABCDEF";
    Buffer out = {0};

    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-_.~", *p)) {
            buffer_putc(&out, (char)*p);
        } else {
            buffer_putc(&out, '%');
            buffer_putc(&out, HEX[*p >> 4]);
            buffer_putc(&out, HEX[*p & 15]);
        }
    }
    buffer_puts(&out, "");
    return out.data ? out.data : memory_strdup("");
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

// What failed is tried again, later each time, with jitter so that many clients do not come at once.
static void back_off(K8sWatch *w, const Error *err, double retry_after_s)
{
    int64_t ms = w->backoff_ms + next_random(w) % (uint32_t)(w->backoff_ms / 2 + 1);

    if (retry_after_s > 0 && (double)ms < retry_after_s * 1000.0)
        ms = (int64_t)(retry_after_s * 1000.0);
    log_warn("watch", "%s; again in %.1f s", err->message, (double)ms / 1000.0);
    w->backoff_ms = w->backoff_ms * 2 < BACKOFF_MAX_MS ? w->backoff_ms * 2 : BACKOFF_MAX_MS;
    go_on_after(w, ms);
}

// The version is too old to go on from: a complete state again, first from any that the server has, then the newest.
static void expired(K8sWatch *w)
{
    log_info("watch", "%s: the state is too old to go on from; listing again", w->path);
    w->consistent = !w->version || w->consistent;
    if (w->consistent)
        forget_version(w);
    w->mode = w->no_watch_list ? MODE_LIST : MODE_WATCH_LIST;
}

static void start_initial(K8sWatch *w)
{
    if (w->initial)
        return;
    w->initial = true;
    w->spec.begin(w->spec.context);
}

static void complete(K8sWatch *w)
{
    if (!w->initial)
        return;
    w->initial = false;
    w->consistent = false;
    w->synced = true;
    w->spec.synced(w->spec.context);
    malloc_trim(0); // what parsing the list took
}

// ---- the stream ----------------------------------------------------------------------------------------------------

static void bookmark(K8sWatch *w, json_object *object)
{
    json_object *metadata = k8s_member(object, "metadata");

    set_version(w, k8s_text(metadata, "resourceVersion"));
    if (strcmp(k8s_text(k8s_member(metadata, "annotations"), "k8s.io/initial-events-end"), "true") == 0)
        complete(w);
}

static bool on_event(K8sWatch *w, json_object *event)
{
    static const struct {
        const char *name;
        K8sEventType type;
    } TYPES[] = {{"ADDED", K8S_ADDED}, {"MODIFIED", K8S_MODIFIED}, {"DELETED", K8S_DELETED}};
    const char *type = k8s_text(event, "type");
    json_object *object = k8s_member(event, "object");

    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        if (strcmp(type, TYPES[i].name) != 0)
            continue;
        // In the initial list a version is only that of its object: going on from it would miss others.
        if (!w->initial)
            set_version(w, k8s_text(k8s_member(object, "metadata"), "resourceVersion"));
        w->spec.object(w->spec.context, TYPES[i].type, object);
        return true;
    }
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
        error_set(&w->stream_error, ERROR_PROTOCOL, "WATCH %s: a line that is no JSON object: %.80s", w->path, text);
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

static bool refused_watch_list(const K8sWatch *w, const K8sReply *reply)
{
    return w->mode == MODE_WATCH_LIST &&
           (reply->status == 400 || reply->status == 403 || reply->status == 422 || reply->status == 405);
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
        go_on_after(w, w->backoff_ms / 8);
        w->backoff_ms = w->backoff_ms * 2 < BACKOFF_MAX_MS ? w->backoff_ms * 2 : BACKOFF_MAX_MS;
    } else if (refused_watch_list(w, reply) && reply->status != 403) {
        w->no_watch_list = true;
        w->mode = MODE_LIST;
        go_on_after(w, 0);
    } else if (err->code == ERROR_NONE && lived > 1) {
        go_on_after(w, 0); // timeoutSeconds are over
    } else if (err->code == ERROR_NONE) {
        Error early = {0};
        error_set(&early, ERROR_TRANSIENT, "WATCH %s: ended at once", w->path);
        back_off(w, &early, 0);
    } else {
        back_off(w, err, reply->retry_after_s);
    }
}

static void send_stream(K8sWatch *w)
{
    uint32_t seconds = WATCH_SECONDS_MIN + next_random(w) % WATCH_SECONDS_MIN;
    bool list = w->mode == MODE_WATCH_LIST;
    auto_free char *path = memory_printf(
        "%s?watch=1&allowWatchBookmarks=true&timeoutSeconds=%u%s%s&resourceVersion=%s%s", w->path, seconds,
        *w->selector ? "&labelSelector=" : "", w->selector, w->version && !w->consistent ? w->version : "",
        list ? "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan" : "");

    w->stream_error = (Error){0};
    w->stream_since = clock_monotonic();
    if (list) {
        w->initial = false; // an earlier try may have given a part
        start_initial(w);
    }
    K8sRequest request = {
        .method = "GET", .path = path, .idle_ms = IDLE_MS, .data = on_bytes, .done = on_stream_end, .context = w};
    w->call = k8s_client_send(w->client, &request);
}

// ---- pages ---------------------------------------------------------------------------------------------------------

static void take_page(K8sWatch *w, json_object *page)
{
    json_object *items = k8s_member(page, "items"), *metadata = k8s_member(page, "metadata");
    const char *more = k8s_text(metadata, "continue");

    start_initial(w);
    for (size_t i = 0; i < k8s_count(items); i++)
        w->spec.object(w->spec.context, K8S_ADDED, k8s_item(items, i));
    free(w->next_page);
    w->next_page = *more ? encode(more) : NULL;
    if (w->next_page)
        return;
    set_version(w, k8s_text(metadata, "resourceVersion"));
    w->mode = MODE_WATCH;
    complete(w);
}

static void on_page(void *context, const K8sReply *reply)
{
    K8sWatch *w = context;
    Error err = reply->error;
    json_object *page = err.code == ERROR_NONE ? k8s_json_parse(reply->body, reply->len) : NULL;

    w->call = NULL;
    if (err.code == ERROR_NONE && !k8s_member(page, "items"))
        error_set(&err, ERROR_PROTOCOL, "GET %s: the answer is no list", w->path);
    if (err.code == ERROR_NONE) {
        take_page(w, page);
        w->backoff_ms = BACKOFF_FIRST_MS;
        go_on_after(w, 0);
    } else {
        w->initial = false; // begins from the first page
        free(w->next_page);
        w->next_page = NULL;
        if (err.http_status == 410) {
            w->consistent = true;
            forget_version(w);
        }
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
    // A stream that broke before the state was complete gave a part of it: it must come whole.
    if (w->mode == MODE_WATCH_LIST && w->synced && !w->initial && w->version && !w->consistent)
        w->mode = MODE_WATCH;
    if (w->mode == MODE_LIST)
        send_page(w);
    else
        send_stream(w);
}

K8sWatch *k8s_watch_start(K8sClient *client, const K8sWatchSpec *spec)
{
    K8sWatch *w = memory_zalloc(sizeof *w);

    *w = (K8sWatch){.client = client, .spec = *spec, .backoff_ms = BACKOFF_FIRST_MS, .lines.max = LINE_MAX_BYTES};
    w->path = memory_strdup(spec->path);
    w->selector = encode(spec->label_selector ? spec->label_selector : "");
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
