// SPDX-License-Identifier: Apache-2.0
// Typed reading of a JSON document into a struct, with errors that name the place: "$.steps.cdc: expected true or
// false, found a string". Values themselves are never shown: they may be secrets.
#pragma once

#include "common/base/error.h"

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

typedef enum JsonFieldType {
    JSON_FIELD_TEXT,    // char **: a new copy; what was there before is freed
    JSON_FIELD_INTEGER, // int64_t *
    JSON_FIELD_NUMBER,  // double *: with or without a fraction; what is not finite is refused
    JSON_FIELD_BOOL,    // bool *
    JSON_FIELD_OBJECT,  // json_object **: borrowed from the document
    JSON_FIELD_ARRAY,   // json_object **: borrowed
} JsonFieldType;

typedef struct JsonField {
    const char *name;
    JsonFieldType type;
    void *target;
} JsonField;

enum { JSON_PATH_MAX = 128 };

// Parses a whole file of at most max_bytes. what: "task document", for messages. NULL on error; the caller puts it.
MUST_CHECK json_object *json_read_file(const char *path, const char *what, size_t max_bytes, Error *err);
// The same for a text that came over a wire: len bytes, which need not end with a NUL, and must be UTF-8.
MUST_CHECK json_object *json_read_text(const char *text, size_t len, const char *what, Error *err);
// Reads an object's fields. A field that is absent or null leaves its target alone; one that is not in `fields` is
// refused by name, as is a document node that is no object. path: where the object stands, "$" for the root.
MUST_CHECK int json_read_fields(json_object *object, const char *path, const JsonField *fields, size_t count,
                                Error *err);
// The same for a document of a program that may be newer: fields that are not in `fields` are passed over.
MUST_CHECK int json_read_known_fields(json_object *object, const char *path, const JsonField *fields, size_t count,
                                      Error *err);
