// SPDX-License-Identifier: Apache-2.0
// A real server on a free port of the loopback address.
#include "common/base/http_server.h"
#include "common/base/log.h"
#include "common/base/memory.h"
#include "test/unit/cmocka_all.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LARGE = 300000 };
static char answer[LARGE + 4096];

static void serve_short(void *context, HttpReply *reply)
{
    reply->status = 503;
    reply->body = memory_strdup(context);
}

static void serve_large(void *context, HttpReply *reply)
{
    (void)context;
    reply->body = memory_alloc(LARGE + 1);
    memset(reply->body, 'x', LARGE);
    reply->body[LARGE] = '\0';
}

static const HttpRoute ROUTES[] = {{"/short", "text/plain", serve_short}, {"/large", "text/x", serve_large}};

static HttpServer *start(void)
{
    HttpServer *server = NULL;
    Error err = {0};
    assert_int_equal(http_server_start("127.0.0.1:0", ROUTES, 2, "body", &server, &err), 0);
    assert_true(http_server_port(server) > 0);
    return server;
}

static int connected(const HttpServer *server)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    const struct timeval limit = {.tv_sec = 5};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static bool complete(size_t body_len)
{
    const char *body = strstr(answer, "\r\n\r\n");
    return body && strlen(body + 4) >= body_len;
}

// Sends the text, reads a body of that length, or to the end of the connection.
static void ask_on(int fd, const char *request, size_t body_len)
{
    size_t len = 0;

    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    answer[0] = '\0';
    for (ssize_t n = 1; n > 0 && len + 1 < sizeof answer && !complete(body_len); answer[len] = '\0') {
        n = read(fd, answer + len, sizeof answer - 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
}

static void ask(const HttpServer *server, const char *request)
{
    int fd = connected(server);
    ask_on(fd, request, SIZE_MAX);
    close(fd);
}

static void test_get_head_and_errors(void **state)
{
    HttpServer *server = start();
    (void)state;
    ask(server, "GET /short HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(answer, "503"));
    assert_non_null(strstr(answer, "content-type: text/plain\r\n"));
    assert_non_null(strstr(answer, "\r\n\r\nbody"));
    ask(server, "HEAD /short HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(answer, "content-length: 4\r\n"));
    assert_null(strstr(answer, "body"));
    ask(server, "GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(answer, " 404 "));
    ask(server, "POST /short HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    assert_non_null(strstr(answer, " 405 "));
    assert_non_null(strstr(answer, "allow: GET, HEAD"));
    http_server_stop(server);
}

static void test_large_body_and_kept_connection(void **state)
{
    HttpServer *server = start();
    (void)state;
    int fd = connected(server);
    ask_on(fd, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n", LARGE);
    assert_non_null(strstr(answer, "content-length: 300000\r\n"));
    assert_int_equal(strspn(strstr(answer, "\r\n\r\n") + 4, "x"), LARGE);
    // Only now: libwebsockets 4.3 does not take a second request while it answers the first.
    ask_on(fd, "GET /short HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", SIZE_MAX);
    assert_non_null(strstr(answer, "\r\n\r\nbody"));
    close(fd);
    http_server_stop(server);
}

static void test_port_in_use(void **state)
{
    HttpServer *server = start(), *second = NULL;
    char listen_text[32];
    Error err = {0};
    (void)state;
    snprintf(listen_text, sizeof listen_text, "127.0.0.1:%d", http_server_port(server));
    assert_int_equal(http_server_start(listen_text, ROUTES, 2, NULL, &second, &err), -1);
    assert_non_null(strstr(err.message, "Address already in use"));
    assert_int_equal(err.code, ERROR_USAGE);
    assert_int_equal(http_server_start("nonsense", ROUTES, 2, NULL, &second, &err), -1);
    http_server_stop(server);
    http_server_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get_head_and_errors),
        cmocka_unit_test(test_large_body_and_kept_connection),
        cmocka_unit_test(test_port_in_use),
    };
    log_init(LOG_TEXT, LOG_WARN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
