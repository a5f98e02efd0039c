// SPDX-License-Identifier: Apache-2.0
// Exit codes of kubeferry-engine, a contract with the controller's podFailurePolicy and with scripts (sysexits.h).
#pragma once

enum {
    EXIT_DONE = 0,
    EXIT_DIFFERENT = 1,    // verify found a difference
    EXIT_CONFIG = 64,      // bad configuration or credentials: permanent
    EXIT_UNREACHABLE = 69, // an endpoint cannot be reached
    EXIT_AGAIN = 75,       // try again
    EXIT_CONDITION = 78,   // precheck failed, or another condition that a person must change: permanent
};
