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
static const OptionTable TABLE = {.program = "prog",
                                  .summary = "does things",
                                  .verbs = VERBS,
                                  .verb_count = 2,
                                  .specs = SPECS,
                                  .spec_count = O_COUNT,
                                  .notes = "Notes."};

// A table as of a program with verbs of two words.
enum { V_BOX, V_BOX_PUT, V_BOX_LIST, V_VERSION, V_COUNT };
enum { P_NAME, P_THINGS, P_FORMAT, P_ALL, P_QUIET, P_HELP, P_COUNT };
static const OptionVerb BOX_VERBS[V_COUNT] = {
    [V_BOX] = {.name = "box", .help = "all about boxes"},
    [V_BOX_PUT] = {.name = "box put", .help = "puts things in"},
    [V_BOX_LIST] = {.name = "box list", .help = "lists them"},
    [V_VERSION] = {.name = "version", .help = "the version"},
};
static const OptionSpec BOX_SPECS[P_COUNT] = {
    [P_NAME] = {.name = "box",
                .argument = "NAME",
                .type = OPTION_TEXT,
                .word = true,
                .verbs = 1u << V_BOX_PUT,
                .help = "a box"},
    [P_THINGS] = {.name = "things",
                  .argument = "THING...",
                  .type = OPTION_TEXT,
                  .word = true,
                  .repeat = true,
                  .verbs = 1u << V_BOX_PUT,
                  .help = "what"},
    [P_FORMAT] =
        {.name = "output", .letter = 'o', .argument = "FORM", .type = OPTION_TEXT, .repeat = true, .help = "how"},
    [P_ALL] = {.name = "all", .letter = 'A', .type = OPTION_FLAG, .verbs = 1u << V_BOX_LIST, .help = "all - of them"},
    [P_QUIET] = {.name = "quiet", .letter = 'q', .type = OPTION_FLAG, .help = ".quiet"},
    [P_HELP] = {.name = "help", .type = OPTION_FLAG, .help = "help"},
};
static const char *const BOX_EXAMPLES[V_COUNT] = {[V_BOX_PUT] = "prog box put mine -o short"};
static const OptionTable BOX = {.program = "prog",
                                .summary = "does things",
                                .verbs = BOX_VERBS,
                                .verb_count = V_COUNT,
                                .specs = BOX_SPECS,
                                .spec_count = P_COUNT,
                                .notes = "Notes.",
                                .examples = BOX_EXAMPLES,
                                .brief = true};

enum { MAX_ARGUMENTS = 12 };
static OptionValue values[P_COUNT];
static char arguments[MAX_ARGUMENTS][64];
static int verb;
static Error err;
static const OptionTable *table = &TABLE;

static int teardown(void **state)
{
    (void)state;
    options_free(table, values);
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

    options_free(table, values);
    error_clear(&err);
    snprintf(copy, sizeof copy, "prog %s", line);
    for (char *word = strtok(copy, " "); word && argc < MAX_ARGUMENTS; word = strtok(NULL, " ")) {
        snprintf(arguments[argc], sizeof arguments[argc], "%s", word);
        argv[argc] = arguments[argc];
        argc++;
    }
    return options_parse(table, argc, argv, &verb, values, &err);
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
    refused("copy -j 3", "unknown option -j", "prog --help lists the verbs and options");
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

static void test_verbs_of_two_words(void **state)
{
    (void)state;
    table = &BOX;
    assert_int_equal(parse("-q box put mine -o long a=b -oshort -- -x"), 0);
    assert_int_equal(verb, V_BOX_PUT);
    assert_string_equal(values[P_NAME].text, "mine");
    assert_int_equal(values[P_THINGS].count, 2);
    assert_string_equal(values[P_THINGS].all[0], "a=b");
    assert_string_equal(values[P_THINGS].all[1], "-x");
    assert_string_equal(values[P_FORMAT].text, "short");
    assert_string_equal(values[P_FORMAT].all[0], "long");
    assert_int_equal(values[P_QUIET].integer, 1);
    assert_int_equal(parse("box list -qA"), 0);
    assert_int_equal(values[P_ALL].integer, 1);
    assert_int_equal(parse("box"), 0);
    assert_int_equal(verb, V_BOX);
    assert_int_equal(parse("box help"), 0);
    assert_int_equal(verb, V_BOX);
    assert_int_equal(values[P_HELP].integer, 1);
    assert_int_equal(parse("box put help"), 0);
    assert_string_equal(values[P_NAME].text, "help");
    refused("box lst", "unknown verb 'box lst'", "did you mean box list?");
    refused("box list more", "unexpected 'more' after the verb box list", NULL);
    refused("box list -o", "-o: expected a value: -o FORM", NULL);
    refused("box put -A", "--all has no meaning for box put", NULL);
    refused("box list -z", "unknown option -z", NULL);
}

static void test_pages_of_two_words(void **state)
{
    auto_buffer Buffer all = {0}, group = {0}, one = {0}, page = {0}, man = {0};
    (void)state;
    table = &BOX;
    options_help(&BOX, -1, &all);
    assert_non_null(strstr(all.data, "  box put "));
    assert_null(strstr(all.data, "--all"));
    assert_non_null(strstr(all.data, "-o, --output FORM"));
    options_help(&BOX, V_BOX, &group);
    assert_non_null(strstr(group.data, "  box list "));
    assert_null(strstr(group.data, "version"));
    options_help(&BOX, V_BOX_PUT, &one);
    assert_non_null(strstr(one.data, "usage: prog box put NAME THING... [OPTION]..."));
    assert_non_null(strstr(one.data, "examples:\n  prog box put mine -o short\n"));
    options_markdown(&BOX, &page);
    assert_non_null(strstr(page.data, "| `box put NAME THING...` | puts things in |"));
    assert_non_null(strstr(page.data, "| `-A, --all` | box list |"));
    options_man(&BOX, V_BOX, &man);
    assert_non_null(strstr(man.data, ".TH PROG-BOX 1 "));
    assert_non_null(strstr(man.data, "prog-box \\- all about boxes"));
    assert_non_null(strstr(man.data, "\n\\&.quiet\n"));
    assert_non_null(strstr(man.data, "all \\- of them"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_both_spellings_and_places, teardown),
        cmocka_unit_test_teardown(test_environment_gives_way, teardown),
        cmocka_unit_test_teardown(test_secrets_leave_argv, teardown),
        cmocka_unit_test_teardown(test_slips_are_named, teardown),
        cmocka_unit_test_teardown(test_pages_hold_the_table, teardown),
        cmocka_unit_test_teardown(test_verbs_of_two_words, teardown),
        cmocka_unit_test_teardown(test_pages_of_two_words, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
