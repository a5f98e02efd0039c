// SPDX-License-Identifier: Apache-2.0
// The one place where names and values become SQL text.
#pragma once

#include "common/base/buffer.h"

void quote_ident(Buffer *sql, const char *name);                        // "name", always quoted
void quote_relation(Buffer *sql, const char *schema, const char *name); // "schema"."name"
void quote_literal(Buffer *sql, const char *value);                     // 'value', standard_conforming_strings or not
char *quote_ident_text(const char *name);                               // the first as a string; caller frees
char *quote_relation_text(const char *schema, const char *name);        // the second as a string; caller frees
