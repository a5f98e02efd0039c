// SPDX-License-Identifier: Apache-2.0
// pgoutput.c: each kind of message as the protocol documents it, and every way of cutting one short.
#include "engine/stream/pgoutput.h"

#include "common/base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void put_u16(Buffer *b, unsigned n)
{
    buffer_putc(b, (char)(n >> 8));
    buffer_putc(b, (char)n);
}

static void put_u64(Buffer *b, uint64_t n)
{
    buffer_put_u32(b, (uint32_t)(n >> 32));
    buffer_put_u32(b, (uint32_t)n);
}

static void put_text(Buffer *b, const char *s)
{
    buffer_putc(b, 't');
    buffer_put_u32(b, (uint32_t)strlen(s));
    buffer_puts(b, s);
}

static void put_update(Buffer *b)
{
    buffer_putc(b, 'U');
    buffer_put_u32(b, 42);
    buffer_putc(b, 'K');
    put_u16(b, 2);
    put_text(b, "7");
    buffer_putc(b, 'n');
    buffer_putc(b, 'N');
    put_u16(b, 2);
    put_text(b, "8");
    buffer_putc(b, 'u');
}

static void put_relation(Buffer *b)
{
    buffer_putc(b, 'R');
    buffer_put_u32(b, 42);
    buffer_append(b, "public\0orders\0d", 15);
    put_u16(b, 1);
    buffer_putc(b, 1);
    buffer_append(b, "id\0", 3);
    buffer_put_u32(b, 23);
    buffer_put_u32(b, UINT32_MAX);
}

static void test_begin_and_commit(void **state)
{
    (void)state;
    Buffer b = {0};
    Arena arena = {0};
    PgoutputMessage m;
    Error err = {0};

    buffer_putc(&b, 'B');
    put_u64(&b, 0x1000000ab);
    put_u64(&b, 5);
    buffer_put_u32(&b, 777);
    assert_int_equal(pgoutput_decode(b.data, b.len, &arena, &m, &err), 0);
    assert_int_equal(m.begin.commit_lsn, 0x1000000ab);
    assert_int_equal(m.begin.xid, 777);
    buffer_clear(&b, 0);
    buffer_append(&b, "C\0", 2);
    put_u64(&b, 1);
    put_u64(&b, 2);
    put_u64(&b, 3);
    assert_int_equal(pgoutput_decode(b.data, b.len, &arena, &m, &err), 0);
    assert_int_equal(m.commit.end_lsn, 2);
    buffer_free(&b);
    arena_free(&arena);
}

static void test_update_with_old_key_and_unchanged_toast(void **state)
{
    (void)state;
    Buffer b = {0};
    Arena arena = {0};
    PgoutputMessage m;
    Error err = {0};

    put_update(&b);
    assert_int_equal(pgoutput_decode(b.data, b.len, &arena, &m, &err), 0);
    assert_int_equal(m.change.relation, 42);
    assert_int_equal(m.change.old_kind, 'K');
    assert_memory_equal(m.change.old[0].data, "7", 1);
    assert_int_equal(m.change.old[1].kind, VALUE_NULL);
    assert_int_equal(m.change.row[1].kind, VALUE_UNCHANGED);
    buffer_free(&b);
    arena_free(&arena);
}

static void test_relation(void **state)
{
    (void)state;
    Buffer b = {0};
    Arena arena = {0};
    PgoutputMessage m;
    Error err = {0};

    put_relation(&b);
    assert_int_equal(pgoutput_decode(b.data, b.len, &arena, &m, &err), 0);
    assert_string_equal(m.relation.schema, "public");
    assert_string_equal(m.relation.name, "orders");
    assert_true(m.relation.columns[0].is_key);
    assert_int_equal(m.relation.columns[0].type_oid, 23);
    assert_int_equal(m.relation.columns[0].typmod, -1);
    buffer_free(&b);
    arena_free(&arena);
}

static void test_truncate(void **state)
{
    (void)state;
    Buffer b = {0};
    Arena arena = {0};
    PgoutputMessage m;
    Error err = {0};

    buffer_putc(&b, 'T');
    buffer_put_u32(&b, 2);
    buffer_putc(&b, 3);
    buffer_put_u32(&b, 10);
    buffer_put_u32(&b, 11);
    assert_int_equal(pgoutput_decode(b.data, b.len, &arena, &m, &err), 0);
    assert_int_equal(m.truncate.count, 2);
    assert_true(m.truncate.cascade && m.truncate.restart_identity);
    assert_int_equal(m.truncate.relations[1], 11);
    buffer_free(&b);
    arena_free(&arena);
}

// A message cut at any place is an error, never a read beyond it (the sanitizers watch).
static void test_every_cut_is_an_error(void **state)
{
    (void)state;
    void (*const makers[])(Buffer *) = {put_update, put_relation};
    for (size_t k = 0; k < sizeof makers / sizeof *makers; k++) {
        Buffer b = {0};
        makers[k](&b);
        for (size_t len = 0; len < b.len; len++) {
            Arena arena = {0};
            PgoutputMessage m;
            Error err = {0};
            char *copy = arena_copy(&arena, b.data, len);
            assert_int_equal(pgoutput_decode(copy, len, &arena, &m, &err), -1);
            assert_int_equal(err.code, ERROR_PROTOCOL);
            arena_free(&arena);
        }
        buffer_free(&b);
    }
}

static void test_unknown_kinds_are_refused(void **state)
{
    (void)state;
    Arena arena = {0};
    PgoutputMessage m;
    Error err = {0};
    assert_int_equal(pgoutput_decode("S\0\0\0\1\1", 6, &arena, &m, &err), -1); // streaming was not asked for
    assert_int_equal(err.code, ERROR_PROTOCOL);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin_and_commit),
        cmocka_unit_test(test_update_with_old_key_and_unchanged_toast),
        cmocka_unit_test(test_relation),
        cmocka_unit_test(test_truncate),
        cmocka_unit_test(test_every_cut_is_an_error),
        cmocka_unit_test(test_unknown_kinds_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
