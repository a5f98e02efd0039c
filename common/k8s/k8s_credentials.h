// SPDX-License-Identifier: Apache-2.0
// The Authorization header of each request: a token as given, from a file that is read again, or of an exec plugin.
#pragma once

#include "common/k8s/k8s_config.h"

typedef struct K8sCredentials { // zero-initialised
    const K8sConfig *config;
    char *header;                    // "Authorization: Bearer …", or NULL
    double read_at;                  // monotonic seconds; 0: never
    double expires;                  // seconds since 1970, of a plugin's token; 0: none
    char *certificate_pem, *key_pem; // that a plugin gave
} K8sCredentials;

enum { K8S_TOKEN_SECONDS = 60 }; // a projected token's file is replaced long before it expires

// Makes header current: reads the file or runs the plugin when that is due. force: after a 401.
MUST_CHECK int k8s_credentials_refresh(K8sCredentials *credentials, bool force, Error *err);
void k8s_credentials_free(K8sCredentials *credentials);
