// SPDX-License-Identifier: Apache-2.0
// Looks at the Lease and, when it is free, ours or over, writes our name into it; every write says which version it
// changes, so of two writers one is refused. Must not lead a moment longer than the others wait.
#include "controller/lease.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_path.h"
#include "common/k8s/k8s_status.h"

#include <string.h>

enum {
    DURATION_S = 15,   // others wait so long for a holder that is silent
    DEADLINE_S = 10,   // and the holder gives up so long after its last success
    RENEW_MS = 2000,   // the holder writes
    LOOK_MS = 1500,    // the others read
    TIMEOUT_MS = 5000, // of a request: two of them fit in the deadline
    AGAIN_MS = 1000,   // after a refusal
    CONFLICT_MS = 100, // after another's write
    RELEASE_MS = 1000, // each try of giving back
    RELEASE_TRIES = 2,
    QUIET_S = 60, // the same trouble is logged once in it
    BODY_MAX = 1 << 20,
    SECONDS_MAX = 3600, // of another's lease: more is taken for this
};

static const char BASE[] = "/apis/coordination.k8s.io/v1";

typedef struct Seen { // the Lease as the server last showed it
    char *version;    // resourceVersion; NULL: there is none, or not known
    char *spec;       // as text: when it changes, its holder is alive
    char *holder;     // "" nobody
    char *acquired;   // acquireTime
    int64_t duration_s, transitions;
    double at; // monotonic: when it was first seen as it is
} Seen;

struct Lease {
    K8sClient *client;
    char *name, *identity, *collection, *path;
    void (*changed)(void *context, bool leading);
    void *context;
    Seen seen;
    bool leading;   // as `changed` was told
    double renewed; // monotonic: when the request was sent that made it ours
    double sent;    // the one under way
    bool writing;   // it is a write
    bool fresh;     // the next one on a new connection
    bool stale;     // what was seen is no longer so
    K8sCall *call;
    K8sTimer *timer, *deadline;
    bool releasing, released;
    int release_tries;
    double trouble_at; // when trouble was last logged; 0: none
    uint32_t random;
};

static void look(Lease *l);
static void put(Lease *l);
static void give_back(Lease *l);

static int64_t jitter(Lease *l, int64_t ms) // up to a fifth less
{
    l->random = l->random * 1664525U + 1013904223U;
    return ms - (int64_t)((l->random >> 8) % (uint32_t)(ms / 5 + 1));
}

static bool ours(const Lease *l)
{
    return l->seen.holder && strcmp(l->seen.holder, l->identity) == 0;
}

// Seconds for which what was seen still binds us; 0 or less: nobody holds it.
static double held_for(const Lease *l)
{
    if (!l->seen.holder || !*l->seen.holder || ours(l))
        return 0;
    return l->seen.at + (double)l->seen.duration_s - clock_monotonic();
}

static bool within_deadline(double since)
{
    return clock_monotonic() < since + DEADLINE_S;
}

// ---- what was seen -------------------------------------------------------------------------------------------------

static void forget_version(Seen *seen)
{
    free(seen->version);
    seen->version = NULL;
}

static void seen_free(Seen *seen)
{
    forget_version(seen);
    free(seen->spec);
    free(seen->holder);
    free(seen->acquired);
}

static void keep_text(char **slot, const char *text)
{
    free(*slot);
    *slot = memory_strdup(text);
}

static void take_spec(Lease *l, json_object *spec)
{
    Seen *seen = &l->seen;
    const char *text = spec ? json_object_to_json_string_ext(spec, JSON_C_TO_STRING_PLAIN) : "";
    const char *holder = k8s_text(spec, "holderIdentity");

    if (seen->spec && strcmp(seen->spec, text) == 0)
        return;
    seen->at = clock_monotonic();
    keep_text(&seen->spec, text);
    if (*holder && strcmp(holder, l->identity) != 0 && (!seen->holder || strcmp(seen->holder, holder) != 0))
        log_info("lease", "%s is led by %s", l->path, holder);
    keep_text(&seen->holder, holder);
    keep_text(&seen->acquired, k8s_text(spec, "acquireTime"));
    seen->transitions = k8s_integer(spec, "leaseTransitions", 0);
    seen->duration_s = k8s_integer(spec, "leaseDurationSeconds", DURATION_S);
    if (seen->duration_s < 1 || seen->duration_s > SECONDS_MAX)
        seen->duration_s = seen->duration_s < 1 ? 1 : SECONDS_MAX;
}

static int take_answer(Lease *l, const K8sReply *reply, Error *err)
{
    json_object *object = k8s_json_parse(reply->body, reply->len);
    const char *version = k8s_text(k8s_member(object, "metadata"), "resourceVersion");
    int rc = 0;

    if (*version) {
        keep_text(&l->seen.version, version);
        take_spec(l, k8s_member(object, "spec"));
    } else {
        rc = error_set(err, ERROR_PROTOCOL, "%s: the answer is no Lease: %.80s", l->path, reply->body);
    }
    json_object_put(object);
    return rc;
}

// ---- leading or not ------------------------------------------------------------------------------------------------

static void tell(Lease *l, bool leading)
{
    l->leading = leading;
    l->changed(l->context, leading);
}

static void lose(Lease *l, const char *why)
{
    if (!l->leading)
        return;
    k8s_timer_cancel(l->deadline);
    l->deadline = NULL;
    log_warn("lease", "%s: no longer leading: %s", l->path, why);
    tell(l, false);
}

static void on_deadline(void *context)
{
    Lease *l = context;

    l->deadline = NULL;
    if (l->leading && !l->releasing)
        lose(l, "it could not be renewed in time");
}

static void lead(Lease *l)
{
    k8s_timer_cancel(l->deadline);
    int64_t left_ms = (int64_t)((l->renewed + DEADLINE_S - clock_monotonic()) * 1000.0) + 1;
    l->deadline = k8s_timer_start(k8s_client_loop(l->client), left_ms, on_deadline, l);
    if (l->leading)
        return;
    log_info("lease", "%s: leading as %s", l->path, l->identity);
    tell(l, true);
}

// ---- when to go on -------------------------------------------------------------------------------------------------

static void go_on(Lease *l)
{
    if (l->stale || held_for(l) > 0 || (!l->seen.version && !l->seen.holder))
        look(l);
    else
        put(l);
}

static void on_timer(void *context)
{
    Lease *l = context;

    l->timer = NULL;
    if (l->releasing)
        give_back(l);
    else
        go_on(l);
}

static void after(Lease *l, int64_t ms)
{
    if (l->released) // by `changed`
        return;
    k8s_timer_cancel(l->timer);
    l->timer = k8s_timer_start(k8s_client_loop(l->client), ms, on_timer, l);
}

static void trouble(Lease *l, const Error *err)
{
    double now = clock_monotonic();
    bool quiet = l->trouble_at > 0 && now < l->trouble_at + QUIET_S;

    if (!quiet)
        l->trouble_at = now;
    log_write(quiet ? LOG_DEBUG : LOG_WARN, "lease", "%s%s%s", err->message, *err->hint ? ". What to do: " : "",
              err->hint);
}

// A request that got no answer took its time already; the next one goes at once, and not on a connection that may be
// as dead as this one's.
static void failed(Lease *l, const K8sReply *reply, const Error *err)
{
    int64_t ms = jitter(l, AGAIN_MS);

    trouble(l, err);
    if (reply->status == 0 && clock_monotonic() - l->sent > 1)
        ms = 0;
    if (reply->retry_after_s >= 1)
        ms = RENEW_MS; // longer, and a holder would lose it
    l->fresh = reply->status == 0;
    after(l, ms);
}

// ---- requests ------------------------------------------------------------------------------------------------------

static int timeout_ms(const Lease *l)
{
    double left = l->renewed + DEADLINE_S - clock_monotonic();

    if (l->releasing)
        return RELEASE_MS;
    return l->leading && left > 0 && left * 1000.0 < TIMEOUT_MS ? (int)(left * 1000.0) + 1 : TIMEOUT_MS;
}

static void send(Lease *l, const char *method, const char *path, json_object *body,
                 void (*done)(void *, const K8sReply *))
{
    K8sRequest request = {.method = method,
                          .path = path,
                          .timeout_ms = timeout_ms(l),
                          .body_max = BODY_MAX,
                          .fresh = l->fresh,
                          .done = done,
                          .context = l};

    if (body) {
        request.content_type = strcmp(method, "PATCH") == 0 ? "application/merge-patch+json" : "application/json";
        request.body = json_object_to_json_string_length(body, JSON_C_TO_STRING_PLAIN, &request.body_len);
    }
    l->fresh = false;
    l->writing = body != NULL;
    l->sent = clock_monotonic();
    l->call = k8s_client_send(l->client, &request);
    json_object_put(body);
}

static void on_seen(void *context, const K8sReply *reply)
{
    Lease *l = context;
    Error err = reply->error;

    l->call = NULL;
    l->stale = false;
    if (reply->status == 404)
        forget_version(&l->seen);
    else if (err.code != ERROR_NONE || take_answer(l, reply, &err)) {
        failed(l, reply, &err);
        return;
    }
    double left = held_for(l);
    if (left > 0) {
        l->trouble_at = 0; // else it depends on the write that follows
        lose(l, "another holds the lease now");
    }
    if (l->released) // by `changed`
        return;
    if (l->releasing)
        give_back(l);
    else if (left > 0)
        after(l, left * 1000.0 < LOOK_MS ? (int64_t)(left * 1000.0) + 1 : jitter(l, LOOK_MS));
    else
        put(l);
}

static void look(Lease *l)
{
    send(l, "GET", l->path, NULL, on_seen);
}

static json_object *spec_of(const Lease *l, bool release)
{
    char now[K8S_TIME_SIZE];
    json_object *spec = json_object_new_object();
    bool kept = ours(l) && *l->seen.acquired;
    int64_t transitions = l->seen.holder && !ours(l) ? l->seen.transitions + 1 : l->seen.transitions;

    k8s_time_format_micro(clock_now(), now);
    json_object_object_add(spec, "holderIdentity", json_object_new_string(release ? "" : l->identity));
    json_object_object_add(spec, "leaseDurationSeconds", json_object_new_int(release ? 1 : DURATION_S));
    json_object_object_add(spec, "acquireTime", json_object_new_string(kept ? l->seen.acquired : now));
    json_object_object_add(spec, "renewTime", json_object_new_string(now));
    json_object_object_add(spec, "leaseTransitions", json_object_new_int64(transitions));
    return spec;
}

static json_object *document(const Lease *l, bool release)
{
    json_object *body = json_object_new_object(), *metadata = json_object_new_object();

    if (l->seen.version) {
        json_object_object_add(metadata, "resourceVersion", json_object_new_string(l->seen.version));
    } else {
        json_object_object_add(body, "apiVersion", json_object_new_string("coordination.k8s.io/v1"));
        json_object_object_add(body, "kind", json_object_new_string("Lease"));
        json_object_object_add(metadata, "name", json_object_new_string(l->name));
    }
    json_object_object_add(body, "metadata", metadata);
    json_object_object_add(body, "spec", spec_of(l, release));
    return body;
}

// The time of the request counts, not that of its answer, which may have lain in the socket while we were stopped.
static void on_put(void *context, const K8sReply *reply)
{
    Lease *l = context;
    Error err = reply->error;

    l->call = NULL;
    if (reply->status == 409 || (reply->status == 404 && l->seen.version)) { // somebody was faster, or it was deleted
        l->stale = true;
        after(l, jitter(l, CONFLICT_MS));
        return;
    }
    if (err.code != ERROR_NONE || take_answer(l, reply, &err)) {
        failed(l, reply, &err);
        return;
    }
    l->trouble_at = 0;
    if (!ours(l) || !within_deadline(l->sent)) {
        lose(l, "the answer came too late");
        after(l, CONFLICT_MS);
        return;
    }
    l->renewed = l->sent;
    after(l, jitter(l, RENEW_MS));
    lead(l);
}

// A merge patch, so that what others keep in the object (labels, strategy) stays.
static void put(Lease *l)
{
    bool there = l->seen.version != NULL;

    send(l, there ? "PATCH" : "POST", there ? l->path : l->collection, document(l, false), on_put);
}

// ---- giving back ---------------------------------------------------------------------------------------------------

static void end_release(Lease *l)
{
    bool was_leading = l->leading;

    k8s_timer_cancel(l->timer);
    k8s_timer_cancel(l->deadline);
    l->timer = l->deadline = NULL;
    l->releasing = false;
    l->released = true;
    if (was_leading)
        tell(l, false);
}

static void on_given_back(void *context, const K8sReply *reply)
{
    Lease *l = context;

    l->call = NULL;
    if (reply->error.code == ERROR_NONE) {
        log_info("lease", "%s: given back", l->path);
        end_release(l);
    } else if (reply->status == 404) {
        end_release(l);
    } else if (reply->status == 409) {
        look(l);
    } else {
        trouble(l, &reply->error);
        l->fresh = reply->status == 0;
        give_back(l);
    }
}

static void give_back(Lease *l)
{
    if (!ours(l) || !l->seen.version) {
        end_release(l);
    } else if (l->release_tries++ == RELEASE_TRIES) {
        log_warn("lease", "%s: could not be given back; a successor waits until it is over", l->path);
        end_release(l);
    } else {
        send(l, "PATCH", l->path, document(l, true), on_given_back);
    }
}

void lease_release(Lease *l)
{
    bool unknown = l->call && l->writing;

    if (l->releasing || l->released)
        return;
    k8s_client_cancel(l->call);
    k8s_timer_cancel(l->timer);
    l->call = NULL;
    l->timer = NULL;
    l->releasing = true;
    if (unknown) // whether the write under way counts is seen by looking
        look(l);
    else if (l->leading)
        give_back(l);
    else
        end_release(l);
}

// ---- the lease -----------------------------------------------------------------------------------------------------

bool lease_leading(const Lease *l)
{
    return l->leading && !l->releasing && within_deadline(l->renewed);
}

bool lease_released(const Lease *l)
{
    return l->released;
}

Lease *lease_start(K8sClient *client, const LeaseSpec *spec)
{
    Lease *l = memory_zalloc(sizeof *l);

    *l = (Lease){.client = client, .changed = spec->changed, .context = spec->context};
    l->name = memory_strdup(spec->name);
    l->identity = memory_strdup(spec->identity);
    l->collection = k8s_path(BASE, spec->namespace_name, "leases", NULL, NULL);
    l->path = k8s_path(BASE, spec->namespace_name, "leases", spec->name, NULL);
    l->random = (uint32_t)(clock_now() * 1000.0) ^ (uint32_t)getpid();
    look(l);
    return l;
}

void lease_free(Lease *l)
{
    if (!l)
        return;
    k8s_client_cancel(l->call);
    k8s_timer_cancel(l->timer);
    k8s_timer_cancel(l->deadline);
    seen_free(&l->seen);
    free(l->name);
    free(l->identity);
    free(l->collection);
    free(l->path);
    free(l);
}
