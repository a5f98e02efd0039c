// SPDX-License-Identifier: Apache-2.0
// The small text modules: nearest.c, utf8.c, clock.c, lsn.c, listen_address.c.
#include "common/base/clock.h"
#include "common/base/listen_address.h"
#include "common/base/lsn.h"
#include "common/base/nearest.h"
#include "common/base/utf8.h"
#include "test/unit/cmocka_all.h"

static void test_nearest_word(void **state)
{
    static const char *const WORDS[] = {"source", "sink", NULL, "steps", "jobs"};
    (void)state;
    assert_string_equal(nearest_word("sorce", WORDS, 5), "source");
    assert_string_equal(nearest_word("job", WORDS, 5), "jobs");
    assert_null(nearest_word("elephant", WORDS, 5));
    assert_null(nearest_word("", WORDS, 5));
}

static void repaired(const char *from, const char *expected)
{
    char text[64];
    snprintf(text, sizeof text, "%s", from);
    utf8_repair(text);
    assert_string_equal(text, expected);
}

static void test_clock_parse(void **state)
{
    (void)state;
    assert_true(clock_parse("2026-11-22T21:07:12.500Z") == 1795381632.5);
    assert_true(clock_parse("2026-11-22T22:07:12+01:00") == 1795381632);
    assert_true(clock_parse("2026-11-22T21:07:12.5e300Z") == 1795381632.5);
    assert_true(clock_parse("2026-11-22T21:07:12.infZ") == 1795381632);
    assert_true(clock_parse("noon") == 0);
}

static void test_lsn(void **state)
{
    static const char *const BAD[] = {"",     "/",     "1",           "1/",   "/1",   "+1/2",
                                      "1/-2", "0x1/2", "1/123456789", "1/2 ", " 1/2", "1/G"};
    uint64_t lsn = 0;
    (void)state;
    assert_true(lsn_parse("16/b374D848", &lsn) && lsn == 0x16B374D848);
    assert_string_equal(lsn_format(lsn).text, "16/B374D848");
    assert_true(lsn_parse("FFFFFFFF/FFFFFFFF", &lsn) && lsn == UINT64_MAX);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_false(lsn_parse(BAD[i], &lsn));
}

static void test_utf8_valid(void **state)
{
    static const char *const GOOD[] = {"", "plain", "gr\xC3\xBC\xC3\x9F", "\xF0\x9F\x90\x98", "\xE2\x80\xA6x"};
    (void)state;

    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++)
        assert_int_equal(utf8_valid(GOOD[i], strlen(GOOD[i])), strlen(GOOD[i]));
    assert_int_equal(utf8_valid("ab\xE4\xBD\xA0", 4), 2); // cut in the middle
    assert_int_equal(utf8_valid("ab\xE4\xBD\xA0", 5), 5);
    assert_int_equal(utf8_valid("a\xC0\x80", 3), 1);
    assert_int_equal(utf8_valid("a\0b\xFF", 4), 3);

    uint32_t code;
    assert_int_equal(utf8_decode("\xF0\x9F\x90\x98", 4, &code), 4);
    assert_int_equal(code, 0x1F418);
    assert_int_equal(utf8_decode("\xE2\x80\xA6", 3, &code), 3);
    assert_int_equal(code, 0x2026);
    assert_int_equal(utf8_decode("", 0, &code), 0);
}

static void test_utf8_repair(void **state)
{
    (void)state;
    repaired("plain", "plain");
    repaired("gr\xC3\xBC\xC3\x9F \xF0\x9F\x90\x98", "gr\xC3\xBC\xC3\x9F \xF0\x9F\x90\x98");
    repaired("cut \xE4\xBD", "cut ??");
    repaired("latin \xE9t\xE9", "latin ?t?");
    repaired("long \xC0\xAF", "long ??");
    repaired("half \xED\xA0\x80", "half ???");
}

static void test_clock_format(void **state)
{
    char text[CLOCK_TEXT_SIZE];
    (void)state;
    clock_format(1795381632.25, text);
    assert_string_equal(text, "2026-11-22T21:07:12.250Z");
}

static void check_address(const char *text, const char *host, const char *port)
{
    ListenAddress a;
    Error err = {0};
    assert_int_equal(listen_address_parse(text, &a, &err), 0);
    assert_string_equal(a.host, host);
    assert_string_equal(a.port, port);
}

static void test_listen_address(void **state)
{
    static const char *const BAD[] = {"",       "9187",    "host:",   "host:http", "h:65536",
                                      "::1:80", "[::1]80", "[::1:80", "h:-1"};
    ListenAddress a;
    (void)state;
    check_address("127.0.0.1:9187", "127.0.0.1", "9187");
    check_address("[::1]:0", "::1", "0");
    check_address(":65535", "", "65535");
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        Error err = {0};
        assert_int_equal(listen_address_parse(BAD[i], &a, &err), -1);
        assert_int_equal(err.code, ERROR_USAGE);
        assert_true(err.hint[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest_word),   cmocka_unit_test(test_utf8_valid), cmocka_unit_test(test_utf8_repair),
        cmocka_unit_test(test_clock_parse),    cmocka_unit_test(test_lsn),        cmocka_unit_test(test_clock_format),
        cmocka_unit_test(test_listen_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
