// SPDX-License-Identifier: Apache-2.0
// What a statement of pg_dump makes, read from its first words.
#include "engine/structure/statement.h"
#include "test/unit/cmocka_all.h"

static void understood(const char *type, const char *identity, const char *text, const char *first, const char *second)
{
    TocType toc_type = {.name = type};
    TocEntry e = {.type = &toc_type, .identity = identity};
    auto_statement_object StatementObject object = {0};

    statement_object(&e, text, &object);
    assert_non_null(object.sql);
    assert_string_equal(object.names[0], first);
    assert_int_equal(object.name_count, second ? 2 : 1);
    if (second)
        assert_string_equal(object.names[1], second);
}

static void not_understood(const char *type, const char *text)
{
    TocType toc_type = {.name = type};
    TocEntry e = {.type = &toc_type};
    auto_statement_object StatementObject object = {0};

    statement_object(&e, text, &object);
    assert_null(object.sql);
}

static void test_forms(void **state)
{
    (void)state;
    understood("SCHEMA", NULL, "\nCREATE SCHEMA \"a \"\"b\";", "a \"b", NULL);
    understood("EXTENSION", NULL, "CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA public;", "hstore", NULL);
    understood("TABLE", NULL, "CREATE TABLE app.t (\n a integer);", "app.t", NULL);
    understood("TABLE", NULL, "CREATE UNLOGGED TABLE \"A\".\"t\nx\" (", "\"A\".\"t\nx\"", NULL);
    understood("SEQUENCE", NULL, "CREATE SEQUENCE app.s\n START WITH 1", "app.s", NULL);
    understood("SEQUENCE", NULL, "ALTER TABLE app.t ALTER COLUMN \"I d\" ADD GENERATED", "app.t", "I d");
    understood("DEFAULT", NULL, "ALTER TABLE ONLY app.t ALTER COLUMN id SET DEFAULT 1;", "app.t", "id");
    understood("INDEX", NULL, "CREATE UNIQUE INDEX \"o i\" ON ONLY app.t USING btree (a);", "app.t", "o i");
    understood("CONSTRAINT", NULL, "ALTER TABLE ONLY app.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (id);", "app.t",
               "t_pkey");
    understood("FK CONSTRAINT", NULL, "ALTER TABLE app.t\n    ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES app.u(b);",
               "app.t", "f");
    understood("CHECK CONSTRAINT", NULL, "ALTER DOMAIN app.d\n    ADD CONSTRAINT c CHECK (true) NOT VALID;", "app.d",
               "c");
    understood("TRIGGER", NULL, "CREATE TRIGGER x BEFORE UPDATE OF a, \"ON\" ON app.t FOR EACH ROW", "app.t", "x");
    understood("TRIGGER", NULL, "CREATE CONSTRAINT TRIGGER x AFTER INSERT ON app.t DEFERRABLE", "app.t", "x");
    understood("RULE", NULL, "CREATE RULE r AS\n    ON DELETE TO app.t DO INSTEAD NOTHING;", "app.t", "r");
    understood("POLICY", NULL, "CREATE POLICY p ON app.t USING ((a > 0));", "app.t", "p");
    understood("STATISTICS", NULL, "CREATE STATISTICS app.s ON a, b FROM app.t;", "app", "s");
    understood("TABLE ATTACH", NULL, "ALTER TABLE ONLY app.p ATTACH PARTITION app.p1 DEFAULT;", "app.p", "app.p1");
    understood("INDEX ATTACH", NULL, "ALTER INDEX app.i ATTACH PARTITION app.i1;", "app.i", "app.i1");
    understood("FUNCTION", "FUNCTION app.f(integer, text)",
               "CREATE FUNCTION app.f(a integer, OUT b int, c text) RETURNS", "app.f(integer, text)", NULL);
    understood("FUNCTION", "FUNCTION app.f x(integer)", "CREATE FUNCTION app.\"f x\"(integer) RETURNS",
               "app.\"f x\"(integer)", NULL);
    understood("MATERIALIZED VIEW", NULL, "CREATE MATERIALIZED VIEW app.m AS", "app.m", NULL);
    understood("ROW SECURITY", NULL, "ALTER TABLE app.t ENABLE ROW LEVEL SECURITY;", "app.t", NULL);
}

static void test_what_is_no_such_statement(void **state)
{
    (void)state;
    not_understood("SCHEMA",
                   "\n-- *not* creating schema, since initdb creates it\n\n\nALTER SCHEMA public OWNER TO x;");
    not_understood("RULE", "CREATE OR REPLACE VIEW app.v AS SELECT 1;");
    not_understood("TABLE", "CREATE TABLE unqualified (");
    not_understood("TABLE", "");
    not_understood("TABLE", "CREATE TABLE \"a\".\"b");
    not_understood("TRIGGER", "CREATE TRIGGER x BEFORE UPDATE");
    not_understood("OPERATOR", "CREATE OPERATOR app.+ (");
}

static void test_is_there(void **state)
{
    (void)state;
    assert_true(statement_is_there("\n-- x\nSELECT 1;"));
    assert_false(statement_is_there("\n-- x\n\n"));
    assert_false(statement_is_there(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_what_is_no_such_statement),
        cmocka_unit_test(test_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
