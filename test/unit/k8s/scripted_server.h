// SPDX-License-Identifier: Apache-2.0
// An HTTP server on the loopback interface that gives one prepared answer a request, each on a connection of its own,
// and remembers what was asked.
#pragma once

#include "common/base/buffer.h"
#include "common/base/memory.h"
#include "test/unit/cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SCRIPT_MAX = 16 };

typedef struct ScriptedServer {
    // Written as they are. A '+' in front: the connection stays open afterwards, else it is closed.
    const char *answers[SCRIPT_MAX];
    int fd, port;
    pthread_t thread;
    int kept[SCRIPT_MAX];
    int kept_count;
    pthread_mutex_t lock;
    Buffer requests[SCRIPT_MAX]; // with head and body
    int count;
} ScriptedServer;

static inline size_t scripted_body_len(const char *head)
{
    const char *found = strcasestr(head, "\r\nContent-Length:");
    return found ? (size_t)strtoul(found + strlen("\r\nContent-Length:"), NULL, 10) : 0;
}

static inline void scripted_read(int fd, Buffer *request)
{
    const char *end;
    char bytes[4096];

    for (;;) {
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n <= 0)
            return;
        buffer_append(request, bytes, (size_t)n);
        end = strstr(request->data, "\r\n\r\n");
        if (end && request->len >= (size_t)(end - request->data) + 4 + scripted_body_len(request->data))
            return;
    }
}

static inline void *scripted_run(void *context)
{
    ScriptedServer *server = context;

    for (int i = 0; i < SCRIPT_MAX && server->answers[i]; i++) {
        Buffer request = {0};
        int fd = accept(server->fd, NULL, NULL);
        if (fd < 0)
            break; // shut down
        scripted_read(fd, &request);
        pthread_mutex_lock(&server->lock);
        server->requests[server->count++] = request;
        pthread_mutex_unlock(&server->lock);
        const char *answer = server->answers[i];
        bool keep = *answer == '+';
        if (keep)
            answer++;
        for (size_t at = 0, len = strlen(answer); at < len;) {
            ssize_t n = send(fd, answer + at, len - at, MSG_NOSIGNAL);
            if (n <= 0)
                break;
            at += (size_t)n;
        }
        if (keep)
            server->kept[server->kept_count++] = fd;
        else
            close(fd);
    }
    return NULL;
}

static inline void scripted_start(ScriptedServer *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    pthread_mutex_init(&server->lock, NULL);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->fd, 16), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, scripted_run, server), 0);
}

static inline void scripted_stop(ScriptedServer *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
    for (int i = 0; i < server->kept_count; i++)
        close(server->kept[i]);
    for (int i = 0; i < server->count; i++)
        buffer_free(&server->requests[i]);
    pthread_mutex_destroy(&server->lock);
}

static inline int scripted_count(ScriptedServer *server)
{
    pthread_mutex_lock(&server->lock);
    int count = server->count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

static inline void scripted_has(ScriptedServer *server, int i, const char *text)
{
    assert_true(i < scripted_count(server));
    if (!strstr(server->requests[i].data, text))
        fail_msg("request %d has no \"%s\":\n%s", i, text, server->requests[i].data);
}

static inline void scripted_has_not(ScriptedServer *server, int i, const char *text)
{
    assert_true(i < scripted_count(server));
    if (strstr(server->requests[i].data, text))
        fail_msg("request %d has \"%s\":\n%s", i, text, server->requests[i].data);
}
