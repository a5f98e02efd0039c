// SPDX-License-Identifier: Apache-2.0
#include "common/base/buffer.h"
#include "common/base/memory.h"
#include "common/contract/endpoint.h"
#include "test/unit/cmocka_all.h"

// The parsed endpoint as "keyword=value;…", in the order of reading.
static void becomes(const char *text, const char *expected)
{
    auto_buffer Buffer found = {0};
    Endpoint e;
    Error err = {0};
    if (endpoint_parse(text, &e, &err))
        fail_msg("%s: %s", text, err.message);
    for (size_t i = 0; i < e.count; i++)
        buffer_printf(&found, "%s=%s;", e.keywords[i], e.values[i]);
    assert_string_equal(buffer_text(&found), expected);
    if (e.count) {
        assert_null(e.keywords[e.count]);
        assert_null(e.values[e.count]);
    }
    endpoint_free(&e);
}

static void refused(const char *text, const char *part)
{
    Endpoint e;
    Error err = {0};
    if (endpoint_parse(text, &e, &err) == 0)
        fail_msg("%s was taken", text);
    assert_int_equal(err.code, ERROR_USAGE);
    assert_int_equal(e.count, 0);
    assert_null(strstr(err.message, "hunter2"));
    assert_null(strstr(err.hint, "hunter2"));
    if (!strstr(err.message, part) && !strstr(err.hint, part))
        fail_msg("'%s' does not say '%s'", err.message, part);
}

static void test_uri(void **state)
{
    (void)state;
    becomes("postgresql://u:p@h:5432/db", "user=u;password=p;host=h;port=5432;dbname=db;");
    becomes("postgres://u@h/db?sslmode=require&connect_timeout=5",
            "user=u;host=h;dbname=db;sslmode=require;connect_timeout=5;");
    becomes("postgresql://", "");
    becomes("postgresql:///db?host=/var/run", "dbname=db;host=/var/run;");
    becomes("postgresql://%2Ftmp/db", "host=/tmp;dbname=db;");
    becomes("postgresql://u@[::1]:5433/db", "user=u;host=::1;port=5433;dbname=db;");
    becomes("postgresql://a:1,b:2/db", "host=a,b;port=1,2;dbname=db;");
    becomes("postgresql://a,b:2/db", "host=a,b;port=,2;dbname=db;");
    becomes("postgresql://h/db?ssl=true", "host=h;dbname=db;sslmode=require;");
    becomes("postgresql://h:5432/db?user=a@b", "host=h;port=5432;dbname=db;user=a@b;");
}

static void test_password_may_hold_anything(void **state)
{
    (void)state;
    becomes("postgresql://u:p%40ss%2Fw@h/db", "user=u;password=p@ss/w;host=h;dbname=db;");
    becomes("postgresql://u:p@ss@h/db", "user=u;password=p@ss;host=h;dbname=db;");
    becomes("postgresql://u:p:ss@h/db", "user=u;password=p:ss;host=h;dbname=db;");
    becomes("postgresql://u:p/ss@h:5432/db", "user=u;password=p/ss;host=h;port=5432;dbname=db;");
    becomes("postgresql://u:5/ss@h:5432/db", "user=u;password=5/ss;host=h;port=5432;dbname=db;");
    becomes("postgresql://u:p?x=y@h/db", "user=u;password=p?x=y;host=h;dbname=db;");
    becomes("postgresql://u:a@b/c:d@e?f%@h/db", "user=u;password=a@b/c:d@e?f%;host=h;dbname=db;");
    becomes("postgresql://u:100%@h/db", "user=u;password=100%;host=h;dbname=db;");
    becomes("postgresql://u:a%zz%41@h/db", "user=u;password=a%zzA;host=h;dbname=db;");
    becomes("u:a@b:c/d@h:5432/db", "user=u;password=a@b:c/d;host=h;port=5432;dbname=db;");
    becomes("u: #'\"\\=& @h:5432/db", "user=u;password= #'\"\\=& ;host=h;port=5432;dbname=db;");
}

static void test_kubeblocks_address(void **state)
{
    (void)state;
    becomes("user:123456@127.0.0.1:5432/db", "user=user;password=123456;host=127.0.0.1;port=5432;dbname=db;");
    becomes("user@host/db", "user=user;host=host;dbname=db;");
    becomes("user:pw@host", "user=user;password=pw;host=host;");
    becomes("host:5432/db", "host=host;port=5432;dbname=db;");
    becomes("u:p=1@h/db", "user=u;password=p=1;host=h;dbname=db;");
}

static void test_conninfo(void **state)
{
    (void)state;
    becomes("host=h port = 5432 dbname='my db' password='it\\'s' user=u",
            "host=h;port=5432;dbname=my db;password=it's;user=u;");
    becomes("service=prod", "service=prod;");
    becomes("password=a@b:c/d host=h", "password=a@b:c/d;host=h;");
    becomes("host=a host=b", "host=b;");
    becomes("password='' host=h", "host=h;");
}

static void test_refusals_show_nothing(void **state)
{
    (void)state;
    refused("", "empty");
    refused("hunter2", "expected a connection string");
    refused("host=h pasword=hunter2", "did you mean password=?");
    refused("host=h password=my hunter2", "expected keyword=value");
    refused("host=h password='hunter2", "a quote that is not closed at character 17");
    refused("host=h port=hunter2", "a port that is no number");
    refused("u:hunter2@h:70000/db", "outside of 1 to 65535 at character 13");
    refused("u:hunter2@h:54a/db", "a port that is no number");
    refused("u:hunter2@h h/db", "a character that no host name holds");
    refused("postgresql://u:hunter2@[::1/db", "a bracket that is not closed");
    refused("postgresql://u:hunter2@h/db?sslmod=require", "a parameter that libpq does not know");
    refused("postgresql://u:hunter2@h/db/more", "percent-encoded");
    refused("mysql://u:hunter2@h/db", "its scheme is mysql://");
}

static void test_label_and_copy(void **state)
{
    Endpoint e, copy;
    Error err = {0};
    (void)state;
    assert_int_equal(endpoint_parse("postgresql://u:hunter2@h:5432/db", &e, &err), 0);
    auto_free char *label = endpoint_label(&e);
    assert_string_equal(label, "u@h:5432/db");
    endpoint_copy(&e, &copy);
    endpoint_set(&copy, "dbname", "other");
    assert_string_equal(endpoint_get(&e, "dbname"), "db");
    assert_string_equal(endpoint_get(&copy, "dbname"), "other");
    assert_null(endpoint_get(&copy, "sslmode"));
    endpoint_free(&copy);
    endpoint_free(&e);
    auto_free char *nothing = endpoint_label(&e);
    assert_string_equal(nothing, "(default host)");
    endpoint_set(&e, "service", "prod");
    auto_free char *service = endpoint_label(&e);
    assert_string_equal(service, "service prod");
    endpoint_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uri),
        cmocka_unit_test(test_password_may_hold_anything),
        cmocka_unit_test(test_kubeblocks_address),
        cmocka_unit_test(test_conninfo),
        cmocka_unit_test(test_refusals_show_nothing),
        cmocka_unit_test(test_label_and_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
