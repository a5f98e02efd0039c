// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over the files that are named, where no libFuzzer is at hand: each file once, in order.
#include "common/base/file.h"
#include "common/base/memory.h"

#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t len;
        Error err = {0};
        auto_free char *bytes = file_read(argv[i], 64 * 1024 * 1024, &len, &err);
        if (!bytes) {
            fprintf(stderr, "%s\n", err.message);
            return 1;
        }
        LLVMFuzzerTestOneInput((const uint8_t *)bytes, len);
    }
    printf("%d files\n", argc - 1);
    return 0;
}
