// SPDX-License-Identifier: Apache-2.0
// What is written to the API server for which events.
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secrets.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_status.h"
#include "controller/events.h"
#include "test/unit/k8s/scripted_server.h"

#define OK    "HTTP/1.1 201 Created\r\nConnection: close\r\n\r\n{}"
#define NO(s) "HTTP/1.1 " s " x\r\nConnection: close\r\n\r\n{\"message\":\"no\",\"reason\":\"No\"}"

typedef struct Bench {
    ScriptedServer server;
    K8sConfig config;
    K8sLoop *loop;
    K8sClient *client;
    Events *events;
    char *url;
} Bench;

static const EventObject SHOP = {"datamigration.apecloud.io/v1alpha1", "MigrationTask", "ns", "shop", "uid-1"};
static const EventObject OTHER = {"datamigration.apecloud.io/v1alpha1", "MigrationTask", "ns", "other", "uid-2"};

static void start(Bench *b)
{
    Error err = {0};

    scripted_start(&b->server);
    b->url = memory_printf("http://127.0.0.1:%d", b->server.port);
    b->config.server = b->url;
    b->loop = k8s_loop_new();
    assert_int_equal(k8s_client_new(b->loop, &b->config, "unit", &b->client, &err), 0);
    b->events = events_new(b->client, "controller-0_abc");
}

// Until all is written; then so many requests must have come.
static void written(Bench *b, int requests)
{
    Error err = {0};
    double end = clock_monotonic() + 5;

    while (!events_idle(b->events) && clock_monotonic() < end)
        assert_int_equal(k8s_loop_turn(b->loop, 10, &err), 0);
    assert_true(events_idle(b->events));
    assert_int_equal(scripted_count(&b->server), requests);
}

static void stop(Bench *b)
{
    events_free(b->events);
    k8s_client_free(b->client);
    k8s_loop_free(b->loop);
    scripted_stop(&b->server);
    free(b->url);
}

static json_object *body_of(Bench *b, int i)
{
    const char *body = strstr(b->server.requests[i].data, "\r\n\r\n") + 4;
    json_object *object = k8s_json_parse(body, strlen(body));

    assert_non_null(object);
    return object;
}

static void test_one_event(void **state)
{
    Bench b = {.server.answers = {OK}};
    (void)state;

    start(&b);
    events_record(b.events, &SHOP, true, "Unreachable", "Reconcile", "source: \"%s\" does not answer", "db");
    written(&b, 1);
    scripted_has(&b.server, 0, "POST /apis/events.k8s.io/v1/namespaces/ns/events HTTP/1.1\r\n");
    json_object *event = body_of(&b, 0), *regarding = k8s_member(event, "regarding");
    assert_string_equal(k8s_text(event, "apiVersion"), "events.k8s.io/v1");
    assert_string_equal(k8s_text(event, "kind"), "Event");
    assert_string_equal(k8s_text(event, "type"), "Warning");
    assert_string_equal(k8s_text(event, "reason"), "Unreachable");
    assert_string_equal(k8s_text(event, "action"), "Reconcile");
    assert_string_equal(k8s_text(event, "note"), "source: \"db\" does not answer");
    assert_string_equal(k8s_text(event, "reportingController"), "kubeferry-controller");
    assert_string_equal(k8s_text(event, "reportingInstance"), "controller-0_abc");
    assert_true(clock_now() - k8s_time(k8s_text(event, "eventTime")) < 60);
    assert_int_equal(strncmp(k8s_text(k8s_member(event, "metadata"), "name"), "shop.", 5), 0);
    assert_string_equal(k8s_text(k8s_member(event, "metadata"), "namespace"), "ns");
    assert_string_equal(k8s_text(regarding, "kind"), "MigrationTask");
    assert_string_equal(k8s_text(regarding, "name"), "shop");
    assert_string_equal(k8s_text(regarding, "namespace"), "ns");
    assert_string_equal(k8s_text(regarding, "uid"), "uid-1");
    json_object_put(event);
    stop(&b);
}

// A thousand equal ones are one Event, and its count is written ten times at most.
static void test_equal_ones_are_a_series(void **state)
{
    Bench b = {.server.answers = {OK, OK, OK, OK, OK, OK, OK, OK, OK, OK, OK, OK}};
    auto_free char *path = NULL;
    (void)state;

    start(&b);
    for (int i = 0; i < 1000; i++) {
        events_record(b.events, &SHOP, true, "Unreachable", "Reconcile", "no answer");
        while (!events_idle(b.events))
            assert_int_equal(k8s_loop_turn(b.loop, 10, &(Error){0}), 0);
    }
    written(&b, 10); // the Event, then 2, 4, … 512
    json_object *event = body_of(&b, 0), *patch = body_of(&b, 9);
    path = memory_printf("PATCH /apis/events.k8s.io/v1/namespaces/ns/events/%s HTTP",
                         k8s_text(k8s_member(event, "metadata"), "name"));
    for (int i = 1; i < 10; i++)
        scripted_has(&b.server, i, path);
    scripted_has(&b.server, 1, "Content-Type: application/merge-patch+json\r\n");
    assert_int_equal(k8s_integer(k8s_member(patch, "series"), "count", 0), 512);
    assert_true(k8s_time(k8s_text(k8s_member(patch, "series"), "lastObservedTime")) > 0);
    json_object_put(event);
    json_object_put(patch);
    stop(&b);
}

static void test_many_before_the_first_is_written(void **state)
{
    Bench b = {.server.answers = {OK, OK}};
    (void)state;

    start(&b);
    for (int i = 0; i < 100; i++)
        events_record(b.events, &SHOP, false, "Started", "Reconcile", "x");
    written(&b, 2);
    scripted_has(&b.server, 1, "{\"series\":{\"count\":100,");
    stop(&b);
}

static void test_what_differs_is_another(void **state)
{
    Bench b = {.server.answers = {OK, OK, OK, OK, OK, OK}};
    (void)state;

    start(&b);
    events_record(b.events, &SHOP, false, "Started", "Reconcile", "x");
    events_record(b.events, &SHOP, true, "Started", "Reconcile", "x");
    events_record(b.events, &SHOP, false, "Stopped", "Reconcile", "x");
    events_record(b.events, &SHOP, false, "Started", "Delete", "x");
    events_record(b.events, &SHOP, false, "Started", "Reconcile", "y");
    events_record(b.events, &OTHER, false, "Started", "Reconcile", "x");
    written(&b, 6);
    for (int i = 0; i < 6; i++)
        scripted_has(&b.server, i, "POST ");
    stop(&b);
}

static void count(void *context, const char *method, int status, double seconds)
{
    (void)method;
    (void)status;
    (void)seconds;
    ++*(int *)context;
}

static void test_an_object_tells_only_so_much(void **state)
{
    Bench b = {.server.answers = {NULL}}; // refuses connections: the number of tries is what counts
    int tries = 0;
    (void)state;

    start(&b);
    k8s_client_observe(b.client, (K8sObserver){.finished = count, .context = &tries});
    shutdown(b.server.fd, SHUT_RDWR);
    for (int i = 0; i < 40; i++)
        events_record(b.events, &SHOP, true, "Odd", "Reconcile", "number %d", i);
    for (int i = 0; i < 3; i++) // another object's words are its own
        events_record(b.events, &OTHER, true, "Odd", "Reconcile", "number %d", i);
    written(&b, 0);
    assert_int_equal(tries, 25 + 3);
    stop(&b);
}

static void test_long_and_odd_texts(void **state)
{
    Bench b = {.server.answers = {OK, OK, OK}};
    char text[3000], name[254];
    (void)state;

    start(&b);
    for (size_t i = 0; i < sizeof text - 2; i += 2)
        memcpy(text + i, "\xC3\xA4", 2); // ä
    text[sizeof text - 2] = '\0';
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    secrets_register("opensesame");
    events_record(b.events, &(EventObject){"v1", "Thing", NULL, name, "u"}, false, "A", "B", "x%s", text);
    written(&b, 1);
    events_record(b.events, &SHOP, false, "A", "B", "bad \xFF byte, password opensesame");
    written(&b, 2);
    scripted_has(&b.server, 0, "POST /apis/events.k8s.io/v1/namespaces/default/events HTTP");
    json_object *event = body_of(&b, 0);
    size_t len = strlen(k8s_text(event, "note"));
    assert_in_range(len, 990, 1000);
    assert_int_equal(len % 2, 1); // no half character
    assert_true(strlen(k8s_text(k8s_member(event, "metadata"), "name")) <= 253);
    assert_null(k8s_member(k8s_member(event, "regarding"), "namespace"));
    json_object_put(event);
    scripted_has(&b.server, 1, "bad ? byte, password **********\"");
    stop(&b);
}

static void test_failures_are_dropped(void **state)
{
    Bench b = {.server.answers = {NO("403"), NO("500"), OK, NO("404"), OK, NO("409"), OK}};
    (void)state;

    start(&b);
    events_record(b.events, &SHOP, false, "A", "B", "x"); // forbidden
    written(&b, 1);
    events_record(b.events, &SHOP, false, "A", "B", "x"); // not counted on top of what is not there
    written(&b, 2);
    events_record(b.events, &SHOP, false, "A", "B", "x");
    written(&b, 3);
    events_record(b.events, &SHOP, false, "A", "B", "x"); // the API server has forgotten it
    written(&b, 4);
    events_record(b.events, &SHOP, false, "A", "B", "x");
    written(&b, 5);
    events_record(b.events, &SHOP, false, "A", "B", "y"); // its answer was lost: it is there
    written(&b, 6);
    events_record(b.events, &SHOP, false, "A", "B", "y");
    written(&b, 7);
    for (int i = 0; i < 7; i++)
        scripted_has(&b.server, i, i == 3 || i == 6 ? "PATCH " : "POST ");
    stop(&b);
}

static void test_a_flood_keeps_its_bounds(void **state)
{
    Bench b = {.server.answers = {"+"}}; // nothing is ever written
    char name[32], uid[32];
    (void)state;

    start(&b);
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "task-%d", i);
        snprintf(uid, sizeof uid, "uid-%d", i);
        EventObject about = {"v1", "Thing", "ns", name, uid};
        events_record(b.events, &about, false, "A", "B", "a text about %d", i);
        if (i % 100 == 0)
            assert_int_equal(k8s_loop_turn(b.loop, 0, &(Error){0}), 0);
    }
    assert_false(events_idle(b.events));
    stop(&b); // with writes under way
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_event),
        cmocka_unit_test(test_equal_ones_are_a_series),
        cmocka_unit_test(test_many_before_the_first_is_written),
        cmocka_unit_test(test_what_differs_is_another),
        cmocka_unit_test(test_an_object_tells_only_so_much),
        cmocka_unit_test(test_long_and_odd_texts),
        cmocka_unit_test(test_failures_are_dropped),
        cmocka_unit_test(test_a_flood_keeps_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
