// SPDX-License-Identifier: Apache-2.0
// Command-line options from one table: parsing, --help and the docs page all come from it.
// Usage is `program VERB [WORD]… [--name VALUE | --name=VALUE]…`; options may also stand before the verb. A verb may
// have two words, "migration list"; its first one may be a verb by itself. "--" ends the options.
#pragma once

#include "common/base/buffer.h"
#include "common/base/error.h"

#include <stdint.h>

typedef enum OptionType {
    OPTION_FLAG,    // takes no value
    OPTION_TEXT,    // any text that is not empty
    OPTION_INTEGER, // min … max
    OPTION_CHOICE,  // one of `range`, split at '|'
} OptionType;

typedef struct OptionSpec {
    const char *name;     // "jobs", without the dashes
    const char *env;      // "KUBEFERRY_JOBS", or NULL
    const char *argument; // placeholder in help: "N"; NULL for a flag
    OptionType type;
    const char *fallback; // what holds when it is not given, for help; NULL: nothing
    const char *range;    // for help, and the choices of OPTION_CHOICE; or NULL
    int64_t min, max;     // OPTION_INTEGER
    unsigned verbs;       // bit 1 << index into the table's verbs; 0: all of them, and none needed
    bool secret;          // the value is overwritten in argv and taken out of the environment
    bool word;   // no option: a word behind the verb, which `argument` stands for in help; in order of the table
    bool repeat; // may be given several times; OptionValue.all holds each. A word: takes all that are left
    char letter; // 'n' for -n VALUE; 0: none
    const char *help;
} OptionSpec;

typedef struct OptionVerb {
    const char *name;
    const char *help;
} OptionVerb;

typedef struct OptionTable {
    const char *program;
    const char *summary; // one line
    const OptionVerb *verbs;
    size_t verb_count;
    const OptionSpec *specs;
    size_t spec_count;
    const char *notes;           // paragraphs at the end of help and page
    const char *const *examples; // one for each verb: command lines that work, one a line, or NULL; NULL: none at all
    bool brief;                  // the page of all verbs leaves out the options that only some of them take
} OptionTable;

typedef enum OptionOrigin { OPTION_UNSET, OPTION_FROM_ENVIRONMENT, OPTION_FROM_ARGUMENTS } OptionOrigin;

typedef struct OptionValue { // one for each spec, same order
    OptionOrigin origin;
    char *text;      // "" for a flag
    int64_t integer; // OPTION_INTEGER: the number; OPTION_CHOICE: index of the choice; OPTION_FLAG: 1
    char **all;      // of an option that repeats: each value, in order
    size_t count;    // of them
} OptionValue;

// values: spec_count of them, zero-initialised. *verb: index, or -1 when none was given. An argument wins over the
// environment, the last of equal arguments over the others. ERROR_USAGE names what was typed and the nearest known
// name; the value of a secret option is never in it. The values must be freed in either case.
MUST_CHECK int options_parse(const OptionTable *table, int argc, char **argv, int *verb, OptionValue *values,
                             Error *err);
void options_free(const OptionTable *table, OptionValue *values);
// verb: index, or -1 for all. A first word of others: the list of those.
void options_help(const OptionTable *table, int verb, Buffer *out);
void options_markdown(const OptionTable *table, Buffer *out);
// A manual page of section 1. verb: -1, or the first word of others, whose page "program-word" it is then.
void options_man(const OptionTable *table, int verb, Buffer *out);
const char *options_example(const OptionTable *table, size_t verb); // NULL: none
bool options_applies(const OptionSpec *spec, int verb);
// verbs[index] is a verb of two words, the first of which is verbs[group].
bool options_is_below(const OptionTable *table, int group, size_t index);
