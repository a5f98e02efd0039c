// SPDX-License-Identifier: Apache-2.0
// What the watch asks for after each kind of end, and in which order it tells its consumer.
#include "common/base/clock.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_watch.h"
#include "test/unit/k8s/scripted_server.h"

#define STREAM "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
#define ADDED(n, v)                                                                                                    \
    "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"" n "\",\"resourceVersion\":\"" v "\"}}}\n"
#define MODIFIED(n, v)                                                                                                 \
    "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"" n "\",\"resourceVersion\":\"" v "\"}}}\n"
#define DELETED(n, v)                                                                                                  \
    "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"" n "\",\"resourceVersion\":\"" v "\"}}}\n"
#define LIST_END(v)                                                                                                    \
    "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"" v                                        \
    "\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n"
#define BOOKMARK(v) "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"" v "\"}}}\n"
#define GONE_EVENT  "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"message\":\"too old\"}}\n"
#define REFUSED(s)  "HTTP/1.1 " s " x\r\nConnection: close\r\n\r\n{\"message\":\"no\",\"reason\":\"No\"}"

typedef struct Told {
    Buffer text;
} Told;

static void begin(void *context)
{
    buffer_puts(&((Told *)context)->text, "begin ");
}

static void synced(void *context)
{
    buffer_puts(&((Told *)context)->text, "synced ");
}

static void object(void *context, K8sEventType type, json_object *o)
{
    buffer_printf(&((Told *)context)->text, "%c%s ", "+*-"[type], k8s_text(k8s_member(o, "metadata"), "name"));
}

// Turns the loop until so many requests have come and the last answer was told.
static void run(ScriptedServer *server, int requests, const char *selector, const char *expected)
{
    K8sConfig config = {0};
    K8sClient *client;
    Told told = {0};
    Error err = {0};
    double end = clock_monotonic() + 20;

    scripted_start(server);
    auto_free char *url = memory_printf("http://127.0.0.1:%d", server->port);
    config.server = url;
    K8sLoop *loop = k8s_loop_new();
    assert_int_equal(k8s_client_new(loop, &config, "unit", &client, &err), 0);
    K8sWatchSpec spec = {.path = "/api/v1/things",
                         .label_selector = selector,
                         .begin = begin,
                         .object = object,
                         .synced = synced,
                         .context = &told};
    K8sWatch *watch = k8s_watch_start(client, &spec);
    while ((scripted_count(server) < requests || strcmp(buffer_text(&told.text), expected) != 0) &&
           clock_monotonic() < end)
        assert_int_equal(k8s_loop_turn(loop, 20, &err), 0);
    assert_string_equal(buffer_text(&told.text), expected);
    assert_int_equal(k8s_watch_synced(watch), strstr(expected, "synced") != NULL);
    k8s_watch_stop(watch);
    k8s_client_free(client);
    k8s_loop_free(loop);
    buffer_free(&told.text);
}

static void test_goes_on_where_it_was(void **state)
{
    ScriptedServer server = {.answers = {STREAM ADDED("a", "3") ADDED("b", "9") LIST_END("10")
                                             MODIFIED("a", "11") "{\"ty",
                                         STREAM DELETED("b", "12") BOOKMARK("20"), "+" STREAM ADDED("c", "21")}};
    (void)state;

    run(&server, 3, "app in (x)", "begin +a +b synced *a -b +c ");
    scripted_has(&server, 0, "GET /api/v1/things?watch=1&allowWatchBookmarks=true&timeoutSeconds=");
    scripted_has(&server, 0,
                 "&labelSelector=app%20in%20%28x%29&resourceVersion=&sendInitialEvents=true&"
                 "resourceVersionMatch=NotOlderThan HTTP/1.1");
    scripted_has(&server, 1, "&resourceVersion=11 HTTP/1.1");
    scripted_has(&server, 2, "&resourceVersion=20 HTTP/1.1");
    scripted_stop(&server);
}

static void test_a_list_that_broke_comes_whole(void **state)
{
    ScriptedServer server = {.answers = {STREAM ADDED("a", "3"), STREAM ADDED("a", "3") "no json\n",
                                         "+" STREAM ADDED("a", "3") LIST_END("4")}};
    (void)state;

    run(&server, 3, NULL, "begin +a begin +a begin +a synced ");
    scripted_has(&server, 2, "&resourceVersion=&sendInitialEvents=true");
    scripted_stop(&server);
}

static void test_gone(void **state)
{
    ScriptedServer server = {.answers = {STREAM ADDED("a", "3") LIST_END("5") GONE_EVENT, REFUSED("410"),
                                         "+" STREAM ADDED("b", "7") LIST_END("8")}};
    (void)state;

    run(&server, 3, NULL, "begin +a synced begin begin +b synced ");
    scripted_has(&server, 1, "&resourceVersion=5&sendInitialEvents"); // first any state that is not older
    scripted_has(&server, 2, "&resourceVersion=&sendInitialEvents");  // then the newest
    scripted_stop(&server);
}

static void test_gone_while_watching(void **state)
{
    ScriptedServer server = {.answers = {STREAM LIST_END("5") "x\n", REFUSED("410"), REFUSED("410"),
                                         "+" STREAM ADDED("b", "7") LIST_END("8")}};
    (void)state;

    run(&server, 4, NULL, "begin synced begin begin +b synced ");
    scripted_has(&server, 1, "&resourceVersion=5 HTTP");
    scripted_has(&server, 2, "&resourceVersion=5&sendInitialEvents");
    scripted_has(&server, 3, "&resourceVersion=&sendInitialEvents");
    scripted_stop(&server);
}

static void test_pages_where_there_is_no_watch_list(void **state)
{
    ScriptedServer server = {
        .answers = {REFUSED("422"),
                    STREAM "{\"metadata\":{\"resourceVersion\":\"7\",\"continue\":\"a/b\"},\"items\":[{\"metadata\":{"
                           "\"name\":\"a\"}}]}",
                    REFUSED("410"), // the token of the page is too old
                    STREAM "{\"metadata\":{\"resourceVersion\":\"8\",\"continue\":\"c\"},\"items\":[{\"metadata\":{"
                           "\"name\":\"a\"}}]}",
                    STREAM "{\"metadata\":{\"resourceVersion\":\"8\"},\"items\":[{\"metadata\":{\"name\":\"b\"}}]}",
                    "+" STREAM MODIFIED("b", "9")}};
    (void)state;

    run(&server, 6, NULL, "begin begin +a begin +a +b synced *b ");
    scripted_has(&server, 1, "GET /api/v1/things?limit=500 HTTP");
    scripted_has(&server, 2, "?limit=500&continue=a%2Fb HTTP");
    scripted_has(&server, 3, "?limit=500 HTTP");
    scripted_has(&server, 4, "?limit=500&continue=c HTTP");
    scripted_has(&server, 5, "&resourceVersion=8 HTTP");
    scripted_stop(&server);
}

static void test_a_server_that_was_set_back(void **state)
{
    ScriptedServer server = {.answers = {STREAM LIST_END("500") GONE_EVENT,
                                         "HTTP/1.1 504 Timeout\r\nConnection: close\r\n\r\n{\"message\":\"Too large "
                                         "resource version: 500, current: 4\",\"reason\":\"Timeout\"}",
                                         "+" STREAM ADDED("a", "3") LIST_END("4")}};
    (void)state;

    run(&server, 3, NULL, "begin synced begin begin +a synced ");
    scripted_has(&server, 1, "&resourceVersion=500&sendInitialEvents");
    scripted_has(&server, 2, "&resourceVersion=&sendInitialEvents");
    scripted_stop(&server);
}

static void test_odd_events_are_refused(void **state)
{
    ScriptedServer server = {.answers = {STREAM "{\"type\":\"ADDED\"}\n", STREAM "{\"type\":\"ADDED\",\"object\":7}\n",
                                         "+" STREAM LIST_END("4")}};
    (void)state;

    run(&server, 3, NULL, "begin begin begin synced ");
    scripted_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_on_where_it_was),
        cmocka_unit_test(test_a_list_that_broke_comes_whole),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_gone_while_watching),
        cmocka_unit_test(test_pages_where_there_is_no_watch_list),
        cmocka_unit_test(test_a_server_that_was_set_back),
        cmocka_unit_test(test_odd_events_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
