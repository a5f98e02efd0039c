// SPDX-License-Identifier: Apache-2.0
// The pages that a table of options gives: --help and Markdown.
#include "common/base/options.h"

#include <stdio.h>
#include <string.h>

enum { HELP_COLUMN = 6, HELP_WIDTH = 100 };

// text, broken at spaces, every line indented.
static void put_wrapped(Buffer *out, const char *text, int indent)
{
    int column = 0;
    for (const char *p = text; *p;) {
        size_t len = strcspn(p, " \n");
        if (column > 0 && column + 1 + (int)len > HELP_WIDTH) {
            buffer_putc(out, '\n');
            column = 0;
        }
        if (column == 0) {
            buffer_printf(out, "%*s", indent, "");
            column = indent;
        } else {
            buffer_putc(out, ' ');
            column++;
        }
        buffer_append(out, p, len);
        column += (int)len;
        p += len;
        if (*p == '\n') {
            buffer_putc(out, '\n');
            column = 0;
        }
        if (*p)
            p++;
    }
    buffer_putc(out, '\n');
}

static void put_facts(Buffer *out, const OptionSpec *spec, const char *quote)
{
    const char *gap = "";
    if (spec->range) {
        buffer_printf(out, "%s%s%s%s", gap, quote, spec->range, quote);
        gap = "; ";
    }
    if (spec->fallback) {
        buffer_printf(out, "%sdefault %s%s%s", gap, quote, spec->fallback, quote);
        gap = "; ";
    }
    if (spec->env)
        buffer_printf(out, "%senvironment %s%s%s", gap, quote, spec->env, quote);
}

static void put_words(Buffer *out, const OptionTable *table, int verb)
{
    for (size_t i = 0; i < table->spec_count; i++)
        if (table->specs[i].word && options_applies(&table->specs[i], verb))
            buffer_printf(out, " %s", table->specs[i].argument);
}

// The verbs of the whole table, or those below one.
static int put_verb_list(Buffer *out, const OptionTable *table, int group)
{
    int width = 17, count = 0;

    for (size_t i = 0; i < table->verb_count; i++)
        if ((int)strlen(table->verbs[i].name) > width)
            width = (int)strlen(table->verbs[i].name);
    for (size_t i = 0; i < table->verb_count; i++) {
        if (group >= 0 && !options_is_below(table, group, i))
            continue;
        if (count++ == 0)
            buffer_puts(out, "verbs:\n");
        buffer_printf(out, "  %-*s %s\n", width, table->verbs[i].name, table->verbs[i].help);
    }
    return count;
}

static void put_example(Buffer *out, const char *example, const char *indent)
{
    while (example && *example) {
        size_t len = strcspn(example, "\n");
        buffer_printf(out, "%s%.*s\n", indent, (int)len, example);
        example += len + (example[len] == '\n');
    }
}

static void put_names(Buffer *out, const OptionSpec *spec)
{
    if (spec->letter)
        buffer_printf(out, "-%c, ", spec->letter);
    buffer_printf(out, "--%s%s%s", spec->name, spec->argument ? " " : "", spec->argument ? spec->argument : "");
}

static bool is_listed(const OptionTable *table, const OptionSpec *spec, int verb, bool list)
{
    if (spec->word)
        return false;
    return list ? !table->brief || spec->verbs == 0 : options_applies(spec, verb);
}

void options_help(const OptionTable *table, int verb, Buffer *out)
{
    bool list = verb < 0;

    if (verb < 0) {
        buffer_printf(out, "%s: %s\n\nusage: %s VERB [OPTION]...\n\n", table->program, table->summary, table->program);
        put_verb_list(out, table, -1);
    } else {
        buffer_printf(out, "usage: %s %s", table->program, table->verbs[verb].name);
        put_words(out, table, verb);
        buffer_puts(out, " [OPTION]...\n\n");
        put_wrapped(out, table->verbs[verb].help, 0);
        auto_buffer Buffer below = {0};
        list = put_verb_list(&below, table, verb) > 0;
        if (list)
            buffer_printf(out, "\n%s", below.data);
        if (options_example(table, (size_t)verb)) {
            buffer_puts(out, "\nexamples:\n");
            put_example(out, options_example(table, (size_t)verb), "  ");
        }
    }
    buffer_puts(out, "\noptions (--name VALUE or --name=VALUE):\n");
    for (size_t i = 0; i < table->spec_count; i++) {
        const OptionSpec *spec = &table->specs[i];
        if (!is_listed(table, spec, verb, list))
            continue;
        buffer_puts(out, "  ");
        put_names(out, spec);
        buffer_putc(out, '\n');
        put_wrapped(out, spec->help, HELP_COLUMN);
        if (spec->range || spec->fallback || spec->env) {
            buffer_printf(out, "%*s[", HELP_COLUMN, "");
            put_facts(out, spec, "");
            buffer_puts(out, "]\n");
        }
    }
    buffer_putc(out, '\n');
    put_wrapped(out, table->notes, 0);
}

// A '|' would end the cell.
static void put_cell(Buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            buffer_putc(out, '\\');
        buffer_putc(out, *text);
    }
}

static void put_verbs(Buffer *out, const OptionTable *table, const OptionSpec *spec)
{
    if (!spec->verbs) {
        buffer_puts(out, "all");
        return;
    }
    const char *gap = "";
    for (size_t i = 0; i < table->verb_count; i++)
        if (spec->verbs >> i & 1) {
            buffer_printf(out, "%s%s", gap, table->verbs[i].name);
            gap = ", ";
        }
}

void options_markdown(const OptionTable *table, Buffer *out)
{
    buffer_printf(out, "# %s: verbs and options\n\n%s\n\n", table->program, table->summary);
    buffer_printf(out, "Made by `%s --help-markdown`; do not edit.\n\n", table->program);
    buffer_printf(out, "    %s VERB [--option VALUE | --option=VALUE]...\n\n| verb | what it does |\n|---|---|\n",
                  table->program);
    for (size_t i = 0; i < table->verb_count; i++) {
        buffer_printf(out, "| `%s", table->verbs[i].name);
        put_words(out, table, (int)i);
        buffer_puts(out, "` | ");
        put_cell(out, table->verbs[i].help);
        buffer_puts(out, " |\n");
    }
    buffer_puts(out, "\n| option | verbs | what it means | values |\n|---|---|---|---|\n");
    for (size_t i = 0; i < table->spec_count; i++) {
        const OptionSpec *spec = &table->specs[i];
        Buffer facts = {0};
        buffer_puts(out, "| `");
        if (spec->word)
            buffer_puts(out, spec->argument);
        else
            put_names(out, spec);
        buffer_puts(out, "` | ");
        put_verbs(out, table, spec);
        buffer_puts(out, " | ");
        put_cell(out, spec->help);
        buffer_puts(out, " | ");
        put_facts(&facts, spec, "`");
        put_cell(out, buffer_text(&facts));
        buffer_puts(out, " |\n");
        buffer_free(&facts);
    }
    buffer_printf(out, "\n%s\n", table->notes);
}
