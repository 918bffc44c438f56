/*
 * test_utf8.c - which bytes are characters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

static void the_first_and_last_character_of_each_length_are_read(void **state)
{
    static const struct {
        const char *bytes;
        uint32_t point;
    } cases[] = {
        {"\x01", 0x01},
        {"\x7f", 0x7f},
        {"\xc2\x80", 0x80},
        {"\xdf\xbf", 0x7ff},
        {"\xe0\xa0\x80", 0x800},
        {"\xed\x9f\xbf", 0xd7ff},
        {"\xee\x80\x80", 0xe000},
        {"\xef\xbf\xbf", 0xffff},
        {"\xf0\x90\x80\x80", 0x10000},
        {"\xf4\x8f\xbf\xbf", 0x10ffff},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t point = 0;

        assert_int_equal(dpli_utf8_next(&point, cases[i].bytes), strlen(cases[i].bytes));
        assert_int_equal(point, cases[i].point);
        assert_true(dpli_is_utf8(cases[i].bytes));
    }
}

static void what_only_looks_like_a_character_is_none(void **state)
{
    static const char *const cases[] = {
        "\x80",             /* a continuation alone */
        "\xbf",             /* */
        "\xc3",             /* cut off */
        "\xe2\x82",         /* */
        "\xf0\x9f\x98",     /* */
        "\xc3(",            /* continued by something else */
        "\xc0\x80",         /* longer than need be: the NUL, "/", U+07FF, U+FFFF */
        "\xc0\xaf",         /* */
        "\xe0\x9f\xbf",     /* */
        "\xf0\x8f\xbf\xbf", /* */
        "\xed\xa0\x80",     /* the first and the last surrogate */
        "\xed\xbf\xbf",     /* */
        "\xf4\x90\x80\x80", /* past the last code point */
        "\xf8\x88\x80\x80\x80",
        "\xff",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t point;
        char text[16] = "ab";

        assert_int_equal(dpli_utf8_next(&point, cases[i]), 0);
        assert_false(dpli_is_utf8(cases[i]));
        assert_false(dpli_is_utf8(strcat(text, cases[i])));
    }
}

static void the_end_of_a_text_is_a_character_of_one_byte(void **state)
{
    uint32_t point = 7;

    (void)state;
    assert_int_equal(dpli_utf8_next(&point, ""), 1);
    assert_int_equal(point, 0);
    assert_true(dpli_is_utf8(""));
    assert_true(dpli_is_utf8("Zo\xc3\xab, \xe6\x9d\x8e\xe5\xbe\xb7, \xf0\x9f\x98\x80"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_and_last_character_of_each_length_are_read),
        cmocka_unit_test(what_only_looks_like_a_character_is_none),
        cmocka_unit_test(the_end_of_a_text_is_a_character_of_one_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
