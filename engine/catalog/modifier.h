// SPDX-License-Identifier: Apache-2.0
// Type modifiers: the "(10,2)" of numeric(10,2). Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Whether each value of a column of this type with modifier `from` stays as it is in a column of the same type with
// modifier `to`; -1: none. What is not known of a type counts as no.
bool modifier_keeps(uint32_t type_oid, int32_t from, int32_t to);
