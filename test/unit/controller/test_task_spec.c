// SPDX-License-Identifier: Apache-2.0
// What the spec says, what of it is refused by name, and which steps come of it.
#include "test/unit/cmocka_all.h"

#include "controller/task_plan.h"
#include "controller/task_spec.h"
#include "test/unit/controller/task_fixture.h"

static const char *unsupported(const char *text)
{
    static char found[4096];
    TaskSpec spec;
    Buffer out = {0};

    task_spec_read(text, strlen(text), &spec);
    task_spec_unsupported(&spec, "shop", &out);
    snprintf(found, sizeof found, "%s", buffer_text(&out));
    buffer_free(&out);
    task_spec_free(&spec);
    return found;
}

static void test_what_clients_send_is_supported(void **state)
{
    Task *task = fixture_task(FIXTURE_TASK);
    (void)state;

    assert_string_equal(unsupported(task->spec), "");
    assert_string_equal(unsupported("{}"), "");
    assert_string_equal(unsupported("[]"), "");
    assert_string_equal(
        unsupported("{\"migrationObj\":{\"whiteList\":[{\"schemaName\":\"a\",\"schemaMappingName\":\"a\","
                    "\"dmlOp\":[\"insert\",\"delete\",\"update\"],\"ddlOp\":[\"none\"]}]}}"),
        "");
    task_free(task);
}

static void test_what_is_not_built_is_named(void **state)
{
    static const struct {
        const char *spec, *says;
    } CASES[] = {
        {"{\"rollback\":{\"requested\":true}}", "rollback.requested: "},
        {"{\"sourceEndpoint\":{\"secret\":{\"name\":\"s\",\"namespace\":\"other\"}}}",
         "sourceEndpoint.secret.namespace: "},
        {"{\"migrationObj\":{\"whiteList\":[{\"schemaName\":\"a\",\"schemaMappingName\":\"b\"}]}}",
         "migrationObj.whiteList[0].schemaMappingName: "},
        {"{\"migrationObj\":{\"whiteList\":[{\"schemaName\":\"a\",\"tableList\":[{\"tableName\":\"t\",\"fieldList\":"
         "[{\"fieldName\":\"f\"}]}]}]}}",
         "migrationObj.whiteList[0].tableList[0].fieldList: "},
        {"{\"migrationObj\":{\"blackList\":[{\"schemaName\":\"a\",\"dmlOp\":[\"insert\",\"insert\",\"insert\"]}]}}",
         "migrationObj.blackList[0].dmlOp: "},
        {"{\"migrationObj\":{\"whiteList\":[{\"schemaName\":\"a\",\"ddlOp\":[\"all\"]}]}}",
         "migrationObj.whiteList[0].ddlOp: "},
        {"{\"cdc\":{\"config\":{\"param\":{\"x\":1}}}}", "cdc.config.param.x: "},
        {"{\"initialization\":{\"config\":{\"initData\":{\"resource\":{\"claims\":[{\"name\":\"c\"}]}}}}}",
         "initialization.config.initData.resource.claims: "},
    };
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_ptr_equal(strstr(unsupported(CASES[i].spec), CASES[i].says), unsupported(CASES[i].spec));
}

static const char *plan_of(const char *spec_text, const char *template_text)
{
    static char found[512];
    TaskSpec spec;
    TaskPlan plan;
    Buffer problem = {0};
    Template *template = fixture_template(template_text);
    size_t used = 0;

    found[0] = '\0';
    task_spec_read(spec_text, strlen(spec_text), &spec);
    if (task_plan_make(&spec, template, &plan, &problem))
        for (size_t i = 0; i < plan.count; i++)
            used += (size_t)snprintf(found + used, sizeof found - used, "%s ", work_info(plan.works[i])->verb);
    else
        snprintf(found, sizeof found, "%s", buffer_text(&problem));
    buffer_free(&problem);
    template_free(template);
    task_spec_free(&spec);
    return found;
}

static void test_plans(void **state)
{
    (void)state;
    assert_string_equal(plan_of("{}", FIXTURE_TEMPLATE), "precheck init-struct init-data cdc ");
    assert_string_equal(plan_of("{\"taskType\":\"initialization\"}", FIXTURE_TEMPLATE),
                        "precheck init-struct init-data ");
    assert_string_equal(plan_of("{\"taskType\":\"cdc\"}", FIXTURE_TEMPLATE), "cdc ");
    assert_string_equal(plan_of("{\"initialization\":{\"steps\":[\"initData\",\"preCheck\"]}}", FIXTURE_TEMPLATE),
                        "precheck init-data cdc ");
    assert_non_null(strstr(plan_of("{\"initialization\":{\"steps\":[\"initStructLater\"]}}", FIXTURE_TEMPLATE),
                           "has no step initStructLater"));
    assert_non_null(strstr(plan_of("{\"taskType\":\"initialization-and-twoway-cdc\"}", FIXTURE_TEMPLATE),
                           "has no tasks of type initialization-and-twoway-cdc"));
    assert_non_null(
        strstr(plan_of("{}", "{\"metadata\":{\"name\":\"m\"},\"spec\":{\"source\":{\"dbType\":\"MySQL\"}}}"),
               "only PostgreSQL"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_clients_send_is_supported),
        cmocka_unit_test(test_what_is_not_built_is_named),
        cmocka_unit_test(test_plans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
