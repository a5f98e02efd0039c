// SPDX-License-Identifier: Apache-2.0
// What is asked of the API server after each answer, and who leads then.
#include "common/base/clock.h"
#include "controller/lease.h"
#include "test/unit/k8s/scripted_server.h"

#define OK      "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
#define CREATED "HTTP/1.1 201 Created\r\nConnection: close\r\n\r\n"
#define NO(s)   "HTTP/1.1 " s " x\r\nConnection: close\r\n\r\n{\"message\":\"no\",\"reason\":\"No\"}"
// v: version, also of the renewal. seconds: how long it lasts.
#define LEASE(holder, v, seconds)                                                                                      \
    "{\"metadata\":{\"resourceVersion\":\"" v "\"},\"spec\":{\"holderIdentity\":\"" holder                             \
    "\",\"leaseDurationSeconds\":" seconds                                                                             \
    ",\"acquireTime\":\"2026-01-01T00:00:00.000000Z\",\"renewTime\":\"2026-01-01T00:00:0" v                            \
    ".000000Z\",\"leaseTransitions\":4}}"
#define HANGS "+"

typedef struct Candidate {
    ScriptedServer server;
    K8sConfig config;
    K8sLoop *loop;
    K8sClient *client;
    Lease *lease;
    char *url;
    char told[16]; // + leadership began, - ended
    bool release;  // from within `changed`
} Candidate;

static void changed(void *context, bool leading)
{
    Candidate *c = context;

    strcat(c->told, leading ? "+" : "-");
    if (c->release)
        lease_release(c->lease);
}

static void start(Candidate *c)
{
    Error err = {0};

    scripted_start(&c->server);
    c->url = memory_printf("http://127.0.0.1:%d", c->server.port);
    c->config.server = c->url;
    c->loop = k8s_loop_new();
    assert_int_equal(k8s_client_new(c->loop, &c->config, "unit", &c->client, &err), 0);
    LeaseSpec spec = {.namespace_name = "ns", .name = "controller", .identity = "me", .changed = changed, .context = c};
    c->lease = lease_start(c->client, &spec);
}

// Until so many requests came and were answered, and leadership was told to have changed so.
static void until(Candidate *c, int requests, const char *told, double seconds)
{
    Error err = {0};
    double end = clock_monotonic() + seconds;

    while ((scripted_count(&c->server) < requests || strcmp(c->told, told) != 0) && clock_monotonic() < end)
        assert_int_equal(k8s_loop_turn(c->loop, 10, &err), 0);
    assert_string_equal(c->told, told);
    assert_int_equal(scripted_count(&c->server), requests);
}

static void turn(Candidate *c, double seconds)
{
    Error err = {0};

    for (double end = clock_monotonic() + seconds; clock_monotonic() < end;)
        assert_int_equal(k8s_loop_turn(c->loop, 10, &err), 0);
}

static void stop(Candidate *c)
{
    lease_free(c->lease);
    k8s_client_free(c->client);
    k8s_loop_free(c->loop);
    scripted_stop(&c->server);
    free(c->url);
}

static void test_an_absent_one_is_made_and_renewed(void **state)
{
    Candidate c = {.server.answers = {NO("404"), CREATED LEASE("me", "1", "15"), OK LEASE("me", "2", "15")}};
    (void)state;

    start(&c);
    assert_false(lease_leading(c.lease));
    until(&c, 2, "+", 5);
    assert_true(lease_leading(c.lease));
    scripted_has(&c.server, 0, "GET /apis/coordination.k8s.io/v1/namespaces/ns/leases/controller HTTP");
    scripted_has(&c.server, 1, "POST /apis/coordination.k8s.io/v1/namespaces/ns/leases HTTP");
    scripted_has(&c.server, 1, "\"metadata\":{\"name\":\"controller\"}");
    scripted_has(&c.server, 1, "\"holderIdentity\":\"me\",\"leaseDurationSeconds\":15,");
    scripted_has(&c.server, 1, "\"leaseTransitions\":0");
    double begun = clock_monotonic();
    until(&c, 3, "+", 5);
    assert_true(clock_monotonic() - begun > 1.5 && clock_monotonic() - begun < 2.5);
    scripted_has(&c.server, 2, "PATCH /apis/coordination.k8s.io/v1/namespaces/ns/leases/controller HTTP");
    scripted_has(&c.server, 2, "Content-Type: application/merge-patch+json");
    scripted_has(&c.server, 2, "{\"metadata\":{\"resourceVersion\":\"1\"}");
    scripted_has(&c.server, 2, "\"acquireTime\":\"2026-01-01T00:00:00.000000Z\""); // kept
    scripted_has(&c.server, 2, "\"leaseTransitions\":4");
    stop(&c);
}

static void test_another_holds_it_and_gives_it_back(void **state)
{
    Candidate c = {.server.answers = {OK LEASE("other", "1", "15"), OK LEASE("other", "2", "15"),
                                      OK LEASE("", "3", "1"), OK LEASE("me", "4", "15")}};
    (void)state;

    start(&c);
    until(&c, 4, "+", 8);
    scripted_has(&c.server, 2, "GET ");
    scripted_has(&c.server, 3, "PATCH ");
    scripted_has(&c.server, 3, "\"resourceVersion\":\"3\"");
    scripted_has(&c.server, 3, "\"leaseTransitions\":5");
    scripted_has_not(&c.server, 3, "2026-01-01"); // it begins now
    stop(&c);
}

static void test_another_falls_silent(void **state)
{
    Candidate c = {.server.answers = {OK LEASE("other", "1", "2"), OK LEASE("other", "2", "2"),
                                      OK LEASE("other", "2", "2"), OK LEASE("me", "3", "15")}};
    (void)state;

    start(&c);
    double begun = clock_monotonic();
    until(&c, 2, "", 5);
    until(&c, 4, "+", 10); // 2 s after it was last seen to change, not after the first look
    assert_true(clock_monotonic() - begun > 3);
    assert_true(clock_monotonic() - begun < 4.5);
    scripted_has(&c.server, 3, "PATCH ");
    scripted_has(&c.server, 3, "\"resourceVersion\":\"2\"");
    stop(&c);
}

static void test_another_is_faster(void **state)
{
    Candidate c = {.server.answers = {OK LEASE("", "1", "1"), NO("409"), OK LEASE("other", "2", "15"),
                                      OK LEASE("other", "3", "15")}};
    (void)state;

    start(&c);
    until(&c, 4, "", 5);
    scripted_has(&c.server, 1, "PATCH ");
    scripted_has(&c.server, 2, "GET ");
    scripted_has(&c.server, 3, "GET ");
    assert_false(lease_leading(c.lease));
    stop(&c);
}

// A lease that is gone while its holder was just seen alive is not up for grabs.
static void test_a_deleted_one_of_another(void **state)
{
    Candidate c = {.server.answers = {OK LEASE("other", "1", "3"), NO("404"), NO("404"), NO("404"),
                                      CREATED LEASE("me", "1", "15")}};
    (void)state;

    start(&c);
    double begun = clock_monotonic();
    while (!*c.told && clock_monotonic() < begun + 8)
        turn(&c, 0.01);
    assert_string_equal(c.told, "+");
    assert_true(clock_monotonic() - begun >= 2.9);
    stop(&c);
}

static void test_it_is_taken_from_us(void **state)
{
    Candidate c = {
        .server.answers = {OK LEASE("", "1", "1"), OK LEASE("me", "2", "15"), NO("409"), OK LEASE("other", "3", "15")}};
    (void)state;

    start(&c);
    until(&c, 4, "+-", 6);
    assert_false(lease_leading(c.lease));
    stop(&c);
}

static void test_somebody_labels_our_lease(void **state)
{
    Candidate c = {.server.answers = {OK LEASE("", "1", "1"), OK LEASE("me", "2", "15"), NO("409"),
                                      OK LEASE("me", "3", "15"), OK LEASE("me", "4", "15")}};
    (void)state;

    start(&c);
    until(&c, 5, "+", 6);
    assert_true(lease_leading(c.lease));
    scripted_has(&c.server, 4, "\"resourceVersion\":\"3\"");
    stop(&c);
}

// Stopped (SIGSTOP, a paused machine) for longer than the deadline: known before the loop has turned.
static void test_the_clock_alone_ends_it(void **state)
{
    Candidate c = {.server.answers = {OK LEASE("", "1", "1"), OK LEASE("me", "2", "15"), OK LEASE("me", "3", "15")}};
    (void)state;

    start(&c);
    until(&c, 2, "+", 5);
    sleep(10);
    assert_false(lease_leading(c.lease));
    assert_string_equal(c.told, "+"); // not told yet
    until(&c, 3, "+-+", 5);           // then told; and nobody had taken it
    assert_true(lease_leading(c.lease));
    stop(&c);
}

static void test_a_server_that_hangs(void **state)
{
    Candidate c = {.server.answers = {OK LEASE("", "1", "1"), OK LEASE("me", "2", "15"), HANGS, NO("409"),
                                      OK LEASE("me", "3", "15"), OK LEASE("me", "4", "15")}};
    (void)state;

    start(&c);
    until(&c, 2, "+", 5);
    until(&c, 3, "+", 3);
    double begun = clock_monotonic();
    until(&c, 6, "+", 7); // not lost: the lost answer is found out in time
    assert_true(clock_monotonic() - begun > 4 && clock_monotonic() - begun < 6);
    assert_true(lease_leading(c.lease));
    stop(&c);
}

static void test_refusals_are_tried_again_in_peace(void **state)
{
    Candidate c = {.server.answers = {NO("500"), OK "nonsense", OK "{\"metadata\":{}}", NO("404"), NO("404"),
                                      OK LEASE("", "1", "\"x\""), NO("403"), OK LEASE("me", "2", "15")}};
    (void)state;

    start(&c);
    turn(&c, 0.5);
    assert_int_equal(scripted_count(&c.server), 1); // about once a second
    turn(&c, 3.5);
    assert_in_range(scripted_count(&c.server), 4, 7);
    until(&c, 8, "+", 8);
    scripted_has(&c.server, 4, "POST "); // to a namespace that is not there
    stop(&c);
}

static void test_given_back(void **state)
{
    Candidate c = {.server.answers = {OK LEASE("", "1", "1"), OK LEASE("me", "2", "15"), OK LEASE("", "3", "1")}};
    (void)state;

    start(&c);
    until(&c, 2, "+", 5);
    lease_release(c.lease);
    lease_release(c.lease);
    assert_false(lease_leading(c.lease));
    assert_false(lease_released(c.lease));
    until(&c, 3, "+-", 5);
    assert_true(lease_released(c.lease));
    scripted_has(&c.server, 2, "PATCH ");
    scripted_has(&c.server, 2, "\"resourceVersion\":\"2\"");
    scripted_has(&c.server, 2, "\"holderIdentity\":\"\",\"leaseDurationSeconds\":1,");
    turn(&c, 2.2);
    assert_int_equal(scripted_count(&c.server), 3); // and not asked for again
    stop(&c);
}

static void test_given_back_in_the_middle_of_a_renewal(void **state)
{
    Candidate c = {.server.answers = {OK LEASE("", "1", "1"), OK LEASE("me", "2", "15"), HANGS,
                                      OK LEASE("me", "3", "15"), NO("409"), OK LEASE("me", "4", "15"),
                                      OK LEASE("", "5", "1")}};
    (void)state;

    start(&c);
    until(&c, 3, "+", 5);
    lease_release(c.lease);
    until(&c, 7, "+-", 5);
    assert_true(lease_released(c.lease));
    scripted_has(&c.server, 4, "\"resourceVersion\":\"3\"");
    scripted_has(&c.server, 6, "\"resourceVersion\":\"4\"");
    stop(&c);
}

static void test_giving_back_ends_whatever_happens(void **state)
{
    Candidate c = {.server.answers = {OK LEASE("", "1", "1"), OK LEASE("me", "2", "15"), HANGS, HANGS, HANGS}};
    (void)state;

    start(&c);
    until(&c, 2, "+", 5);
    double begun = clock_monotonic();
    lease_release(c.lease);
    until(&c, 4, "+-", 5);
    assert_true(lease_released(c.lease));
    assert_true(clock_monotonic() - begun < 3);
    stop(&c);
}

static void test_given_back_without_having_it(void **state)
{
    Candidate c = {.server.answers = {OK LEASE("other", "1", "15")}};
    (void)state;

    start(&c);
    until(&c, 1, "", 5);
    turn(&c, 0.1);
    lease_release(c.lease);
    assert_true(lease_released(c.lease));
    turn(&c, 2);
    assert_string_equal(c.told, "");
    stop(&c);
}

static void test_given_back_when_told_that_it_is_lost(void **state)
{
    Candidate c = {
        .server.answers = {OK LEASE("", "1", "1"), OK LEASE("me", "2", "15"), NO("409"), OK LEASE("other", "3", "15")}};
    (void)state;

    start(&c);
    until(&c, 2, "+", 5);
    c.release = true;
    until(&c, 4, "+-", 6);
    assert_true(lease_released(c.lease));
    turn(&c, 2);
    assert_int_equal(scripted_count(&c.server), 4);
    stop(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_absent_one_is_made_and_renewed),
        cmocka_unit_test(test_another_holds_it_and_gives_it_back),
        cmocka_unit_test(test_another_falls_silent),
        cmocka_unit_test(test_another_is_faster),
        cmocka_unit_test(test_a_deleted_one_of_another),
        cmocka_unit_test(test_it_is_taken_from_us),
        cmocka_unit_test(test_somebody_labels_our_lease),
        cmocka_unit_test(test_the_clock_alone_ends_it),
        cmocka_unit_test(test_a_server_that_hangs),
        cmocka_unit_test(test_refusals_are_tried_again_in_peace),
        cmocka_unit_test(test_given_back),
        cmocka_unit_test(test_given_back_in_the_middle_of_a_renewal),
        cmocka_unit_test(test_giving_back_ends_whatever_happens),
        cmocka_unit_test(test_given_back_without_having_it),
        cmocka_unit_test(test_given_back_when_told_that_it_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
