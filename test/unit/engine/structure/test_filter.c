// SPDX-License-Identifier: Apache-2.0
// Which entries of a dump come along: toc.c and filter.c, over lists as pg_restore -l -v writes them.
#include "engine/structure/filter.h"

#include "test/unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

// Tables: 10 orders, 11 customer, 12 elsewhere. 20 the view of both, 21 the view that reads elsewhere too.
static const char LIST[] = ";\n; Archive created at 2026-01-01\n;     TOC Entries: 20\n;\n"
                           "100; 0 0 ENCODING - ENCODING \n"
                           "1; 2615 6 SCHEMA - app postgres\n"
                           "2; 2615 7 SCHEMA - far postgres\n"
                           "3; 1247 30 TYPE app mood postgres\n;\tdepends on: 1\n"
                           "4; 1247 31 TYPE app unused postgres\n;\tdepends on: 1\n"
                           "5; 1255 32 FUNCTION app f() postgres\n;\tdepends on: 1\n"
                           "9; 2605 33 CAST - CAST (app.mood AS text) \n;\tdepends on: 3 5\n"
                           "10; 1259 10 TABLE app orders postgres\n;\tdepends on: 3 1\n"
                           "101; 0 0 COMMENT app TABLE orders postgres\n;\tdepends on: 10\n"
                           "11; 1259 11 TABLE app customer postgres\n;\tdepends on: 1\n"
                           "12; 1259 12 TABLE far elsewhere postgres\n;\tdepends on: 2\n"
                           "13; 1259 13 SEQUENCE far elsewhere_id_seq postgres\n;\tdepends on: 12 2\n"
                           "102; 0 0 SEQUENCE OWNED BY far elsewhere_id_seq postgres\n;\tdepends on: 13\n"
                           "14; 2604 14 DEFAULT app orders id postgres\n;\tdepends on: 13 10\n"
                           "20; 1259 20 VIEW app both postgres\n;\tdepends on: 10 11 1\n"
                           "21; 1259 21 MATERIALIZED VIEW app far_too postgres\n;\tdepends on: 10 12 1\n"
                           "22; 1259 22 FOREIGN TABLE app outside postgres\n;\tdepends on: 1\n"
                           "23; 9999 23 NEW THING app x postgres\n;\tdepends on: 1\n"
                           "40; 2606 40 CONSTRAINT app orders orders_pkey postgres\n;\tdepends on: 10\n"
                           "41; 2606 41 CONSTRAINT app customer customer_pkey postgres\n;\tdepends on: 11\n"
                           "42; 2606 42 CONSTRAINT far elsewhere elsewhere_pkey postgres\n;\tdepends on: 12\n"
                           "43; 1259 43 INDEX app orders_f postgres\n;\tdepends on: 10 5\n"
                           "103; 0 0 COMMENT app INDEX orders_f postgres\n;\tdepends on: 43\n"
                           "44; 2606 44 FK CONSTRAINT app orders to_customer postgres\n;\tdepends on: 41 10 11\n"
                           "45; 2606 45 FK CONSTRAINT app orders to_elsewhere postgres\n;\tdepends on: 42 10 12\n"
                           "46; 2606 46 FK CONSTRAINT far elsewhere to_orders postgres\n;\tdepends on: 40 12 10\n"
                           "47; 3256 47 POLICY app orders reads_elsewhere postgres\n;\tdepends on: 10 12\n"
                           "48; 3256 48 POLICY far elsewhere reads_orders postgres\n;\tdepends on: 10 12\n"
                           "49; 0 10 ROW SECURITY app orders postgres\n;\tdepends on: 10\n"
                           "50; 3466 50 EVENT TRIGGER - et postgres\n";

typedef struct Fixture {
    Toc toc;
    Relation items[4];
    RelationList relations;
    CatalogSet members, owners;
    FilterNotes notes;
} Fixture;

static void load(Fixture *f, const char *text)
{
    Error err = {0};
    static const CatalogKey OWNERS[] = {
        {2606, 44, 10, 11}, {2606, 45, 10, 12}, {2606, 46, 12, 10}, {3256, 47, 10, 0}, {3256, 48, 12, 0}};
    FILE *list = tmpfile();

    *f = (Fixture){0};
    fputs(text, list);
    rewind(list);
    assert_int_equal(toc_load(list, &f->toc, &err), 0);
    for (size_t i = 0; i < sizeof OWNERS / sizeof *OWNERS; i++)
        catalog_set_add(&f->owners, OWNERS[i]);
    catalog_set_sort(&f->owners);
    f->relations.items = f->items;
}

static void migrate(Fixture *f, uint32_t oid, char kind)
{
    f->items[f->relations.count++] = (Relation){.oid = oid, .kind = kind};
}

static void filter(Fixture *f, bool whole_database)
{
    FilterScope scope = {
        .relations = &f->relations, .whole_database = whole_database, .members = &f->members, .owners = &f->owners};
    catalog_set_sort(&f->members);
    filter_toc(&f->toc, &scope, &f->notes);
}

static void done(Fixture *f)
{
    toc_free(&f->toc);
    catalog_set_free(&f->members);
    catalog_set_free(&f->owners);
}

static void assert_wanted(const Fixture *f, const char *ids)
{
    char got[256] = "";
    for (size_t i = 0; i < f->toc.count; i++)
        if (f->toc.entries[i].wanted)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s%d", got[0] ? " " : "", f->toc.entries[i].id);
    assert_string_equal(got, ids);
}

static void test_single_table_brings_what_it_needs(void **state)
{
    Fixture f;
    (void)state;
    load(&f, LIST);
    migrate(&f, 10, 'r');
    filter(&f, false);
    // The sequence that its default uses belongs to a table that stays; no view, no foreign key to what stays.
    assert_wanted(&f, "1 2 3 5 9 10 101 13 14 40 43 103 49");
    assert_int_equal(f.notes.of[NOTE_FOREIGN_KEY].count, 2);
    assert_int_equal(f.notes.of[NOTE_ACTION].count, 1);
    assert_int_equal(f.notes.of[NOTE_STANDALONE].count, 0);
    done(&f);
}

static void test_whole_schema_brings_views_that_can_do_with_it(void **state)
{
    Fixture f;
    (void)state;
    load(&f, LIST);
    migrate(&f, 10, 'r');
    migrate(&f, 11, 'r');
    static const uint32_t MEMBERS[][2] = {{2615, 6},  {1247, 30}, {1247, 31}, {1255, 32},
                                          {1259, 20}, {1259, 21}, {1259, 22}};
    for (size_t i = 0; i < sizeof MEMBERS / sizeof *MEMBERS; i++)
        catalog_set_add(&f.members, (CatalogKey){.class_oid = MEMBERS[i][0], .oid = MEMBERS[i][1]});
    filter(&f, false);
    assert_wanted(&f, "1 2 3 4 5 9 10 101 11 13 14 20 40 41 43 103 44 49");
    assert_int_equal(f.notes.of[NOTE_FOREIGN_KEY].count, 1);
    assert_int_equal(f.notes.of[NOTE_STANDALONE].count, 1);
    assert_string_equal(toc_find(&f.toc, 21)->type->name, "MATERIALIZED VIEW");
    assert_ptr_equal(f.notes.of[NOTE_STANDALONE].example, toc_find(&f.toc, 21));
    assert_int_equal(f.notes.of[NOTE_REFUSED].count, 1); // the foreign table
    done(&f);
}

static void test_whole_database(void **state)
{
    Fixture f;
    (void)state;
    load(&f, LIST);
    migrate(&f, 10, 'r');
    migrate(&f, 11, 'r');
    migrate(&f, 12, 'r');
    filter(&f, true);
    assert_wanted(&f, "1 2 3 4 5 9 10 101 11 12 13 102 14 20 21 23 40 41 42 43 103 44 45 46 47 48 49");
    assert_int_equal(f.notes.of[NOTE_REFUSED].count, 2);
    done(&f);
}

static void test_place(void **state)
{
    Fixture f;
    (void)state;
    load(&f, LIST);
    migrate(&f, 10, 'r');
    migrate(&f, 11, 'r');
    filter(&f, false);
    const TocEntry *index = toc_find(&f.toc, 43), *comment = toc_find(&f.toc, 103);
    assert_true(index->post && index->early && index->relation == 10);
    assert_true(comment->post && comment->early && comment->relation == 10);
    const TocEntry *fk = toc_find(&f.toc, 44), *about_table = toc_find(&f.toc, 101);
    assert_true(fk->post && !fk->early && fk->relation == 0);
    assert_false(about_table->post);
    assert_true(toc_find(&f.toc, 49)->post && !toc_find(&f.toc, 49)->early);
    assert_true(toc_find(&f.toc, 3)->required);
    done(&f);
}

static void test_partitions(void **state)
{
    Fixture f;
    (void)state;
    load(&f, "1; 1259 10 TABLE public root postgres\n"
             "2; 1259 11 TABLE public leaf postgres\n;\tdepends on: 1\n"
             "3; 0 0 TABLE ATTACH public leaf postgres\n;\tdepends on: 2 1\n"
             "4; 2606 12 CONSTRAINT public root root_pkey postgres\n;\tdepends on: 1 1\n"
             "5; 2606 13 CONSTRAINT public leaf leaf_pkey postgres\n;\tdepends on: 4 2\n"
             "6; 0 0 INDEX ATTACH public leaf_pkey postgres\n;\tdepends on: 2 5 4 1\n");
    migrate(&f, 10, 'p');
    migrate(&f, 11, 'r');
    filter(&f, true);
    assert_wanted(&f, "1 2 3 4 5 6");
    // The leaf's own index is built with its rows; what is the root's, and what ties both, waits.
    assert_true(toc_find(&f.toc, 5)->early && toc_find(&f.toc, 5)->relation == 11);
    assert_true(!toc_find(&f.toc, 4)->early && toc_find(&f.toc, 4)->relation == 10);
    assert_true(!toc_find(&f.toc, 6)->early && toc_find(&f.toc, 6)->relation == 0);
    done(&f);
}

static void test_parent_comes_without_rows(void **state)
{
    Fixture f;
    (void)state;
    load(&f, "1; 1259 10 TABLE public parent postgres\n"
             "2; 1259 11 TABLE public child postgres\n;\tdepends on: 1\n"
             "3; 2604 12 DEFAULT public parent a postgres\n;\tdepends on: 1\n"
             "4; 1259 13 INDEX public on_parent postgres\n;\tdepends on: 1\n");
    migrate(&f, 11, 'r');
    filter(&f, false);
    assert_wanted(&f, "1 2 3");
    assert_int_equal(f.notes.of[NOTE_EMPTY_TABLE].count, 1);
    done(&f);
}

static void test_excluded_schema(void **state)
{
    Fixture f;
    (void)state;
    load(
        &f,
        "1; 2615 6 SCHEMA - app postgres\n2; 2615 7 SCHEMA - left postgres\n"
        "3; 1247 20 TYPE left used postgres\n;\tdepends on: 2\n4; 1247 21 TYPE left unused postgres\n;\tdepends on: 2\n"
        "5; 1259 10 TABLE app t postgres\n;\tdepends on: 1 3\n");
    migrate(&f, 10, 'r');
    catalog_set_add(&f.members, (CatalogKey){.class_oid = 1247, .oid = 20});
    catalog_set_add(&f.members, (CatalogKey){.class_oid = 1247, .oid = 21});
    catalog_set_add(&f.members, (CatalogKey){.class_oid = 2615, .oid = 7});
    filter(&f, true);
    assert_wanted(&f, "1 2 3 5");
    done(&f);
}

static void test_bad_lists(void **state)
{
    static const char *const LISTS[] = {"x; 1 2 TABLE a b c\n", "1 1 2 TABLE a b c\n", "1; a b TABLE a b c\n",
                                        "nonsense\n"};
    (void)state;
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++) {
        Error err = {0};
        Toc toc;
        FILE *list = tmpfile();
        fputs(LISTS[i], list);
        rewind(list);
        assert_int_equal(toc_load(list, &toc, &err), -1);
        assert_int_equal(err.code, ERROR_PROTOCOL);
    }
}

static void test_label(void **state)
{
    Fixture f;
    (void)state;
    load(&f, LIST);
    char *label = toc_label(&f.toc, toc_find(&f.toc, 44));
    assert_string_equal(label, "FK CONSTRAINT app orders to_customer");
    free(label);
    done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_table_brings_what_it_needs),
        cmocka_unit_test(test_whole_schema_brings_views_that_can_do_with_it),
        cmocka_unit_test(test_whole_database),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_partitions),
        cmocka_unit_test(test_parent_comes_without_rows),
        cmocka_unit_test(test_excluded_schema),
        cmocka_unit_test(test_bad_lists),
        cmocka_unit_test(test_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
