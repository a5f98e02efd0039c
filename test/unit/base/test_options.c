// SPDX-License-Identifier: Apache-2.0
#include "common/base/options.h"
#include "test/unit/cmocka_all.h"

enum { O_NAME, O_SECRET, O_JOBS, O_MODE, O_FORCE, O_COUNT };

static const OptionVerb VERBS[] = {{"copy", "copies"}, {"cleanup", "cleans up"}};
static const OptionSpec SPECS[O_COUNT] = {
    {.name = "name", .env = "TEST_OPTION_NAME", .argument = "NAME", .type = OPTION_TEXT, .help = "a name"},
    {.name = "secret", .env = "TEST_OPTION_SECRET", .argument = "S", .type = OPTION_TEXT, .secret = true, .help = "s"},
    {.name = "jobs", .argument = "N", .type = OPTION_INTEGER, .min = 1, .max = 8, .range = "1-8", .help = "workers"},
    {.name = "mode", .argument = "M", .type = OPTION_CHOICE, .range = "fast|slow", .fallback = "slow", .help = "how"},
    {.name = "force", .type = OPTION_FLAG, .verbs = 1u << 1, .help = "even so"},
};
static const OptionTable TABLE = {"prog", "does things", VERBS, 2, SPECS, O_COUNT, "Notes."};

enum { MAX_ARGUMENTS = 8 };
static OptionValue values[O_COUNT];
static char arguments[MAX_ARGUMENTS][64];
static int verb;
static Error err;

static int teardown(void **state)
{
    (void)state;
    options_free(&TABLE, values);
    unsetenv("TEST_OPTION_NAME");
    unsetenv("TEST_OPTION_SECRET");
    return 0;
}

// A line of words, split at spaces.
static int parse(const char *line)
{
    char *argv[MAX_ARGUMENTS + 1] = {0};
    char copy[256];
    int argc = 0;

    options_free(&TABLE, values);
    error_clear(&err);
    snprintf(copy, sizeof copy, "prog %s", line);
    for (char *word = strtok(copy, " "); word && argc < MAX_ARGUMENTS; word = strtok(NULL, " ")) {
        snprintf(arguments[argc], sizeof arguments[argc], "%s", word);
        argv[argc] = arguments[argc];
        argc++;
    }
    return options_parse(&TABLE, argc, argv, &verb, values, &err);
}

static void refused(const char *line, const char *message, const char *hint)
{
    assert_int_equal(parse(line), -1);
    assert_int_equal(err.code, ERROR_USAGE);
    assert_string_equal(err.message, message);
    if (hint)
        assert_string_equal(err.hint, hint);
}

static void test_both_spellings_and_places(void **state)
{
    (void)state;
    assert_int_equal(parse("--jobs 3 copy --mode=fast --name=a=b"), 0);
    assert_int_equal(verb, 0);
    assert_int_equal(values[O_JOBS].integer, 3);
    assert_int_equal(values[O_MODE].integer, 0);
    assert_string_equal(values[O_NAME].text, "a=b");
    assert_int_equal(values[O_FORCE].origin, OPTION_UNSET);
    assert_int_equal(parse("cleanup --force --jobs 1 --jobs 2"), 0);
    assert_int_equal(values[O_FORCE].integer, 1);
    assert_int_equal(values[O_JOBS].integer, 2);
    assert_int_equal(parse(""), 0);
    assert_int_equal(verb, -1);
}

static void test_environment_gives_way(void **state)
{
    (void)state;
    setenv("TEST_OPTION_NAME", "from-env", 1);
    setenv("TEST_OPTION_SECRET", "hidden", 1);
    assert_int_equal(parse("copy"), 0);
    assert_string_equal(values[O_NAME].text, "from-env");
    assert_int_equal(values[O_NAME].origin, OPTION_FROM_ENVIRONMENT);
    assert_string_equal(values[O_SECRET].text, "hidden");
    assert_null(getenv("TEST_OPTION_SECRET"));
    assert_int_equal(parse("copy --name given"), 0);
    assert_string_equal(values[O_NAME].text, "given");
}

static void test_secrets_leave_argv(void **state)
{
    (void)state;
    assert_int_equal(parse("copy --secret abc --name n"), 0);
    assert_string_equal(arguments[3], "***");
    assert_string_equal(values[O_SECRET].text, "abc");
    assert_int_equal(parse("copy --secret=abc"), 0);
    assert_string_equal(arguments[2], "--secret=***");
}

static void test_slips_are_named(void **state)
{
    (void)state;
    refused("copy --jbos 3", "unknown option --jbos", "did you mean --jobs?");
    refused("copy --elephant=pw", "unknown option --elephant", "prog --help lists the verbs and options");
    refused("cpoy", "unknown verb 'cpoy'", "did you mean copy?");
    refused("copy cleanup", "unexpected 'cleanup' after the verb copy", NULL);
    refused("copy u:secret@host/db", "argument 2 is neither a verb nor an option", NULL);
    refused("copy -j 3", "unexpected '-j' after the verb copy", NULL);
    refused("copy --force", "--force has no meaning for copy", "prog copy --help lists its options");
    refused("cleanup --force=yes", "--force takes no value", NULL);
    refused("copy --jobs", "--jobs: expected a value: --jobs N", NULL);
    refused("copy --jobs 9", "--jobs: expected a number from 1 to 8, found '9'", NULL);
    refused("copy --jobs 1x", "--jobs: expected a number from 1 to 8, found '1x'", NULL);
    refused("copy --mode=quick", "--mode: expected fast|slow, found 'quick'", NULL);
    refused("copy --name=", "--name: its value is empty", NULL);
}

static void test_pages_hold_the_table(void **state)
{
    auto_buffer Buffer all = {0}, one = {0}, page = {0};
    (void)state;
    options_help(&TABLE, -1, &all);
    assert_non_null(strstr(all.data, "--force"));
    assert_non_null(strstr(all.data, "[fast|slow; default slow]"));
    options_help(&TABLE, 0, &one);
    assert_null(strstr(one.data, "--force"));
    options_markdown(&TABLE, &page);
    assert_non_null(strstr(page.data, "| `--mode M` | all | how | `fast\\|slow`; default `slow` |"));
    assert_non_null(strstr(page.data, "| `--force` | cleanup | even so |"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_both_spellings_and_places, teardown),
        cmocka_unit_test_teardown(test_environment_gives_way, teardown),
        cmocka_unit_test_teardown(test_secrets_leave_argv, teardown),
        cmocka_unit_test_teardown(test_slips_are_named, teardown),
        cmocka_unit_test_teardown(test_pages_hold_the_table, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
