// SPDX-License-Identifier: Apache-2.0
// UTF-8 that may be broken: names and messages come in the encoding of a server, or were cut in the middle of a
// character.
#pragma once

// Puts '?' for every byte that belongs to no valid character, in place.
void utf8_repair(char *text);
