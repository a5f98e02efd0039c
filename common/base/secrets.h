// SPDX-License-Identifier: Apache-2.0
// The last line of defence for passwords: what was registered never leaves in a log line, an error or a document.
#pragma once

// Remembers a secret (copied). Secrets shorter than 3 characters are not kept: masking them would mask everything.
void secrets_register(const char *secret);
// Overwrites the value of a variable of the environment and takes it out: /proc/PID/environ shows the environment as it
// is now, and child processes need not know it. Nothing happens when there is none.
void secrets_wipe_variable(const char *name);
// Overwrites every registered secret in text with '*', in place.
void secrets_scrub(char *text);
