// SPDX-License-Identifier: Apache-2.0
// engine/precheck/findings.c
#include "engine/precheck/findings.h"
#include "test/unit/cmocka_all.h"

static Findings f;

static void assert_message(const char *expected)
{
    Buffer text = {0};
    findings_message(&f, &text);
    assert_string_equal(buffer_text(&text), expected);
    buffer_free(&text);
}

static void assert_remedy(const char *expected)
{
    Buffer text = {0};
    findings_remedy(&f, "the general remedy", &text);
    assert_string_equal(buffer_text(&text), expected);
    buffer_free(&text);
}

static int teardown(void **state)
{
    (void)state;
    findings_free(&f);
    return 0;
}

static void nothing_found_is_a_pass(void **state)
{
    (void)state;
    assert_int_equal(findings_verdict(&f), CHECK_PASS);
    assert_message("");
    assert_remedy("");
}

static void what_passed_is_told_only_when_all_passed(void **state)
{
    (void)state;
    findings_add(&f, CHECK_PASS, "wal_level is logical", NULL, "never shown");
    assert_message("wal_level is logical");
    assert_remedy("");
    findings_addf(&f, CHECK_WARN, NULL, "only %d left", 3);
    assert_int_equal(findings_verdict(&f), CHECK_WARN);
    assert_message("only 3 left");
    assert_remedy("the general remedy");
}

static void objects_of_one_kind_stand_together_and_failures_first(void **state)
{
    (void)state;
    findings_add(&f, CHECK_WARN, "odd", "x", "mend x");
    findings_add(&f, CHECK_FAIL, "no right on", "a", "GRANT a");
    findings_add(&f, CHECK_FAIL, "broken", NULL, NULL);
    findings_add(&f, CHECK_FAIL, "no right on", "b", "GRANT b");
    findings_add(&f, CHECK_FAIL, "no right on", "c", "");
    assert_int_equal(findings_verdict(&f), CHECK_FAIL);
    assert_message("no right on: a, b, c; broken; odd: x");
    assert_remedy("GRANT a\nthe general remedy\nGRANT b\nmend x");
}

static void many_objects_are_counted(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char name[16], remedy[16];
        snprintf(name, sizeof name, "t%d", i);
        snprintf(remedy, sizeof remedy, "R%d", i % 12);
        findings_add(&f, CHECK_FAIL, "bad", name, i < 13 ? remedy : "R0");
    }
    assert_message("bad: t0, t1, t2, t3, t4, t5, t6, t7, t8, t9 and 19990 more");
    assert_remedy("R0\nR1\nR2\nR3\nR4\nR5\nR6\nR7\nR8\nR9\n… and the like for 2 more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_found_is_a_pass, teardown),
        cmocka_unit_test_teardown(what_passed_is_told_only_when_all_passed, teardown),
        cmocka_unit_test_teardown(objects_of_one_kind_stand_together_and_failures_first, teardown),
        cmocka_unit_test_teardown(many_objects_are_counted, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
