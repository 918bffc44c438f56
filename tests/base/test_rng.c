/*
 * test_rng.c - the generator is xoshiro256**, and what is made of it is distributed as it says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/rng.h"

static void sequence_is_the_published_one(void **state)
{
    static const uint64_t want[] = {11520, 0, 1509978240, 1215971899390074240};
    dpli_rng rng = {{1, 2, 3, 4}};

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_true(dpli_rng_u64(&rng) == want[i]);
    /* splitmix64 of the seed 1234567. */
    dpli_rng_seed(&rng, 1234567);
    assert_true(rng.s[0] == 6457827717110365317u);
    assert_true(rng.s[1] == 3203168211198807973u);
}

static void below_is_even_and_in_range(void **state)
{
    enum { N = 60000 };
    uint64_t large = (uint64_t)3 << 62;
    int counts[6] = {0}, lower_third = 0;
    dpli_rng rng;

    (void)state;
    dpli_rng_seed(&rng, 3);
    for (int i = 0; i < N; i++) {
        uint64_t x = dpli_rng_below(&rng, 6);

        assert_true(x < 6);
        counts[x]++;
        /* Without drawing again, the lower third of 3/4 of the range would come twice as often. */
        lower_third += dpli_rng_below(&rng, large) < large / 3;
    }
    /* Six standard deviations of a binomial count. */
    for (int i = 0; i < 6; i++)
        assert_true(fabs(counts[i] - N / 6.0) < 6 * sqrt(N * 5 / 36.0));
    assert_true(fabs(lower_third - N / 3.0) < 6 * sqrt(N * 2 / 9.0));
    assert_true(dpli_rng_below(&rng, 1) == 0);
}

static void unit_and_normal_have_their_moments(void **state)
{
    enum { N = 100000 };
    double sum = 0, square = 0, fourth = 0, unit = 0;
    dpli_rng rng;

    (void)state;
    dpli_rng_seed(&rng, 4);
    for (int i = 0; i < N; i++) {
        double u = dpli_rng_unit(&rng), x = dpli_rng_normal(&rng);

        assert_true(u >= 0 && u < 1);
        unit += u;
        sum += x;
        square += x * x;
        fourth += x * x * x * x;
    }
    /* Six standard errors: variances 1/12, 1, 2 and 96. */
    assert_true(fabs(unit / N - 0.5) < 6 * sqrt(1.0 / 12 / N));
    assert_true(fabs(sum / N) < 6 * sqrt(1.0 / N));
    assert_true(fabs(square / N - 1) < 6 * sqrt(2.0 / N));
    assert_true(fabs(fourth / N - 3) < 6 * sqrt(96.0 / N));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequence_is_the_published_one),
        cmocka_unit_test(below_is_even_and_in_range),
        cmocka_unit_test(unit_and_normal_have_their_moments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
