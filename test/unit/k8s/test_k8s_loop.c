// SPDX-License-Identifier: Apache-2.0
#include "common/base/clock.h"
#include "common/k8s/k8s_loop.h"
#include "test/unit/cmocka_all.h"

enum { MANY = 2000 };

typedef struct Fired {
    K8sLoop *loop;
    K8sTimer *victim; // cancelled by the callback
    int order[MANY];
    int count, again;
} Fired;

typedef struct One {
    Fired *fired;
    int number;
} One;

static void note(void *context)
{
    One *one = context;

    one->fired->order[one->fired->count++] = one->number;
    if (one->fired->victim) {
        k8s_timer_cancel(one->fired->victim);
        one->fired->victim = NULL;
    }
}

static void again(void *context)
{
    Fired *fired = context;

    if (++fired->again < 3)
        k8s_timer_start(fired->loop, 0, again, fired);
}

static void turn_for(K8sLoop *loop, double seconds)
{
    Error err = {0};
    double end = clock_monotonic() + seconds;

    while (clock_monotonic() < end)
        assert_int_equal(k8s_loop_turn(loop, 5, &err), 0);
}

static void test_timers_fire_in_order(void **state)
{
    K8sLoop *loop = k8s_loop_new();
    Fired fired = {.loop = loop};
    One ones[5];
    static const int MS[] = {40, 10, 30, 10, 0};
    (void)state;

    for (int i = 0; i < 5; i++) {
        ones[i] = (One){&fired, i};
        k8s_timer_start(loop, MS[i], note, &ones[i]);
    }
    turn_for(loop, 0.1);
    assert_int_equal(fired.count, 5);
    static const int ORDER[] = {4, 1, 3, 2, 0}; // of equal ones the first started is the first
    for (int i = 0; i < 5; i++)
        assert_int_equal(fired.order[i], ORDER[i]);
    k8s_loop_free(loop);
}

// What was cancelled never fires, what was not fires once and in order, whatever the heap looks like.
static void test_many_timers_half_of_them_cancelled(void **state)
{
    static One ones[MANY];
    static K8sTimer *timers[MANY];
    static Fired fired;
    unsigned random = 7;
    int last = -1, expected = 0;
    (void)state;

    fired = (Fired){.loop = k8s_loop_new()};
    for (int i = 0; i < MANY; i++) {
        random = random * 1664525U + 1013904223U;
        ones[i] = (One){&fired, (int)(random >> 8) % 50 * 2};
        timers[i] = k8s_timer_start(fired.loop, ones[i].number, note, &ones[i]);
    }
    for (int i = 0; i < MANY; i++) {
        random = random * 1664525U + 1013904223U;
        if (random >> 31)
            k8s_timer_cancel(timers[i]);
        else
            expected++;
    }
    turn_for(fired.loop, 0.2);
    assert_int_equal(fired.count, expected);
    for (int i = 0; i < fired.count; i++) {
        assert_true(fired.order[i] >= last - 1); // they were started within a moment
        last = fired.order[i] > last ? fired.order[i] : last;
    }
    k8s_loop_free(fired.loop);
}

static void test_a_callback_cancels_another_and_starts_more(void **state)
{
    K8sLoop *loop = k8s_loop_new();
    Fired fired = {.loop = loop};
    One first = {&fired, 1}, second = {&fired, 2};
    (void)state;

    k8s_timer_start(loop, 1, note, &first);
    fired.victim = k8s_timer_start(loop, 1, note, &second);
    k8s_timer_start(loop, 1, again, &fired);
    turn_for(loop, 0.05);
    assert_int_equal(fired.count, 1);
    assert_int_equal(fired.again, 3);
    k8s_timer_cancel(NULL);
    k8s_timer_start(loop, 60000, note, &first); // freed with the loop
    k8s_loop_free(loop);
}

static void test_a_turn_waits_no_longer_than_told(void **state)
{
    K8sLoop *loop = k8s_loop_new();
    Error err = {0};
    double start = clock_monotonic();
    (void)state;

    k8s_timer_start(loop, 60000, note, NULL);
    assert_int_equal(k8s_loop_turn(loop, 50, &err), 0);
    double took = clock_monotonic() - start;
    assert_true(took > 0.045 && took < 1.0);
    k8s_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_fire_in_order),
        cmocka_unit_test(test_many_timers_half_of_them_cancelled),
        cmocka_unit_test(test_a_callback_cancels_another_and_starts_more),
        cmocka_unit_test(test_a_turn_waits_no_longer_than_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
