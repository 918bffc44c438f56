/*
 * test_fail.c - messages are cut and named as promised; every status has words and an exit code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "base/fail.h"

static void fail_writes_status_and_words(void **state)
{
    dpl_error err = {DPL_OK, "untouched"};

    (void)state;
    assert_int_equal(dpli_fail(&err, DPL_E_LIMIT, "%d is over %d", 3, 2), DPL_E_LIMIT);
    assert_int_equal(err.status, DPL_E_LIMIT);
    assert_string_equal(err.message, "3 is over 2");
    assert_int_equal(dpli_fail(NULL, DPL_E_LIMIT, "%d", 3), DPL_E_LIMIT);
}

static void fail_may_quote_the_message_that_it_replaces(void **state)
{
    dpl_error err = {DPL_E_INPUT, "is empty"};

    (void)state;
    dpli_fail(&err, DPL_E_INPUT, "photo %s, so what", err.message);
    assert_string_equal(err.message, "photo is empty, so what");
}

static void long_message_ends_on_a_whole_character(void **state)
{
    static const char *const characters[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};

    (void)state;
    for (size_t c = 0; c < 4; c++)
        for (size_t lead = 0; lead < 4; lead++) {
            const size_t n = strlen(characters[c]);
            char text[1024] = "";
            dpl_error err;

            memset(text, '-', lead);
            for (size_t i = lead; i + n < sizeof text; i += n)
                memcpy(text + i, characters[c], n + 1);
            dpli_fail(&err, DPL_E_INPUT, "%s", text);
            assert_int_equal((strlen(err.message) - lead) % n, 0);
            assert_true(strlen(err.message) > sizeof err.message - 1 - n);
            assert_memory_equal(err.message, text, strlen(err.message));
        }
}

static void errno_is_said_and_lack_of_memory_keeps_its_status(void **state)
{
    dpl_error err;

    (void)state;
    assert_int_equal(dpli_fail_errno(&err, DPL_E_SYSTEM, ENOENT, "cannot open %s", "it"),
                     DPL_E_SYSTEM);
    assert_string_equal(err.message, "cannot open it: No such file or directory");
    assert_int_equal(dpli_fail_errno(&err, DPL_E_SYSTEM, ENOMEM, "x"), DPL_E_MEMORY);
    assert_int_equal(err.status, DPL_E_MEMORY);
    assert_int_equal(dpli_fail_errno(NULL, DPL_E_SYSTEM, ENOMEM, "x"), DPL_E_MEMORY);
}

static void name_goes_before_the_message_and_leaves_room_for_it(void **state)
{
    dpl_error err;
    char path[2000];

    (void)state;
    dpli_fail(&err, DPL_E_INPUT, "is empty");
    assert_int_equal(dpli_fail_in(&err, DPL_E_INPUT, "a.jpg"), DPL_E_INPUT);
    assert_string_equal(err.message, "\"a.jpg\": is empty");

    memset(path, 'd', sizeof path);
    strcpy(path + sizeof path - 12, "/photo.jpeg");
    dpli_fail(&err, DPL_E_INPUT, "is empty");
    dpli_fail_in(&err, DPL_E_INPUT, path);
    assert_non_null(strstr(err.message, "/photo.jpeg\": is empty"));
    assert_memory_equal(err.message, "\"...d", 5);
}

static void every_status_has_name_words_and_exit_code(void **state)
{
    (void)state;
    assert_string_equal(dpl_status_name(DPL_OK), "OK");
    assert_string_equal(dpl_status_name(DPL_E_NO_FACE), "E_NO_FACE");
    assert_string_equal(dpl_status_words(DPL_E_MEMORY), "out of memory");
    assert_int_equal(dpl_status_exit_code(DPL_OK), 0);
    assert_int_equal(dpl_status_exit_code(DPL_E_NOT_FOUND), 1);
    assert_int_equal(dpl_status_exit_code(DPL_E_ARGUMENT), 2);
    assert_int_equal(dpl_status_exit_code(DPL_E_LIMIT), 3);
    assert_int_equal(dpl_status_exit_code(DPL_E_LOCKED), 4);
    assert_int_equal(dpl_status_exit_code(DPL_E_SYSTEM), 5);
    assert_int_equal(dpl_status_exit_code(DPL_E_BUG), 70);
    assert_int_equal(dpl_status_exit_code(DPL_E_CANCELLED), 130);
    assert_int_equal(dpl_status_exit_code((dpl_status)999), 70);
    assert_non_null(dpl_status_words((dpl_status)999));
    assert_non_null(dpl_status_name((dpl_status)999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_writes_status_and_words),
        cmocka_unit_test(fail_may_quote_the_message_that_it_replaces),
        cmocka_unit_test(long_message_ends_on_a_whole_character),
        cmocka_unit_test(errno_is_said_and_lack_of_memory_keeps_its_status),
        cmocka_unit_test(name_goes_before_the_message_and_leaves_room_for_it),
        cmocka_unit_test(every_status_has_name_words_and_exit_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
