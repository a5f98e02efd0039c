// SPDX-License-Identifier: Apache-2.0
#include "cli/program.h"

#include "common/base/memory.h"
#include "common/base/process.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

// The folder of this executable, through links. Caller frees.
static char *own_folder(void)
{
    char path[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);

    if (len <= 0)
        return memory_strdup(".");
    path[len] = '\0';
    *strrchr(path, '/') = '\0';
    return memory_strdup(path);
}

char *program_find(const char *name)
{
    auto_free char *folder = own_folder();
    char *beside = memory_printf("%s/%s", folder, name);

    if (access(beside, X_OK) == 0)
        return beside;
    free(beside);
    return process_find(name);
}

char *program_data(const char *relative)
{
    auto_free char *folder = own_folder();

    return memory_printf("%s/../%s", folder, relative);
}
