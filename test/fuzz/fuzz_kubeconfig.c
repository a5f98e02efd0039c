// SPDX-License-Identifier: Apache-2.0
// A kubeconfig file of any content.
#include "common/k8s/k8s_config.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    K8sConfig config;
    Error err = {0};

    if (k8s_config_parse((const char *)data, size, "/d", NULL, &config, &err) == 0)
        k8s_config_free(&config);
    return 0;
}
