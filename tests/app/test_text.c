/*
 * test_text.c - what is shown of an address of a database is never its password.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/text.h"

static void an_address_is_shown_without_its_password(void **state)
{
    static const struct {
        const char *said, *shown;
    } cases[] = {
        {"postgresql://ann@host/db", "postgresql://ann@host/db"},
        {"postgresql://ann:geheim@host/db", "postgresql://ann@host/db"},
        {"postgres://ann:geheim@host:5432/db", "postgres://ann@host:5432/db"},
        {"postgresql://host:5432/db", "postgresql://host:5432/db"},
        {"postgresql://ann:ge/he@im@host/db", "postgresql://ann@host/db"},
        {"postgresql://ann:ge:heim@host/db?sslmode=require",
         "postgresql://ann@host/db?sslmode=require"},
        {"postgresql:///db?user=ann&password=geheim&host=/tmp",
         "postgresql:///db?user=ann&password=&host=/tmp"},
        {"postgresql:///db?password=geheim", "postgresql:///db?password="},
        {"--gallery=postgresql://ann:geheim@host/db", "--gallery=postgresql://ann@host/db"},
        {"\"postgresql://a:x@h/d\" and postgres://b:y@h/d", "\"postgresql://a@h/d\" and postgres://b@h/d"},
        {"postgres is a word: a@b", "postgres is a word: a@b"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *shown = text_shown(cases[i].said);

        assert_string_equal(shown, cases[i].shown);
        free(shown);
    }
    assert_null(text_public("a folder"));
    assert_null(text_public("postgres"));
}

static void a_field_of_a_line_has_none_either(void **state)
{
    char *line = NULL;
    size_t n;
    FILE *f = open_memstream(&line, &n);
    (void)state;

    text_put_field(f, "postgresql://ann:geheim@host/a\tb");
    assert_int_equal(fclose(f), 0);
    assert_string_equal(line, "postgresql://ann@host/a\\tb");
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_shown_without_its_password),
        cmocka_unit_test(a_field_of_a_line_has_none_either),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
