// SPDX-License-Identifier: Apache-2.0
// create_input.c, create_spec.c and create_workers.c, from a command line to the objects. Standard input is no
// terminal.
#include "cli/commands.h"
#include "cli/migration/create_spec.h"
#include "common/base/memory.h"
#include "test/unit/cmocka_all.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 24 };

static OptionValue values[O_COUNT];
static Cli cli;
static CreateInput input;
static json_object *made;
static Error err;

static void clear(void)
{
    options_free(&CLI_TABLE, values);
    create_input_free(&input);
    json_object_put(made);
    made = NULL;
    error_clear(&err);
}

static int teardown(void **state)
{
    (void)state;
    clear();
    return 0;
}

// words: separated by '|'.
static int run(const char *words)
{
    auto_free char *copy = memory_printf("kubeferry|migration|create|%s", words);
    char *argv[WORDS_MAX] = {0};
    int argc = 0, verb;

    clear();
    for (char *rest = copy, *word; argc < WORDS_MAX && (word = strsep(&rest, "|"));)
        argv[argc++] = word;
    cli = (Cli){.table = &CLI_TABLE, .values = values};
    cli.config.namespace_name = (char *)(uintptr_t) "shop";
    if (options_parse(&CLI_TABLE, argc, argv, &verb, values, &err) || create_input_read(&cli, &input, &err))
        return -1;
    return create_spec_task(&cli, &input, &made, &err);
}

#define ENDS "--source|a:pw-1@h:1/d|--sink|b:pw-2@[fd00::7]:5432/e"

static void spec_is(const char *words, const char *member, const char *expected)
{
    json_object *spec = NULL, *found = NULL;

    if (run(words))
        fail_msg("%s: %s", words, err.message);
    assert_true(json_object_object_get_ex(made, "spec", &spec) && json_object_object_get_ex(spec, member, &found));
    assert_string_equal(json_object_to_json_string_ext(found, JSON_C_TO_STRING_PLAIN), expected);
    assert_null(strstr(json_object_to_json_string(made), "pw-"));
}

static void refused(const char *words, const char *message, const char *hint)
{
    assert_int_equal(run(words), -1);
    assert_int_equal(err.code, ERROR_USAGE);
    assert_string_equal(err.message, message);
    assert_non_null(strstr(err.hint, hint));
    assert_null(strstr(err.message, "pw-"));
}

static void test_the_ends(void **state)
{
    (void)state;
    spec_is("t|" ENDS, "sinkEndpoint",
            "{\"endpointType\":\"address\",\"address\":\"[fd00::7]:5432\",\"databaseName\":\"e\",\"userName\":\"b\","
            "\"secret\":{\"name\":\"t-credentials\",\"passwordKeyword\":\"sink-password\"}}");
    spec_is("t|" ENDS "?sslmode=disable|--tls|require", "sinkEndpoint",
            "{\"endpointType\":\"address\",\"address\":\"[fd00::7]:5432\",\"databaseName\":\"e\",\"userName\":\"b\","
            "\"secret\":{\"name\":\"t-credentials\",\"passwordKeyword\":\"sink-password\"},\"tls\":{\"mode\":"
            "\"disable\"}}");
    spec_is(
        "t|--source|h:1/d|--source-secret|s,user=u,password=p|--sink|b@i:2/e|--tls|verify-ca|--tls-ca-secret|ca,key=k",
        "sourceEndpoint",
        "{\"endpointType\":\"address\",\"address\":\"h:1\",\"databaseName\":\"d\",\"secret\":{\"name\":\"s\","
        "\"userKeyword\":\"u\","
        "\"passwordKeyword\":\"p\"},\"tls\":{\"mode\":\"verify-ca\",\"caSecret\":{\"name\":\"ca\",\"key\":\"k\"}}}");
    spec_is("t|--source|a@h:1|--sink|b@i:2/e", "sourceEndpoint",
            "{\"endpointType\":\"address\",\"address\":\"h:1\",\"userName\":\"a\"}");
}

static void test_the_secret(void **state)
{
    (void)state;
    assert_int_equal(run("t|" ENDS), 0);
    json_object *secret = create_spec_secret(&input, "shop", "uid-1"), *data = NULL;
    assert_true(json_object_object_get_ex(secret, "stringData", &data));
    assert_string_equal(json_object_to_json_string_ext(data, JSON_C_TO_STRING_PLAIN),
                        "{\"source-password\":\"pw-1\",\"sink-password\":\"pw-2\"}");
    assert_non_null(strstr(json_object_to_json_string_ext(secret, JSON_C_TO_STRING_PLAIN), "\"uid\":\"uid-1\""));
    json_object_put(secret);
    assert_int_equal(run("t|--source|a@h:1/d|--sink|b@i:2/e"), 0);
    assert_null(create_spec_secret(&input, "shop", NULL));
}

static void test_objects_and_steps(void **state)
{
    (void)state;
    spec_is("t|" ENDS "|--migration-object|\"b.y\",\"a\",\"b.x\",\"a.z\",\"c.\"\"D.e\"\"\"", "migrationObj",
            "{\"whiteList\":[{\"schemaName\":\"a\",\"isAll\":true},{\"schemaName\":\"b\",\"isAll\":false,\"tableList\":"
            "[{\"tableName\":\"x\",\"isAll\":true},"
            "{\"tableName\":\"y\",\"isAll\":true}]},{\"schemaName\":\"c\",\"isAll\":false,\"tableList\":[{"
            "\"tableName\":\"D.e\",\"isAll\":true}]}]}");
    spec_is("t|" ENDS, "initialization", "{\"steps\":[\"preCheck\",\"initStruct\",\"initData\"]}");
    spec_is("t|" ENDS "|--steps|init-struct-later=true,precheck=false", "initialization",
            "{\"steps\":[\"initStruct\",\"initData\",\"initStructLater\"]}");
    spec_is("t|" ENDS, "taskType", "\"initialization-and-cdc\"");
    spec_is("t|" ENDS "|--steps|cdc=false", "taskType", "\"initialization\"");
    spec_is("t|" ENDS, "template", "\"apecloud-pg2pg\"");
    assert_false(json_object_object_get_ex(json_object_object_get(made, "spec"), "migrationObj", NULL));
}

static void test_workers(void **state)
{
    (void)state;
    spec_is("t|" ENDS "|--resources|step=precheck,cpu=.5,memory=1e3", "initialization",
            "{\"steps\":[\"preCheck\",\"initStruct\",\"initData\"],\"config\":{\"preCheck\":{\"resource\":{\"limits\":{"
            "\"cpu\":\".5\",\"memory\":\"1e3\"}}}}}");
    spec_is("t|" ENDS "|--resources|\"cpu=1\" , \"step=global,memory=2Gi\"|--resources|ephemeral-storage=1G",
            "globalResources", "{\"limits\":{\"cpu\":\"1\",\"memory\":\"2Gi\",\"ephemeral-storage\":\"1G\"}}");
    spec_is("t|" ENDS "|--tolerations|step=cdc,key=a,effect=NoExecute,tolerationSeconds=30", "cdc",
            "{\"config\":{\"tolerations\":[{\"key\":\"a\",\"effect\":\"NoExecute\",\"tolerationSeconds\":30}]}}");
    refused("t|" ENDS "|--resources|cpu=-1", "--resources: '-1' is no amount such as 500m, 2, 512Mi or 1Gi in 'cpu=-1'",
            "for example");
    refused("t|" ENDS "|--resources|step=cdc", "--resources: nothing but the step is given in 'step=cdc'",
            "for example");
    refused("t|" ENDS "|--resources|\"cpu=1\"\"memory=1\"",
            "--resources: expected a comma between two quoted items in '\"cpu=1\"\"memory=1\"'", "for example");
    refused("t|" ENDS "|--resources|\"cpu=1", "--resources: a quote is not closed in '\"cpu=1'", "for example");
    refused("t|" ENDS "|--tolerations|key=a,operator=equals",
            "--tolerations: operator is neither Exists nor Equal in 'key=a,operator=equals'", "for example");
    refused("t|" ENDS "|--tolerations|key=a,tolerationSeconds=x",
            "--tolerations: tolerationSeconds is no number in 'key=a,tolerationSeconds=x'", "for example");
}

static void test_refusals(void **state)
{
    (void)state;
    refused("|" ENDS, "NAME: its value is empty", "");
    refused("T|" ENDS, "NAME: 'T' cannot be the name of a task", "for example mytask");
    refused("t|--sink|b@i:2", "--source is missing", "--source user:password@");
    refused("t|--source|a:pw-1@h/d|--sink|b@i:2", "--source: the port is missing in 'a@h/d'",
            "--source user:password@");
    refused("t|--source|a:pw-1@:5/d|--sink|b@i:2", "--source: the host is missing in 'a@(default host):5/d'",
            "for example");
    refused("t|--source|a@h:1|--sink|b@i:2?application_name=x", "--sink: a task cannot hold application_name",
            "leave it out");
    refused("t|" ENDS "|--steps|init-data=false",
            "--steps: step init-data is needed, and 'init-data=false' switches it off", "for example");
    refused("t|--source|a@h:1|--source-secret|,user=x|--sink|b@i:2",
            "--source-secret: the name of the Secret is missing in ',user=x'", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_the_ends, teardown),
        cmocka_unit_test_teardown(test_the_secret, teardown),
        cmocka_unit_test_teardown(test_objects_and_steps, teardown),
        cmocka_unit_test_teardown(test_workers, teardown),
        cmocka_unit_test_teardown(test_refusals, teardown),
    };
    if (!freopen("/dev/null", "r", stdin))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
