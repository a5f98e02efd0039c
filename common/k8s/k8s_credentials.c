// SPDX-License-Identifier: Apache-2.0
// Runs the plugin while the caller waits: it is a person's command line that has one, not the controller.
#include "common/k8s/k8s_credentials.h"

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/memory.h"
#include "common/base/process.h"
#include "common/base/secrets.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_status.h"

#include <openssl/evp.h>
#include <string.h>

enum { TOKEN_MAX = 64 << 10, PLUGIN_OUTPUT_MAX = 1 << 20 };

static void set_token(K8sCredentials *c, const char *token)
{
    secrets_register(token);
    free(c->header);
    c->header = memory_printf("Authorization: Bearer %s", token);
}

static int from_file(K8sCredentials *c, Error *err)
{
    auto_free char *token = file_read(c->config->token_file, TOKEN_MAX, NULL, err);

    if (!token)
        return error_wrap(err, "the token's file");
    token[strcspn(token, " \r\n")] = '\0';
    set_token(c, token);
    return 0;
}

static void take_text(json_object *status, const char *name, char **out)
{
    const char *text = k8s_text(status, name);

    free(*out);
    *out = *text ? memory_strdup(text) : NULL;
}

static int take_answer(K8sCredentials *c, const Buffer *output, Error *err)
{
    json_object *root = k8s_json_parse(buffer_text(output), output->len);
    json_object *status = k8s_member(root, "status");
    const char *token = k8s_text(status, "token");
    int rc = 0;

    free(c->header);
    c->header = NULL;
    take_text(status, "clientCertificateData", &c->certificate_pem);
    take_text(status, "clientKeyData", &c->key_pem);
    if (*token)
        set_token(c, token);
    else if (!c->certificate_pem)
        rc = error_set(err, ERROR_CREDENTIALS, "its output is no ExecCredential with a token or certificate");
    c->expires = k8s_time(k8s_text(status, "expirationTimestamp"));
    json_object_put(root);
    return rc;
}

static int from_plugin(K8sCredentials *c, Error *err)
{
    const K8sExec *exec = &c->config->exec;
    size_t arguments = 0, variables = 0;
    auto_free char *found = process_find(exec->command);
    const char *program = found ? found : exec->command;
    auto_process_result ProcessResult result = {0};

    while (exec->arguments[arguments])
        arguments++;
    while (exec->environment[variables])
        variables++;
    auto_free const char **argv = memory_zalloc((arguments + 2) * sizeof *argv);
    auto_free const char **environment = memory_zalloc((variables + 2) * sizeof *environment);
    auto_free char *info = memory_printf(
        "KUBERNETES_EXEC_INFO={\"apiVersion\":\"%s\",\"kind\":\"ExecCredential\",\"spec\":{\"interactive\":false}}",
        exec->api_version ? exec->api_version : "client.authentication.k8s.io/v1");
    argv[0] = program;
    memcpy(argv + 1, exec->arguments, arguments * sizeof *argv);
    memcpy(environment, exec->environment, variables * sizeof *environment);
    environment[variables] = info;
    ProcessCommand command = {.argv = argv, .environment = environment, .output_max = PLUGIN_OUTPUT_MAX};
    if (process_run(&command, &result, err)) {
        error_wrap(err, "credential plugin %s", exec->command);
        return error_hint(err, "the kubeconfig names it in user.exec.command; it must be installed and in PATH");
    }
    if (result.exit_status)
        return error_set(err, ERROR_CREDENTIALS, "credential plugin %s ended with %d: %.500s", exec->command,
                         result.exit_status, buffer_text(&result.errors));
    return take_answer(c, &result.output, err) ? error_wrap(err, "credential plugin %s", exec->command) : 0;
}

static void from_password(K8sCredentials *c)
{
    auto_free char *plain = memory_printf("%s:%s", c->config->user, c->config->password ? c->config->password : "");
    size_t len = strlen(plain);
    auto_free char *encoded = memory_zalloc(len * 4 / 3 + 8);

    EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)plain, (int)len);
    secrets_register(encoded);
    free(c->header);
    c->header = memory_printf("Authorization: Basic %s", encoded);
}

int k8s_credentials_refresh(K8sCredentials *c, bool force, Error *err)
{
    double now = clock_monotonic();

    if (c->config->token_file) {
        if (!force && c->read_at > 0 && now - c->read_at < K8S_TOKEN_SECONDS)
            return 0;
        c->read_at = now;
        Error failed = {0};
        if (from_file(c, &failed) == 0 || c->header) // the token of before may still do
            return 0;
        *err = failed;
        return -1;
    }
    if (c->config->exec.command) {
        bool expired = c->expires > 0 && clock_now() > c->expires - 10;
        if (!force && c->read_at > 0 && !expired)
            return 0;
        c->read_at = now;
        return from_plugin(c, err);
    }
    if (!c->header && c->config->token)
        set_token(c, c->config->token);
    else if (!c->header && c->config->user)
        from_password(c);
    return 0;
}

void k8s_credentials_free(K8sCredentials *c)
{
    free(c->header);
    free(c->certificate_pem);
    free(c->key_pem);
    *c = (K8sCredentials){0};
}
