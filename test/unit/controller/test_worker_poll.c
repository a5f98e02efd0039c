// SPDX-License-Identifier: Apache-2.0
#include "common/base/clock.h"
#include "common/base/http_server.h"
#include "controller/worker_poll.h"
#include "test/unit/k8s/scripted_server.h"

#include <stdatomic.h>

static const char DOCUMENT[] = "{\"version\":1,\"task\":\"t\",\"verb\":\"cdc\",\"state\":\"running\",\"step\":\"cdc\","
                               "\"phase\":\"streaming\",\"steps\":[],\"stream\":{\"lagBytes\":77}}\n";

enum { KEYS_MAX = 1000 };

typedef struct Bench {
    K8sConfig config;
    K8sLoop *loop;
    K8sClient *client;
    WorkerPoll *poll;
    HttpServer *server;
    atomic_int asked; // what the server saw
    int answers;      // what was handed over
    int of[KEYS_MAX]; // by the number in the key
    char last[64];    // "key pod"
    int64_t lag_bytes;
    const char *forget;  // done from within
    const char *replace; // the same
} Bench;

static void show(void *context, HttpReply *reply)
{
    atomic_fetch_add(&((Bench *)context)->asked, 1);
    reply->body = memory_strdup(DOCUMENT);
}

static const HttpRoute ROUTES[] = {{"/progress", "application/json", show}};

static void answered(void *context, const char *key, const char *pod, ProgressRead *progress)
{
    Bench *b = context;
    int number = atoi(key + strcspn(key, "0123456789"));

    if (b->forget)
        worker_poll_forget(b->poll, b->forget);
    if (b->replace)
        worker_poll_set(b->poll, b->replace, "another", "127.0.0.1", 1);
    b->answers++;
    b->of[number]++;
    b->lag_bytes = progress->lag_bytes;
    snprintf(b->last, sizeof b->last, "%s %s", key, pod); // key is still there
}

static void start(Bench *b)
{
    Error err = {0};

    b->config.server = (char *)(uintptr_t) "http://127.0.0.1:9";
    b->config.token = (char[]){"sesame"};
    b->loop = k8s_loop_new();
    assert_int_equal(k8s_client_new(b->loop, &b->config, "unit", &b->client, &err), 0);
    b->poll = worker_poll_new(b->client, answered, b);
    assert_int_equal(http_server_start("127.0.0.1:0", ROUTES, 1, b, &b->server, &err), 0);
}

static void turn(Bench *b, double seconds)
{
    Error err = {0};

    for (double end = clock_monotonic() + seconds; clock_monotonic() < end;)
        assert_int_equal(k8s_loop_turn(b->loop, 5, &err), 0);
}

static void stop(Bench *b)
{
    worker_poll_free(b->poll);
    k8s_client_free(b->client);
    k8s_loop_free(b->loop);
    http_server_stop(b->server);
}

static void test_one_worker(void **state)
{
    Bench b = {0};
    (void)state;

    start(&b);
    turn(&b, 0.05); // nobody: nothing
    worker_poll_set(b.poll, "ns/7", "pod-a", "127.0.0.1", http_server_port(b.server));
    turn(&b, 0.5); // soon
    assert_int_equal(b.answers, 1);
    assert_string_equal(b.last, "ns/7 pod-a");
    assert_int_equal(b.lag_bytes, 77);
    worker_poll_set(b.poll, "ns/7", "pod-a", "127.0.0.1", http_server_port(b.server)); // not anew
    turn(&b, 4);                                                                       // every two seconds
    assert_in_range(b.answers, 2, 3);
    worker_poll_set(b.poll, "ns/7", "pod-b", "127.0.0.1", http_server_port(b.server));
    turn(&b, 0.5);
    assert_string_equal(b.last, "ns/7 pod-b");
    assert_int_equal(worker_poll_count(b.poll), 1);
    int before = atomic_load(&b.asked);
    worker_poll_forget(b.poll, "ns/7");
    worker_poll_forget(b.poll, "ns/7");
    turn(&b, 2.2);
    assert_int_equal(atomic_load(&b.asked), before);
    stop(&b);
}

// All get their turn in two seconds, and not all at one time.
static void test_many_are_spread(void **state)
{
    Bench b = {0};
    enum { KEYS = 100 };
    int in_slice, most = 0;
    char key[16];
    (void)state;

    start(&b);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "ns/%d", i);
        worker_poll_set(b.poll, key, "pod", "127.0.0.1", http_server_port(b.server));
    }
    for (int slice = 0; slice < 40; slice++) {
        int before = atomic_load(&b.asked);
        turn(&b, 0.1);
        in_slice = atomic_load(&b.asked) - before;
        most = in_slice > most ? in_slice : most;
    }
    assert_in_range(b.answers, KEYS * 3 / 2, KEYS * 5 / 2);
    assert_true(most <= 25);
    for (int i = 0; i < KEYS; i++)
        assert_in_range(b.of[i], 1, 3);
    stop(&b);
}

static void test_with_very_many_the_interval_grows(void **state)
{
    Bench b = {0};
    char key[16];
    (void)state;

    start(&b);
    for (int i = 0; i < KEYS_MAX; i++) {
        snprintf(key, sizeof key, "ns/%d", i);
        worker_poll_set(b.poll, key, "pod", "127.0.0.1", http_server_port(b.server));
    }
    turn(&b, 2);
    assert_in_range(b.answers, 50, 410); // 5 ms each
    for (int i = 0; i < KEYS_MAX; i++)
        assert_true(b.of[i] <= 1); // nobody twice
    stop(&b);
}

// Workers that do not answer (their packets vanish, or nobody listens) keep no other from being asked.
static void test_failing_ones_are_asked_less(void **state)
{
    ScriptedServer silent = {.answers = {"+", "+", "+", "+", "+", "+", "+", "+"}};
    Bench b = {0};
    (void)state;

    start(&b);
    scripted_start(&silent);
    worker_poll_set(b.poll, "ns/1", "silent", "127.0.0.1", silent.port);
    worker_poll_set(b.poll, "ns/2", "nobody", "127.0.0.1", 1);
    worker_poll_set(b.poll, "ns/3", "well", "127.0.0.1", http_server_port(b.server));
    turn(&b, 9);
    assert_in_range(b.of[3], 4, 6);
    assert_int_equal(b.answers, b.of[3]);
    assert_in_range(scripted_count(&silent), 2, 3);
    stop(&b);
    scripted_stop(&silent);
}

static void test_what_cannot_be_read(void **state)
{
    ScriptedServer odd = {.answers = {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"version\":1,\"state\":[",
                                      "HTTP/1.1 500 No\r\nConnection: close\r\n\r\nno"}};
    Bench b = {0};
    (void)state;

    start(&b);
    scripted_start(&odd);
    worker_poll_set(b.poll, "ns/1", "odd", "127.0.0.1", odd.port);
    turn(&b, 2.5);
    assert_int_equal(scripted_count(&odd), 2);
    assert_int_equal(b.answers, 0);
    scripted_has(&odd, 0, "GET /progress HTTP/1.1\r\n");
    scripted_has_not(&odd, 0, "sesame");
    stop(&b);
    scripted_stop(&odd);
}

static void test_changes_from_within(void **state)
{
    Bench b = {.forget = "ns/1"};
    (void)state;

    start(&b);
    worker_poll_set(b.poll, "ns/1", "pod", "127.0.0.1", http_server_port(b.server));
    turn(&b, 0.3);
    assert_string_equal(b.last, "ns/1 pod");
    assert_int_equal(worker_poll_count(b.poll), 0);
    b.forget = NULL;
    b.replace = "ns/2";
    worker_poll_set(b.poll, "ns/2", "pod", "127.0.0.1", http_server_port(b.server));
    turn(&b, 0.3);
    assert_string_equal(b.last, "ns/2 pod");
    assert_int_equal(worker_poll_count(b.poll), 1);
    stop(&b);
}

static void test_an_address_of_version_6(void **state)
{
    Bench b = {0};
    Error err = {0};
    HttpServer *server = NULL;
    (void)state;

    start(&b);
    bool there = http_server_start("[::1]:0", ROUTES, 1, &b, &server, &err) == 0; // does this machine have any?
    worker_poll_set(b.poll, "ns/1", "pod", "::1", there ? http_server_port(server) : 1);
    turn(&b, 0.5);
    assert_int_equal(b.answers, there ? 1 : 0);
    stop(&b);
    http_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_worker),
        cmocka_unit_test(test_many_are_spread),
        cmocka_unit_test(test_with_very_many_the_interval_grows),
        cmocka_unit_test(test_failing_ones_are_asked_less),
        cmocka_unit_test(test_what_cannot_be_read),
        cmocka_unit_test(test_changes_from_within),
        cmocka_unit_test(test_an_address_of_version_6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
