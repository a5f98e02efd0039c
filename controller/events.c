// SPDX-License-Identifier: Apache-2.0
// A series is remembered for each text about an object; those that are to be written stand in a line, of which a few
// are under way. The numbers are those of client-go's recorder (tools/events, tools/record).
#include "controller/events.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/secrets.h"
#include "common/base/utf8.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_path.h"
#include "controller/key_table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    SERIES_MAX = 1024,
    OBJECTS_MAX = 1024,
    UNDER_WAY_MAX = 4, // reconciling needs the connections more
    EQUAL_S = 3600,    // the API server forgets an Event after an hour, too
    PATCH_S = 360,
    BURST = 25,
    REFILL_S = 300,
    SWEEP_MS = 60000,
    TIMEOUT_MS = 10000,
    BODY_MAX = 1 << 20,
    NOTE_MAX = 1000, // the API server takes 1024 bytes
    NAME_MAX_BYTES = 230,
    INSTANCE_MAX = 128,
};

typedef struct Series {
    Events *events;
    struct Series *next, *previous; // in the line
    bool waiting;                   // stands in the line
    K8sCall *call;                  // being written
    char *key, *object;             // object: key of its Budget
    char *collection, *name;        // of the Event
    char *body;                     // of the Event; NULL once it is written
    uint64_t count, sent, written;  // how often it happened; what is being written; what was
    double written_at, last_at;     // monotonic
    double last_time;               // seconds since 1970
} Series;

typedef struct Budget { // of an object
    double tokens, at;  // monotonic
    char object[];
} Budget;

struct Events {
    K8sClient *client;
    char *instance;
    KeyTable series, budgets; // each from the one that was used longest ago to the newest
    Series *first, *last;     // the line
    size_t under_way;
    K8sTimer *sweep;
    uint32_t number;
    bool failing; // said so already
};

static void pump(Events *events);

// ---- the line ------------------------------------------------------------------------------------------------------

static void enqueue(Series *s)
{
    Events *events = s->events;

    s->waiting = true;
    s->next = NULL;
    s->previous = events->last;
    if (events->last)
        events->last->next = s;
    else
        events->first = s;
    events->last = s;
}

static void leave_line(Series *s)
{
    if (!s->waiting)
        return;
    s->waiting = false;
    if (s->previous)
        s->previous->next = s->next;
    else
        s->events->first = s->next;
    if (s->next)
        s->next->previous = s->previous;
    else
        s->events->last = s->previous;
}

static void drop(Series *s)
{
    if (s->call) {
        k8s_client_cancel(s->call);
        s->events->under_way--;
    }
    leave_line(s);
    key_table_remove(&s->events->series, s->key);
    free(s->key);
    free(s->object);
    free(s->collection);
    free(s->name);
    free(s->body);
    free(s);
}

// ---- how much an object may have told ------------------------------------------------------------------------------

static Budget *budget_of(Events *events, const char *object)
{
    Budget *budget = key_table_get(&events->budgets, object);
    size_t size = strlen(object) + 1;

    if (budget) {
        key_table_remove(&events->budgets, object);
    } else {
        if (key_table_count(&events->budgets) == OBJECTS_MAX) {
            Budget *oldest = key_table_oldest(&events->budgets);
            key_table_remove(&events->budgets, oldest->object);
            free(oldest);
        }
        budget = memory_zalloc(sizeof *budget + size);
        *budget = (Budget){.tokens = BURST, .at = clock_monotonic()};
        memcpy(budget->object, object, size);
    }
    key_table_put(&events->budgets, budget->object, budget); // the newest now
    return budget;
}

static bool may_write(Events *events, const char *object)
{
    Budget *budget = budget_of(events, object);
    double now = clock_monotonic();

    budget->tokens += (now - budget->at) / REFILL_S;
    budget->at = now;
    if (budget->tokens > BURST)
        budget->tokens = BURST;
    if (budget->tokens < 1)
        return false;
    budget->tokens -= 1;
    return true;
}

// ---- writing -------------------------------------------------------------------------------------------------------

static void failed(Events *events, const char *what, const char *hint)
{
    log_write(events->failing ? LOG_DEBUG : LOG_WARN, "events", "an Event was dropped: %s%s%s", what,
              *hint ? ". What to do: " : "", hint);
    events->failing = true;
}

// What happened since is written when it is much, or when the last write is long ago.
static void consider(Series *s)
{
    bool due = s->count >= s->written * 2 || (s->count > s->written && clock_monotonic() - s->written_at >= PATCH_S);

    if (s->waiting || s->call || !due || !may_write(s->events, s->object))
        return;
    enqueue(s);
    pump(s->events);
}

static void on_written(void *context, const K8sReply *reply)
{
    Series *s = context;
    Events *events = s->events;
    bool there = reply->status == 409 && s->body; // the answer to an earlier try was lost

    s->call = NULL;
    events->under_way--;
    if (reply->error.code != ERROR_NONE && !there) {
        if (reply->status != 404 || s->body) // 404: the API server has forgotten it; the next one is a new Event
            failed(events, reply->error.message, reply->error.hint);
        drop(s);
    } else {
        events->failing = false;
        s->written = s->sent;
        s->written_at = clock_monotonic();
        free(s->body);
        s->body = NULL;
        consider(s);
    }
    pump(events);
}

static char *series_patch(const Series *s)
{
    char last[K8S_TIME_SIZE];

    k8s_time_format_micro(s->last_time, last);
    return memory_printf("{\"series\":{\"count\":%" PRIu64 ",\"lastObservedTime\":\"%s\"}}", s->count, last);
}

static void write_one(Series *s)
{
    auto_free char *patch = s->body ? NULL : series_patch(s);
    auto_free char *path = s->body ? memory_strdup(s->collection) : memory_printf("%s/%s", s->collection, s->name);
    const char *body = s->body ? s->body : patch;
    K8sRequest request = {.method = s->body ? "POST" : "PATCH",
                          .path = path,
                          .content_type = s->body ? "application/json" : "application/merge-patch+json",
                          .body = body,
                          .body_len = strlen(body),
                          .timeout_ms = TIMEOUT_MS,
                          .body_max = BODY_MAX,
                          .done = on_written,
                          .context = s};

    s->sent = s->body ? 1 : s->count;
    s->events->under_way++;
    s->call = k8s_client_send(s->events->client, &request);
}

static void pump(Events *events)
{
    while (events->first && events->under_way < UNDER_WAY_MAX) {
        Series *s = events->first;
        leave_line(s);
        write_one(s);
    }
}

// Counts that waited for their time; and what happened so long ago that an equal one would be a new Event.
static void on_sweep(void *context)
{
    Events *events = context;
    double now = clock_monotonic();

    events->sweep = NULL;
    for (struct lh_entry *e = key_table_first(&events->series), *next; e; e = next) {
        next = lh_entry_next(e);
        consider(lh_entry_v(e));
    }
    for (Series *s; (s = key_table_oldest(&events->series)) && now - s->last_at > EQUAL_S;)
        drop(s);
    if (key_table_count(&events->series) > 0)
        events->sweep = k8s_timer_start(k8s_client_loop(events->client), SWEEP_MS, on_sweep, events);
}

// ---- recording -----------------------------------------------------------------------------------------------------

static void add_text(json_object *object, const char *name, const char *text)
{
    json_object_object_add(object, name, json_object_new_string(text));
}

typedef struct Told { // what is recorded, its texts borrowed
    const EventObject *about;
    const char *type, *reason, *action, *note;
} Told;

static char *document(const Events *events, const Series *s, const Told *told, const char *namespace_name)
{
    json_object *event = json_object_new_object(), *metadata = json_object_new_object(),
                *regarding = json_object_new_object();
    char now[K8S_TIME_SIZE];

    k8s_time_format_micro(s->last_time, now);
    add_text(event, "apiVersion", "events.k8s.io/v1");
    add_text(event, "kind", "Event");
    add_text(metadata, "name", s->name);
    add_text(metadata, "namespace", namespace_name);
    json_object_object_add(event, "metadata", metadata);
    add_text(event, "eventTime", now);
    add_text(event, "reportingController", "kubeferry-controller");
    add_text(event, "reportingInstance", events->instance);
    add_text(event, "type", told->type);
    add_text(event, "reason", told->reason);
    add_text(event, "action", told->action);
    add_text(event, "note", told->note);
    add_text(regarding, "apiVersion", told->about->api_version);
    add_text(regarding, "kind", told->about->kind);
    add_text(regarding, "name", told->about->name);
    add_text(regarding, "uid", told->about->uid);
    if (told->about->namespace_name && *told->about->namespace_name)
        add_text(regarding, "namespace", told->about->namespace_name);
    json_object_object_add(event, "regarding", regarding);
    char *text = memory_strdup(json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN));
    json_object_put(event);
    return text;
}

static void make_room(Events *events)
{
    Series *oldest = key_table_oldest(&events->series);

    if (key_table_count(&events->series) < SERIES_MAX)
        return;
    if (oldest->body)
        failed(events, "too many at one time", "");
    drop(oldest);
}

static void begin_series(Events *events, const char *key, const char *object, const Told *told)
{
    bool has_namespace = told->about->namespace_name && *told->about->namespace_name;
    const char *namespace_name = has_namespace ? told->about->namespace_name : "default";
    Series *s = memory_zalloc(sizeof *s);

    make_room(events);
    *s = (Series){.events = events, .key = memory_strdup(key), .object = memory_strdup(object), .count = 1};
    s->last_at = clock_monotonic();
    s->last_time = clock_now();
    s->collection = k8s_path("/apis/events.k8s.io/v1", namespace_name, "events", NULL, NULL);
    s->name = memory_printf("%.*s.%" PRIx64 "%04x", NAME_MAX_BYTES, told->about->name, (uint64_t)(s->last_time * 1e6),
                            events->number++ & 0xffff);
    s->body = document(events, s, told, namespace_name);
    key_table_put(&events->series, s->key, s);
    enqueue(s);
    if (!events->sweep)
        events->sweep = k8s_timer_start(k8s_client_loop(events->client), SWEEP_MS, on_sweep, events);
    pump(events);
}

static void go_on_with(Events *events, Series *s)
{
    s->count++;
    s->last_at = clock_monotonic();
    s->last_time = clock_now();
    key_table_remove(&events->series, s->key); // it is the newest now
    key_table_put(&events->series, s->key, s);
    if (!s->body) // first of all the Event itself
        consider(s);
}

// Ends at the end of a character.
static void cut(char *text, size_t max)
{
    size_t len = strlen(text);

    if (len <= max)
        return;
    while (max > 0 && ((unsigned char)text[max] & 0xC0) == 0x80)
        max--;
    text[max] = '\0';
}

void events_record(Events *events, const EventObject *about, bool warning, const char *reason, const char *action,
                   const char *fmt, ...)
{
    auto_free char *note = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&note, fmt, args) < 0)
        abort(); // out of memory
    va_end(args);
    secrets_scrub(note);
    utf8_repair(note);
    cut(note, NOTE_MAX);
    Told told = {about, warning ? "Warning" : "Normal", reason, action, note};
    auto_free char *object = memory_printf("%s/%s/%s", about->uid, about->namespace_name ?: "", about->name);
    auto_free char *key = memory_printf("%s %s %s %s %s", object, told.type, reason, action, note);
    Series *s = key_table_get(&events->series, key);
    if (s && clock_monotonic() - s->last_at > EQUAL_S) {
        drop(s);
        s = NULL;
    }
    if (s)
        go_on_with(events, s);
    else if (may_write(events, object))
        begin_series(events, key, object, &told);
    else
        log_debug("events", "%s %s: too many events; dropped: %s %s", about->kind, about->name, reason, note);
}

bool events_idle(const Events *events)
{
    return !events->first && events->under_way == 0;
}

Events *events_new(K8sClient *client, const char *reporting_instance)
{
    Events *events = memory_zalloc(sizeof *events);

    *events = (Events){.client = client, .instance = memory_strdup(reporting_instance)};
    cut(events->instance, INSTANCE_MAX);
    return events;
}

void events_free(Events *events)
{
    if (!events)
        return;
    k8s_timer_cancel(events->sweep);
    for (Series *s; (s = key_table_oldest(&events->series));)
        drop(s);
    key_table_free(&events->series);
    for (Budget *budget; (budget = key_table_oldest(&events->budgets));) {
        key_table_remove(&events->budgets, budget->object);
        free(budget);
    }
    key_table_free(&events->budgets);
    free(events->instance);
    free(events);
}
