/*
 * test_tally.c - points of a distribution against the sorted numbers themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "index/tally.h"

#define SEED 20261126

static int falling(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

/* Numbers with a long tail, some of them equal, both signs. */
static float *numbers(size_t n, uint64_t seed)
{
    float *x = malloc(n * sizeof *x);
    dpli_rng rng;

    assert_non_null(x);
    dpli_rng_seed(&rng, seed);
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)dpli_rng_normal(&rng);
        if (i % 3 == 0)
            x[i] = roundf(x[i] * 64) / 64;
    }
    return x;
}

static dpli_tally tally_of(const float *x, size_t n)
{
    dpli_tally t;

    assert_int_equal(dpli_tally_init(&t, NULL), DPL_OK);
    for (size_t i = 0; i < n; i++)
        dpli_tally_add(&t, x[i]);
    dpli_tally_close(&t);
    return t;
}

/* How many of the sorted are at least this. */
static size_t reach(const float *sorted, size_t n, float at)
{
    size_t k = 0;

    while (k < n && sorted[k] >= at)
        k++;
    return k;
}

static void check(const dpli_tally *t, const float *sorted, size_t n, bool exact)
{
    static const double shares[] = {.9, .5, .2, .1, .05, .01, 1e-3, 1e-4, 1e-5};

    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        const size_t most = (size_t)(shares[i] * (double)n);
        float at;

        if (most == 0)
            continue;
        if (!dpli_tally_point(&at, t, shares[i]))
            fail_msg("no point for %g of %zu", shares[i], n);
        const size_t got = reach(sorted, n, at);
        if (got > most || (double)got > shares[i] * (double)n)
            fail_msg("share %g of %zu: %zu reach %g", shares[i], n, got, (double)at);
        assert_int_equal(dpli_tally_count(t, at), got);
        /* The next lower number would be too many. */
        if (exact || most < DPLI_TALLY_TOP)
            assert_true(reach(sorted, n, sorted[got]) > most);
        else
            assert_true((double)got > .97 * (double)most);
    }
}

static void points_are_those_of_the_sorted_numbers(void **state)
{
    static const size_t sizes[] = {20, 1000, DPLI_TALLY_TOP, 5 * DPLI_TALLY_TOP + 7};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        float *x = numbers(sizes[i], SEED + i);
        dpli_tally t = tally_of(x, sizes[i]);

        qsort(x, sizes[i], sizeof *x, falling);
        check(&t, x, sizes[i], sizes[i] <= DPLI_TALLY_TOP);
        dpli_tally_clear(&t);
        free(x);
    }
}

static void parts_merged_are_the_whole(void **state)
{
    const size_t n = 4 * DPLI_TALLY_TOP;
    float *x = numbers(n, SEED);
    dpli_tally whole = tally_of(x, n), part[2];

    (void)state;
    for (int k = 0; k < 2; k++) {
        assert_int_equal(dpli_tally_init(&part[k], NULL), DPL_OK);
        for (size_t i = 0; i < n; i++)
            if ((i % 5 == 0) == k)
                dpli_tally_add(&part[k], x[i]);
    }
    dpli_tally_merge(&part[0], &part[1]);
    dpli_tally_close(&part[0]);
    assert_int_equal(part[0].n, whole.n);
    assert_int_equal(part[0].n_top, whole.n_top);
    assert_memory_equal(part[0].top, whole.top, whole.n_top * sizeof *whole.top);
    qsort(x, n, sizeof *x, falling);
    check(&part[0], x, n, false);
    dpli_tally_clear(&whole);
    dpli_tally_clear(&part[0]);
    dpli_tally_clear(&part[1]);
    free(x);
}

static void equal_numbers_are_all_taken_or_none(void **state)
{
    float x[100], at;
    dpli_tally t;

    (void)state;
    for (int i = 0; i < 100; i++)
        x[i] = i < 30 ? 1.0F : .5F;
    t = tally_of(x, 100);
    assert_false(dpli_tally_point(&at, &t, .2)); /* 30 at once are too many */
    assert_true(dpli_tally_point(&at, &t, .5));
    assert_true(at == 1.0F);
    dpli_tally_clear(&t);
}

static void what_is_not_a_number_counts_and_reaches_nothing(void **state)
{
    float x[100], at;
    dpli_tally t;

    (void)state;
    for (int i = 0; i < 100; i++)
        x[i] = i % 2 ? NAN : (float)i;
    t = tally_of(x, 100);
    assert_int_equal(t.n, 100);
    assert_true(dpli_tally_point(&at, &t, .1));
    assert_true(at == 80.0F); /* 98, 96, …: ten of them */
    dpli_tally_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_are_those_of_the_sorted_numbers),
        cmocka_unit_test(parts_merged_are_the_whole),
        cmocka_unit_test(equal_numbers_are_all_taken_or_none),
        cmocka_unit_test(what_is_not_a_number_counts_and_reaches_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
