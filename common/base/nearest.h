// SPDX-License-Identifier: Apache-2.0
// "Did you mean …?": the known word that is nearest to what was typed.
#pragma once

#include <stddef.h>

// The word of `words` (count of them; NULL entries are skipped) with the fewest single-character edits to `typed`, or
// NULL when none is near enough to be a likely slip. Borrowed from words.
const char *nearest_word(const char *typed, const char *const *words, size_t count);
