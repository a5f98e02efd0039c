// SPDX-License-Identifier: Apache-2.0
// The manual page that a table of options gives (man(7)).
#include "common/base/options.h"

#include <ctype.h>
#include <string.h>

// Text with what troff would take for its own escaped. A line must not begin with a dot or a quote.
static void put_text(Buffer *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\\')
            buffer_puts(out, "\\e");
        else if (text[i] == '-')
            buffer_puts(out, "\\-");
        else if ((text[i] == '.' || text[i] == '\'') && (i == 0 || text[i - 1] == '\n'))
            buffer_printf(out, "\\&%c", text[i]);
        else
            buffer_putc(out, text[i]);
    }
}

static void put_line(Buffer *out, const char *text)
{
    put_text(out, text, strlen(text));
    buffer_putc(out, '\n');
}

static void put_example(Buffer *out, const char *example)
{
    buffer_puts(out, ".IP\n.EX\n");
    put_line(out, example);
    buffer_puts(out, ".EE\n");
}

static void put_verbs(Buffer *out, const OptionTable *table, int group)
{
    buffer_puts(out, ".SH VERBS\n");
    for (size_t i = 0; i < table->verb_count; i++) {
        const OptionVerb *verb = &table->verbs[i];
        if (group >= 0 && !options_is_below(table, group, i))
            continue;
        buffer_puts(out, ".TP\n.B ");
        put_text(out, verb->name, strlen(verb->name));
        for (size_t k = 0; k < table->spec_count; k++)
            if (table->specs[k].word && options_applies(&table->specs[k], (int)i))
                buffer_printf(out, " %s", table->specs[k].argument);
        buffer_putc(out, '\n');
        put_line(out, verb->help);
        if (group >= 0 && options_example(table, i))
            put_example(out, options_example(table, i));
    }
}

// Whether any verb of the page takes the option.
static bool is_listed(const OptionTable *table, const OptionSpec *spec, int group)
{
    if (spec->word || (group < 0 && table->brief && spec->verbs))
        return false;
    if (group < 0 || spec->verbs == 0)
        return true;
    for (size_t i = 0; i < table->verb_count; i++)
        if (options_is_below(table, group, i) && options_applies(spec, (int)i))
            return true;
    return false;
}

static void put_facts(Buffer *out, const OptionSpec *spec)
{
    if (spec->range)
        buffer_printf(out, "Values: %s.\n", spec->range);
    if (spec->fallback) {
        buffer_puts(out, "Default: ");
        put_text(out, spec->fallback, strlen(spec->fallback));
        buffer_puts(out, ".\n");
    }
    if (spec->env)
        buffer_printf(out, "Environment: %s.\n", spec->env);
}

static void put_options(Buffer *out, const OptionTable *table, int group)
{
    buffer_puts(out, ".SH OPTIONS\n");
    for (size_t i = 0; i < table->spec_count; i++) {
        const OptionSpec *spec = &table->specs[i];
        if (!is_listed(table, spec, group))
            continue;
        buffer_puts(out, ".TP\n.B ");
        if (spec->letter)
            buffer_printf(out, "\\-%c, ", spec->letter);
        buffer_puts(out, "\\-\\-");
        put_text(out, spec->name, strlen(spec->name));
        buffer_printf(out, "%s%s\n", spec->argument ? " " : "", spec->argument ? spec->argument : "");
        put_line(out, spec->help);
        put_facts(out, spec);
    }
}

void options_man(const OptionTable *table, int verb, Buffer *out)
{
    const char *word = verb < 0 ? "" : table->verbs[verb].name;
    const char *summary = verb < 0 ? table->summary : table->verbs[verb].help;

    buffer_puts(out, ".TH ");
    for (const char *p = table->program; *p; p++)
        buffer_putc(out, (char)toupper((unsigned char)*p));
    if (*word)
        buffer_putc(out, '-');
    for (const char *p = word; *p; p++)
        buffer_putc(out, (char)toupper((unsigned char)*p));
    buffer_printf(out, " 1 \"\" \"%s " KUBEFERRY_VERSION "\" \"User Commands\"\n.ad l\n.nh\n.SH NAME\n%s%s%s \\- ",
                  "kubeferry", table->program, *word ? "-" : "", word);
    put_line(out, summary);
    buffer_printf(out, ".SH SYNOPSIS\n.B %s%s%s\nVERB [OPTION]...\n", table->program, *word ? " " : "", word);
    put_verbs(out, table, verb);
    put_options(out, table, verb);
    buffer_puts(out, ".SH NOTES\n");
    for (const char *p = table->notes; *p;) {
        size_t len = strcspn(p, "\n");
        buffer_puts(out, len ? "" : ".PP");
        put_text(out, p, len);
        buffer_putc(out, '\n');
        p += len + (p[len] == '\n');
    }
}
