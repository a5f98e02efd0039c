// SPDX-License-Identifier: Apache-2.0
// Array literals as text parameters: {"a","b",NULL}.
#pragma once

#include "common/base/buffer.h"

void array_begin(Buffer *array);
void array_put(Buffer *array, const char *element); // NULL is SQL NULL
void array_end(Buffer *array);
