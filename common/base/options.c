// SPDX-License-Identifier: Apache-2.0
// Parsing of a command line by a table. Its pages are made in options_help.c.
#include "common/base/options.h"

#include "common/base/memory.h"
#include "common/base/nearest.h"
#include "common/base/secrets.h"

#include <errno.h>
#include <string.h>

enum { MAX_NAMES = 64 };

typedef struct Parser {
    const OptionTable *table;
    OptionValue *values;
    int *verb;
    Error *err;
} Parser;

bool options_applies(const OptionSpec *spec, int verb)
{
    return spec->verbs == 0 || (verb >= 0 && (spec->verbs >> verb & 1));
}

const char *options_example(const OptionTable *table, size_t verb)
{
    return table->examples ? table->examples[verb] : NULL;
}

bool options_is_below(const OptionTable *table, int group, size_t index)
{
    const char *name = table->verbs[group].name;
    size_t len = strlen(name);

    return strncmp(table->verbs[index].name, name, len) == 0 && table->verbs[index].name[len] == ' ';
}

static bool has_below(const OptionTable *table, int verb)
{
    for (size_t i = 0; i < table->verb_count; i++)
        if (options_is_below(table, verb, i))
            return true;
    return false;
}

static int hint_help(const Parser *p)
{
    return error_hint(p->err, "%s --help lists the verbs and options", p->table->program);
}

static int take_integer(const Parser *p, const OptionSpec *spec, const char *where, OptionValue *value)
{
    char *end;
    errno = 0;
    value->integer = strtoll(value->text, &end, 10);
    if (errno == 0 && *end == '\0' && end != value->text && value->integer >= spec->min && value->integer <= spec->max)
        return 0;
    return error_set(p->err, ERROR_USAGE, "%s: expected a number from %lld to %lld, found '%.80s'", where,
                     (long long)spec->min, (long long)spec->max, value->text);
}

static int take_choice(const Parser *p, const OptionSpec *spec, const char *where, OptionValue *value)
{
    size_t len = strlen(value->text);
    int64_t index = 0;

    for (const char *choice = spec->range; choice; index++) {
        size_t choice_len = strcspn(choice, "|");
        if (choice_len == len && memcmp(choice, value->text, len) == 0) {
            value->integer = index;
            return 0;
        }
        choice = choice[choice_len] ? choice + choice_len + 1 : NULL;
    }
    return error_set(p->err, ERROR_USAGE, "%s: expected %s, found '%.80s'", where, spec->range, value->text);
}

static int take_value(const Parser *p, size_t index, const char *text, OptionOrigin origin)
{
    const OptionSpec *spec = &p->table->specs[index];
    OptionValue *value = &p->values[index];
    auto_free char *where = origin != OPTION_FROM_ARGUMENTS ? memory_strdup(spec->env)
                            : spec->word                    ? memory_strdup(spec->argument)
                                                            : memory_printf("--%s", spec->name);

    if (spec->repeat) {
        value->all = memory_realloc(value->all, (value->count + 1) * sizeof *value->all);
        value->all[value->count++] = memory_strdup(text);
    }
    free(value->text);
    value->origin = origin;
    value->text = memory_strdup(text);
    switch (spec->type) {
    case OPTION_FLAG:
        value->integer = 1;
        return 0;
    case OPTION_TEXT:
        return *text ? 0 : error_set(p->err, ERROR_USAGE, "%s: its value is empty", where);
    case OPTION_INTEGER:
        return take_integer(p, spec, where, value);
    case OPTION_CHOICE:
        return take_choice(p, spec, where, value);
    }
    return 0;
}

static int refuse_option(const Parser *p, const char *name)
{
    const char *names[MAX_NAMES];
    size_t count = p->table->spec_count < MAX_NAMES ? p->table->spec_count : MAX_NAMES;

    for (size_t i = 0; i < count; i++)
        names[i] = p->table->specs[i].name;
    const char *near = nearest_word(name, names, count);
    error_set(p->err, ERROR_USAGE, "unknown option --%.64s", name);
    return near ? error_hint(p->err, "did you mean --%s?", near) : hint_help(p);
}

// The index of the verb that is called so; -1: none.
static int find_verb(const OptionTable *table, const char *name)
{
    for (size_t i = 0; i < table->verb_count; i++)
        if (strcmp(table->verbs[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int refuse_verb(const Parser *p, const char *name)
{
    const char *names[MAX_NAMES];
    size_t count = p->table->verb_count < MAX_NAMES ? p->table->verb_count : MAX_NAMES;

    for (size_t i = 0; i < count; i++)
        names[i] = p->table->verbs[i].name;
    const char *near = nearest_word(name, names, count);
    error_set(p->err, ERROR_USAGE, "unknown verb '%.64s'", name);
    return near ? error_hint(p->err, "did you mean %s?", near) : hint_help(p);
}

// A word behind the verb: the first of its words that has none yet.
static bool take_argument(const Parser *p, const char *word, int *rc)
{
    for (size_t i = 0; i < p->table->spec_count; i++) {
        const OptionSpec *spec = &p->table->specs[i];
        if (!spec->word || !options_applies(spec, *p->verb) || (p->values[i].origin != OPTION_UNSET && !spec->repeat))
            continue;
        *rc = take_value(p, i, word, OPTION_FROM_ARGUMENTS);
        return true;
    }
    return false;
}

static int take_word(const Parser *p, const char *word, int place)
{
    int rc = 0;

    if (*p->verb >= 0 && take_argument(p, word, &rc))
        return rc;
    if (strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != strlen(word)) {
        // It may be a connection string with its password, so it is not shown.
        error_set(p->err, ERROR_USAGE, "argument %d is neither a verb nor an option", place);
        return hint_help(p);
    }
    if (*p->verb >= 0 && !has_below(p->table, *p->verb)) {
        error_set(p->err, ERROR_USAGE, "unexpected '%.64s' after the verb %s", word, p->table->verbs[*p->verb].name);
        return hint_help(p);
    }
    auto_free char *name =
        *p->verb < 0 ? memory_strdup(word) : memory_printf("%s %s", p->table->verbs[*p->verb].name, word);
    int found = find_verb(p->table, name);
    if (found < 0)
        return refuse_verb(p, name);
    *p->verb = found;
    return 0;
}

static size_t find_option(const OptionTable *table, const char *name)
{
    size_t index = 0;
    while (index < table->spec_count && (table->specs[index].word || strcmp(table->specs[index].name, name) != 0))
        index++;
    return index;
}

// What people try first: -h, and the word help before a verb or alone.
static bool asks_for_help(const Parser *p, const char *word)
{
    if (find_option(p->table, "help") == p->table->spec_count)
        return false;
    return strcmp(word, "-h") == 0 || (strcmp(word, "help") == 0 && (*p->verb < 0 || has_below(p->table, *p->verb)));
}

static int take_spec(const Parser *p, size_t index, char *value)
{
    int result = take_value(p, index, value ? value : "", OPTION_FROM_ARGUMENTS);

    if (p->table->specs[index].secret && value)
        memset(value, '*', strlen(value)); // ps shows argv as it is now
    return result;
}

// argv[*i] is an option; its value may be the next argument.
static int take_option(const Parser *p, int argc, char **argv, int *i)
{
    char *word = argv[*i] + 2;
    size_t name_len = strcspn(word, "=");
    char *value = word[name_len] ? word + name_len + 1 : NULL;
    auto_free char *name = memory_printf("%.*s", (int)name_len, word);
    size_t index = find_option(p->table, name);

    if (index == p->table->spec_count)
        return refuse_option(p, name);
    const OptionSpec *spec = &p->table->specs[index];
    if (spec->type == OPTION_FLAG && value)
        return error_set(p->err, ERROR_USAGE, "--%s takes no value", name);
    if (spec->type != OPTION_FLAG && !value) {
        if (*i + 1 >= argc)
            return error_set(p->err, ERROR_USAGE, "--%s: expected a value: --%s %s", name, name, spec->argument);
        value = argv[++*i];
    }
    return take_spec(p, index, value);
}

static size_t find_letter(const OptionTable *table, char letter)
{
    size_t index = 0;
    while (index < table->spec_count && table->specs[index].letter != letter)
        index++;
    return index;
}

// argv[*i] is "-n", "-nVALUE" or several flags "-Af".
static int take_letters(const Parser *p, int argc, char **argv, int *i)
{
    for (char *letter = argv[*i] + 1; *letter; letter++) {
        size_t index = find_letter(p->table, *letter);
        if (index == p->table->spec_count) {
            error_set(p->err, ERROR_USAGE, "unknown option -%c", *letter);
            return hint_help(p);
        }
        const OptionSpec *spec = &p->table->specs[index];
        if (spec->type == OPTION_FLAG) {
            if (take_spec(p, index, NULL))
                return -1;
            continue;
        }
        char *value = letter[1] ? letter + 1 + (letter[1] == '=') : *i + 1 < argc ? argv[++*i] : NULL;
        if (!value)
            return error_set(p->err, ERROR_USAGE, "-%c: expected a value: -%c %s", *letter, *letter, spec->argument);
        return take_spec(p, index, value);
    }
    return 0;
}

static int take_environment(const Parser *p)
{
    for (size_t i = 0; i < p->table->spec_count; i++) {
        const OptionSpec *spec = &p->table->specs[i];
        char *text = spec->env ? getenv(spec->env) : NULL;
        if (!text || !*text || !options_applies(spec, *p->verb))
            continue;
        if (p->values[i].origin == OPTION_UNSET && take_value(p, i, text, OPTION_FROM_ENVIRONMENT))
            return -1;
        if (spec->secret)
            secrets_wipe_variable(spec->env);
    }
    return 0;
}

int options_parse(const OptionTable *table, int argc, char **argv, int *verb, OptionValue *values, Error *err)
{
    const Parser p = {table, values, verb, err};

    bool words_only = false; // behind "--"

    *verb = -1;
    for (int i = 1; i < argc; i++) {
        bool option = !words_only && argv[i][0] == '-' && argv[i][1];
        if (!words_only && asks_for_help(&p, argv[i])) {
            if (take_value(&p, find_option(table, "help"), "", OPTION_FROM_ARGUMENTS))
                return -1;
        } else if (option && strcmp(argv[i], "--") == 0) {
            words_only = true;
        } else if (option ? (argv[i][1] == '-' ? take_option : take_letters)(&p, argc, argv, &i)
                          : take_word(&p, argv[i], i)) {
            return -1;
        }
    }
    for (size_t i = 0; i < table->spec_count; i++)
        if (values[i].origin == OPTION_FROM_ARGUMENTS && *verb >= 0 && !options_applies(&table->specs[i], *verb)) {
            error_set(err, ERROR_USAGE, "--%s has no meaning for %s", table->specs[i].name, table->verbs[*verb].name);
            return error_hint(err, "%s %s --help lists its options", table->program, table->verbs[*verb].name);
        }
    return take_environment(&p);
}

void options_free(const OptionTable *table, OptionValue *values)
{
    for (size_t i = 0; i < table->spec_count; i++) {
        for (size_t k = 0; k < values[i].count; k++)
            free(values[i].all[k]);
        free(values[i].all);
        free(values[i].text);
        values[i] = (OptionValue){0};
    }
}
