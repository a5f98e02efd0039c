// SPDX-License-Identifier: Apache-2.0
// kubeconfig files and the pod's service account. Opens no connection and runs no plugin.
#include "common/k8s/k8s_config.h"

#include "common/base/buffer.h"
#include "common/base/file.h"
#include "common/base/memory.h"
#include "common/base/secrets.h"
#include "common/k8s/k8s_object.h"
#include "common/k8s/k8s_yaml.h"

#include <json-c/json.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define ACCOUNT_DIRECTORY "/var/run/secrets/kubernetes.io/serviceaccount"

enum { FILE_MAX = 16 << 20 };

// A text field as a new string; NULL when absent or empty.
static char *text_of(json_object *object, const char *name)
{
    json_object *found = k8s_member(object, name);

    if (!found || json_object_is_type(found, json_type_object) || json_object_is_type(found, json_type_array))
        return NULL;
    const char *text = json_object_get_string(found);
    return *text ? memory_strdup(text) : NULL;
}

static char *path_of(json_object *object, const char *name, const char *directory)
{
    char *text = text_of(object, name);

    if (!text || text[0] == '/' || !directory)
        return text;
    char *path = memory_printf("%s/%s", directory, text);
    free(text);
    return path;
}

// A field of base64 as the text that it stands for.
static int data_of(json_object *object, const char *name, char **out, Error *err)
{
    auto_free char *text = text_of(object, name);

    if (!text)
        return 0;
    size_t len = 0;
    for (const char *p = text; *p; p++) // a text of several lines
        if (!strchr(" \r\n\t", *p))
            text[len++] = *p;
    text[len] = '\0';
    char *bytes = memory_zalloc(len + 4);
    int decoded = EVP_DecodeBlock((unsigned char *)bytes, (const unsigned char *)text, (int)len);
    if (decoded < 0) {
        free(bytes);
        return error_set(err, ERROR_USAGE, "%s is not base64", name);
    }
    free(*out);
    *out = bytes; // padding decodes to NULs, which end the text
    return 0;
}

// The entry of a named list, [{name: …, cluster: {…}}].
static json_object *named(json_object *root, const char *list, const char *name)
{
    json_object *items = k8s_member(root, list);

    for (size_t i = 0; i < k8s_count(items); i++) {
        json_object *item = k8s_item(items, i);
        json_object *found = k8s_member(item, "name");
        if (found && strcmp(json_object_get_string(found), name) == 0)
            return item;
    }
    return NULL;
}

static char **strings_of(json_object *array)
{
    size_t count = k8s_count(array);
    char **out = memory_zalloc((count + 1) * sizeof *out);

    for (size_t i = 0; i < count; i++)
        out[i] = memory_strdup(json_object_get_string(k8s_item(array, i)) ?: "");
    return out;
}

static char **environment_of(json_object *array)
{
    size_t count = k8s_count(array), kept = 0;
    char **out = memory_zalloc((count + 1) * sizeof *out);

    for (size_t i = 0; i < count; i++) {
        json_object *item = k8s_item(array, i);
        auto_free char *name = text_of(item, "name");
        auto_free char *value = text_of(item, "value");
        if (name)
            out[kept++] = memory_printf("%s=%s", name, value ? value : "");
    }
    return out;
}

static int read_cluster(json_object *cluster, const char *directory, K8sConfig *out, Error *err)
{
    out->server = text_of(cluster, "server");
    if (!out->server)
        return error_set(err, ERROR_USAGE, "cluster.server is missing");
    if (strncmp(out->server, "https://", 8) != 0 && strncmp(out->server, "http://", 7) != 0)
        return error_set(err, ERROR_USAGE, "cluster.server: expected https://HOST:PORT");
    for (size_t len = strlen(out->server); len > 0 && out->server[len - 1] == '/'; len--)
        out->server[len - 1] = '\0';
    out->ca_file = path_of(cluster, "certificate-authority", directory);
    out->proxy_url = text_of(cluster, "proxy-url");
    out->tls_server_name = text_of(cluster, "tls-server-name");
    out->insecure = json_object_get_boolean(k8s_member(cluster, "insecure-skip-tls-verify"));
    return data_of(cluster, "certificate-authority-data", &out->ca_pem, err);
}

static int read_user(json_object *user, const char *directory, K8sConfig *out, Error *err)
{
    json_object *exec = k8s_member(user, "exec");

    if (k8s_member(user, "auth-provider"))
        return error_set(err, ERROR_USAGE,
                         "user.auth-provider is no longer supported by Kubernetes: use an exec plugin");
    out->certificate_file = path_of(user, "client-certificate", directory);
    out->key_file = path_of(user, "client-key", directory);
    out->token = text_of(user, "token");
    out->token_file = path_of(user, "tokenFile", directory);
    out->user = text_of(user, "username");
    out->password = text_of(user, "password");
    out->impersonate = text_of(user, "as");
    if (out->token)
        secrets_register(out->token);
    if (out->password)
        secrets_register(out->password);
    if (exec) {
        out->exec.command = text_of(exec, "command");
        out->exec.arguments = strings_of(k8s_member(exec, "args"));
        out->exec.environment = environment_of(k8s_member(exec, "env"));
        out->exec.api_version = text_of(exec, "apiVersion");
        if (!out->exec.command)
            return error_set(err, ERROR_USAGE, "user.exec.command is missing");
    }
    return data_of(user, "client-certificate-data", &out->certificate_pem, err) ||
                   data_of(user, "client-key-data", &out->key_pem, err)
               ? -1
               : 0;
}

static int read_root(json_object *root, const char *directory, const char *context, K8sConfig *out, Error *err)
{
    out->context = context ? memory_strdup(context) : text_of(root, "current-context");
    if (!out->context)
        return error_set(err, ERROR_USAGE, "current-context is not set: name one with --context");
    json_object *found = k8s_member(named(root, "contexts", out->context), "context");
    if (!found)
        return error_set(err, ERROR_USAGE, "there is no context \"%s\"", out->context);
    auto_free char *cluster_name = text_of(found, "cluster");
    auto_free char *user_name = text_of(found, "user");
    out->namespace_name = text_of(found, "namespace");
    if (!out->namespace_name)
        out->namespace_name = memory_strdup("default");
    json_object *cluster = k8s_member(named(root, "clusters", cluster_name ? cluster_name : ""), "cluster");
    json_object *entry = named(root, "users", user_name ? user_name : ""), *user = k8s_member(entry, "user");
    if (!cluster)
        return error_set(err, ERROR_USAGE, "context \"%s\": there is no cluster \"%s\"", out->context,
                         cluster_name ? cluster_name : "");
    if (user_name && !entry)
        return error_set(err, ERROR_USAGE, "context \"%s\": there is no user \"%s\"", out->context, user_name);
    if (read_cluster(cluster, directory, out, err) || (user && read_user(user, directory, out, err)))
        return error_wrap(err, "context \"%s\"", out->context);
    return 0;
}

int k8s_config_parse(const char *text, size_t len, const char *directory, const char *context, K8sConfig *out,
                     Error *err)
{
    *out = (K8sConfig){0};
    json_object *root = k8s_yaml_parse(text, len, err);
    if (!root)
        return -1;
    int rc = json_object_is_type(root, json_type_object) ? read_root(root, directory, context, out, err)
                                                         : error_set(err, ERROR_USAGE, "it is no kubeconfig");
    json_object_put(root);
    if (rc)
        k8s_config_free(out);
    return rc;
}

// ---- several files -------------------------------------------------------------------------------------------------

// Relative paths mean the folder of the file that they stand in, so they are made absolute before files are merged.
static void make_absolute(json_object *root, const char *list, const char *what, const char *const *fields,
                          const char *directory)
{
    json_object *items = k8s_member(root, list);

    for (size_t i = 0; i < k8s_count(items); i++) {
        json_object *entry = k8s_member(k8s_item(items, i), what);
        for (const char *const *field = fields; *field; field++) {
            auto_free char *path = path_of(entry, *field, directory);
            if (path)
                json_object_object_add(entry, *field, json_object_new_string(path));
        }
    }
}

// The first file that names an entry, or sets the current context, wins.
static void merge(json_object *into, json_object *more)
{
    static const char *const LISTS[] = {"clusters", "users", "contexts"};
    auto_free char *current = text_of(more, "current-context"), *before = text_of(into, "current-context");

    if (current && !before)
        json_object_object_add(into, "current-context", json_object_new_string(current));
    for (size_t l = 0; l < sizeof LISTS / sizeof *LISTS; l++) {
        json_object *items = k8s_member(more, LISTS[l]), *kept = k8s_member(into, LISTS[l]);
        if (!kept) {
            kept = json_object_new_array();
            json_object_object_add(into, LISTS[l], kept);
        }
        for (size_t i = 0; i < k8s_count(items); i++)
            json_object_array_add(kept, json_object_get(k8s_item(items, i)));
    }
}

static int merge_file(const char *path, json_object *into, Error *err)
{
    static const char *const CLUSTER_PATHS[] = {"certificate-authority", NULL};
    static const char *const USER_PATHS[] = {"client-certificate", "client-key", "tokenFile", NULL};
    size_t len;
    auto_free char *text = file_read(path, FILE_MAX, &len, err);

    if (!text)
        return -1;
    json_object *root = k8s_yaml_parse(text, len, err);
    if (!root)
        return error_wrap(err, "%s", path);
    const char *slash = strrchr(path, '/');
    auto_free char *directory = slash ? memory_printf("%.*s", (int)(slash - path), path) : memory_strdup(".");
    make_absolute(root, "clusters", "cluster", CLUSTER_PATHS, directory);
    make_absolute(root, "users", "user", USER_PATHS, directory);
    merge(into, root);
    json_object_put(root);
    return 0;
}

// paths: separated by ':'. A file of a list that is not there is passed over, as kubectl does.
static int load_files(const char *paths, const char *context, K8sConfig *out, Error *err)
{
    auto_free char *list = memory_strdup(paths);
    json_object *root = json_object_new_object();
    bool several = strchr(paths, ':') != NULL;
    int rc = 0, found = 0;

    for (char *rest = list, *path; rc == 0 && (path = strsep(&rest, ":"));) {
        if (!*path || (several && access(path, F_OK)))
            continue;
        rc = merge_file(path, root, err);
        found++;
    }
    if (rc == 0 && found == 0)
        rc = error_set(err, ERROR_USAGE, "none of these kubeconfig files is there: %s", paths);
    else if (rc == 0 && read_root(root, NULL, context, out, err))
        rc = error_wrap(err, "kubeconfig %s", paths);
    json_object_put(root);
    return rc;
}

static int load_account(K8sConfig *out, Error *err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    Error none = {0};

    out->server =
        memory_printf(strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port && *port ? port : "443");
    out->token_file = memory_strdup(ACCOUNT_DIRECTORY "/token");
    out->ca_file = memory_strdup(ACCOUNT_DIRECTORY "/ca.crt");
    out->namespace_name = file_read(ACCOUNT_DIRECTORY "/namespace", 256, NULL, &none);
    if (!out->namespace_name)
        out->namespace_name = memory_strdup("default");
    out->namespace_name[strcspn(out->namespace_name, "\r\n")] = '\0';
    if (access(out->token_file, R_OK)) {
        error_set(err, ERROR_USAGE, "the pod has no service account token at " ACCOUNT_DIRECTORY);
        return error_hint(err, "set automountServiceAccountToken: true in the pod, or give --kubeconfig");
    }
    return 0;
}

static int load_anything(const char *kubeconfig, const char *context, K8sConfig *out, Error *err)
{
    const char *environment = getenv("KUBECONFIG"), *host = getenv("KUBERNETES_SERVICE_HOST"), *home = getenv("HOME");

    if (kubeconfig && access(kubeconfig, F_OK) && !strchr(kubeconfig, ':'))
        return error_set(err, ERROR_USAGE, "kubeconfig %s: there is no such file", kubeconfig);
    if (kubeconfig || (environment && *environment))
        return load_files(kubeconfig ? kubeconfig : environment, context, out, err);
    if (host && *host)
        return load_account(out, err);
    auto_free char *path = memory_printf("%s/.kube/config", home ? home : "");
    if (access(path, F_OK)) {
        error_set(err, ERROR_USAGE, "no way to the API server is known: %s is not there, and this is no pod", path);
        return error_hint(err, "give --kubeconfig FILE or set KUBECONFIG");
    }
    return load_files(path, context, out, err);
}

int k8s_config_load(const char *kubeconfig, const char *context, K8sConfig *out, Error *err)
{
    *out = (K8sConfig){0};
    if (load_anything(kubeconfig, context, out, err) == 0)
        return 0;
    k8s_config_free(out);
    return -1;
}

static void free_strings(char **strings)
{
    for (char **s = strings; s && *s; s++)
        free(*s);
    free(strings);
}

void k8s_config_free(K8sConfig *c)
{
    char *texts[] = {c->server,          c->namespace_name,   c->context,
                     c->ca_file,         c->ca_pem,           c->certificate_file,
                     c->certificate_pem, c->key_file,         c->key_pem,
                     c->token,           c->token_file,       c->user,
                     c->password,        c->proxy_url,        c->tls_server_name,
                     c->exec.command,    c->exec.api_version, c->impersonate};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    free_strings(c->exec.arguments);
    free_strings(c->exec.environment);
    *c = (K8sConfig){0};
}
