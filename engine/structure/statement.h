// SPDX-License-Identifier: Apache-2.0
// What an entry's statement makes, read from the statement itself: pg_dump writes them in one form only, with qualified
// and quoted names. It gives the question whether the sink has that object already.
#pragma once

#include "common/base/buffer.h"
#include "engine/structure/toc.h"

enum { STATEMENT_NAMES_MAX = 2 };

typedef struct StatementObject {
    const char *sql;                  // one boolean; $1, $2: the names. NULL: there is no such question
    char *names[STATEMENT_NAMES_MAX]; // as SQL text (for regclass and its like) or plain, as sql wants them
    int name_count;
} StatementObject;

// Never fails: what is not understood has no question.
void statement_object(const TocEntry *e, const char *text, StatementObject *out);
void statement_object_free(StatementObject *object);
#define auto_statement_object __attribute__((cleanup(statement_object_free)))
// Whether the text has any statement at all, and not only comments.
bool statement_is_there(const char *text);
