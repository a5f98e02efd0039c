// SPDX-License-Identifier: Apache-2.0
// run: becomes kubeferry-engine run, with all options as they were given.
#include "cli/commands.h"

#include "cli/program.h"
#include "common/base/memory.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int run_engine(Cli *cli, Error *err)
{
    const OptionValue *words = &cli->values[O_NAMES];
    auto_free char *engine = program_find("kubeferry-engine");
    auto_free char **argv = memory_zalloc((words->count + 3) * sizeof *argv);

    if (!engine) {
        error_set(err, ERROR_SYSTEM, "kubeferry-engine is neither beside this command nor in PATH");
        return error_hint(err, "install it: make install puts both into PREFIX/bin");
    }
    argv[0] = engine;
    argv[1] = (char *)(uintptr_t) "run";
    for (size_t i = 0; i < words->count; i++)
        argv[i + 2] = words->all[i];
    execv(engine, argv);
    return error_errno(err, "cannot start %s", engine);
}
