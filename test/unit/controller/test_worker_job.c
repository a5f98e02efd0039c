// SPDX-License-Identifier: Apache-2.0
#include "test/unit/cmocka_all.h"

#include "common/base/memory.h"
#include "controller/work.h"
#include "controller/worker_job.h"
#include "test/unit/controller/task_fixture.h"

static WorkerPod *pod_of(const char *text)
{
    json_object *object = fixture_json(text);
    const char *job;
    WorkerPod *pod = worker_pod_read(object, &job);
    json_object_put(object);
    return pod;
}

static void test_job(void **state)
{
    static const char TEXT[] =
        "{\"metadata\":{\"name\":\"mytask-initdata-2\",\"namespace\":\"shop\",\"uid\":\"j\",\"labels\":{\"kubeferry.io/"
        "task\":"
        "\"mytask\",\"kubeferry.io/work\":\"init-data\"},\"annotations\":{\"kubeferry.io/attempt\":\"3\"},"
        "\"ownerReferences\":[{\"uid\":\"t\",\"controller\":true}]},\"spec\":{\"suspend\":false},\"status\":{"
        "\"failed\":1,"
        "\"startTime\":\"2026-01-01T00:00:00Z\",\"conditions\":[{\"type\":\"Suspended\",\"status\":\"False\"},{"
        "\"type\":"
        "\"Failed\",\"status\":\"True\",\"reason\":\"PodFailurePolicy\",\"message\":\"m\",\"lastTransitionTime\":"
        "\"2026-01-01T00:01:00Z\"}]}}";
    json_object *object = fixture_json(TEXT);
    WorkerJob *job = memory_zalloc(sizeof *job);
    (void)state;

    assert_true(worker_job_read(object, job));
    assert_string_equal(job->task_key, "shop/mytask");
    assert_int_equal(job->work, STEP_INIT_DATA);
    assert_int_equal(job->attempt, 3);
    assert_string_equal(job->owner, "t");
    assert_true(job->failed && !job->complete && !job->suspended);
    assert_string_equal(job->failed_reason, "PodFailurePolicy");
    assert_true(job->failed_at - job->started == 60);
    worker_job_clear(job);
    assert_false(job->exists);
    worker_job_free(job);
    json_object_put(object);
}

static void test_foreign_objects(void **state)
{
    json_object *object = fixture_json("{\"metadata\":{\"name\":\"x\"},\"status\":[]}");
    WorkerJob *job = memory_zalloc(sizeof *job);
    (void)state;

    assert_false(worker_job_read(object, job));
    assert_null(pod_of("{\"metadata\":{\"name\":\"x\"}}"));
    worker_job_free(job);
    json_object_put(object);
}

#define POD(more)                                                                                                      \
    "{\"metadata\":{\"name\":\"p\",\"uid\":\"1\",\"labels\":{\"batch.kubernetes.io/job-name\":\"j\"}}," more "}"

static void test_pods(void **state)
{
    static const struct {
        const char *pod, *problem;
        bool running;
        int exit_code;
    } CASES[] = {
        {POD("\"status\":{}"), "", false, -1},
        {POD("\"status\":{\"containerStatuses\":[{\"state\":{\"waiting\":{\"reason\":\"ContainerCreating\"}}}]}"), "",
         false, -1},
        {POD("\"status\":{\"containerStatuses\":[{\"state\":{\"waiting\":{\"reason\":\"CreateContainerConfigError\","
             "\"message\":\"secret \\\"x\\\" not found\"}}}]}"),
         "CreateContainerConfigError: secret \"x\" not found", false, -1},
        {POD("\"status\":{\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\",\"reason\":\"Unschedulable\","
             "\"message\":\"0/1 nodes\"}]}"),
         "Unschedulable: 0/1 nodes", false, -1},
        {POD("\"status\":{\"containerStatuses\":[{\"state\":{\"running\":{}}}]}"), "", true, -1},
        {POD("\"status\":{\"containerStatuses\":[{\"state\":{\"terminated\":{\"exitCode\":64,\"message\":\"m\"}}}]}"),
         "", false, 64},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        WorkerPod *pod = pod_of(CASES[i].pod);
        assert_string_equal(pod->problem, CASES[i].problem);
        assert_true(pod->running == CASES[i].running);
        assert_int_equal(pod->exit_code, CASES[i].exit_code);
        worker_pod_free(pod);
    }
}

static void test_which_pod_speaks(void **state)
{
    WorkerPod old = {.uid = "1", .owner = "j", .created = 1, .exit_code = 75, .finished = 2};
    WorkerPod now = {.uid = "2", .owner = "j", .created = 5, .exit_code = -1, .next = &old};
    WorkerPod helper = {
        .uid = "3", .owner = "j", .created = 9, .index = 1, .exit_code = 64, .finished = 10, .next = &now};
    WorkerPod of_another = {.uid = "4", .owner = "k", .created = 20, .exit_code = 64, .finished = 30, .next = &helper};
    WorkerJob job = {.exists = true, .uid = "j", .pods = &of_another};
    (void)state;

    assert_ptr_equal(worker_job_pod(&job), &now);
    assert_ptr_equal(worker_job_failed_pod(&job), &helper);
    job.pods = NULL;
    assert_null(worker_job_pod(&job));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_job),
        cmocka_unit_test(test_foreign_objects),
        cmocka_unit_test(test_pods),
        cmocka_unit_test(test_which_pod_speaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
