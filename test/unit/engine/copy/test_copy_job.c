// SPDX-License-Identifier: Apache-2.0
#include "engine/copy/copy_job.h"
#include "test/unit/cmocka_all.h"

#include <string.h>

static TaskDocument task;
static Context ctx;
static LedgerRelation items[] = {{.id = 1, .source_oid = 11, .state = RELATION_WAITING},
                                 {.id = 2, .source_oid = 12, .state = RELATION_COPIED},
                                 {.id = 3, .source_oid = 13, .state = RELATION_WAITING}};
static const LedgerRelations relations = {items, 3};
static CopyJob job;
static BuildWork work;

static int setup(void **state)
{
    Error err = {0};
    (void)state;
    task_document_init(&task);
    ctx = (Context){.task = &task};
    assert_int_equal(copy_job_init(&job, &relations, &err), 0);
    job.ctx = &ctx;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    copy_job_free(&job);
    task_document_free(&task);
    return 0;
}

static void test_a_coordinator_builds_what_is_complete(void **state)
{
    (void)state;
    job.parts_left = 2;
    build_queue_open(&job.queue, NULL);
    assert_int_equal(copy_job_next(&job, true, &work), JOB_COPY);
    assert_int_equal(copy_job_next(&job, false, &work), JOB_WAIT);
    copy_job_relation_complete(&job, 3);
    copy_job_relation_complete(&job, 3); // the ledger says so, too
    copy_job_relation_complete(&job, 7); // not known here
    assert_int_equal(job.parts_left, 1);
    assert_int_equal(copy_job_next(&job, true, &work), JOB_BUILD);
    assert_int_equal(work.id, 3);
    assert_false(copy_job_built(&job, &work, &work));
    copy_job_relation_complete(&job, 1);
    assert_true(copy_job_rows_complete(&job));
    assert_int_equal(copy_job_next(&job, true, &work), JOB_BUILD);
    assert_int_equal(work.id, 1);
    assert_int_equal(copy_job_next(&job, true, &work), JOB_WAIT); // another one builds
    assert_false(copy_job_built(&job, &work, &work));
    assert_int_equal(copy_job_next(&job, true, &work), JOB_END);
}

static void test_a_helper_copies_until_it_is_told(void **state)
{
    (void)state;
    job.helper = true;
    job.parts_left = 1;
    build_queue_open(&job.queue, NULL);
    copy_job_relation_complete(&job, 1);
    copy_job_relation_complete(&job, 3);
    assert_int_equal(copy_job_next(&job, true, &work), JOB_COPY);
    assert_int_equal(copy_job_next(&job, false, &work), JOB_WAIT); // others may give a chunk back
    copy_job_all_complete(&job);
    assert_int_equal(copy_job_next(&job, true, &work), JOB_END);
}

static void test_the_first_failure_counts(void **state)
{
    Error first = {0}, second = {0};
    (void)state;
    job.parts_left = 1;
    error_set(&first, ERROR_TRANSIENT, "the snapshot is gone");
    error_set(&second, ERROR_SQL, "later");
    copy_job_fail(&job, &first, true);
    copy_job_fail(&job, &second, false);
    assert_true(copy_job_failed(&job) && job.snapshot_lost);
    assert_string_equal(job.error.message, "the snapshot is gone");
    assert_int_equal(copy_job_next(&job, true, &work), JOB_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_coordinator_builds_what_is_complete, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_helper_copies_until_it_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_first_failure_counts, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
