// SPDX-License-Identifier: Apache-2.0
#include "common/base/clock.h"
#include "common/k8s/k8s_client.h"
#include "test/unit/k8s/scripted_server.h"

#define OK(body) "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" body

typedef struct Harness {
    ScriptedServer server;
    K8sLoop *loop;
    K8sConfig config;
    K8sClient *client;
    char *url;
} Harness;

static void start(Harness *h)
{
    Error err = {0};

    scripted_start(&h->server);
    h->url = memory_printf("http://127.0.0.1:%d", h->server.port);
    h->config.server = h->url;
    h->loop = k8s_loop_new();
    assert_int_equal(k8s_client_new(h->loop, &h->config, "unit/1", &h->client, &err), 0);
}

static void stop(Harness *h)
{
    k8s_client_free(h->client);
    k8s_loop_free(h->loop);
    scripted_stop(&h->server);
    free(h->url);
}

static void test_a_request_and_its_answer(void **state)
{
    Harness h = {.server.answers = {OK("{\"a\":1}")}, .config = {.token = (char[]){"sesame"}}};
    K8sRequest request = {.method = "PATCH",
                          .path = "/apis/x/v1/things/a?force=true",
                          .content_type = "application/merge-patch+json",
                          .body = "{\"b\":2}",
                          .body_len = 7};
    K8sReply reply;
    Error err = {0};
    (void)state;

    start(&h);
    assert_int_equal(k8s_client_call(h.client, &request, &reply, &err), 0);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "{\"a\":1}");
    assert_int_equal(reply.len, 7);
    k8s_reply_free(&reply);
    scripted_has(&h.server, 0, "PATCH /apis/x/v1/things/a?force=true HTTP/1.1\r\n");
    scripted_has(&h.server, 0, "\r\nAuthorization: Bearer sesame\r\n");
    scripted_has(&h.server, 0, "\r\nContent-Type: application/merge-patch+json\r\n");
    scripted_has(&h.server, 0, "\r\nUser-Agent: unit/1\r\n");
    scripted_has(&h.server, 0, "\r\n\r\n{\"b\":2}");
    scripted_has_not(&h.server, 0, "Expect:");
    stop(&h);
}

static void test_somebody_else_gets_no_credentials(void **state)
{
    Harness h = {.server.answers = {OK("hello")}, .config = {.token = (char[]){"sesame"}}};
    K8sReply reply;
    Error err = {0};
    (void)state;

    start(&h);
    auto_free char *url = memory_printf("%s/progress", h.url);
    assert_int_equal(k8s_client_call(h.client, &(K8sRequest){.method = "GET", .path = url}, &reply, &err), 0);
    k8s_reply_free(&reply);
    scripted_has(&h.server, 0, "GET /progress HTTP/1.1\r\n");
    scripted_has_not(&h.server, 0, "Authorization");
    stop(&h);
}

static void test_a_failure_has_status_and_wait(void **state)
{
    Harness h = {.server.answers = {"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nConnection: close\r\n\r\n"
                                    "{\"message\":\"slow down\",\"reason\":\"TooManyRequests\"}"}};
    K8sReply reply;
    Error err = {0};
    (void)state;

    start(&h);
    assert_int_equal(k8s_client_call(h.client, &(K8sRequest){.method = "GET", .path = "/x?a=1"}, &reply, &err), -1);
    assert_int_equal(reply.status, 429);
    assert_true(reply.retry_after_s == 7);
    assert_int_equal(err.code, ERROR_TRANSIENT);
    assert_string_equal(err.message, "GET /x: 429 TooManyRequests: slow down");
    k8s_reply_free(&reply);
    stop(&h);
}

static void write_token(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_the_token_is_read_again_after_401_but_once(void **state)
{
    static const char NO[] = "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n{}";
    char path[] = "/tmp/kubeferry-unit-XXXXXX";
    Harness h = {.server.answers = {NO, OK("{}"), NO, NO}, .config = {.token_file = path}};
    K8sRequest request = {.method = "GET", .path = "/x"};
    K8sReply reply;
    Error err = {0};
    int fd = mkstemp(path);
    (void)state;

    assert_true(fd >= 0);
    close(fd);
    write_token(path, "first\n");
    start(&h);
    write_token(path, "second\n");
    assert_int_equal(k8s_client_call(h.client, &request, &reply, &err), 0);
    k8s_reply_free(&reply);
    scripted_has(&h.server, 0, "Bearer first\r\n");
    scripted_has(&h.server, 1, "Bearer second\r\n");
    assert_int_equal(k8s_client_call(h.client, &request, &reply, &err), -1);
    assert_int_equal(err.code, ERROR_CREDENTIALS);
    assert_int_equal(scripted_count(&h.server), 4);
    k8s_reply_free(&reply);
    stop(&h);
    unlink(path);
}

static void test_user_and_password(void **state)
{
    Harness h = {.server.answers = {OK("")}, .config = {.user = (char[]){"me"}, .password = (char[]){"secret"}}};
    K8sReply reply;
    Error err = {0};
    (void)state;

    start(&h);
    assert_int_equal(k8s_client_call(h.client, &(K8sRequest){.method = "GET", .path = "/x"}, &reply, &err), 0);
    k8s_reply_free(&reply);
    scripted_has(&h.server, 0, "Authorization: Basic bWU6c2VjcmV0\r\n");
    stop(&h);
}

static void test_limits(void **state)
{
    Harness h = {.server.answers = {OK("0123456789"), "+"}};
    K8sReply reply;
    Error err = {0};
    (void)state;

    start(&h);
    K8sRequest request = {.method = "GET", .path = "/x", .body_max = 5};
    assert_int_equal(k8s_client_call(h.client, &request, &reply, &err), -1);
    assert_string_equal(err.message, "GET /x: the answer is too long");
    k8s_reply_free(&reply);
    request = (K8sRequest){.method = "GET", .path = "/x", .timeout_ms = 100};
    double begun = clock_monotonic();
    assert_int_equal(k8s_client_call(h.client, &request, &reply, &err), -1);
    assert_int_equal(err.code, ERROR_UNREACHABLE);
    assert_int_equal(reply.status, 0);
    assert_true(clock_monotonic() - begun < 2);
    k8s_reply_free(&reply);
    stop(&h);
}

static void test_nobody_there(void **state)
{
    Harness h = {.server.answers = {NULL}};
    K8sReply reply;
    Error err = {0};
    (void)state;

    start(&h);
    shutdown(h.server.fd, SHUT_RDWR);
    assert_int_equal(k8s_client_call(h.client, &(K8sRequest){.method = "GET", .path = "/x"}, &reply, &err), -1);
    assert_int_equal(err.code, ERROR_UNREACHABLE);
    assert_non_null(strstr(err.message, "GET /x: Failed to connect to 127.0.0.1"));
    k8s_reply_free(&reply);
    stop(&h);
}

typedef struct Stream {
    Buffer text;
    size_t enough; // the data callback ends the call then; 0: never
    K8sCall *call; // to be cancelled by the data callback
    K8sReply reply;
    Error error;
    bool done;
} Stream;

static bool take(void *context, const char *bytes, size_t len)
{
    Stream *stream = context;

    buffer_append(&stream->text, bytes, len);
    if (stream->call)
        k8s_client_cancel(stream->call);
    return !stream->enough || stream->text.len < stream->enough;
}

static void done(void *context, const K8sReply *reply)
{
    Stream *stream = context;

    stream->reply = *reply;
    stream->error = reply->error;
    stream->done = true;
}

static void turn(Harness *h, const bool *until, double seconds)
{
    Error err = {0};

    for (double end = clock_monotonic() + seconds; !*until && clock_monotonic() < end;)
        assert_int_equal(k8s_loop_turn(h->loop, 20, &err), 0);
}

static void test_streams(void **state)
{
    static const char OPEN[] = "+HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    Harness h = {
        .server.answers = {OPEN, OPEN, OPEN, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhello"}};
    K8sRequest request = {.method = "GET", .path = "/w", .data = take, .done = done, .idle_ms = 200};
    bool never = false;
    (void)state;

    start(&h);
    Stream silent = {0}; // ends because nothing comes
    request.context = &silent;
    k8s_client_send(h.client, &request);
    turn(&h, &silent.done, 5);
    assert_true(silent.done && silent.reply.idle);
    assert_string_equal(buffer_text(&silent.text), "hello");
    assert_int_equal(silent.error.code, ERROR_UNREACHABLE);
    Stream satisfied = {.enough = 3}; // ends itself
    request.context = &satisfied;
    k8s_client_send(h.client, &request);
    turn(&h, &satisfied.done, 5);
    assert_true(satisfied.done && !satisfied.reply.idle);
    assert_int_equal(satisfied.reply.status, 200);
    assert_int_equal(satisfied.error.code, ERROR_NONE);
    Stream cancelled = {0}; // is cancelled from within
    request.context = &cancelled;
    cancelled.call = k8s_client_send(h.client, &request);
    turn(&h, &never, 0.5);
    assert_false(cancelled.done);
    assert_string_equal(buffer_text(&cancelled.text), "hello");
    Stream broken = {0}; // is cut off
    request.context = &broken;
    k8s_client_send(h.client, &request);
    turn(&h, &broken.done, 5);
    assert_true(broken.done);
    assert_int_equal(broken.reply.status, 0);
    assert_int_equal(broken.error.code, ERROR_UNREACHABLE);
    buffer_free(&silent.text);
    buffer_free(&satisfied.text);
    buffer_free(&cancelled.text);
    buffer_free(&broken.text);
    stop(&h);
}

static void test_what_is_under_way_ends_with_the_client(void **state)
{
    Harness h = {.server.answers = {"+", "+"}};
    Stream stream = {0};
    K8sRequest request = {
        .method = "GET", .path = "/w", .data = take, .done = done, .context = &stream, .idle_ms = 9000};
    bool never = false;
    (void)state;

    start(&h);
    k8s_client_send(h.client, &request);
    K8sCall *second = k8s_client_send(h.client, &request);
    turn(&h, &never, 0.1);
    k8s_client_cancel(second);
    k8s_client_cancel(NULL);
    stop(&h);
    assert_false(stream.done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_and_its_answer),
        cmocka_unit_test(test_somebody_else_gets_no_credentials),
        cmocka_unit_test(test_a_failure_has_status_and_wait),
        cmocka_unit_test(test_the_token_is_read_again_after_401_but_once),
        cmocka_unit_test(test_user_and_password),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_what_is_under_way_ends_with_the_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
