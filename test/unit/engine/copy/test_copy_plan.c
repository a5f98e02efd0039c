// SPDX-License-Identifier: Apache-2.0
#include "engine/copy/copy_plan.h"
#include "test/unit/cmocka_all.h"

#define MIB (INT64_C(1024) * 1024)

static void test_chunk_size_has_limits(void **state)
{
    (void)state;
    assert_int_equal(copy_plan_chunk_bytes(0, 2), 16 * MIB);
    assert_int_equal(copy_plan_chunk_bytes(1600 * MIB, 2), 100 * MIB);
    assert_int_equal(copy_plan_chunk_bytes(INT64_C(1) << 50, 2), 512 * MIB);
}

static void test_only_large_tables_are_cut(void **state)
{
    Relation small = {.bytes = 10 * MIB, .heap_blocks = 1280};
    Relation large = {.bytes = 100 * MIB + 1, .heap_blocks = 12801};
    Relation toasted = {.bytes = 100000 * MIB, .heap_blocks = 3};
    Relation empty_heap = {.bytes = 100000 * MIB, .heap_blocks = 0};
    (void)state;
    assert_int_equal(copy_plan_count(&small, 16 * MIB, true), 1);
    assert_int_equal(copy_plan_count(&large, 50 * MIB, true), 3);
    assert_int_equal(copy_plan_count(&large, 50 * MIB, false), 1);
    assert_int_equal(copy_plan_count(&toasted, 50 * MIB, true), 3);
    assert_int_equal(copy_plan_count(&empty_heap, 50 * MIB, true), 1);
}

static void test_chunks_cover_each_block_once(void **state)
{
    static Chunk chunks[1000];
    (void)state;
    for (int64_t blocks = 1; blocks < 3000; blocks = blocks * 3 / 2 + 1)
        for (size_t count = 2; count <= 1000 && (int64_t)count <= blocks; count = count * 2 + 1) {
            Relation r = {.bytes = blocks * 8192, .heap_blocks = blocks};
            copy_plan_cut(&r, 7, count, chunks);
            assert_int_equal(chunks[0].first_block, 0);
            for (size_t i = 0; i < count; i++) {
                assert_int_equal(chunks[i].relation, 7);
                assert_int_equal(chunks[i].number, i + 1);
                assert_false(chunks[i].whole);
                if (i + 1 < count) {
                    assert_true(chunks[i].end_block > chunks[i].first_block);
                    assert_int_equal(chunks[i].end_block, chunks[i + 1].first_block);
                }
            }
            assert_int_equal(chunks[count - 1].end_block, -1);
        }
}

static void test_one_chunk_is_the_whole_table(void **state)
{
    Relation r = {.bytes = 8192, .heap_blocks = 1};
    Chunk chunk;
    (void)state;
    copy_plan_cut(&r, 1, 1, &chunk);
    assert_true(chunk.whole);
    assert_int_equal(chunk.end_block, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunk_size_has_limits),
        cmocka_unit_test(test_only_large_tables_are_cut),
        cmocka_unit_test(test_chunks_cover_each_block_once),
        cmocka_unit_test(test_one_chunk_is_the_whole_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
