// SPDX-License-Identifier: Apache-2.0
#include "common/base/clock.h"
#include "common/base/memory.h"
#include "controller/controller_metrics.h"
#include "test/unit/cmocka_all.h"

static void has(ControllerMetrics *m, const char *line)
{
    auto_free char *text = controller_metrics_text(m);
    auto_free char *whole = memory_printf("\n%s\n", line);

    if (!strstr(text, whole))
        fail_msg("there is no line '%s' in:\n%s", line, text);
}

static double value_of(ControllerMetrics *m, const char *name)
{
    auto_free char *text = controller_metrics_text(m);
    auto_free char *start = memory_printf("\n%s ", name);
    const char *found = strstr(text, start);

    assert_non_null(found);
    return strtod(found + strlen(start), NULL);
}

static void test_what_was_counted(void **state)
{
    static const char *const NAMES[] = {"Running", "Done"};
    ControllerMetrics *m = controller_metrics_new();
    K8sObserver observer = controller_metrics_observer(m);
    QueueStats stats = {.depth = 3, .adds = 10, .retries = 2};
    (void)state;

    controller_metrics_names(m, "https://10.96.0.1:443/path", "the \"lease\"\\\n");
    observer.finished(observer.context, "GET", 200, 0.1);
    observer.finished(observer.context, "GET", 200, 0.1);
    observer.finished(observer.context, "PATCH", 409, 0.1);
    observer.finished(observer.context, "GET", 0, 0.1);
    controller_metrics_reconciled(m, RECONCILE_SUCCESS, 0.002);
    controller_metrics_reconciled(m, RECONCILE_ERROR, 0.2);
    histogram_observe(&stats.waited, 0.003);
    controller_metrics_queue(m, &stats);
    controller_metrics_tasks(m, NAMES, (const size_t[]){7, 1}, 2, 4);
    controller_metrics_leading(m, true);
    has(m, "rest_client_requests_total{code=\"200\",host=\"10.96.0.1:443\",method=\"GET\"} 2");
    has(m, "rest_client_requests_total{code=\"409\",host=\"10.96.0.1:443\",method=\"PATCH\"} 1");
    has(m, "rest_client_requests_total{code=\"<error>\",host=\"10.96.0.1:443\",method=\"GET\"} 1");
    has(m, "controller_runtime_reconcile_total{controller=\"migrationtask\",result=\"success\"} 1");
    has(m, "controller_runtime_reconcile_total{controller=\"migrationtask\",result=\"error\"} 1");
    has(m, "controller_runtime_reconcile_total{controller=\"migrationtask\",result=\"requeue_after\"} 0");
    has(m, "controller_runtime_reconcile_time_seconds_bucket{controller=\"migrationtask\",le=\"0.0025\"} 1");
    has(m, "controller_runtime_reconcile_time_seconds_count{controller=\"migrationtask\"} 2");
    has(m, "workqueue_depth{name=\"migrationtask\"} 3");
    has(m, "workqueue_adds_total{name=\"migrationtask\"} 10");
    has(m, "workqueue_retries_total{name=\"migrationtask\"} 2");
    has(m, "workqueue_queue_duration_seconds_count{name=\"migrationtask\"} 1");
    has(m, "workqueue_work_duration_seconds_count{name=\"migrationtask\"} 0");
    has(m, "kubeferry_tasks{status=\"Running\"} 7");
    has(m, "kubeferry_tasks_stalled 4");
    has(m, "leader_election_master_status{name=\"the \\\"lease\\\"\\\\\\n\"} 1");
    controller_metrics_leading(m, false);
    has(m, "leader_election_master_status{name=\"the \\\"lease\\\"\\\\\\n\"} 0");
    controller_metrics_free(m);
}

static void test_more_kinds_of_answers_than_expected(void **state)
{
    ControllerMetrics *m = controller_metrics_new();
    K8sObserver observer = controller_metrics_observer(m);
    (void)state;

    for (int i = 0; i < 1000; i++)
        observer.finished(observer.context, "AVERYLONGMETHOD", 100 + i, 0);
    has(m, "rest_client_requests_total{code=\"100\",host=\"\",method=\"AVERYLO\"} 1");
    controller_metrics_free(m);
}

static void test_of_the_process(void **state)
{
    ControllerMetrics *m = controller_metrics_new();
    (void)state;

    assert_true(value_of(m, "process_resident_memory_bytes") > 1e6);
    assert_true(value_of(m, "process_virtual_memory_bytes") >= value_of(m, "process_resident_memory_bytes"));
    assert_true(value_of(m, "process_cpu_seconds_total") > 0);
    assert_true(value_of(m, "process_open_fds") >= 3);
    assert_true(value_of(m, "process_max_fds") >= value_of(m, "process_open_fds"));
    assert_true(clock_now() - value_of(m, "process_start_time_seconds") < 60);
    double before = value_of(m, "process_open_fds");
    auto_close int fd = dup(STDIN_FILENO);
    assert_true(fd >= 0);
    assert_true(value_of(m, "process_open_fds") - before > 0.5);
    controller_metrics_free(m);
}

// Prometheus refuses a page in which a name's lines are not together, or that has no end.
static void test_the_text_is_well_formed(void **state)
{
    ControllerMetrics *m = controller_metrics_new();
    auto_free char *text = controller_metrics_text(m);
    char name[80] = "", *rest = text;
    (void)state;

    assert_int_equal(text[strlen(text) - 1], '\n');
    for (const char *line; (line = strsep(&rest, "\n")) && *line;) {
        if (strncmp(line, "# HELP ", 7) == 0)
            assert_int_equal(sscanf(line, "# HELP %79s", name), 1);
        else if (*line != '#')
            assert_int_equal(strncmp(line, name, strlen(name)), 0);
    }
    controller_metrics_free(m);
}

static int ask(K8sClient *client, const HttpServer *server, const char *page, const char *expected)
{
    auto_free char *url = memory_printf("http://127.0.0.1:%d%s", http_server_port(server), page);
    K8sReply reply;
    Error err = {0};

    int rc = k8s_client_call(client, &(K8sRequest){.method = "GET", .path = url}, &reply, &err);
    int status = reply.status;
    assert_int_equal(rc, status == 200 ? 0 : -1);
    if (!strstr(reply.body, expected))
        fail_msg("%s says %s", page, reply.body);
    k8s_reply_free(&reply);
    return status;
}

static void test_pages(void **state)
{
    ControllerMetrics *m = controller_metrics_new();
    K8sConfig config = {.server = (char *)(uintptr_t) "http://127.0.0.1:9"};
    K8sLoop *loop = k8s_loop_new();
    K8sClient *client;
    HttpServer *server;
    Error err = {0};
    (void)state;

    assert_int_equal(k8s_client_new(loop, &config, "unit", &client, &err), 0);
    assert_int_equal(controller_metrics_serve(m, "127.0.0.1:0", &server, &err), 0);
    controller_metrics_alive(m);
    assert_int_equal(ask(client, server, "/healthz", "ok"), 200);
    assert_int_equal(ask(client, server, "/readyz", "not in sync"), 503);
    controller_metrics_synced(m, true);
    assert_int_equal(ask(client, server, "/readyz", "ok"), 200);
    assert_int_equal(ask(client, server, "/metrics", "process_open_fds"), 200);
    assert_int_equal(ask(client, server, "/other", "no such page"), 404);
    http_server_stop(server);
    controller_metrics_free(m);
    k8s_client_free(client);
    k8s_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_counted),
        cmocka_unit_test(test_more_kinds_of_answers_than_expected),
        cmocka_unit_test(test_of_the_process),
        cmocka_unit_test(test_the_text_is_well_formed),
        cmocka_unit_test(test_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
