// SPDX-License-Identifier: Apache-2.0
// fold.c: the table of net effects, and random histories of a small table whose folded form must end in the same rows.
#include "engine/apply/fold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { KEYS = 6, COLUMNS = 3, STEPS = 30, ROUNDS = 20000 };

static TargetColumn columns[COLUMNS] = {{.name = "id", .is_key = true}, {.name = "a"}, {.name = "b"}};
static uint16_t keys[] = {0};
static Target target = {
    .label = (char *)"t", .column_count = COLUMNS, .columns = columns, .key_count = 1, .keys = keys, .wanted = true};

static Value text(Arena *a, int n)
{
    char *s = arena_printf(a, "%d", n);
    return (Value){.kind = VALUE_TEXT, .data = s, .len = (uint32_t)strlen(s)};
}

static int number(const Value *v)
{
    return atoi(v->data);
}

// One change; id -1 or a value -1 stands for an unchanged TOAST value.
static Change change(Arena *arena, ChangeOp op, int key, int id, int a, int b)
{
    Change c = {.op = op, .target = &target, .complete = true};
    int given[COLUMNS] = {id, a, b};

    if (op != CHANGE_INSERT) {
        Value *k = arena_alloc(arena, sizeof *k);
        *k = text(arena, key);
        c.key = k;
        c.key_changed = op == CHANGE_UPDATE && id != key;
    }
    if (op != CHANGE_DELETE) {
        Value *row = arena_alloc(arena, sizeof(Value) * COLUMNS);
        for (int i = 0; i < COLUMNS; i++) {
            row[i] = given[i] < 0 ? (Value){.kind = VALUE_UNCHANGED} : text(arena, given[i]);
            c.complete = c.complete && given[i] >= 0;
        }
        c.row = row;
    }
    return c;
}

typedef struct Table {
    bool present[KEYS];
    int a[KEYS], b[KEYS];
} Table;

static void put(Table *t, const Value *row, int id)
{
    t->present[id] = true;
    if (row[1].kind == VALUE_TEXT)
        t->a[id] = number(&row[1]);
    if (row[2].kind == VALUE_TEXT)
        t->b[id] = number(&row[2]);
}

static void apply_alone(Table *t, const Change *c)
{
    if (c->op == CHANGE_DELETE) {
        assert_true(t->present[number(c->key)]);
        t->present[number(c->key)] = false;
        return;
    }
    int id = number(&c->row[0]);
    if (c->op == CHANGE_UPDATE && c->key_changed) {
        int from = number(c->key);
        assert_true(t->present[from] && !t->present[id]);
        t->a[id] = t->a[from];
        t->b[id] = t->b[from];
        t->present[from] = false;
    } else {
        assert_int_equal(t->present[id], c->op == CHANGE_UPDATE);
    }
    put(t, c->row, id);
}

// Deletes, then updates, then inserts: what apply_batch.c does. Each must find what it expects.
static void apply_fold(Table *t, const Fold *f)
{
    for (size_t i = 0; i < f->count; i++) {
        const FoldEntry *e = &f->entries[i];
        if (e->op != NET_DELETE && e->op != NET_REPLACE)
            continue;
        assert_true(t->present[number(e->key)]);
        t->present[number(e->key)] = false;
    }
    for (size_t i = 0; i < f->count; i++) {
        const FoldEntry *e = &f->entries[i];
        if (e->op != NET_UPDATE)
            continue;
        assert_true(t->present[number(e->key)]);
        for (int c = 0; c < COLUMNS; c++) {
            bool masked = e->mask && f->masks[e->mask - 1].unchanged[0] >> c & 1;
            assert_int_equal(masked, e->row[c].kind == VALUE_UNCHANGED);
        }
        put(t, e->row, number(e->key));
    }
    for (size_t i = 0; i < f->count; i++) {
        const FoldEntry *e = &f->entries[i];
        if (e->op != NET_INSERT && e->op != NET_REPLACE)
            continue;
        assert_false(t->present[number(e->key)]);
        for (int c = 0; c < COLUMNS; c++)
            assert_int_equal(e->row[c].kind, VALUE_TEXT);
        put(t, e->row, number(&e->row[0]));
    }
}

// A change that the table allows.
static Change random_change(Arena *arena, const Table *t)
{
    for (;;) {
        int key = (int)random() % KEYS, id = (int)random() % KEYS, value = (int)random() % 1000;
        int a = random() % 4 ? value : -1, b = random() % 4 ? value + 1 : -1;
        switch (random() % 4) {
        case 0:
            if (!t->present[id])
                return change(arena, CHANGE_INSERT, 0, id, value, value + 1);
            break;
        case 1:
            if (t->present[key])
                return change(arena, CHANGE_DELETE, key, 0, 0, 0);
            break;
        case 2:
            if (t->present[key])
                return change(arena, CHANGE_UPDATE, key, key, a, b);
            break;
        default:
            if (t->present[key] && !t->present[id])
                return change(arena, CHANGE_UPDATE, key, id, a, b);
        }
    }
}

static void take(Fold *f, Table *folded, const Change *c)
{
    if (fold_add(f, c) == FOLD_TAKEN)
        return;
    apply_fold(folded, f);
    fold_reset(f);
    if (fold_add(f, c) == FOLD_TAKEN)
        return;
    fold_reset(f);
    apply_alone(folded, c);
}

static void test_random_histories_end_alike(void **state)
{
    (void)state;
    Fold f = {0};
    srandom(7);
    for (int round = 0; round < ROUNDS; round++) {
        Arena arena = {0};
        Table truth = {0}, folded;
        for (int i = 0; i < KEYS; i++)
            truth.present[i] = random() % 2;
        folded = truth;
        fold_reset(&f);
        for (int i = 0; i < STEPS; i++) {
            Change c = random_change(&arena, &truth);
            apply_alone(&truth, &c);
            take(&f, &folded, &c);
        }
        apply_fold(&folded, &f);
        for (int i = 0; i < KEYS; i++) {
            assert_int_equal(folded.present[i], truth.present[i]);
            if (truth.present[i]) {
                assert_int_equal(folded.a[i], truth.a[i]);
                assert_int_equal(folded.b[i], truth.b[i]);
            }
        }
        arena_free(&arena);
    }
    fold_free(&f);
}

static NetOp net(const Fold *f, int key)
{
    for (size_t i = 0; i < f->count; i++)
        if (number(f->entries[i].key) == key)
            return f->entries[i].op;
    return NET_NOTHING;
}

static void test_insert_then_partial_update_keeps_the_value(void **state)
{
    (void)state;
    Fold f = {0};
    Arena arena = {0};
    Change insert = change(&arena, CHANGE_INSERT, 0, 1, 10, 20);
    Change update = change(&arena, CHANGE_UPDATE, 1, 1, 11, -1);

    assert_int_equal(fold_add(&f, &insert), FOLD_TAKEN);
    assert_int_equal(fold_add(&f, &update), FOLD_TAKEN);
    assert_int_equal(net(&f, 1), NET_INSERT);
    assert_int_equal(number(&f.entries[0].row[1]), 11);
    assert_int_equal(number(&f.entries[0].row[2]), 20);
    fold_free(&f);
    arena_free(&arena);
}

static void test_key_change_with_unknown_toast_stands_alone(void **state)
{
    (void)state;
    Fold f = {0};
    Arena arena = {0};
    Change move = change(&arena, CHANGE_UPDATE, 1, 2, 5, -1);

    assert_int_equal(fold_add(&f, &move), FOLD_ALONE);
    fold_free(&f);
    arena_free(&arena);
}

static void test_delete_then_insert_is_a_replace(void **state)
{
    (void)state;
    Fold f = {0};
    Arena arena = {0};
    Change delete_it = change(&arena, CHANGE_DELETE, 1, 0, 0, 0);
    Change insert = change(&arena, CHANGE_INSERT, 0, 1, 7, 8);

    assert_int_equal(fold_add(&f, &delete_it), FOLD_TAKEN);
    assert_int_equal(fold_add(&f, &insert), FOLD_TAKEN);
    assert_int_equal(net(&f, 1), NET_REPLACE);
    assert_int_equal(fold_add(&f, &insert), FOLD_ALONE);
    fold_free(&f);
    arena_free(&arena);
}

static void test_guarded_tables_are_never_folded(void **state)
{
    (void)state;
    Fold f = {0};
    Arena arena = {0};
    Target guarded = target;
    Change insert = change(&arena, CHANGE_INSERT, 0, 1, 7, 8);

    guarded.in_order = true;
    insert.target = &guarded;
    assert_int_equal(fold_add(&f, &insert), FOLD_ALONE);
    fold_free(&f);
    arena_free(&arena);
}

static void test_rows_without_a_key_are_gathered(void **state)
{
    (void)state;
    Fold f = {0};
    Arena arena = {0};
    Target keyless = target;
    keyless.key_count = 0;
    for (int i = 0; i < 3000; i++) {
        Change insert = change(&arena, CHANGE_INSERT, 0, 1, 7, 8);
        insert.target = &keyless;
        assert_int_equal(fold_add(&f, &insert), FOLD_TAKEN);
        Change keyed = change(&arena, CHANGE_INSERT, 0, i, 7, 8);
        assert_int_equal(fold_add(&f, &keyed), FOLD_TAKEN);
    }
    assert_int_equal(f.count, 6000);
    fold_free(&f);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_histories_end_alike),
        cmocka_unit_test(test_insert_then_partial_update_keeps_the_value),
        cmocka_unit_test(test_key_change_with_unknown_toast_stands_alone),
        cmocka_unit_test(test_delete_then_insert_is_a_replace),
        cmocka_unit_test(test_guarded_tables_are_never_folded),
        cmocka_unit_test(test_rows_without_a_key_are_gathered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
