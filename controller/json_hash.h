// SPDX-License-Identifier: Apache-2.0
// A number that is equal for JSON values that mean the same: members in any order, null members as absent ones. With it
// a part of a status can be compared with what was written without keeping either.
#pragma once

#include <json-c/json.h>
#include <stdint.h>

uint64_t json_hash(json_object *value); // 0 for NULL (null), never for another value
uint64_t json_hash_text(const char *text);
