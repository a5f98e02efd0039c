// SPDX-License-Identifier: Apache-2.0
// The Job and the Secret of a task: what clients and the engine rely on, and that no password stands in a Job.
#include "test/unit/cmocka_all.h"

#include "common/base/memory.h"
#include "controller/names.h"
#include "controller/task_job.h"
#include "controller/task_secret.h"
#include "test/unit/controller/task_fixture.h"

static const WorkerSettings SETTINGS = {.image = "engine:1", .pull_policy = "IfNotPresent", .pull_secrets = "a,b"};

typedef struct Fixture {
    Task *task;
    Template *template;
    TaskSpec spec;
    TaskPlan plan;
    json_object *document;
    char *secret;
} Fixture;

static int set_up(void **state)
{
    Fixture *f = memory_zalloc(sizeof *f);
    Buffer problem = {0};

    f->task = fixture_task(FIXTURE_TASK);
    f->template = fixture_template(FIXTURE_TEMPLATE);
    task_spec_read(f->task->spec, f->task->spec_len, &f->spec);
    assert_true(task_plan_make(&f->spec, f->template, &f->plan, &problem));
    f->document = task_secret_document(f->task, &f->spec, &f->plan);
    f->secret = task_secret_name(f->task, &f->spec, f->document);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *f = *state;

    json_object_put(f->document);
    free(f->secret);
    task_spec_free(&f->spec);
    template_free(f->template);
    task_free(f->task);
    free(f);
    return 0;
}

static json_object *make(const Fixture *f, int work, bool suspend, char **inputs)
{
    const JobWish wish = {.task = f->task,
                          .spec = &f->spec,
                          .plan = &f->plan,
                          .template = f->template,
                          .secret = f->secret,
                          .work = work,
                          .attempt = 1,
                          .suspend = suspend};
    return task_job(&SETTINGS, &wish, inputs);
}

static const char *label(json_object *object, const char *name)
{
    return k8s_text(k8s_at(object, "metadata", "labels", NULL), name);
}

static json_object *container_of(json_object *job)
{
    return k8s_item(k8s_at(job, "spec", "template", "spec", "containers", NULL), 0);
}

static void test_names(void **state)
{
    static const char LONG[] = "a23456789-123456789-123456789-123456789-123456789-123456789-abc";
    auto_free char *step = task_plan_job_name("mytask", STEP_INIT_STRUCT, 1);
    auto_free char *cdc = task_plan_job_name("mytask", STEP_CDC, 0);
    auto_free char *cut = task_plan_job_name(LONG, STEP_INIT_STRUCT_LATER, 3);
    auto_free char *other = task_plan_job_name("a23456789-123456789-123456789-123456789-123456789-123456789-abd",
                                               STEP_INIT_STRUCT_LATER, 3);
    (void)state;

    assert_string_equal(step, "mytask-initstruct-1");
    assert_string_equal(cdc, "mytask-cdc");
    assert_true(strlen(cut) <= 63);
    assert_string_equal(cut + strlen(cut) - 18, "-initstructlater-3");
    assert_string_not_equal(cut, other);
}

// Clients count the Jobs with the label and look for steps by annotations of the pods.
static void test_what_clients_look_for(void **state)
{
    auto_free char *inputs = NULL, *more = NULL;
    json_object *step = make(*state, STEP_INIT_DATA, true, &inputs), *cdc = make(*state, STEP_CDC, true, &more);
    json_object *step_pod = k8s_at(step, "spec", "template", NULL), *cdc_pod = k8s_at(cdc, "spec", "template", NULL);

    assert_string_equal(k8s_text(k8s_member(step, "metadata"), "name"), "mytask-initdata-2");
    assert_string_equal(label(step, LABEL_CLIENT_TASK), "mytask");
    assert_string_equal(label(step_pod, LABEL_CLIENT_TASK), "mytask");
    assert_string_equal(k8s_text(k8s_at(step_pod, "metadata", "annotations", NULL), ANNOTATION_ORDER), "2");
    assert_string_equal(label(cdc, LABEL_CLIENT_TASK), "");
    assert_string_equal(label(cdc, LABEL_TASK), "mytask");
    assert_string_equal(label(cdc_pod, LABEL_CLIENT_TASK), "mytask");
    assert_string_equal(k8s_text(k8s_at(cdc_pod, "metadata", "annotations", NULL), ANNOTATION_STEP), "cdc");
    assert_string_equal(k8s_text(container_of(step), "name"), "mytask");
    json_object_put(step);
    json_object_put(cdc);
}

static void test_settings_arrive(void **state)
{
    auto_free char *inputs = NULL, *more = NULL;
    json_object *data = make(*state, STEP_INIT_DATA, true, &inputs), *cdc = make(*state, STEP_CDC, false, &more);
    json_object *spec = k8s_member(data, "spec"), *pod = k8s_at(spec, "template", "spec", NULL);

    assert_int_equal(k8s_integer(spec, "parallelism", 0), 3);
    assert_string_equal(k8s_text(spec, "completionMode"), "Indexed");
    assert_true(k8s_bool(spec, "suspend"));
    assert_false(k8s_bool(k8s_member(cdc, "spec"), "suspend"));
    assert_non_null(strstr(json_text_of(k8s_member(container_of(data), "args")), "\"--jobs=4\""));
    assert_string_equal(json_text_of(k8s_member(container_of(data), "resources")), "{\"limits\":{\"cpu\":\"1\"}}");
    assert_string_equal(json_text_of(k8s_member(container_of(cdc), "resources")),
                        "{\"requests\":{\"cpu\":\"100m\",\"memory\":\"128Mi\"}}");
    assert_string_equal(json_text_of(k8s_member(pod, "imagePullSecrets")), "[{\"name\":\"a\"},{\"name\":\"b\"}]");
    assert_non_null(strstr(json_text_of(k8s_member(container_of(cdc), "env")), "\"EXTRA\""));
    assert_non_null(strstr(json_text_of(k8s_member(pod, "volumes")), "\"sink-tls\""));
    json_object_put(data);
    json_object_put(cdc);
}

static void test_pods_are_restricted(void **state)
{
    auto_free char *inputs = NULL;
    json_object *job = make(*state, STEP_PRECHECK, false, &inputs),
                *pod = k8s_at(job, "spec", "template", "spec", NULL);
    json_object *security = k8s_member(pod, "securityContext"), *own = k8s_member(container_of(job), "securityContext");

    assert_true(k8s_bool(security, "runAsNonRoot"));
    assert_string_equal(k8s_text(k8s_member(security, "seccompProfile"), "type"), "RuntimeDefault");
    assert_true(k8s_bool(own, "readOnlyRootFilesystem"));
    assert_false(k8s_bool(own, "allowPrivilegeEscalation"));
    assert_string_equal(json_text_of(k8s_at(own, "capabilities", "drop", NULL)), "[\"ALL\"]");
    assert_false(k8s_bool(pod, "automountServiceAccountToken"));
    assert_string_equal(k8s_text(pod, "restartPolicy"), "Never");
    json_object_put(job);
}

static void test_no_password_but_in_the_secret(void **state)
{
    Fixture *f = *state;
    json_object *secret = task_secret_object(f->task, &f->spec, f->document, f->secret);

    for (int work = 0; work < WORK_COUNT; work++) {
        auto_free char *inputs = NULL;
        json_object *job = make(f, work, true, &inputs);
        assert_null(strstr(json_text_of(job), "pw-one"));
        json_object_put(job);
    }
    assert_null(strstr(json_text_of(f->document), "pw-one"));
    assert_int_equal(k8s_integer(f->document, "workers", 0), 3); // precheck counts their connections, too
    assert_string_equal(k8s_text(k8s_member(secret, "stringData"), "source-password"), "pw-one");
    assert_string_equal(k8s_text(k8s_member(f->document, "source"), "passwordFile"), "/etc/kubeferry/source-password");
    assert_string_equal(k8s_text(k8s_member(f->document, "sink"), "userEnv"), "SINK_USER");
    assert_string_equal(k8s_text(k8s_member(f->document, "sink"), "passwordEnv"), "SINK_PASSWORD");
    assert_string_equal(json_text_of(k8s_member(f->document, "objects")),
                        "[{\"schema\":\"public\",\"table\":\"t\"},{\"schema\":\"sales\"}]");
    json_object_put(secret);
}

// The name is the same for the same document, and another after a change that may be one of a password.
static void test_secret_names(void **state)
{
    Fixture *f = *state;
    auto_free char *same = task_secret_name(f->task, &f->spec, f->document);
    assert_string_equal(same, f->secret);
    f->task->generation++;
    auto_free char *other = task_secret_name(f->task, &f->spec, f->document);
    assert_string_not_equal(other, f->secret);
}

static void test_inputs(void **state)
{
    auto_free char *one = NULL, *suspended = NULL, *changed = NULL;
    json_object_put(make(*state, STEP_INIT_DATA, false, &one));
    json_object_put(make(*state, STEP_INIT_DATA, true, &suspended));
    assert_string_equal(one, suspended);
    ((Fixture *)*state)->spec.config[STEP_INIT_DATA].jobs = 5;
    json_object_put(make(*state, STEP_INIT_DATA, true, &changed));
    assert_string_not_equal(one, changed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        TEST(test_what_clients_look_for),
        TEST(test_settings_arrive),
        TEST(test_pods_are_restricted),
        TEST(test_no_password_but_in_the_secret),
        TEST(test_secret_names),
        TEST(test_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
