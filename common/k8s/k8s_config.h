// SPDX-License-Identifier: Apache-2.0
// Where the API server is and who we are: from a kubeconfig file
// (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/) or from the pod's service
// account (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/). Opens no connection.
#pragma once

#include "common/base/error.h"

typedef struct K8sExec { // an exec credential plugin (client.authentication.k8s.io/v1)
    char *command;       // NULL: none
    char **arguments;    // NULL at the end
    char **environment;  // "NAME=value", NULL at the end
    char *api_version;
} K8sExec;

typedef struct K8sConfig { // all strings are owned; NULL: not given
    char *server;          // "https://10.96.0.1:443": no slash at the end
    char *namespace_name;  // of the context or the service account; never NULL
    char *context;         // its name, or NULL in a pod
    char *ca_file, *ca_pem;
    char *certificate_file, *certificate_pem;
    char *key_file, *key_pem;
    char *token;      // registered as a secret
    char *token_file; // wins over token; read again by the client
    char *user, *password;
    char *impersonate; // to act as this user (kubeconfig "as"), which the server must allow
    char *proxy_url;
    char *tls_server_name;
    bool insecure; // insecure-skip-tls-verify
    K8sExec exec;
} K8sConfig;

// kubeconfig: a path; NULL: $KUBECONFIG (its files are merged as kubectl does), then the pod's service account when
// KUBERNETES_SERVICE_HOST is set, then ~/.kube/config. context: NULL for current-context. ERROR_USAGE names the file,
// the line where the YAML is malformed, and the field.
MUST_CHECK int k8s_config_load(const char *kubeconfig, const char *context, K8sConfig *out, Error *err);
// One kubeconfig document from memory; relative paths are taken from `directory`. What the fuzzer feeds.
MUST_CHECK int k8s_config_parse(const char *text, size_t len, const char *directory, const char *context,
                                K8sConfig *out, Error *err);
void k8s_config_free(K8sConfig *config);
