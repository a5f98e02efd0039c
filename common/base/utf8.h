// SPDX-License-Identifier: Apache-2.0
// UTF-8 that may be broken: names and messages come in the encoding of a server, or were cut in the middle of a
// character.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Bytes of the valid character that text begins with, 0 when there is none; *code: its number.
size_t utf8_decode(const char *text, size_t len, uint32_t *code);
// How many bytes at the beginning of text are whole and valid characters: len when all of it is UTF-8.
size_t utf8_valid(const char *text, size_t len);
// Puts '?' for every byte that belongs to no valid character, in place.
void utf8_repair(char *text);
