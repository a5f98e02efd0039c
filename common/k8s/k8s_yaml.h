// SPDX-License-Identifier: Apache-2.0
// A YAML document as a JSON one and back, with libyaml: kubeconfig files and exec plugins speak either.
#pragma once

#include "common/base/buffer.h"
#include "common/base/error.h"

#include <json-c/json.h>
#include <stddef.h>

// The first document of the text. Plain scalars true, false, null and whole numbers get their type, all else is text.
// An alias, a tag or a key that is no text is refused; so is nesting deeper than 32. NULL on error: ERROR_USAGE with
// line and column. The caller puts it.
MUST_CHECK json_object *k8s_yaml_parse(const char *text, size_t len, Error *err);
// One document in block style, as kubectl prints it; text that would read as something else stands in quotes.
void k8s_yaml_write(json_object *object, Buffer *out);
