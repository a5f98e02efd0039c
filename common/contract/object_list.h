// SPDX-License-Identifier: Apache-2.0
// The list of objects to migrate, as in --migration-object '"public.a","public.b"'.
//
// Grammar: items separated by commas. An item may stand in double quotes as in CSV (a quote inside is doubled).
// An item is `schema` or `schema.table`; each part may itself be an SQL identifier in double quotes, so that
// `"public.""We.ird, name"""` is the table `We.ird, name`. Names are taken as written: nothing is folded to lower case.
// A chain `"public"."a"` (SQL quoting alone) means the same as `"public.a"`.
#pragma once

#include "common/base/error.h"

typedef struct ObjectName {
    char *schema;
    char *table; // NULL: the whole schema
} ObjectName;

typedef struct ObjectList { // zero-initialised: empty, which means all user tables; kept sorted by name
    ObjectName *items;
    size_t count;
} ObjectList;

// Duplicates are merged; a whole schema takes in its single tables. ERROR_USAGE names the place and what is expected.
MUST_CHECK int object_list_parse(const char *text, ObjectList *out, Error *err);
// One more, merged like the parser does; table NULL for the whole schema.
void object_list_add(ObjectList *list, const char *schema, const char *table);
void object_list_free(ObjectList *list);
