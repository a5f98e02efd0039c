// SPDX-License-Identifier: Apache-2.0
// Text of the form "key=value,key=value".
#pragma once

#include <stdbool.h>

// Takes the next pair off *rest, which is cut up on the way and becomes NULL behind the last one. False: what is there
// is no pair, since its key is empty or it has no =. key and value point into the text; a value may be empty and hold
// more =.
bool pairs_next(char **rest, char **key, char **value);
