// SPDX-License-Identifier: Apache-2.0
// Other programs and files that this command uses: beside it, or in PATH.
#pragma once

// Beside this executable, else in PATH; NULL: nowhere. Caller frees.
char *program_find(const char *name);
// A path below the folder that holds bin/ with this executable: "share/kubeferry/chart". Caller frees.
char *program_data(const char *relative);
