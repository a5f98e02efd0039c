// SPDX-License-Identifier: Apache-2.0
// completion: scripts for the shells, from the table of options. Names of tasks and templates are asked from the
// cluster.
#include "cli/commands.h"

#include "common/base/memory.h"

#include <stdio.h>
#include <string.h>

#define TASKS     "$(kubeferry migration list -o name 2>/dev/null | sed 's,.*/,,')"
#define TEMPLATES "$(kubeferry migration templates -o name 2>/dev/null | sed 's,.*/,,')"
#define STEPS     "precheck init-struct init-data init-struct-later cdc"

// What can stand for a value; NULL: anything. In the words of a shell.
static char *values_of(int option, const OptionSpec *spec)
{
    if (option == O_NAME || option == O_NAMES)
        return memory_strdup(TASKS);
    if (option == O_TEMPLATE || option == O_TEMPLATE_NAME)
        return memory_strdup(TEMPLATES);
    if (option == O_STEP)
        return memory_strdup(STEPS);
    if (option == O_ADDON)
        return memory_strdup("migration");
    if (spec->type != OPTION_CHOICE)
        return NULL;
    char *words = memory_strdup(spec->range);
    for (char *p = words; (p = strchr(p, '|'));)
        *p = ' ';
    return words;
}

static bool is_hidden(int option)
{
    return option == O_HELP_MARKDOWN || option == O_HELP_MAN;
}

// The verbs that may follow: those of one word, or the second words of a group.
static void put_next_words(const OptionTable *table, int group, Buffer *out)
{
    for (size_t i = 0; i < table->verb_count; i++) {
        const char *name = table->verbs[i].name;
        if (group < 0 ? strchr(name, ' ') == NULL : options_is_below(table, group, i))
            buffer_printf(out, "%s%s", out->len ? " " : "", group < 0 ? name : strchr(name, ' ') + 1);
    }
}

static void put_options(const OptionTable *table, int verb, Buffer *out)
{
    for (size_t i = 0; i < table->spec_count; i++)
        if (!table->specs[i].word && !is_hidden((int)i) && options_applies(&table->specs[i], verb))
            buffer_printf(out, "%s--%s", out->len ? " " : "", table->specs[i].name);
}

// What a verb's next word can be: a verb, or one of its words.
static char *words_after(const OptionTable *table, int verb)
{
    Buffer words = {0};

    put_next_words(table, verb, &words);
    for (size_t i = 0; !words.len && i < table->spec_count; i++)
        if (verb >= 0 && table->specs[i].word && options_applies(&table->specs[i], verb)) {
            auto_free char *values = values_of((int)i, &table->specs[i]);
            if (values && verb != VERB_MIGRATION_CREATE) // its name is a new one
                buffer_puts(&words, values);
        }
    return words.data;
}

// ---- bash and zsh: one body, two ways to answer ---------------------------------------------------------------------

static void put_body(const OptionTable *table, Buffer *out)
{
    buffer_puts(out, "    for word in \"${before[@]}\"; do\n        case \"${verb:+$verb }$word\" in\n        ");
    for (size_t i = 0; i < table->verb_count; i++)
        buffer_printf(out, "%s'%s'", i ? "|" : "", table->verbs[i].name);
    buffer_puts(out, ") verb=\"${verb:+$verb }$word\" ;;\n        esac\n    done\n    case \"$previous\" in\n");
    for (size_t i = 0; i < table->spec_count; i++) {
        auto_free char *values = values_of((int)i, &table->specs[i]);
        if (table->specs[i].word || !values)
            continue;
        buffer_printf(out, "    --%s", table->specs[i].name);
        if (table->specs[i].letter)
            buffer_printf(out, "|-%c", table->specs[i].letter);
        buffer_printf(out, ") _kubeferry_answer \"%s\"; return ;;\n", values);
    }
    buffer_puts(out, "    esac\n    case \"$verb\" in\n");
    for (int verb = -1; verb < (int)table->verb_count; verb++) {
        auto_buffer Buffer options = {0};
        auto_free char *words = words_after(table, verb);
        put_options(table, verb, &options);
        buffer_printf(out, "    '%s') flags=\"%s\" next=\"%s\" ;;\n", verb < 0 ? "" : table->verbs[verb].name,
                      buffer_text(&options), words ? words : "");
    }
    buffer_puts(out, "    esac\n    case \"$current\" in\n    -*) _kubeferry_answer \"$flags\" ;;\n"
                     "    *) _kubeferry_answer \"$next\" ;;\n    esac\n}\n");
}

static void put_bash(const OptionTable *table, Buffer *out)
{
    buffer_puts(out, "# bash completion of kubeferry\n"
                     "_kubeferry_answer() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$current\"); }\n"
                     "_kubeferry() {\n"
                     "    local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
                     "    local verb='' word flags='' next=''\n"
                     "    local before=(\"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\n");
    put_body(table, out);
    buffer_puts(out, "complete -o default -F _kubeferry kubeferry\n");
}

static void put_zsh(const OptionTable *table, Buffer *out)
{
    buffer_puts(out, "#compdef kubeferry\n"
                     "_kubeferry_answer() { compadd -- ${=1} }\n"
                     "_kubeferry() {\n"
                     "    local current=\"${words[CURRENT]}\" previous=\"${words[CURRENT-1]}\"\n"
                     "    local -a before=(\"${(@)words[2,CURRENT-1]}\")\n"
                     "    local verb='' word flags='' next=''\n");
    put_body(table, out);
    buffer_puts(out, "if [ \"$funcstack[1]\" = _kubeferry ]; then _kubeferry; else compdef _kubeferry kubeferry; fi\n");
}

// ---- fish -----------------------------------------------------------------------------------------------------------

static void put_fish_text(Buffer *out, const char *text)
{
    size_t len = strcspn(text, ".;:(\n"); // the first clause says enough
    for (size_t i = 0; i < len; i++) {
        if (strchr("'\\", text[i]))
            buffer_putc(out, '\\');
        buffer_putc(out, text[i]);
    }
}

// In single quotes for `complete -a`, which evaluates it; fish knows $( ) since 3.4.
static void put_fish_values(Buffer *out, const char *values)
{
    buffer_puts(out, " -xa '");
    for (const char *p = values; *p; p++) {
        if (*p == '$' && p[1] == '(')
            continue;
        if (*p == '\'')
            buffer_putc(out, '\\');
        buffer_putc(out, *p);
    }
    buffer_putc(out, '\'');
}

static void put_fish_options(const OptionTable *table, int verb, Buffer *out)
{
    for (size_t i = 0; i < table->spec_count; i++) {
        const OptionSpec *spec = &table->specs[i];
        auto_free char *values = values_of((int)i, spec);
        if (spec->word || is_hidden((int)i) ||
            (verb < 0 ? spec->verbs != 0 : !spec->verbs || !options_applies(spec, verb)))
            continue;
        buffer_puts(out, "complete -c kubeferry");
        if (verb >= 0)
            buffer_printf(out, " -n '__kubeferry_verb \"%s\"'", table->verbs[verb].name);
        buffer_printf(out, " -l %s", spec->name);
        if (spec->letter)
            buffer_printf(out, " -s %c", spec->letter);
        if (values)
            put_fish_values(out, values);
        else if (spec->type != OPTION_FLAG)
            buffer_puts(out, " -r");
        buffer_puts(out, " -d '");
        put_fish_text(out, spec->help);
        buffer_puts(out, "'\n");
    }
}

static void put_fish(const OptionTable *table, Buffer *out)
{
    buffer_puts(out, "# fish completion of kubeferry\n"
                     "function __kubeferry_verb\n"
                     "    set -l verb ''\n"
                     "    for word in (commandline -opc)[2..-1]\n"
                     "        set -l next (string trim \"$verb $word\")\n"
                     "        if contains -- $next");
    for (size_t i = 0; i < table->verb_count; i++)
        buffer_printf(out, " '%s'", table->verbs[i].name);
    buffer_puts(out, "\n            set verb $next\n        end\n    end\n    test \"$verb\" = \"$argv[1]\"\nend\n"
                     "complete -c kubeferry -f\n");
    for (int verb = -1; verb < (int)table->verb_count; verb++) {
        auto_free char *words = words_after(table, verb);
        if (words) {
            buffer_printf(out, "complete -c kubeferry -n '__kubeferry_verb \"%s\"'",
                          verb < 0 ? "" : table->verbs[verb].name);
            put_fish_values(out, words);
            buffer_putc(out, '\n');
        }
        put_fish_options(table, verb, out);
    }
}

int show_completion(Cli *cli, Error *err)
{
    static void (*const SHELLS[])(const OptionTable *table, Buffer *out) = {put_bash, put_zsh,
                                                                            put_fish}; // as in the table
    auto_buffer Buffer out = {0};

    if (!cli_given(cli, O_SHELL)) {
        error_set(err, ERROR_USAGE, "the shell is missing: bash, zsh or fish");
        return error_hint(err, "for example: kubeferry completion bash >/etc/bash_completion.d/kubeferry");
    }
    SHELLS[cli->values[O_SHELL].integer](cli->table, &out);
    fwrite(out.data, 1, out.len, stdout);
    return 0;
}
