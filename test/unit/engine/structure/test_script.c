// SPDX-License-Identifier: Apache-2.0
// Cutting pg_restore's script: headers count outside of strings, names and comments only.
#include "engine/structure/script.h"
#include "test/unit/cmocka_all.h"

typedef struct Fixture {
    Toc toc;
    Arena arena;
    FILE *script;
} Fixture;

static FILE *file_of(const char *text)
{
    FILE *file = tmpfile();
    fputs(text, file);
    rewind(file);
    return file;
}

static int split(Fixture *f, const char *list, const char *script, Error *err)
{
    *f = (Fixture){0};
    assert_int_equal(toc_load(file_of(list), &f->toc, err), 0);
    for (size_t i = 0; i < f->toc.count; i++)
        f->toc.entries[i].wanted = true;
    f->script = file_of(script);
    return script_split(f->script, &f->toc, &f->arena, err);
}

static void done(Fixture *f)
{
    toc_free(&f->toc);
    arena_free(&f->arena);
    fclose(f->script);
}

static void assert_text(const Fixture *f, int32_t id, const char *identity, const char *text)
{
    auto_buffer Buffer got = {0};
    Error err = {0};
    const TocEntry *e = toc_find(&f->toc, id);
    assert_int_equal(script_read(f->script, e, &got, &err), 0);
    assert_string_equal(buffer_text(&got) + strspn(buffer_text(&got), "\n"), text);
    assert_string_equal(e->identity, identity);
}

#define HEADER(id, name, type)                                                                                         \
    "--\n-- TOC entry " #id " (class 1 OID 1)\n-- Dependencies: 9\n-- Name: " name "; Type: " type                     \
    "; Schema: app; Owner: postgres\n-- Data Pos: 0\n--\n\n"
#define LIST     "1; 1259 1 TABLE app t postgres\n2; 0 0 COMMENT app TABLE t postgres\n3; 1259 3 INDEX app i postgres\n"
#define PREAMBLE "--\n-- PostgreSQL database dump\n--\n\n\\restrict it's\n\nSET client_encoding = 'UTF8';\n\n"
#define END      "-- Completed on 2026-01-01\n\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict it's\n\n"

static void test_plain(void **state)
{
    Fixture f;
    Error err = {0};
    (void)state;
    assert_int_equal(
        split(&f, LIST,
              PREAMBLE HEADER(
                  1, "t",
                  "TABLE") "CREATE TABLE app.t (\n    a integer\n);\n\n\n"
                           "SET default_tablespace = '';\n\nSET default_table_access_method = heap;\n\n" HEADER(
                               2, "TABLE t",
                               "COMMENT") "COMMENT ON TABLE app.t IS 'x';\n\n\n" HEADER(3, "i",
                                                                                        "INDEX") "CREATE INDEX i ON "
                                                                                                 "app.t USING btree "
                                                                                                 "(a);\n\n\n" END,
              &err),
        0);
    assert_text(&f, 1, "TABLE app.t", "CREATE TABLE app.t (\n    a integer\n);");
    assert_text(&f, 2, "COMMENT app.TABLE t", "COMMENT ON TABLE app.t IS 'x';");
    assert_text(&f, 3, "INDEX app.i", "CREATE INDEX i ON app.t USING btree (a);");
    done(&f);
}

// Each of these holds what looks like the header of the next entry.
static void test_text_that_looks_like_a_header(void **state)
{
    static const char *const BODIES[] = {
        "COMMENT ON TABLE app.t IS 'x''\n" HEADER(3, "i", "INDEX") "DROP TABLE app.t;';",
        "COMMENT ON TABLE app.t IS E'x\\'\n" HEADER(3, "i", "INDEX") "DROP TABLE app.t;';",
        "COMMENT ON TABLE app.t IS E'x\\\\';\n-- it's over\nCOMMENT ON TABLE app.\"t\n" HEADER(3, "i",
                                                                                               "INDEX") "\" IS '';",
        "CREATE FUNCTION f() AS $a$ ' $b$ \" \n" HEADER(3, "i", "INDEX") "$a$;",
        "CREATE FUNCTION f() AS $$\n" HEADER(3, "i", "INDEX") "\n\\unrestrict\n$$;",
        "SELECT a$b$, 'x$b$\n" HEADER(3, "i", "INDEX") "';",
        "SELECT 1 /* /* ' */ \n" HEADER(3, "i", "INDEX") "*/;",
        "SELECT $1 + $2, '\n" HEADER(3, "i", "INDEX") "';",
        "COMMENT ON TABLE app.\"\xC3\xBC$x$\" IS '\n" HEADER(3, "i", "INDEX") "$x$';",
    };
    (void)state;
    for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; i++) {
        Fixture f;
        Error err = {0};
        auto_buffer Buffer script = {0};
        buffer_printf(&script, PREAMBLE HEADER(1, "t", "TABLE") "A;\n\n" HEADER(2, "TABLE t", "COMMENT") "%s\n\n",
                      BODIES[i]);
        buffer_puts(&script, HEADER(3, "i", "INDEX") "CREATE INDEX i;\n\n" END);
        assert_int_equal(split(&f, LIST, script.data, &err), 0);
        assert_text(&f, 2, "COMMENT app.TABLE t", BODIES[i]);
        assert_text(&f, 3, "INDEX app.i", "CREATE INDEX i;");
        done(&f);
    }
}

static void test_missing_entry(void **state)
{
    Fixture f;
    Error err = {0};
    (void)state;
    assert_int_equal(split(&f, LIST, PREAMBLE HEADER(1, "t", "TABLE") "A;\n" END, &err), -1);
    assert_int_equal(err.code, ERROR_PROTOCOL);
    done(&f);
}

static void test_odd_names(void **state)
{
    Fixture f;
    Error err = {0};
    (void)state;
    assert_int_equal(split(&f, "1; 1259 1 TABLE app t postgres\n",
                           HEADER(1, "a; Owner: b; Type: c", "TABLE") "CREATE TABLE x ();\n", &err),
                     0);
    assert_text(&f, 1, "TABLE app.a; Owner: b; Type: c", "CREATE TABLE x ();");
    done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_text_that_looks_like_a_header),
        cmocka_unit_test(test_missing_entry),
        cmocka_unit_test(test_odd_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
