/*
 * test_score_calibration.c - the binomial bounds against known values, tables read or refused,
 * rates between and beyond a table's points, thresholds that keep what they promise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/rng.h"
#include "doppel/score.h"
#include "index/binomial.h"

#define SEED 20240612

static void close_to(double got, double want, double relative, const char *what)
{
    if (!(fabs(got - want) <= relative * fabs(want)))
        fail_msg("%s: %.12g, not %.12g", what, got, want);
}

static dpl_calibration *parse(const char *json)
{
    dpl_calibration *c = NULL;
    dpl_error err = {0};

    if (dpl_calibration_parse(&c, json, &err))
        fail_msg("%s", err.message);
    return c;
}

/* ------------------------------------------------------------------ bounds */

/* Closed forms: I_x(a, 1) = x^a, I_x(1, b) = 1 - (1-x)^b, I_x(a, a) at 1/2 = 1/2, and the binomial
   tail: I_p(k, n - k + 1) = P(X >= k). */
static void incomplete_beta_agrees_with_its_closed_forms(void **state)
{
    static const double xs[] = {1e-9, 1e-3, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999};

    (void)state;
    for (size_t i = 0; i < sizeof xs / sizeof xs[0]; i++) {
        for (double a = 0.5; a < 2000; a *= 3) {
            if (pow(xs[i], a) > 1e-250)
                close_to(dpli_incomplete_beta(xs[i], a, 1), pow(xs[i], a), 1e-10, "I_x(a, 1)");
            assert_true(fabs(dpli_incomplete_beta(xs[i], 1, a) + expm1(a * log1p(-xs[i]))) < 1e-12);
            assert_true(fabs(dpli_incomplete_beta(0.5, a, a) - 0.5) < 1e-11);
        }
        double tail = 0;
        for (int k = 20; k >= 7; k--)
            tail += exp(lgamma(21) - lgamma(k + 1) - lgamma(21 - k) + k * log(xs[i]) +
                        (20 - k) * log1p(-xs[i]));
        close_to(dpli_incomplete_beta(xs[i], 7, 14), tail, 1e-9, "binomial tail");
    }
    assert_true(dpli_incomplete_beta(0, 2, 3) == 0 && dpli_incomplete_beta(1, 2, 3) == 1);
}

static void binomial_bounds_agree_with_known_values(void **state)
{
    /* The binomial sums themselves, halved to their roots in 60 decimal digits. */
    static const struct {
        double k, n, low, high;
    } known[] = {
        {0, 10, 0, 0.308497107818761},
        {10, 10, 0.691502892181239, 1},
        {1, 10, 0.00252857854446178, 0.445016117028195},
        {5, 10, 0.187086028447399, 0.812913971552601},
        {10, 100, 0.0490046892214860, 0.176222597740023},
        {3, 1000, 0.000619099931649571, 0.00874202323847830},
        {100, 1000, 0.0821053343555800, 0.120287936518693},
    };
    double low, high;

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        dpli_binomial_bounds(&low, &high, known[i].k / known[i].n, known[i].n);
        close_to(low, known[i].low, 1e-11, "low");
        close_to(high, known[i].high, 1e-11, "high");
    }
    for (double n = 1; n < 1e13; n *= 10) {
        dpli_binomial_bounds(&low, &high, 0, n);
        assert_true(low == 0);
        /* 1 minus the rate is what the arithmetic holds: of a rate of 1/n it has lost n units. */
        close_to(high, -expm1(log(0.025) / n), 1e-12 + n * DBL_EPSILON, "none of n");
        dpli_binomial_bounds(&low, &high, 1, n);
        close_to(low, exp(log(0.025) / n), 1e-12, "all of n");
        assert_true(high == 1);
    }
    /* Few of very many is Poisson's case: 5 seen, bounds of the mean 1.62348639012 and
       11.6683320793. */
    dpli_binomial_bounds(&low, &high, 5e-12, 1e12);
    close_to(low, 1.62348639012e-12, 1e-4, "Poisson low");
    close_to(high, 11.6683320793e-12, 1e-4, "Poisson high");
}

static void binomial_bounds_do_not_jump_where_the_closed_form_takes_over(void **state)
{
    static const double ns[] = {2.1e4, 1e5, 1e7, 1e12};

    (void)state;
    for (size_t i = 0; i < sizeof ns / sizeof ns[0]; i++) {
        double n = ns[i], low[2], high[2];

        dpli_binomial_bounds(&low[0], &high[0], 10000 / n, n);
        dpli_binomial_bounds(&low[1], &high[1], 10000.001 / n, n);
        close_to(low[0], low[1], 1e-4, "low");
        close_to(high[0], high[1], 1e-4, "high");
    }
}

static void bounds_hold_the_rate_whatever_the_count(void **state)
{
    dpli_rng rng;

    (void)state;
    printf("seed %d\n", SEED);
    dpli_rng_seed(&rng, SEED);
    for (int i = 0; i < 2000; i++) {
        double n = floor(exp(dpli_rng_unit(&rng) * 36)), low, high;
        double rate = i % 3 ? exp(-dpli_rng_unit(&rng) * 36) : dpli_rng_unit(&rng);

        dpli_binomial_bounds(&low, &high, rate, n);
        if (!(0 <= low && low <= rate && rate <= high && high <= 1))
            fail_msg("rate %.17g of %.0f: bounds %.17g %.17g", rate, n, low, high);
    }
}

/* ------------------------------------------------------------------ reading */

#define HEAD "{\"version\":1,\"metric\":\"cosine\",\"pairs\":1000,\"source\":\"s\",\"points\":"

static void a_table_is_read(void **state)
{
    dpl_calibration *c = parse(HEAD "[[0.1,0.5],[0.2,0.1],[0.5,0.002,0.001,0.005]]}");
    dpl_rate r = dpl_calibration_fmr(c, 0.5f);

    (void)state;
    assert_true(dpl_calibration_pairs(c) == 1000);
    assert_string_equal(dpl_calibration_source(c), "s");
    assert_true(r.rate == 0.002 && r.low == 0.001 && r.high == 0.005 && !r.beyond);
    /* 100 of 1000, as above */
    r = dpl_calibration_fmr(c, 0.2f);
    close_to(r.low, 0.0821053343555800, 1e-11, "low");
    close_to(r.high, 0.120287936518693, 1e-11, "high");
    dpl_calibration_free(c);
    dpl_calibration_free(NULL);
}

static void what_is_not_a_table_is_refused_with_the_place(void **state)
{
    static const char *const bad[][2] = {
        {"", "line 1"},
        {"[]", "\"version\""},
        {"{\"version\":1", "line 1"},
        {"{\"version\":2,\"metric\":\"cosine\",\"pairs\":1,\"points\":[[0,1]]}", "\"version\""},
        {"{\"version\":1.0,\"metric\":\"cosine\",\"pairs\":1,\"points\":[[0,1]]}", "\"version\""},
        {"{\"version\":1,\"metric\":7,\"pairs\":1,\"points\":[[0,1]]}", "\"metric\""},
        {"{\"version\":1,\"metric\":\"cosine\",\"pairs\":0,\"points\":[[0,1]]}", "\"pairs\""},
        {"{\"version\":1,\"metric\":\"cosine\",\"pairs\":-5,\"points\":[[0,1]]}", "\"pairs\""},
        {"{\"version\":1,\"metric\":\"cosine\",\"pairs\":1e3,\"points\":[[0,1]]}", "\"pairs\""},
        {"{\"version\":1,\"metric\":\"cosine\",\"pairs\":1000000000001,\"points\":[[0,1]]}",
         "\"pairs\""},
        {"{\"version\":1,\"metric\":\"cosine\",\"pairs\":1,\"source\":3,\"points\":[[0,1]]}",
         "\"source\""},
        {"{\"version\":1,\"metric\":\"cosine\",\"pairs\":1,\"pairs\":9,\"points\":[[0,1]]}",
         "duplicate"},
        {HEAD "[]}", "\"points\""},
        {HEAD "7}", "\"points\""},
        {HEAD "[[0,1],7]}", "point 2"},
        {HEAD "[[0,1],[1]]}", "point 2"},
        {HEAD "[[0,1],[1,0.1,0.1]]}", "point 2"},
        {HEAD "[[0,1],[\"1\",0.1]]}", "point 2"},
        {HEAD "[[0,1],[1,null]]}", "point 2"},
        {HEAD "[[0,1],[1e39,0.1]]}", "out of range"},
        {HEAD "[[0,1],[1,1e400]]}", "line 1"},
        {HEAD "[[0,1.5]]}", "outside 0..1"},
        {HEAD "[[0,-0.5]]}", "outside 0..1"},
        {HEAD "[[0,0.5,0.6,0.7]]}", "bounds"},
        {HEAD "[[0,0.5,0.4,0.45]]}", "bounds"},
        {HEAD "[[0,0.5,-0.1,0.6]]}", "bounds"},
        {HEAD "[[0,0.5,0.4,1.1]]}", "bounds"},
        {HEAD "[[0,0,0,0]]}", "bounds"},
        {HEAD "[[0,0.5],[0,0.4]]}", "point 2 has no higher score"},
        {HEAD "[[0,0.5],[1,0.4],[0.5,0.3]]}", "point 3 has no higher score"},
        {HEAD "[[1,0.5],[1.00000001,0.4]]}", "point 2 has no higher score"}, /* the same float */
        {HEAD "[[0,0.5],[1,0.6]]}", "point 2 has a higher rate"},
        {HEAD "[[0,0.5,0.4,0.6],[1,0.5,0.45,0.6]]}", "point 2 has a higher rate"},
        {HEAD "[[0,0.5,0.4,0.6],[1,0.5,0.4,0.7]]}", "point 2 has a higher rate"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        dpl_calibration *c = (dpl_calibration *)1;
        dpl_error err = {0};

        if (dpl_calibration_parse(&c, bad[i][0], &err) != DPL_E_MODEL)
            fail_msg("not refused: %s", bad[i][0]);
        assert_null(c);
        if (!strstr(err.message, bad[i][1]))
            fail_msg("%s: \"%s\" does not say %s", bad[i][0], err.message, bad[i][1]);
    }
}

static void no_cut_or_changed_byte_crashes_or_gives_a_rate_outside_0_to_1(void **state)
{
    const char *good = HEAD "[[0.1,0.5],[0.2,0.1],[0.5,0.002,0.001,0.005],[0.6,0]]}";
    size_t n = strlen(good);
    int read = 0;

    (void)state;
    for (size_t at = 0; at < n; at++) {
        for (int change = -1; change < 256; change += change < 0 ? 1 : 7) {
            char text[256];
            dpl_calibration *c = NULL;

            memcpy(text, good, n + 1);
            text[at] = change < 0 ? '\0' : (char)change;
            if (dpl_calibration_parse(&c, text, NULL) != DPL_OK)
                continue;
            read++;
            for (float s = -1; s < 2; s += 0.05f) {
                dpl_rate r = dpl_calibration_fmr(c, s);
                assert_true(0 <= r.low && r.low <= r.rate && r.rate <= r.high && r.high <= 1);
            }
            dpl_calibration_free(c);
        }
    }
    assert_true(read > 10); /* a changed digit is still a table */
}

static void the_worst_table_is_read_in_bounded_time(void **state)
{
    dpli_buf buf = {0};
    double start, points = 4096;

    (void)state;
    /* Counts just below the closed form's, where the fraction needs most terms. */
    dpli_buf_str(&buf, "{\"version\":1,\"metric\":\"cosine\",\"pairs\":20000,\"points\":[");
    for (int i = 0; i < points; i++)
        dpli_buf_printf(&buf, "%s[%d,%.9f]", i ? "," : "", i, 0.5 - i * 1e-6);
    dpli_buf_str(&buf, "]}");
    assert_int_equal(dpli_buf_check(&buf, NULL), DPL_OK);
    start = dpli_now();
    dpl_calibration_free(parse(buf.data));
    printf("%.0f points in %.2f s\n", points, dpli_now() - start);
    assert_true(dpli_now() - start < 20);
    dpli_buf_clear(&buf);
}

/* ------------------------------------------------------------------ rates and thresholds */

static void between_points_the_logarithm_of_the_rate_is_linear(void **state)
{
    dpl_calibration *c = parse(HEAD "[[0,0.5,0.4,0.6],[1,0.005,0.002,0.01]]}");
    dpl_rate r = dpl_calibration_fmr(c, 0.5f);

    (void)state;
    close_to(r.rate, sqrt(0.5 * 0.005), 1e-12, "rate");
    close_to(r.low, sqrt(0.4 * 0.002), 1e-12, "low");
    close_to(r.high, sqrt(0.6 * 0.01), 1e-12, "high");
    assert_int_equal(r.beyond, 0);
    dpl_calibration_free(c);
}

static void beyond_the_table_a_rate_is_a_bound_and_says_so(void **state)
{
    dpl_calibration *c = parse(HEAD "[[0,0.5,0.4,0.6],[1,0.005,0.002,0.01]]}");
    dpl_calibration *zero =
        parse(HEAD "[[0,0.5,0.4,0.6],[1,0.005,0.002,0.01],[2,0,0,0.003],[3,0,0,0.003]]}");
    const float unknown[] = {-0.001f, -FLT_MAX, -INFINITY, INFINITY, NAN};
    dpl_rate r = dpl_calibration_fmr(c, nextafterf(1, 2));

    (void)state;
    assert_true(r.beyond && r.rate == 0.01 && r.high == 0.01 && r.low == 0);
    r = dpl_calibration_fmr(c, FLT_MAX);
    assert_true(r.beyond && r.rate == 0.01 && r.high == 0.01 && r.low == 0);
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        r = dpl_calibration_fmr(c, unknown[i]);
        assert_true(r.beyond && r.rate == 1 && r.high == 1 && r.low <= 0.4);
    }
    r = dpl_calibration_fmr(zero, 1);
    assert_true(!r.beyond && r.rate == 0.005);
    r = dpl_calibration_fmr(zero, 1.5f); /* never seen there, but not shown to be rarer */
    assert_true(r.beyond && r.rate == 0.01 && r.high == 0.01 && r.low == 0);
    r = dpl_calibration_fmr(zero, 2);
    assert_true(r.beyond && r.rate == 0.003 && r.high == 0.003 && r.low == 0);
    r = dpl_calibration_fmr(zero, 9);
    assert_true(r.beyond && r.rate == 0.003 && r.high == 0.003 && r.low == 0);
    dpl_calibration_free(c);
    dpl_calibration_free(zero);
}

static void a_higher_score_never_has_a_higher_rate(void **state)
{
    dpl_calibration *c =
        parse("{\"version\":1,\"metric\":\"cosine\",\"pairs\":100000,\"points\":[[-0.2,0.9],"
              "[0,0.5],[0.1,0.5],[0.3,0.01],[0.5,0.0001],[0.6,0.00001],[0.7,0]]}");
    dpl_rate last = {1, 1, 1, 1};

    (void)state;
    for (float s = -0.3f; s < 0.9f; s += 0.0007f) {
        dpl_rate r = dpl_calibration_fmr(c, s);

        /* Beyond the last known rate it is the upper bound that is given as the rate. */
        if (!r.beyond)
            assert_true(r.rate <= last.rate);
        assert_true(r.high <= last.high);
        if (s > -0.2f)
            assert_true(r.low <= last.low);
        last = r;
    }
    dpl_calibration_free(c);
}

static void thresholds_keep_what_they_promise(void **state)
{
    dpl_calibration *c =
        parse("{\"version\":1,\"metric\":\"cosine\",\"pairs\":100000,\"points\":[[-0.2,0.9],"
              "[0,0.5],[0.1,0.5],[0.3,0.01],[0.5,0.0001],[0.6,0.00001],[0.7,0]]}");

    (void)state;
    for (double fmr = 0.89; fmr > 4e-5; fmr *= 0.9) {
        float accept, reject;

        assert_int_equal(dpl_calibration_threshold(&accept, &reject, c, fmr, NULL), DPL_OK);
        assert_true(isfinite(accept) && isfinite(reject) && reject <= accept);
        assert_true(dpl_calibration_fmr(c, accept).high <= fmr);
        assert_true(dpl_calibration_fmr(c, nextafterf(accept, -1)).high > fmr);
        assert_true(dpl_calibration_fmr(c, reject).low >= fmr);
        assert_true(dpl_calibration_fmr(c, nextafterf(reject, 1)).low < fmr);
    }
    dpl_calibration_free(c);
}

static void a_rate_that_the_table_does_not_support_is_refused(void **state)
{
    dpl_calibration *c = parse(HEAD "[[0,0.5],[1,0.01],[2,0]]}");
    const double not_rates[] = {0, 1, -0.1, 1.1, INFINITY, NAN};
    float accept = 7, reject = 7;
    dpl_error err = {0};
    const char *lowest;

    (void)state;
    for (size_t i = 0; i < sizeof not_rates / sizeof not_rates[0]; i++)
        assert_int_equal(dpl_calibration_threshold(&accept, &reject, c, not_rates[i], &err),
                         DPL_E_ARGUMENT);
    /* none of 1000: 1 - 0.025^(1/1000) = 0.00368; what the message offers must be taken */
    assert_int_equal(dpl_calibration_threshold(&accept, &reject, c, 0.0036, &err), DPL_E_ARGUMENT);
    lowest = strstr(err.message, "lowest is ");
    assert_non_null(lowest);
    assert_string_equal(lowest, "lowest is 0.0037");
    assert_true(accept == 7 && reject == 7);
    assert_int_equal(dpl_calibration_threshold(&accept, &reject, c, 0.0037, &err), DPL_OK);
    assert_true(accept == 2);
    dpl_calibration_free(c);
}

static void a_table_that_begins_too_low_rejects_nothing(void **state)
{
    dpl_calibration *c = parse(HEAD "[[0,0.01,0.005,0.02],[1,0.001,0.0005,0.002]]}");
    float accept, reject;

    (void)state;
    assert_int_equal(dpl_calibration_threshold(&accept, &reject, c, 0.1, NULL), DPL_OK);
    assert_true(accept == 0 && reject == -FLT_MAX);
    dpl_calibration_free(c);
}

static void bounds_that_meet_leave_no_score_on_both_sides(void **state)
{
    dpl_calibration *c =
        parse(HEAD "[[0,0.5,0.5,0.5],[1,0.1,0.1,0.1],[2,0.1,0.1,0.1],[3,0.01,0.01,0.01]]}");
    float accept, reject;

    (void)state;
    assert_int_equal(dpl_calibration_threshold(&accept, &reject, c, 0.1, NULL), DPL_OK);
    assert_true(accept == 1 && reject == 1);
    dpl_calibration_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(incomplete_beta_agrees_with_its_closed_forms),
        cmocka_unit_test(binomial_bounds_agree_with_known_values),
        cmocka_unit_test(binomial_bounds_do_not_jump_where_the_closed_form_takes_over),
        cmocka_unit_test(bounds_hold_the_rate_whatever_the_count),
        cmocka_unit_test(a_table_is_read),
        cmocka_unit_test(what_is_not_a_table_is_refused_with_the_place),
        cmocka_unit_test(no_cut_or_changed_byte_crashes_or_gives_a_rate_outside_0_to_1),
        cmocka_unit_test(the_worst_table_is_read_in_bounded_time),
        cmocka_unit_test(between_points_the_logarithm_of_the_rate_is_linear),
        cmocka_unit_test(beyond_the_table_a_rate_is_a_bound_and_says_so),
        cmocka_unit_test(a_higher_score_never_has_a_higher_rate),
        cmocka_unit_test(thresholds_keep_what_they_promise),
        cmocka_unit_test(a_rate_that_the_table_does_not_support_is_refused),
        cmocka_unit_test(a_table_that_begins_too_low_rejects_nothing),
        cmocka_unit_test(bounds_that_meet_leave_no_score_on_both_sides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
