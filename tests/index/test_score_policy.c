/*
 * test_score_policy.c - the one place of acceptance: every side of both thresholds, and everything
 * that is not a number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "doppel/score.h"

static dpl_calibration *table(void)
{
    dpl_calibration *c = NULL;

    assert_int_equal(
        dpl_calibration_parse(&c,
                              "{\"version\":1,\"metric\":\"cosine\",\"pairs\":1000000,\"points\":"
                              "[[0,0.5],[0.2,0.1],[0.5,0.0001],[0.6,0.00001]]}",
                              NULL),
        DPL_OK);
    return c;
}

static void a_score_is_judged_by_the_side_it_lies_on(void **state)
{
    const dpl_policy p = {.decides = 1, .threshold = 0.5f, .reject = 0.3f, .fmr = 1e-4};

    (void)state;
    assert_int_equal(dpl_decide(&p, 1), DPL_DECISION_MATCH);
    assert_int_equal(dpl_decide(&p, FLT_MAX), DPL_DECISION_MATCH);
    assert_int_equal(dpl_decide(&p, 0.5f), DPL_DECISION_MATCH);
    assert_int_equal(dpl_decide(&p, nextafterf(0.5f, 0)), DPL_DECISION_INCONCLUSIVE);
    assert_int_equal(dpl_decide(&p, nextafterf(0.3f, 1)), DPL_DECISION_INCONCLUSIVE);
    assert_int_equal(dpl_decide(&p, 0.3f), DPL_DECISION_NO_MATCH);
    assert_int_equal(dpl_decide(&p, 0), DPL_DECISION_NO_MATCH);
    assert_int_equal(dpl_decide(&p, -FLT_MAX), DPL_DECISION_NO_MATCH);
}

static void a_score_is_accepted_from_its_threshold_on(void **state)
{
    const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};

    (void)state;
    assert_true(dpl_accepts(0.5, 0.5));
    assert_true(dpl_accepts(0.6, 0.5));
    assert_true(dpl_accepts(-DBL_MAX, -(double)INFINITY));
    assert_false(dpl_accepts(nextafter(0.5, 0), 0.5));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(dpl_accepts(bad[i], -DBL_MAX));
        assert_false(dpl_accepts(bad[i], bad[i]));
    }
    assert_false(dpl_accepts(0.5, (double)NAN));
}

static void what_is_not_a_number_never_matches(void **state)
{
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    const float thresholds[] = {-FLT_MAX, -INFINITY, 0, 0.5f, NAN, INFINITY};

    (void)state;
    for (size_t t = 0; t < sizeof thresholds / sizeof thresholds[0]; t++) {
        const dpl_policy p = {.decides = 1, .threshold = thresholds[t], .reject = -INFINITY};

        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
            assert_int_equal(dpl_decide(&p, bad[i]), DPL_DECISION_NO_MATCH);
    }
    /* Nor does a number against a threshold that is none. */
    assert_int_equal(dpl_decide(&(dpl_policy){.decides = 1, .threshold = NAN, .reject = NAN}, 1),
                     DPL_DECISION_NO_MATCH);
    assert_int_equal(
        dpl_decide(&(dpl_policy){.decides = 1, .threshold = INFINITY, .reject = INFINITY}, 1),
        DPL_DECISION_NO_MATCH);
}

static void without_a_wish_and_a_table_nothing_is_decided(void **state)
{
    dpl_policy p;

    (void)state;
    assert_int_equal(dpl_policy_make(&p, NULL, NAN, NAN, NULL), DPL_OK);
    assert_int_equal(p.decides, 0);
    assert_int_equal(dpl_decide(&p, 1), DPL_DECISION_NONE);
    assert_int_equal(dpl_decide(&p, NAN), DPL_DECISION_NONE);
}

static void a_threshold_leaves_no_zone_between(void **state)
{
    dpl_calibration *c = table();
    dpl_policy p;

    (void)state;
    for (int with = 0; with < 2; with++) {
        assert_int_equal(dpl_policy_make(&p, with ? c : NULL, NAN, 0.25, NULL), DPL_OK);
        assert_int_equal(p.decides, 1);
        assert_true(p.threshold == 0.25f && p.reject == 0.25f && isnan(p.fmr));
        assert_true(p.calibration == (with ? c : NULL));
        assert_int_equal(dpl_decide(&p, 0.25f), DPL_DECISION_MATCH);
        assert_int_equal(dpl_decide(&p, nextafterf(0.25f, 0)), DPL_DECISION_NO_MATCH);
    }
    dpl_calibration_free(c);
}

static void a_rate_takes_its_thresholds_from_the_table(void **state)
{
    dpl_calibration *c = table();
    float accept, reject;
    dpl_policy p;

    (void)state;
    assert_int_equal(dpl_policy_make(&p, c, 1e-3, NAN, NULL), DPL_OK);
    assert_int_equal(dpl_calibration_threshold(&accept, &reject, c, 1e-3, NULL), DPL_OK);
    assert_true(p.decides && p.threshold == accept && p.reject == reject && p.fmr == 1e-3);
    assert_true(p.calibration == c);

    assert_int_equal(dpl_policy_make(&p, c, NAN, NAN, NULL), DPL_OK);
    assert_int_equal(dpl_calibration_threshold(&accept, &reject, c, DPL_DEFAULT_FMR, NULL), DPL_OK);
    assert_true(p.decides && p.threshold == accept && p.reject == reject);
    assert_true(p.fmr == DPL_DEFAULT_FMR);
    dpl_calibration_free(c);
}

static void a_wish_that_cannot_be_met_is_refused_and_decides_nothing(void **state)
{
    dpl_calibration *c = table();
    const struct {
        const dpl_calibration *c;
        double fmr, threshold;
    } bad[] = {
        {c, 1e-3, 0.5},     {NULL, 1e-3, 0.5},  {NULL, 1e-3, NAN},  {c, 1e-9, NAN},
        {c, 0, NAN},        {c, 1, NAN},        {c, NAN, INFINITY}, {c, NAN, -INFINITY},
        {NULL, NAN, 1e300}, {c, INFINITY, NAN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        dpl_policy p = {.decides = 1, .threshold = -1};

        assert_int_equal(dpl_policy_make(&p, bad[i].c, bad[i].fmr, bad[i].threshold, NULL),
                         DPL_E_ARGUMENT);
        assert_int_equal(dpl_decide(&p, 1), DPL_DECISION_NONE);
    }
    dpl_calibration_free(c);
}

static void decisions_have_words(void **state)
{
    (void)state;
    assert_string_equal(dpl_decision_words(DPL_DECISION_MATCH), "match");
    assert_string_equal(dpl_decision_words(DPL_DECISION_NO_MATCH), "no match");
    assert_string_equal(dpl_decision_words(DPL_DECISION_INCONCLUSIVE), "inconclusive");
    assert_string_equal(dpl_decision_words(DPL_DECISION_TOO_POOR), "too poor");
    assert_string_equal(dpl_decision_words(DPL_DECISION_NONE), "none");
    assert_string_equal(dpl_decision_words((dpl_decision)77), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_score_is_judged_by_the_side_it_lies_on),
        cmocka_unit_test(a_score_is_accepted_from_its_threshold_on),
        cmocka_unit_test(what_is_not_a_number_never_matches),
        cmocka_unit_test(without_a_wish_and_a_table_nothing_is_decided),
        cmocka_unit_test(a_threshold_leaves_no_zone_between),
        cmocka_unit_test(a_rate_takes_its_thresholds_from_the_table),
        cmocka_unit_test(a_wish_that_cannot_be_met_is_refused_and_decides_nothing),
        cmocka_unit_test(decisions_have_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
