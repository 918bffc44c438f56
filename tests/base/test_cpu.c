/*
 * test_cpu.c - a function for each processor level is called at the level that is in use, which
 * DOPPEL_CPU can lower. The build runs this once a level, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"

static uintptr_t called_from;

__attribute__((noinline)) static void note(void)
{
    called_from = (uintptr_t)__builtin_return_address(0);
    __asm__ volatile("" ::: "memory");
}

DPLI_EACH_CPU(static, int, twice, (int x), (x))
{
    note();
    return 2 * x;
}

DPLI_EACH_CPU_TO_AVX2(static, int, thrice, (int x), (x))
{
    note();
    return 3 * x;
}

static void the_level_in_use_is_the_one_called(void **state)
{
#if defined(__x86_64__)
    const uintptr_t starts[] = {(uintptr_t)twice_baseline, (uintptr_t)twice_avx2,
                                (uintptr_t)twice_avx512};
    int at = -1;

    (void)state;
    assert_int_equal(twice(21), 42);
    /* It lies in the one of the three that starts last before it. */
    for (int i = 0; i < 3; i++) {
        if (starts[i] <= called_from && (at < 0 || starts[i] > starts[at]))
            at = i;
    }
    assert_int_equal(at, dpli_cpu_level());
    assert_int_equal(thrice(14), 42);
    at = called_from >= (uintptr_t)thrice_avx2 &&
         ((uintptr_t)thrice_avx2 > (uintptr_t)thrice_baseline ||
          called_from < (uintptr_t)thrice_baseline);
    assert_int_equal(at, dpli_cpu_level() >= DPLI_CPU_AVX2);
#else
    (void)state;
    assert_int_equal(twice(21), 42);
    assert_int_equal(thrice(14), 42);
#endif
}

static void the_environment_lowers_the_level(void **state)
{
    const char *asked = getenv("DOPPEL_CPU");
    dpli_cpu most = DPLI_CPU_AVX512;

    (void)state;
    if (asked && strcmp(asked, "baseline") == 0)
        most = DPLI_CPU_BASELINE;
    if (asked && strcmp(asked, "avx2") == 0)
        most = DPLI_CPU_AVX2;
    assert_true(dpli_cpu_level() <= most);
}

#if defined(__aarch64__)

static int is_found(dpli_bytes bytes, dpli_narrow narrow)
{
    return dpli_cpu_bytes() == bytes && dpli_cpu_narrow() == narrow;
}

/* Which processor it is, qemu says by QEMU_CPU: of ARMv8.0, of 8.2, or one that has everything. */
static void what_arm_has_is_found(void **state)
{
    const char *processor = getenv("QEMU_CPU"), *asked = getenv("DOPPEL_CPU");

    (void)state;
    assert_int_equal(dpli_cpu_level(), DPLI_CPU_BASELINE);
    if (!processor)
        skip();
    if (strcmp(processor, "cortex-a53") == 0 || (asked && strcmp(asked, "baseline") == 0))
        assert_true(is_found(DPLI_BYTES_BASELINE, DPLI_NARROW_NONE));
    else if (strcmp(processor, "cortex-a76") == 0 || (asked && strcmp(asked, "dotprod") == 0))
        assert_true(is_found(DPLI_BYTES_DOTPROD, DPLI_NARROW_NONE));
    else if (asked && strcmp(asked, "i8mm") == 0)
        assert_true(is_found(DPLI_BYTES_I8MM, DPLI_NARROW_NONE));
    else
        assert_true(is_found(DPLI_BYTES_I8MM, DPLI_NARROW_NEON));
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_level_in_use_is_the_one_called),
        cmocka_unit_test(the_environment_lowers_the_level),
#if defined(__aarch64__)
        cmocka_unit_test(what_arm_has_is_found),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
