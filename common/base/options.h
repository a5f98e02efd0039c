// SPDX-License-Identifier: Apache-2.0
// Command-line options from one table: parsing, --help and the docs page all come from it.
// Usage is `program VERB [--name VALUE | --name=VALUE]…`; options may also stand before the verb.
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
    const char *notes; // paragraphs at the end of help and page
} OptionTable;

typedef enum OptionOrigin { OPTION_UNSET, OPTION_FROM_ENVIRONMENT, OPTION_FROM_ARGUMENTS } OptionOrigin;

typedef struct OptionValue { // one for each spec, same order
    OptionOrigin origin;
    char *text;      // "" for a flag
    int64_t integer; // OPTION_INTEGER: the number; OPTION_CHOICE: index of the choice; OPTION_FLAG: 1
} OptionValue;

// values: spec_count of them, zero-initialised. *verb: index, or -1 when none was given. An argument wins over the
// environment, the last of equal arguments over the others. ERROR_USAGE names what was typed and the nearest known
// name; the value of a secret option is never in it. The values must be freed in either case.
MUST_CHECK int options_parse(const OptionTable *table, int argc, char **argv, int *verb, OptionValue *values,
                             Error *err);
void options_free(const OptionTable *table, OptionValue *values);
// verb: index, or -1 for all.
void options_help(const OptionTable *table, int verb, Buffer *out);
void options_markdown(const OptionTable *table, Buffer *out);
