/*
 * test_calibrate_pairs.c - a calibration of given pairs: its rates are those of the pairs, its
 * bounds hold them, and what a list does not support is refused.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "doppel/calibrate.h"

enum { N_TWO = 20000, N_ONE = 3000, N = N_TWO + N_ONE };

static dpl_error err;
static float scores[N];
static bool same[N];

static dpl_head *cosine(void)
{
    dpl_head *head;

    assert_int_equal(dpl_head_new(&head, DPL_HEAD_COSINE, 4, NULL, 0, &err), DPL_OK);
    return head;
}

/* Of two even over 0..1, of one even over 0.5..1.5; in steps of 1 / n_steps, so that some are
 * equal. */
static void draw(uint64_t seed, int n_steps)
{
    dpli_rng rng;

    dpli_rng_seed(&rng, seed);
    for (int i = 0; i < N; i++) {
        const double even = floor(dpli_rng_unit(&rng) * n_steps) / n_steps;

        same[i] = i % 23 < 3;
        scores[i] = (float)(same[i] ? 0.5 + even : even);
    }
}

static double share_at(double at)
{
    int n = 0, n_at = 0;

    for (int i = 0; i < N; i++)
        if (!same[i]) {
            n++;
            n_at += (double)scores[i] >= at;
        }
    return (double)n_at / n;
}

static void rates_are_those_of_the_pairs(void **state)
{
    dpl_head *head = cosine();

    (void)state;
    for (int n_steps = 100; n_steps <= 1000000; n_steps *= 100) {
        dpl_calibrated_pairs c;
        dpl_calibration *calibration;
        float accept, reject;

        draw((uint64_t)n_steps, n_steps);
        assert_int_equal(dpl_calibrate_pairs(&c, scores, same, N, head, 0.05, "drawn", &err),
                         DPL_OK);
        assert_int_equal(c.n_same + c.n_pairs, N);
        assert_int_equal(dpl_calibration_parse(&calibration, c.json, &err), DPL_OK);
        assert_int_equal(dpl_calibration_pairs(calibration), c.n_pairs);
        assert_string_equal(dpl_calibration_source(calibration), "drawn");
        assert_int_equal(dpl_calibration_genuine_pairs(calibration), c.n_same);
        for (double at = 0.05; at < 0.95; at += 0.05) {
            const dpl_rate rate = dpl_calibration_fmr(calibration, (float)at);
            const double measured = share_at(at);

            /* Between points it is log-linear: within a step of them, an eighth. */
            assert_true(fabs(rate.rate / measured - 1) < 0.13);
            assert_true(rate.low <= rate.rate && rate.rate <= rate.high);
        }
        assert_int_equal(dpl_calibration_threshold(&accept, &reject, calibration, 0.05, &err),
                         DPL_OK);
        assert_true(share_at((double)accept) <= 0.05 && share_at((double)accept) > 0.03);
        assert_true(fabs(dpl_calibration_fnmr(calibration, 1.0f) - 0.5) < 0.05);
        dpl_calibration_free(calibration);
        dpl_calibrated_pairs_clear(&c);
    }
    dpl_head_free(head);
}

static void what_a_list_does_not_support_is_refused(void **state)
{
    dpl_head *head = cosine();
    dpl_calibrated_pairs c;

    (void)state;
    draw(7, 1000000);
    assert_int_equal(dpl_calibrate_pairs(&c, scores, same, N, head, 1e-4, NULL, &err), DPL_E_INPUT);
    assert_non_null(strstr(err.message, "about 184000 pairs that are not the same are needed"));
    assert_null(c.json);
    assert_int_equal(dpl_calibrate_pairs(&c, scores, same, 40, head, 0.5, NULL, &err), DPL_E_INPUT);
    assert_non_null(strstr(err.message, "50 pairs or more"));
    scores[11] = NAN;
    assert_int_equal(dpl_calibrate_pairs(&c, scores, same, N, head, 0.1, NULL, &err), DPL_E_INPUT);
    assert_string_equal(err.message, "the score of pair 12 is not finite");
    /* All alike: nothing tells them apart. */
    for (int i = 0; i < N; i++)
        scores[i] = 0.25f;
    assert_int_equal(dpl_calibrate_pairs(&c, scores, same, N, head, 0.1, NULL, &err), DPL_E_INPUT);
    assert_non_null(strstr(err.message, "have one and the same score: they support 1"));
    dpl_head_free(head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_those_of_the_pairs),
        cmocka_unit_test(what_a_list_does_not_support_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
