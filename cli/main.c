// SPDX-License-Identifier: Apache-2.0
// kubeferry: the command for people. Reads the command line and hands over to a verb.
#include "cli/commands.h"

#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/stop.h"

#include <stdio.h>
#include <string.h>

static const char PLUGIN[] = "kubectl-migration";

static void show_page(const OptionTable *table, int verb, const OptionValue *values)
{
    auto_buffer Buffer page = {0};

    if (values[O_VERSION].integer)
        buffer_puts(&page, "kubeferry " KUBEFERRY_VERSION "\n");
    else if (values[O_HELP_MARKDOWN].integer)
        options_markdown(table, &page);
    else if (values[O_HELP_MAN].integer)
        options_man(table, verb, &page);
    else
        options_help(table, verb, &page);
    fwrite(page.data, 1, page.len, stdout);
}

static int run(const OptionTable *table, int verb, OptionValue *values)
{
    Cli cli = {.table = table, .values = values, .verb = verb};
    Error err = {0};
    int code = CLI_EXIT_DONE;

    log_init(LOG_TEXT, LOG_WARN);
    style_init(&cli.style, (ColourWish)values[O_COLOR].integer);
    int rc = stop_init(&err) || CLI_FUNCTIONS[verb](&cli, &err) ? -1 : 0;
    if (rc == 0)
        code = cli.exit_code;
    else if (err.code != ERROR_STOPPED) {
        cli_report(table->program, &err);
        code = err.code == ERROR_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_FAILED;
    } else
        code = CLI_EXIT_FAILED;
    cli_disconnect(&cli);
    if (fflush(stdout) && code == CLI_EXIT_DONE)
        code = CLI_EXIT_FAILED;
    return code;
}

// Everything behind the word is the engine's.
static int hand_over(int argc, char **argv)
{
    OptionValue words = {.all = argv + 2, .count = (size_t)argc - 2};
    OptionValue values[O_COUNT] = {[O_NAMES] = words};
    Cli cli = {.table = &CLI_TABLE, .values = values, .verb = VERB_RUN};
    Error err = {0};

    if (run_engine(&cli, &err))
        cli_report(CLI_TABLE.program, &err);
    return CLI_EXIT_FAILED;
}

static int parse_and_run(const OptionTable *table, int argc, char **argv)
{
    OptionValue values[O_COUNT] = {0};
    Error err = {0};
    int verb, code = CLI_EXIT_DONE;

    if (options_parse(table, argc, argv, &verb, values, &err)) {
        cli_report(table->program, &err);
        code = CLI_EXIT_USAGE;
    } else if (values[O_HELP].integer || values[O_HELP_MARKDOWN].integer || values[O_HELP_MAN].integer ||
               values[O_VERSION].integer) {
        show_page(table, verb, values);
    } else if (verb < 0 || !CLI_FUNCTIONS[verb]) {
        auto_buffer Buffer page = {0};
        options_help(table, verb, &page);
        fwrite(page.data, 1, page.len, stderr);
        code = CLI_EXIT_USAGE;
    } else {
        code = run(table, verb, values);
    }
    options_free(table, values);
    return code;
}

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "";

    if (strcmp(name, PLUGIN) == 0) { // kubectl migration …
        OptionTable table = CLI_TABLE;
        auto_free char **words = memory_zalloc(((size_t)argc + 2) * sizeof *words);
        table.program = "kubectl";
        words[0] = argv[0];
        words[1] = (char *)(uintptr_t) "migration";
        memcpy(words + 2, argv + 1, ((size_t)argc - 1) * sizeof *words);
        return parse_and_run(&table, argc + 1, words);
    }
    if (argc > 1 && strcmp(argv[1], "run") == 0)
        return hand_over(argc, argv);
    return parse_and_run(&CLI_TABLE, argc, argv);
}
