// SPDX-License-Identifier: Apache-2.0
#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "controller/queue.h"
#include "test/unit/cmocka_all.h"

typedef struct Bench {
    K8sLoop *loop;
    Queue *queue;
    Buffer begun; // "a b "
    bool at_once; // answers from within, with `result`
    QueueResult result;
    int64_t delay_ms;
} Bench;

static void process(void *context, const char *key)
{
    Bench *b = context;

    buffer_printf(&b->begun, "%s ", key);
    if (b->at_once)
        queue_finished(b->queue, key, b->result, b->delay_ms);
}

static void start(Bench *b, size_t workers)
{
    b->loop = k8s_loop_new();
    b->queue = queue_new(b->loop, workers, process, b);
}

static void turn(Bench *b, double seconds)
{
    Error err = {0};

    for (double end = clock_monotonic() + seconds; clock_monotonic() < end;)
        assert_int_equal(k8s_loop_turn(b->loop, 2, &err), 0);
}

// Turns until what was begun is as expected; and it stays so.
static void expect(Bench *b, const char *begun)
{
    Error err = {0};

    for (double end = clock_monotonic() + 5; strcmp(buffer_text(&b->begun), begun) != 0 && clock_monotonic() < end;)
        assert_int_equal(k8s_loop_turn(b->loop, 2, &err), 0);
    turn(b, 0.02);
    assert_string_equal(buffer_text(&b->begun), begun);
}

static void stop(Bench *b)
{
    queue_free(b->queue);
    k8s_loop_free(b->loop);
    buffer_free(&b->begun);
}

static void test_in_order_each_once_at_most_so_many(void **state)
{
    Bench b = {0};
    (void)state;

    start(&b, 2);
    queue_add(b.queue, "a");
    queue_add(b.queue, "b");
    queue_add(b.queue, "a");
    queue_add(b.queue, "c");
    assert_string_equal(buffer_text(&b.begun), ""); // never from within
    expect(&b, "a b ");
    assert_int_equal(queue_processing(b.queue), 2);
    assert_int_equal(queue_stats(b.queue).depth, 1);
    queue_finished(b.queue, "b", QUEUE_DONE, 0);
    expect(&b, "a b c ");
    queue_finished(b.queue, "a", QUEUE_DONE, 0);
    queue_finished(b.queue, "c", QUEUE_DONE, 0);
    queue_finished(b.queue, "c", QUEUE_DONE, 0); // twice: no harm
    queue_finished(b.queue, "nobody", QUEUE_RETRY, 0);
    expect(&b, "a b c ");
    QueueStats stats = queue_stats(b.queue);
    assert_int_equal(stats.adds, 3);
    assert_int_equal(stats.depth + stats.processing + stats.retries, 0);
    uint64_t waited = 0, worked = 0;
    for (int i = 0; i <= HISTOGRAM_BUCKETS; i++) {
        waited += stats.waited.counts[i];
        worked += stats.worked.counts[i];
    }
    assert_int_equal(waited, 3);
    assert_int_equal(worked, 3);
    stop(&b);
}

static void test_added_while_processed_comes_once_more(void **state)
{
    Bench b = {0};
    (void)state;

    start(&b, 4);
    queue_add(b.queue, "a");
    expect(&b, "a ");
    queue_add(b.queue, "a");
    queue_add(b.queue, "a");
    expect(&b, "a "); // not by a second worker
    queue_finished(b.queue, "a", QUEUE_DONE, 0);
    expect(&b, "a a ");
    queue_finished(b.queue, "a", QUEUE_DONE, 0);
    expect(&b, "a a ");
    stop(&b);
}

static void test_failures_back_off_and_are_forgotten(void **state)
{
    Bench b = {.at_once = true, .result = QUEUE_RETRY};
    (void)state;

    start(&b, 1);
    double begun = clock_monotonic();
    queue_add(b.queue, "a");
    while (b.begun.len < 2 * 6) // five waits: 5 + 10 + 20 + 40 + 80 ms
        turn(&b, 0.002);
    double took = clock_monotonic() - begun;
    assert_true(took >= 0.155);
    assert_true(took < 1);
    assert_int_equal(queue_stats(b.queue).retries, 6);
    b.result = QUEUE_DONE;
    queue_add(b.queue, "a"); // news do not wait for the back-off
    turn(&b, 0.02);
    assert_int_equal(b.begun.len, 2 * 7);
    b.result = QUEUE_RETRY;
    queue_add(b.queue, "a");
    turn(&b, 0.03); // begins at 5 ms again
    assert_true(b.begun.len >= 2 * 9);
    stop(&b);
}

static void test_one_key_backs_off_and_others_do_not(void **state)
{
    Bench b = {0};
    (void)state;

    start(&b, 1);
    queue_add(b.queue, "a");
    expect(&b, "a ");
    for (int i = 0; i < 8; i++) { // to 640 ms
        queue_add(b.queue, "a");
        queue_finished(b.queue, "a", QUEUE_RETRY, 0);
        turn(&b, 0.01);
    }
    queue_finished(b.queue, "a", QUEUE_RETRY, 0);
    buffer_clear(&b.begun, 1000);
    queue_add(b.queue, "b");
    expect(&b, "b ");
    stop(&b);
}

static void test_a_back_off_waits_no_longer_than_it_is_told(void **state)
{
    Bench b = {0};
    (void)state;

    start(&b, 1);
    queue_add(b.queue, "a");
    expect(&b, "a ");
    for (int i = 0; i < 10; i++) {
        queue_add(b.queue, "a");
        queue_finished(b.queue, "a", QUEUE_RETRY, 0);
        turn(&b, 0.005);
    }
    buffer_clear(&b.begun, 1000);
    queue_finished(b.queue, "a", QUEUE_RETRY, 30); // and not 5 s
    turn(&b, 0.1);
    expect(&b, "a ");
    stop(&b);
}

static void test_later(void **state)
{
    Bench b = {.at_once = true};
    (void)state;

    start(&b, 1);
    queue_add_after(b.queue, "late", 60);
    queue_add_after(b.queue, "soon", 300);
    queue_add_after(b.queue, "soon", 30); // the earlier one holds
    queue_add_after(b.queue, "soon", 500);
    queue_add_after(b.queue, "now", 0);
    expect(&b, "now ");
    expect(&b, "now soon late ");
    queue_add_after(b.queue, "x", 50);
    queue_add(b.queue, "x"); // and not twice
    expect(&b, "now soon late x ");
    turn(&b, 0.08);
    expect(&b, "now soon late x ");
    stop(&b);
}

static void test_later_while_processed(void **state)
{
    static const QueueResult RESULTS[] = {QUEUE_DONE, QUEUE_AFTER};
    (void)state;

    for (size_t i = 0; i < sizeof RESULTS / sizeof *RESULTS; i++) {
        Bench b = {0};
        start(&b, 1);
        queue_add(b.queue, "a");
        expect(&b, "a ");
        queue_add_after(b.queue, "a", 50);
        queue_finished(b.queue, "a", RESULTS[i], 5000);
        expect(&b, "a ");
        expect(&b, "a a ");
        queue_add_after(b.queue, "a", 10); // is due while it is still being processed
        turn(&b, 0.03);
        queue_finished(b.queue, "a", QUEUE_DONE, 0);
        expect(&b, "a a a ");
        stop(&b);
    }
}

static void test_after(void **state)
{
    Bench b = {0};
    (void)state;

    start(&b, 1);
    queue_add(b.queue, "a");
    expect(&b, "a ");
    double begun = clock_monotonic();
    queue_finished(b.queue, "a", QUEUE_AFTER, 50);
    assert_int_equal(queue_processing(b.queue), 0);
    expect(&b, "a a ");
    assert_true(clock_monotonic() - begun >= 0.05);
    queue_finished(b.queue, "a", QUEUE_AFTER, 0);
    expect(&b, "a a a ");
    stop(&b);
}

static void test_pause(void **state)
{
    Bench b = {0};
    (void)state;

    start(&b, 4);
    queue_add(b.queue, "a");
    expect(&b, "a ");
    queue_add(b.queue, "b");
    queue_pause(b.queue, true);
    queue_add(b.queue, "c");
    queue_finished(b.queue, "a", QUEUE_AFTER, 10);
    expect(&b, "a ");
    assert_int_equal(queue_stats(b.queue).depth, 3);
    queue_pause(b.queue, false);
    expect(&b, "a b c a ");
    stop(&b);
}

// Keys that are answered at once must not keep others from their turn, nor may 10,000 waiting ones cost much.
static void test_many(void **state)
{
    Bench b = {.at_once = true, .result = QUEUE_AFTER, .delay_ms = 100000};
    Error err = {0};
    char key[32];
    (void)state;

    start(&b, 4);
    for (int i = 0; i < 10000; i++) {
        snprintf(key, sizeof key, "namespace/task-%d", i);
        queue_add(b.queue, key);
    }
    double begun = clock_monotonic(), longest = 0;
    while (queue_stats(b.queue).depth > 0 && clock_monotonic() < begun + 20) {
        double at = clock_monotonic();
        assert_int_equal(k8s_loop_turn(b.loop, 1000, &err), 0);
        if (clock_monotonic() - at > longest)
            longest = clock_monotonic() - at;
    }
    assert_int_equal(queue_stats(b.queue).depth, 0);
    assert_int_equal(queue_stats(b.queue).adds, 10000);
    assert_true(longest < 1);
    stop(&b); // 10,000 timers are set
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order_each_once_at_most_so_many),
        cmocka_unit_test(test_added_while_processed_comes_once_more),
        cmocka_unit_test(test_failures_back_off_and_are_forgotten),
        cmocka_unit_test(test_one_key_backs_off_and_others_do_not),
        cmocka_unit_test(test_a_back_off_waits_no_longer_than_it_is_told),
        cmocka_unit_test(test_later),
        cmocka_unit_test(test_later_while_processed),
        cmocka_unit_test(test_after),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
