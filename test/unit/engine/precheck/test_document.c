// SPDX-License-Identifier: Apache-2.0
// The table of checks is whole, and docs/prechecks.md is made from it. Run from the top of the tree;
// KUBEFERRY_WRITE_DOCS=1 writes the page instead of comparing.
#include "common/base/file.h"
#include "engine/precheck/check.h"
#include "engine/precheck/document.h"
#include "test/unit/cmocka_all.h"

static const char PAGE[] = "docs/prechecks.md";

static void page_is_up_to_date(void **state)
{
    (void)state;
    Buffer expected = {0};
    Error err = {0};

    precheck_document(&expected);
    if (getenv("KUBEFERRY_WRITE_DOCS")) {
        FILE *file = fopen(PAGE, "w");
        assert_non_null(file);
        assert_true(fwrite(expected.data, 1, expected.len, file) == expected.len);
        assert_int_equal(fclose(file), 0);
    }
    char *page = file_read(PAGE, 1 << 20, NULL, &err);
    assert_non_null(page);
    if (strcmp(page, expected.data) != 0)
        fail_msg("%s is not what engine/precheck/checks.c says; make it again with KUBEFERRY_WRITE_DOCS=1", PAGE);
    free(page);
    buffer_free(&expected);
}

static size_t count_params(const CheckQuestion *question)
{
    size_t n = 0;
    while (n < CHECK_PARAMS_MAX && question->params[n] != PARAM_END)
        n++;
    return n;
}

// $1 … $n are all there and $n+1 is not.
static void assert_params(const Check *check, const CheckQuestion *question)
{
    char word[8];
    for (size_t i = 1; i <= CHECK_PARAMS_MAX; i++) {
        snprintf(word, sizeof word, "$%zu", i);
        bool used = strstr(question->sql, word) != NULL;
        if (used != (i <= count_params(question)))
            fail_msg("check %s: parameter %s", check->id, word);
    }
}

static void rows_are_whole(void **state)
{
    (void)state;
    assert_true(CHECK_TABLE_COUNT <= 64); // Precheck.failed_bits
    for (size_t i = 0; i < CHECK_TABLE_COUNT; i++) {
        const Check *check = &CHECKS[i];
        assert_true(check->id && *check->id && check->title && check->meaning && check->remedy);
        assert_true(check->severity == CHECK_WARN || check->severity == CHECK_FAIL);
        if ((check->question.sql != NULL) == (check->function != NULL))
            fail_msg("check %s: either a question or a function", check->id);
        if (check->question.sql)
            assert_params(check, &check->question);
        if (check->facts.sql)
            assert_params(check, &check->facts);
        bool after_found = !check->after;
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(CHECKS[k].id, check->id);
            after_found = after_found || strcmp(CHECKS[k].id, check->after) == 0;
        }
        assert_true(after_found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_whole),
        cmocka_unit_test(page_is_up_to_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
