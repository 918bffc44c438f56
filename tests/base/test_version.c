/*
 * test_version.c - the version at run time is the one that the header states.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "doppel/version.h"

static void version_at_run_time_is_the_headers_version(void **state)
{
    (void)state;
    assert_string_equal(dpl_version(), DPL_VERSION);
}

static void version_string_is_made_of_the_three_numbers(void **state)
{
    char buf[64];

    (void)state;
    snprintf(buf, sizeof buf, "%d.%d.%d", DPL_VERSION_MAJOR, DPL_VERSION_MINOR, DPL_VERSION_PATCH);
    assert_string_equal(DPL_VERSION, buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_at_run_time_is_the_headers_version),
        cmocka_unit_test(version_string_is_made_of_the_three_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
