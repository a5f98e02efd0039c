// SPDX-License-Identifier: Apache-2.0
// One easy handle a request, all in the loop's multi handle. Must not retry but for one 401: callers know what may be
// repeated.
#include "common/k8s/k8s_client.h"

#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "common/base/stop.h"
#include "common/k8s/k8s_credentials.h"
#include "common/k8s/k8s_loop_private.h"
#include "common/k8s/k8s_status.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum {
    BODY_MAX = 64 << 20,
    CONNECT_MS = 10000,
    SILENT_MS = 30000,
    KEEPALIVE_S = 15,
    CA_CACHE_S = 60, // a new CA file counts after that
};

struct K8sCall {
    K8sTransfer transfer; // first: what the loop knows
    K8sClient *client;
    K8sCall *next, *previous; // of the client, to cancel all
    CURL *curl;
    struct curl_slist *headers;
    char *method, *path, *content_type;
    Buffer request, reply;
    K8sRequest options;        // its texts are not used
    double started, last_byte; // monotonic
    K8sTimer *idle_timer;
    char problem[CURL_ERROR_SIZE]; // libcurl's own words
    bool server;                   // the API server's, not a worker's
    bool idle;                     // no byte came for idle_ms
    bool repeated;                 // after a 401
    bool in_data;                  // the data callback is running
    bool cancelled;                // by the data callback
    bool ended;                    // the data callback wants no more
    bool too_long;
};

struct K8sClient {
    K8sLoop *loop;
    const K8sConfig *config;
    K8sCredentials credentials;
    K8sObserver observer;
    K8sCall *calls;
    char *user_agent;
    char *base;                    // what paths are put behind
    struct curl_slist *connect_to; // "::host:port" when the certificate's name is not the address, or NULL
    char *host;                    // "Host: …" then, of the address
    const char *no_proxy;          // NULL: as the environment says
    char *proxy;                   // of the kubeconfig, or NULL
};

// ---- making a request ----------------------------------------------------------------------------------------------

// Copied, since a credential plugin's certificate may be replaced while a request that uses the old one still waits.
static void set_blob(CURL *curl, CURLoption option, const char *text)
{
    struct curl_blob value = {.data = (void *)(uintptr_t)text, .len = strlen(text), .flags = CURL_BLOB_COPY};

    curl_easy_setopt(curl, option, &value);
}

static void set_tls(K8sClient *client, CURL *curl)
{
    const K8sConfig *config = client->config;
    const char *certificate = client->credentials.certificate_pem ?: config->certificate_pem;
    const char *key = client->credentials.key_pem ?: config->key_pem;

    if (config->ca_pem)
        set_blob(curl, CURLOPT_CAINFO_BLOB, config->ca_pem);
    else if (config->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, config->ca_file);
    if (config->ca_pem || config->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); // not the system's: it costs megabytes
    if (config->insecure) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (certificate)
        set_blob(curl, CURLOPT_SSLCERT_BLOB, certificate);
    else if (config->certificate_file)
        curl_easy_setopt(curl, CURLOPT_SSLCERT, config->certificate_file);
    if (key)
        set_blob(curl, CURLOPT_SSLKEY_BLOB, key);
    else if (config->key_file)
        curl_easy_setopt(curl, CURLOPT_SSLKEY, config->key_file);
    curl_easy_setopt(curl, CURLOPT_CA_CACHE_TIMEOUT, (long)CA_CACHE_S);
    if (client->proxy)
        curl_easy_setopt(curl, CURLOPT_PROXY, client->proxy);
    if (client->connect_to)
        curl_easy_setopt(curl, CURLOPT_CONNECT_TO, client->connect_to);
}

// A peer that is gone without a word is found in half a minute, not in the kernel's quarter of an hour.
static int set_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
    unsigned silent_ms = SILENT_MS;

    (void)context;
    (void)purpose;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent_ms, sizeof silent_ms);
    return CURL_SOCKOPT_OK;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    K8sCall *call = context;
    size_t len = size * count;
    long status = 0;

    call->last_byte = clock_monotonic();
    curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
    if (call->options.data && status >= 200 && status < 300) {
        call->in_data = true;
        call->ended = !call->options.data(call->options.context, bytes, len);
        call->in_data = false;
        return call->ended || call->cancelled ? CURL_WRITEFUNC_ERROR : len;
    }
    size_t limit = call->options.body_max ? call->options.body_max : BODY_MAX;
    if (call->reply.len + len > limit) {
        call->too_long = true;
        return CURL_WRITEFUNC_ERROR;
    }
    buffer_append(&call->reply, bytes, len);
    return len;
}

static void set_headers(K8sCall *call)
{
    struct curl_slist *list = NULL;

    if (call->content_type) {
        auto_free char *type = memory_printf("Content-Type: %s", call->content_type);
        list = curl_slist_append(list, type);
    }
    if (call->server)
        list = curl_slist_append(list, "Accept: application/json");
    if (call->server && call->client->credentials.header)
        list = curl_slist_append(list, call->client->credentials.header);
    if (call->server && call->client->config->impersonate) {
        auto_free char *user = memory_printf("Impersonate-User: %s", call->client->config->impersonate);
        list = curl_slist_append(list, user);
    }
    if (call->server && call->client->host)
        list = curl_slist_append(list, call->client->host);
    list = curl_slist_append(list, "Expect:"); // no pause before a large body
    curl_slist_free_all(call->headers);
    call->headers = list;
    curl_easy_setopt(call->curl, CURLOPT_HTTPHEADER, list);
}

static void set_options(K8sCall *call)
{
    CURL *curl = call->curl;
    auto_free char *url =
        call->server ? memory_printf("%s%s", call->client->base, call->path) : memory_strdup(call->path);

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, call);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, call->client->user_agent);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, 5L);
    curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, set_socket);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, call->problem);
    if (!call->server || call->client->no_proxy)
        curl_easy_setopt(curl, CURLOPT_NOPROXY, call->server ? call->client->no_proxy : "*");
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, call->options.fresh ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, call->server ? 0L : 1L);
    if (call->options.timeout_ms > 0)
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)call->options.timeout_ms);
    if (strcmp(call->method, "GET") != 0)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
    if (call->content_type) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, buffer_text(&call->request));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->request.len);
    }
    if (call->server)
        set_tls(call->client, curl);
}

// ---- the end of a request ------------------------------------------------------------------------------------------

static void free_call(K8sCall *call)
{
    if (call->previous)
        call->previous->next = call->next;
    else
        call->client->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
    k8s_timer_cancel(call->idle_timer);
    curl_multi_remove_handle(call->client->loop->multi, call->curl);
    curl_easy_cleanup(call->curl);
    curl_slist_free_all(call->headers);
    buffer_free(&call->request);
    buffer_free(&call->reply);
    free(call->method);
    free(call->path);
    free(call->content_type);
    free(call);
}

static void connection_error(const K8sCall *call, CURLcode result, Error *err)
{
    int path_len = (int)strcspn(call->path, "?");
    ErrorCode code = result == CURLE_SSL_CERTPROBLEM || result == CURLE_PEER_FAILED_VERIFICATION ||
                             result == CURLE_SSL_CACERT_BADFILE
                         ? ERROR_CREDENTIALS
                         : ERROR_UNREACHABLE;

    if (call->idle)
        error_set(err, code, "%s %.*s: no byte came for %d s", call->method, path_len, call->path,
                  call->options.idle_ms / 1000);
    else
        error_set(err, code, "%s %.*s: %s", call->method, path_len, call->path,
                  call->too_long   ? "the answer is too long"
                  : *call->problem ? call->problem
                                   : curl_easy_strerror(result));
    if (code == ERROR_CREDENTIALS)
        error_hint(
            err,
            "the API server's certificate must be signed by the given certificate authority, for the host name used");
}

static bool repeat_after_401(K8sCall *call)
{
    Error err = {0};

    if (!call->server || call->repeated)
        return false;
    call->repeated = true;
    if (k8s_credentials_refresh(&call->client->credentials, true, &err)) {
        log_failure("k8s", &err);
        return false;
    }
    buffer_clear(&call->reply, 65536);
    curl_multi_remove_handle(call->client->loop->multi, call->curl);
    set_headers(call);
    set_tls(call->client, call->curl); // a plugin may have given another certificate
    curl_multi_add_handle(call->client->loop->multi, call->curl);
    return true;
}

static void finished(K8sTransfer *transfer, CURLcode result)
{
    K8sCall *call = (K8sCall *)transfer;
    K8sReply reply = {0};
    long status = 0;
    curl_off_t retry_after = 0;

    if (call->cancelled) {
        free_call(call);
        return;
    }
    curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 401 && result == CURLE_OK && repeat_after_401(call))
        return;
    curl_easy_getinfo(call->curl, CURLINFO_RETRY_AFTER, &retry_after);
    reply.retry_after_s = (double)retry_after;
    reply.status = result == CURLE_OK || call->ended ? (int)status : 0;
    reply.idle = call->idle;
    reply.body = buffer_text(&call->reply);
    reply.len = call->reply.len;
    if (result != CURLE_OK && !call->ended)
        connection_error(call, result, &reply.error);
    else if (status < 200 || status > 299)
        k8s_status_error(call->method, call->path, (int)status, reply.body, reply.len, &reply.error);
    if (call->server && call->client->observer.finished)
        call->client->observer.finished(call->client->observer.context, call->method, reply.status,
                                        clock_monotonic() - call->started);
    call->in_data = true; // a cancel from within `done` must leave the call to us
    if (call->options.done)
        call->options.done(call->options.context, &reply);
    free_call(call);
}

// Own, and not libcurl's low speed limit: that one wakes the process every second for each stream.
static void on_idle_timer(void *context)
{
    K8sCall *call = context;
    int64_t left = call->options.idle_ms - (int64_t)((clock_monotonic() - call->last_byte) * 1000.0);

    call->idle_timer = NULL;
    if (left > 0) {
        call->idle_timer = k8s_timer_start(call->client->loop, left, on_idle_timer, call);
        return;
    }
    call->idle = true;
    finished(&call->transfer, CURLE_OPERATION_TIMEDOUT);
}

// ---- the client ----------------------------------------------------------------------------------------------------

// With tls-server-name the URL holds the certificate's name, and the connection goes to the address.
static void set_address(K8sClient *client)
{
    const K8sConfig *config = client->config;
    const char *authority = strstr(config->server, "://") + 3, *path = authority + strcspn(authority, "/");
    auto_free char *address = memory_printf("%.*s", (int)(path - authority), authority);
    char *colon = strrchr(address, ':');
    const char *port = colon && !strchr(colon, ']') ? colon + 1 : NULL;

    if (!config->tls_server_name) {
        client->base = memory_strdup(config->server);
        return;
    }
    client->host = memory_printf("Host: %s", address);
    if (port)
        *colon = '\0';
    auto_free char *target = memory_printf("::%s:%s", address, port ? port : "443");
    client->connect_to = curl_slist_append(NULL, target);
    client->base = memory_printf("https://%s:%s%s", config->tls_server_name, port ? port : "443", path);
}

static bool is_loopback(const char *server)
{
    const char *host = strstr(server, "://") + 3;
    size_t len = strcspn(host, ":/");

    return strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0 ||
           (len == strlen("localhost") && strncmp(host, "localhost", len) == 0);
}

// As kubectl does: the kubeconfig's proxy, else the environment's, but never for this machine. A pod's API server is
// asked directly.
static void set_proxy(K8sClient *client)
{
    const K8sConfig *config = client->config;
    static const char SOCKS[] = "socks5://";

    if (!config->proxy_url) {
        client->no_proxy = !config->context || is_loopback(config->server) ? "*" : NULL;
        return;
    }
    client->no_proxy = "";
    if (strncmp(config->proxy_url, SOCKS, strlen(SOCKS)) == 0) // the proxy looks names up
        client->proxy = memory_printf("socks5h://%s", config->proxy_url + strlen(SOCKS));
    else
        client->proxy = memory_strdup(config->proxy_url);
}

int k8s_client_new(K8sLoop *loop, const K8sConfig *config, const char *user_agent, K8sClient **out, Error *err)
{
    K8sClient *client = memory_zalloc(sizeof *client);

    *client = (K8sClient){.loop = loop, .config = config, .credentials = {.config = config}};
    client->user_agent = memory_strdup(user_agent);
    set_address(client);
    set_proxy(client);
    if (k8s_credentials_refresh(&client->credentials, false, err)) {
        k8s_client_free(client);
        return error_wrap(err, "credentials of the API server");
    }
    *out = client;
    return 0;
}

void k8s_client_free(K8sClient *client)
{
    if (!client)
        return;
    while (client->calls)
        free_call(client->calls);
    k8s_credentials_free(&client->credentials);
    free(client->user_agent);
    free(client->base);
    free(client->host);
    free(client->proxy);
    curl_slist_free_all(client->connect_to);
    free(client);
}

void k8s_client_observe(K8sClient *client, K8sObserver observer)
{
    client->observer = observer;
}

K8sLoop *k8s_client_loop(const K8sClient *client)
{
    return client->loop;
}

K8sCall *k8s_client_send(K8sClient *client, const K8sRequest *request)
{
    K8sCall *call = memory_zalloc(sizeof *call);
    Error err = {0};

    *call = (K8sCall){.transfer.finished = finished, .client = client, .options = *request, .next = client->calls};
    call->method = memory_strdup(request->method);
    call->path = memory_strdup(request->path);
    call->content_type = request->content_type ? memory_strdup(request->content_type) : NULL;
    call->server = request->path[0] == '/';
    call->started = call->last_byte = clock_monotonic();
    buffer_append(&call->request, request->body ? request->body : "", request->body ? request->body_len : 0);
    if (client->calls)
        client->calls->previous = call;
    client->calls = call;
    call->curl = curl_easy_init();
    if (!call->curl)
        abort(); // out of memory
    // A token that cannot be renewed: the server's 401 says it, with the old one.
    if (call->server && k8s_credentials_refresh(&client->credentials, false, &err))
        log_failure("k8s", &err);
    set_options(call);
    set_headers(call);
    curl_multi_add_handle(client->loop->multi, call->curl);
    if (call->options.idle_ms > 0)
        call->idle_timer = k8s_timer_start(client->loop, call->options.idle_ms, on_idle_timer, call);
    return call;
}

void k8s_client_cancel(K8sCall *call)
{
    if (!call)
        return;
    if (call->in_data)
        call->cancelled = true;
    else
        free_call(call);
}

typedef struct Waiting {
    K8sReply *reply;
    bool done;
} Waiting;

static void keep_reply(void *context, const K8sReply *reply)
{
    Waiting *waiting = context;
    char *body = memory_alloc(reply->len + 1);

    memcpy(body, reply->body, reply->len);
    body[reply->len] = '\0';
    *waiting->reply = *reply;
    waiting->reply->body = body;
    waiting->done = true;
}

int k8s_client_call(K8sClient *client, const K8sRequest *request, K8sReply *reply, Error *err)
{
    Waiting waiting = {.reply = reply};
    K8sRequest sent = *request;

    *reply = (K8sReply){0};
    sent.done = keep_reply;
    sent.context = &waiting;
    K8sCall *call = k8s_client_send(client, &sent);
    while (!waiting.done) {
        if ((!request->to_the_end && stop_check(err)) || k8s_loop_turn(client->loop, 1000, err)) {
            k8s_client_cancel(call);
            return -1;
        }
    }
    if (reply->error.code == ERROR_NONE)
        return 0;
    *err = reply->error;
    return -1;
}

void k8s_reply_free(K8sReply *reply)
{
    free((void *)(uintptr_t)reply->body);
    *reply = (K8sReply){0};
}
