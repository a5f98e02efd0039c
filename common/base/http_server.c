// SPDX-License-Identifier: Apache-2.0
// The HTTP server, on libwebsockets. The listening socket is ours and lws adopts what it accepts: so a bind that fails
// has its reason, and IPv4 and IPv6 need no second server.
#include "common/base/http_server.h"

#include "common/base/listen_address.h"
#include "common/base/log.h"
#include "common/base/memory.h"

#include <errno.h>
#include <libwebsockets.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

enum { MAX_DESCRIPTORS = 64, BACKLOG = 32, CHUNK = 4096, HEADERS_MAX = 1024, IDLE_SECONDS = 15, TEXT_MAX = 64 };

struct HttpServer {
    struct lws_context *lws;
    struct lws_vhost *vhost;
    const HttpRoute *routes;
    size_t route_count;
    void *context;
    int fd; // listening; lws closes it once it is adopted
    int port;
    atomic_bool stopping;
    pthread_t thread;
};

typedef struct Session { // of one connection, kept by lws
    char *body;
    size_t len, sent;
    bool head_only, close_after;
} Session;

static void log_line(int level, const char *line)
{
    (void)level;
    log_warn("http", "%.*s", (int)strcspn(line, "\n"), line);
}

static void free_body(Session *session)
{
    free(session->body);
    *session = (Session){0};
}

static int send_headers(struct lws *wsi, const Session *session, int status, const char *content_type)
{
    unsigned char buffer[LWS_PRE + HEADERS_MAX];
    unsigned char *start = buffer + LWS_PRE, *p = start, *end = buffer + sizeof buffer - 1;

    if (lws_add_http_common_headers(wsi, (unsigned)status, content_type, session->len, &p, end))
        return -1;
    if (status == HTTP_STATUS_METHOD_NOT_ALLOWED &&
        lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_ALLOW, (const unsigned char *)"GET, HEAD", 9, &p, end))
        return -1;
    return lws_finalize_write_http_header(wsi, start, &p, end);
}

static int finish(struct lws *wsi, Session *session)
{
    bool close_after = session->close_after;
    free_body(session);
    return close_after || lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int answer(struct lws *wsi, Session *session, const char *path)
{
    const HttpServer *server = lws_context_user(lws_get_context(wsi));
    bool get = lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0;
    const HttpRoute *route = NULL;
    const char *content_type = "text/plain; charset=utf-8";
    HttpReply reply = {HTTP_STATUS_OK, NULL};

    free_body(session);
    session->head_only = lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0;
    for (size_t i = 0; i < server->route_count; i++)
        if (strcmp(server->routes[i].path, path) == 0)
            route = &server->routes[i];
    if (!get && !session->head_only) {
        reply = (HttpReply){HTTP_STATUS_METHOD_NOT_ALLOWED, memory_strdup("only GET and HEAD are served here\n")};
        session->close_after = true; // a body may follow, which nobody reads
    } else if (!route) {
        reply = (HttpReply){HTTP_STATUS_NOT_FOUND, memory_strdup("there is no such page\n")};
    } else {
        content_type = route->content_type;
        route->handler(server->context, &reply);
    }
    session->body = reply.body;
    session->len = strlen(reply.body);
    if (send_headers(wsi, session, reply.status, content_type))
        return -1;
    if (session->head_only)
        return finish(wsi, session);
    lws_callback_on_writable(wsi);
    return 0;
}

static int send_more(struct lws *wsi, Session *session)
{
    unsigned char buffer[LWS_PRE + CHUNK];

    if (!session->body)
        return 0;
    size_t left = session->len - session->sent;
    size_t len = left < CHUNK ? left : CHUNK;
    bool last = len == left;
    memcpy(buffer + LWS_PRE, session->body + session->sent, len);
    if (lws_write(wsi, buffer + LWS_PRE, len, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) != (int)len)
        return -1;
    session->sent += len;
    if (last)
        return finish(wsi, session);
    lws_callback_on_writable(wsi);
    return 0;
}

static void accept_connections(HttpServer *server)
{
    for (;;) {
        int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        lws_adopt_socket_vhost(server->vhost, fd); // closes fd when it has no room
    }
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    Session *session = user;
    (void)len;

    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return answer(wsi, session, in);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return send_more(wsi, session);
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
    case LWS_CALLBACK_CLOSED_HTTP:
        if (session)
            free_body(session);
        return 0;
    case LWS_CALLBACK_RAW_RX_FILE:
        accept_connections(lws_context_user(lws_get_context(wsi)));
        return 0;
    case LWS_CALLBACK_RAW_CLOSE_FILE:
    case LWS_CALLBACK_HTTP_BODY:
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return 0;
    default:
        return lws_callback_http_dummy(wsi, reason, user, in, len);
    }
}

static void *serve(void *arg)
{
    HttpServer *server = arg;
    while (!atomic_load(&server->stopping))
        if (lws_service(server->lws, 0) < 0)
            break;
    return NULL;
}

static int listen_on(const struct addrinfo *ai)
{
    const int on = 1, off = 0;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off); // [::] takes IPv4, too
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int open_address(const char *host, const char *port, const char *listen_text, Error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int fd = -1;

    int problem = getaddrinfo(host, port, &hints, &found);
    if (problem)
        return error_set(err, ERROR_USAGE, "listen address '%.100s': %s", listen_text, gai_strerror(problem));
    for (const struct addrinfo *ai = found; ai && fd < 0; ai = ai->ai_next)
        fd = listen_on(ai);
    if (fd < 0) {
        error_set(err, ERROR_USAGE, "could not listen on '%.100s': %s", listen_text, strerror(errno));
        error_hint(err, "choose another address or port with --listen; port 0 takes a free one");
    }
    freeaddrinfo(found);
    return fd;
}

static int open_listener(const char *listen_text, Error *err)
{
    ListenAddress address;

    if (listen_address_parse(listen_text, &address, err))
        return -1;
    if (address.host[0])
        return open_address(address.host, address.port, listen_text, err);
    int fd = open_address("::", address.port, listen_text, err); // all addresses of both kinds, where IPv6 exists
    return fd >= 0 ? fd : open_address("0.0.0.0", address.port, listen_text, err);
}

static int port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    char port[8] = "0";

    if (getsockname(fd, (struct sockaddr *)&address, &len) == 0)
        getnameinfo((struct sockaddr *)&address, len, NULL, 0, port, sizeof port, NI_NUMERICSERV);
    return atoi(port);
}

// The thread takes no signals: they are the main thread's.
static int start_thread(HttpServer *server, Error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(&server->thread, NULL, serve, server);
    int problem = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = problem;
    return problem ? error_errno(err, "could not start the HTTP thread") : 0;
}

static int start(HttpServer *server, Error *err)
{
    static const struct lws_protocols PROTOCOLS[] = {{"http", on_event, sizeof(Session), 0, 0, NULL, 0}, {0}};
    const struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = PROTOCOLS,
        .user = server,
        .fd_limit_per_thread = MAX_DESCRIPTORS,
        .keepalive_timeout = IDLE_SECONDS,
        .timeout_secs = IDLE_SECONDS,
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
    };

    lws_set_log_level(LLL_ERR | LLL_WARN, log_line);
    server->lws = lws_create_context(&info);
    server->vhost = server->lws ? lws_create_vhost(server->lws, &info) : NULL;
    if (!server->vhost)
        return error_set(err, ERROR_SYSTEM, "could not start the HTTP server");
    const lws_sock_file_fd_type listener = {.filefd = server->fd};
    if (!lws_adopt_descriptor_vhost(server->vhost, LWS_ADOPT_RAW_FILE_DESC, listener, "http", NULL))
        return error_set(err, ERROR_SYSTEM, "could not start the HTTP server");
    if (start_thread(server, err)) {
        server->fd = -1; // closed with the context
        return -1;
    }
    return 0;
}

int http_server_start(const char *listen, const HttpRoute *routes, size_t count, void *context, HttpServer **out,
                      Error *err)
{
    int fd = open_listener(listen, err);
    if (fd < 0)
        return -1;
    HttpServer *server = memory_zalloc(sizeof *server);
    *server = (HttpServer){.routes = routes, .route_count = count, .context = context, .fd = fd, .port = port_of(fd)};
    if (start(server, err)) {
        if (server->lws)
            lws_context_destroy(server->lws);
        if (server->fd >= 0)
            close(server->fd);
        free(server);
        return -1;
    }
    log_info("http", "listening on %.*s:%d", (int)(strrchr(listen, ':') - listen), listen, server->port);
    *out = server;
    return 0;
}

int http_server_port(const HttpServer *server)
{
    return server->port;
}

void http_server_stop(HttpServer *server)
{
    if (!server)
        return;
    atomic_store(&server->stopping, true);
    lws_cancel_service(server->lws);
    pthread_join(server->thread, NULL);
    lws_context_destroy(server->lws);
    free(server);
}
