// SPDX-License-Identifier: Apache-2.0
#include "common/base/memory.h"
#include "engine/copy/build_queue.h"
#include "test/unit/cmocka_all.h"

// As build_queue_open leaves them: by relation, INDEX entries first.
static const StructureItem ITEMS[] = {
    {.type = "INDEX", .identity = "10 i1", .relation_oid = 10},
    {.type = "INDEX", .identity = "10 i2", .relation_oid = 10},
    {.type = "CONSTRAINT", .identity = "10 c1", .relation_oid = 10},
    {.type = "COMMENT", .identity = "10 c2", .relation_oid = 10},
    {.type = "CONSTRAINT", .identity = "30 c1", .relation_oid = 30},
};

static void open_queue(BuildQueue *q)
{
    size_t count = sizeof ITEMS / sizeof *ITEMS;
    q->items = memory_alloc(count * sizeof *q->items);
    for (size_t i = 0; i < count; i++)
        q->items[i] = &ITEMS[i];
    q->item_count = count;
    q->open = true;
}

static void expect(bool found, const BuildWork *work, int32_t id, const char *identity)
{
    assert_true(found);
    assert_int_equal(work->id, id);
    if (identity)
        assert_string_equal(work->item->identity, identity);
    else
        assert_null(work->item);
}

static void test_indexes_at_once_the_rest_in_order(void **state)
{
    BuildQueue q = {0};
    BuildWork a, b, none, next;
    (void)state;
    build_queue_add(&q, 1, 10);
    assert_false(build_queue_take(&q, &a)); // the structure is not known yet
    assert_false(build_queue_is_empty(&q));
    open_queue(&q);
    expect(build_queue_take(&q, &a), &a, 1, "10 i1");
    expect(build_queue_take(&q, &b), &b, 1, "10 i2");
    assert_false(build_queue_take(&q, &none)); // a constraint waits for both
    assert_false(build_queue_done(&q, &a, &next));
    expect(build_queue_done(&q, &b, &next), &next, 1, "10 c1");
    assert_false(build_queue_take(&q, &none));
    expect(build_queue_done(&q, &next, &a), &a, 1, "10 c2");
    expect(build_queue_done(&q, &a, &b), &b, 1, NULL);
    assert_false(build_queue_take(&q, &none)); // finished once
    assert_false(build_queue_is_empty(&q));
    assert_false(build_queue_done(&q, &b, &next));
    assert_true(build_queue_is_empty(&q));
    build_queue_free(&q);
}

static void test_biggest_relation_first_and_none_without_items(void **state)
{
    BuildQueue q = {0};
    BuildWork a, b, c, next;
    (void)state;
    open_queue(&q);
    build_queue_add(&q, 9, 30);
    build_queue_add(&q, 5, 20); // has nothing to build
    build_queue_add(&q, 7, 10);
    expect(build_queue_take(&q, &a), &a, 5, NULL);
    expect(build_queue_take(&q, &b), &b, 7, "10 i1");
    expect(build_queue_take(&q, &c), &c, 7, "10 i2"); // one that was begun goes before another
    assert_false(build_queue_done(&q, &a, &next));
    expect(build_queue_take(&q, &a), &a, 9, "30 c1");
    build_queue_free(&q);
}

static void test_many_relations_come_in_order(void **state)
{
    enum { COUNT = 5000 };
    BuildQueue q = {0};
    BuildWork work, next;
    (void)state;
    q.items = memory_alloc(sizeof *q.items);
    q.open = true;
    for (int i = 0; i < COUNT; i++)
        build_queue_add(&q, (int32_t)((i * 7919) % COUNT) + 1, (uint32_t)i);
    for (int i = 1; i <= COUNT; i++) {
        expect(build_queue_take(&q, &work), &work, i, NULL);
        assert_false(build_queue_done(&q, &work, &next));
    }
    assert_true(build_queue_is_empty(&q));
    build_queue_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_indexes_at_once_the_rest_in_order),
        cmocka_unit_test(test_biggest_relation_first_and_none_without_items),
        cmocka_unit_test(test_many_relations_come_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
