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
        {"{\"version\":3,\"metric\":\"cosine\",\"pairs\":1,\"points\":[[0,1]]}", "\"version\""},
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
        {HEAD "[[0,0.5],[0,0.4]]}", "point 2 of \"points\" has no higher score"},
        {HEAD "[[0,0.5],[1,0.4],[0.5,0.3]]}", "point 3 of \"points\" has no higher score"},
        {HEAD "[[1,0.5],[1.00000001,0.4]]}",
         "point 2 of \"points\" has no higher score"}, /* the same float */
        {HEAD "[[0,0.5],[1,0.6]]}", "point 2 of \"points\" has a higher rate"},
        {HEAD "[[0,0.5,0.4,0.6],[1,0.5,0.45,0.6]]}", "point 2 of \"points\" has a higher rate"},
        {HEAD "[[0,0.5,0.4,0.6],[1,0.5,0.4,0.7]]}", "point 2 of \"points\" has a higher rate"},
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

/* ------------------------------------------------------------------ version 2 */

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A calibration of version 2 in parts, so that each can be replaced. */
static char *second(const char *part, const char *with)
{
    static const char *const parts[][2] = {
        {"people", "\"people\":200"},
        {"pairs", "\"pairs\":1000000"},
        {"model", "\"model\":\"" SHA "\""},
        {"cohort", "\"cohort\":{\"top\":40,\"sha256\":\"" SHA "\"}"},
        {"score", "\"score\":[[0.1,0.5],[0.3,0.01],[0.5,0.0001]]"},
        {"normalised", "\"normalised\":[[0,0.5],[2,0.01],[6,0.0001]]"},
        {"points", "\"points\":[[0,0.5,0.4,0.6],[2,0.01,0.005,0.02],[4,0.0001,0.00005,0.0002]]"},
        {"poor", "\"poor\":[[0,0.6,0.5,0.7],[2,0.03,0.02,0.05],[4,0.001,0.0005,0.002]]"},
        {"range", "\"range\":{\"quality\":0.5,\"yaw_deg\":45,\"too_poor\":0.25}"},
        {"mean_factor", "\"mean_factor\":1.5"},
        {"strata", "\"strata\":[{\"name\":\"young\",\"people\":60,\"pairs\":5000},"
                   "{\"name\":\"old\",\"people\":50,\"pairs\":4000}]"},
        {"genuine", "\"genuine\":{\"pairs\":700,\"points\":[[0,0.01],[2,0.05],[4,0.25]]}"},
    };
    dpli_buf buf = {0};
    bool found = !part;

    dpli_buf_str(&buf, "{\"version\":2,\"metric\":\"cosine\"");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const bool here = part && strcmp(parts[i][0], part) == 0;

        found |= here;
        if (!here || with[0])
            dpli_buf_printf(&buf, ",%s", here ? with : parts[i][1]);
    }
    dpli_buf_str(&buf, "}");
    assert_true(found);
    assert_int_equal(dpli_buf_check(&buf, NULL), DPL_OK);
    return buf.data;
}

static dpl_calibration *parse_second(const char *part, const char *with)
{
    char *text = second(part, with);
    dpl_calibration *c = parse(text);

    free(text);
    return c;
}

static void all_of_version_2_is_read(void **state)
{
    dpl_calibration *c = parse_second(NULL, NULL);
    dpl_range range;
    dpl_rate r;
    float low, high;

    (void)state;
    assert_int_equal(dpl_calibration_version(c), 2);
    assert_true(dpl_calibration_people(c) == 200 && dpl_calibration_pairs(c) == 1000000);
    assert_true(dpl_calibration_has_cohort(c) && dpl_calibration_has_poor(c));
    assert_true(dpl_calibration_range(&range, c));
    assert_true(range.quality == 0.5F && range.yaw_deg == 45 && range.too_poor == 0.25F);
    assert_true(dpl_calibration_mean_factor(c) == 1.5);
    assert_int_equal(dpl_calibration_n_strata(c), 2);
    assert_string_equal(dpl_calibration_stratum(c, 1)->name, "old");
    assert_true(dpl_calibration_stratum(c, 0)->people == 60);
    assert_true(dpl_calibration_stratum(c, 0)->pairs == 5000);
    assert_null(dpl_calibration_stratum(c, 2));
    assert_true(dpl_calibration_genuine_pairs(c) == 700);
    dpl_calibration_ends(&low, &high, c);
    assert_true(low == 0 && high == 4);
    r = dpl_calibration_fmr(c, 2);
    assert_true(r.rate == 0.01 && r.low == 0.005 && r.high == 0.02);
    r = dpl_calibration_poor_fmr(c, 2);
    assert_true(r.rate == 0.03 && r.low == 0.02 && r.high == 0.05);
    dpl_calibration_free(c);
}

static void what_may_be_absent_of_version_2_has_its_default(void **state)
{
    dpl_calibration *c = parse("{\"version\":2,\"metric\":\"cosine\",\"people\":9,\"pairs\":1000,"
                               "\"points\":[[0.1,0.5],[0.4,0.01]]}");
    dpl_range range;

    (void)state;
    assert_false(dpl_calibration_has_cohort(c) || dpl_calibration_has_poor(c));
    assert_false(dpl_calibration_range(&range, c));
    assert_true(range.quality == 0 && range.yaw_deg == 180 && range.too_poor == 0);
    assert_true(dpl_calibration_mean_factor(c) == 1);
    assert_int_equal(dpl_calibration_n_strata(c), 0);
    assert_true(isnan(dpl_calibration_fnmr(c, 0.3F)));
    assert_true(dpl_calibration_genuine_pairs(c) == 0);
    assert_true(isnan(dpl_calibration_poor_fmr(c, 0.3F).rate));
    assert_true(dpl_calibration_evidence(c, 0.3F, NAN) == 0.3F);
    dpl_calibration_free(c);
}

static void each_part_of_version_2_is_checked(void **state)
{
    static const char *const bad[][3] = {
        {"people", "", "\"people\""},
        {"people", "\"people\":0", "\"people\""},
        {"people", "\"people\":2.5", "\"people\""},
        {"pairs", "", "\"pairs\""},
        {"model", "\"model\":\"abc\"", "\"model\""},
        {"model", "\"model\":7", "\"model\""},
        {"cohort", "", "go together"},
        {"score", "", "go together"},
        {"normalised", "", "go together"},
        {"cohort", "\"cohort\":[]", "\"top\""},
        {"cohort", "\"cohort\":{\"sha256\":\"" SHA "\"}", "\"top\""},
        {"cohort", "\"cohort\":{\"top\":1,\"sha256\":\"" SHA "\"}", "\"top\""},
        {"cohort", "\"cohort\":{\"top\":2000,\"sha256\":\"" SHA "\"}", "\"top\""},
        {"cohort", "\"cohort\":{\"top\":4.5,\"sha256\":\"" SHA "\"}", "not whole"},
        {"cohort", "\"cohort\":{\"top\":40}", "\"sha256\""},
        {"cohort", "\"cohort\":{\"top\":40,\"sha256\":\"x" SHA "\"}", "\"sha256\""},
        {"cohort", "\"cohort\":{\"top\":40,\"sha256\":5}", "\"sha256\""},
        {"score", "\"score\":[[0.1,0.5]]", "2 to"},
        {"score", "\"score\":7", "\"score\""},
        {"score", "\"score\":[[0.1,0.5],[0.1,0.1]]", "point 2 of \"score\""},
        {"score", "\"score\":[[0.1,0.5],[0.2,0.6]]", "point 2 of \"score\""},
        {"score", "\"score\":[[0.1,0.5],[0.2,0.5]]", "last rate of \"score\""},
        {"score", "\"score\":[[0.1,0.5],[0.2,0]]", "rate of 0"},
        {"score", "\"score\":[[0.1,0.5],[0.2,0.1,0.1,0.1]]", "[score, rate]"},
        {"score", "\"score\":[[0.1,0.5],[1e40,0.1]]", "out of range"},
        {"score", "\"score\":[[0.1,1.5],[0.2,0.1]]", "outside 0..1"},
        {"normalised", "\"normalised\":[[0,0.5],[\"x\",0.1]]", "point 2 of \"normalised\""},
        {"normalised", "\"normalised\":[[0,0.5],[1,-0.1]]", "outside 0..1"},
        {"points", "\"points\":[]", "\"points\""},
        {"points", "\"points\":[[0,0.5,0.6,0.7]]", "bounds"},
        {"poor", "\"poor\":[[0,0.5]]", "[score, fmr, low, high]"},
        {"poor", "\"poor\":[]", "\"poor\""},
        {"poor", "\"poor\":{}", "\"poor\""},
        {"poor", "\"poor\":[[0,0.5,0.4,0.3]]", "bounds"},
        {"poor", "\"poor\":[[0,0.5,0.4,0.6],[1,0.6,0.4,0.6]]", "higher rate"},
        {"range", "", "needs a \"range\""},
        {"range", "\"range\":[]", "\"quality\""},
        {"range", "\"range\":{\"yaw_deg\":45,\"too_poor\":0.3}", "\"quality\""},
        {"range", "\"range\":{\"quality\":1.5,\"yaw_deg\":45,\"too_poor\":0.3}", "\"quality\""},
        {"range", "\"range\":{\"quality\":0.5,\"yaw_deg\":-1,\"too_poor\":0.3}", "\"yaw_deg\""},
        {"range", "\"range\":{\"quality\":0.5,\"yaw_deg\":45}", "\"too_poor\""},
        {"range", "\"range\":{\"quality\":0.5,\"yaw_deg\":45,\"too_poor\":0.6}", "\"too_poor\""},
        {"poor", "\"poor\":[[0,0.5,0.4,0.6,0.45]]", "deciding rate"},
        {"poor", "\"poor\":[[0,0.5,0.4,0.6,0.7]]", "deciding rate"},
        {"poor", "\"poor\":[[0,0.5,0.4,0.6,0.5],[1,0.4,0.3,0.6,0.51]]", "higher rate"},
        {"poor", "\"poor\":[[0,0.5,0.4,0.6,0.6,0.6]]", "is not [score, fmr, low, high]"},
        {"mean_factor", "\"mean_factor\":0.5", "\"mean_factor\""},
        {"mean_factor", "\"mean_factor\":1000", "\"mean_factor\""},
        {"mean_factor", "\"mean_factor\":\"2\"", "\"mean_factor\""},
        {"strata", "\"strata\":5", "\"strata\""},
        {"strata", "\"strata\":[7]", "stratum 1"},
        {"strata", "\"strata\":[{\"name\":\"\",\"people\":1,\"pairs\":1}]", "stratum 1"},
        {"strata", "\"strata\":[{\"name\":\"a\",\"people\":0,\"pairs\":1}]", "\"people\""},
        {"strata", "\"strata\":[{\"name\":\"a\",\"people\":1}]", "\"pairs\""},
        {"genuine", "\"genuine\":[]", "\"pairs\""},
        {"genuine", "\"genuine\":{\"points\":[[0,0]]}", "\"pairs\""},
        {"genuine", "\"genuine\":{\"pairs\":7}", "\"genuine\""},
        {"genuine", "\"genuine\":{\"pairs\":7,\"points\":[[0,0.5],[1,0.4]]}", "lower rate"},
        {"genuine", "\"genuine\":{\"pairs\":7,\"points\":[[0,0.5],[0,0.6]]}", "no higher score"},
        {"genuine", "\"genuine\":{\"pairs\":7,\"points\":[[0,2]]}", "outside 0..1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *text = second(bad[i][0], bad[i][1]);
        dpl_calibration *c = (dpl_calibration *)&i;
        dpl_error err = {0};

        if (dpl_calibration_parse(&c, text, &err) != DPL_E_MODEL)
            fail_msg("%s was read", bad[i][1]);
        assert_null(c);
        if (!strstr(err.message, bad[i][2]))
            fail_msg("%s: \"%s\" does not say %s", bad[i][1], err.message, bad[i][2]);
        free(text);
    }
}

static void no_cut_or_changed_byte_of_version_2_crashes(void **state)
{
    char *good = second(NULL, NULL), *text = strdup(good);
    size_t n = strlen(good);
    int read = 0;

    (void)state;
    for (size_t at = 0; at < n; at++) {
        for (int change = -1; change < 128; change += change < 0 ? 1 : 13) {
            dpl_calibration *c = NULL;

            memcpy(text, good, n + 1);
            text[at] = change < 0 ? '\0' : (char)change;
            if (dpl_calibration_parse(&c, text, NULL) != DPL_OK)
                continue;
            read++;
            for (float s = -1; s < 6; s += 0.5F) {
                const dpl_rate r = dpl_calibration_fmr(c, s), p = dpl_calibration_poor_fmr(c, s);
                const double f = dpl_calibration_fnmr(c, s);

                assert_true(0 <= r.low && r.low <= r.rate && r.rate <= r.high && r.high <= 1);
                assert_true(isnan(p.rate) || (0 <= p.low && p.low <= p.high && p.high <= 1));
                assert_true(isnan(f) || (f >= 0 && f <= 1));
                assert_false(isinf(dpl_calibration_evidence(c, s, 2 * s)));
            }
            dpl_calibration_free(c);
        }
    }
    assert_true(read > 10);
    free(text);
    free(good);
}

static void evidence_is_the_less_of_what_both_scores_say(void **state)
{
    dpl_calibration *c = parse_second(NULL, NULL);

    (void)state;
    close_to((double)dpl_calibration_evidence(c, 0.3F, 6), 2, 1e-6, "the score decides");
    close_to((double)dpl_calibration_evidence(c, 0.5F, 2), 2, 1e-6, "the normalised decides");
    close_to((double)dpl_calibration_evidence(c, 0.4F, 4), 3, 1e-6, "between the points");
    /* Two decades in 0.2 of the score, in 4 of the normalised: gone on past the end. */
    close_to((double)dpl_calibration_evidence(c, 0.6F, 8), 5, 1e-6, "past the end");
    close_to((double)dpl_calibration_evidence(c, 0.5F, 99), 4, 1e-6, "at the end");
    /* log10(50) in 0.2 below the first point, too. */
    close_to((double)dpl_calibration_evidence(c, 0, 9), log10(2) - log10(50) / 2, 1e-6,
             "before it");
    assert_true(isnan(dpl_calibration_evidence(c, NAN, 3)));
    assert_true(isnan(dpl_calibration_evidence(c, 0.4F, NAN)));
    assert_true(isnan(dpl_calibration_evidence(c, INFINITY, 3)));
    assert_true(isnan(dpl_calibration_evidence(c, 0.4F, -INFINITY)));
    dpl_calibration_free(c);
}

static void more_of_either_score_is_never_less_evidence(void **state)
{
    dpl_calibration *c = parse_second("score", "\"score\":[[0.1,0.5],[0.2,0.5],[0.3,0.01],"
                                               "[0.4,0.01],[0.5,0.0001]]");

    (void)state;
    for (float n = -3; n < 12; n += 0.25F) {
        float last = -FLT_MAX;

        for (float s = -1; s < 1; s += 0.01F) {
            const float e = dpl_calibration_evidence(c, s, n);

            assert_true(e >= last);
            assert_true(e <= dpl_calibration_evidence(c, s, n + 0.25F));
            last = e;
        }
    }
    dpl_calibration_free(c);
}

static void how_often_the_same_person_scores_so_low_is_told(void **state)
{
    dpl_calibration *c = parse_second(NULL, NULL);
    dpl_calibration *first = parse(
        "{\"version\":1,\"metric\":\"cosine\",\"pairs\":1000,\"points\":[[0.1,0.5],[0.4,0.01]],"
        "\"genuine\":{\"pairs\":50,\"points\":[[0.1,0.02],[0.4,0.2]]}}");

    (void)state;
    close_to(dpl_calibration_fnmr(c, 2), 0.05, 1e-12, "at a point");
    close_to(dpl_calibration_fnmr(c, 3), 0.15, 1e-12, "between two");
    close_to(dpl_calibration_fnmr(c, -9), 0.01, 1e-12, "below the first");
    close_to(dpl_calibration_fnmr(c, 9), 0.25, 1e-12, "above the last");
    assert_true(isnan(dpl_calibration_fnmr(c, NAN)));
    assert_true(isnan(dpl_calibration_fnmr(c, INFINITY)));
    close_to(dpl_calibration_fnmr(first, 0.25F), 0.11, 1e-6, "of version 1");
    assert_true(dpl_calibration_genuine_pairs(first) == 50);
    dpl_calibration_free(first);
    dpl_calibration_free(c);
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

static void a_fifth_number_of_a_point_decides_in_the_place_of_its_bound(void **state)
{
    dpl_calibration *c = parse("{\"version\":2,\"metric\":\"cosine\",\"people\":100,\"pairs\":1000,"
                               "\"points\":[[0,0.1,0.05,0.4,0.2],[1,0.01,0.005,0.04,0.02],"
                               "[2,0.001,0.0005,0.004,0.002]]}");
    float accept, reject;
    dpl_error err;

    (void)state;
    assert_int_equal(dpl_calibration_threshold(&accept, &reject, c, 0.02, &err), DPL_OK);
    assert_true(accept == 1.0F);
    assert_true(dpl_calibration_fmr(c, accept).high == 0.04);
    /* Half way between, by the logarithm. */
    assert_int_equal(dpl_calibration_threshold(&accept, &reject, c, sqrt(0.02 * 0.002), &err),
                     DPL_OK);
    assert_true(fabsf(accept - 1.5F) < 1e-6F);
    assert_true(dpl_calibration_lowest_fmr(c) == 0.002);
    assert_int_equal(dpl_calibration_threshold(&accept, &reject, c, 0.0019, &err), DPL_E_ARGUMENT);
    assert_non_null(strstr(err.message, "lowest is 0.002"));
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
        cmocka_unit_test(all_of_version_2_is_read),
        cmocka_unit_test(what_may_be_absent_of_version_2_has_its_default),
        cmocka_unit_test(each_part_of_version_2_is_checked),
        cmocka_unit_test(no_cut_or_changed_byte_of_version_2_crashes),
        cmocka_unit_test(evidence_is_the_less_of_what_both_scores_say),
        cmocka_unit_test(more_of_either_score_is_never_less_evidence),
        cmocka_unit_test(how_often_the_same_person_scores_so_low_is_told),
        cmocka_unit_test(between_points_the_logarithm_of_the_rate_is_linear),
        cmocka_unit_test(beyond_the_table_a_rate_is_a_bound_and_says_so),
        cmocka_unit_test(a_higher_score_never_has_a_higher_rate),
        cmocka_unit_test(thresholds_keep_what_they_promise),
        cmocka_unit_test(a_fifth_number_of_a_point_decides_in_the_place_of_its_bound),
        cmocka_unit_test(a_rate_that_the_table_does_not_support_is_refused),
        cmocka_unit_test(a_table_that_begins_too_low_rejects_nothing),
        cmocka_unit_test(bounds_that_meet_leave_no_score_on_both_sides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
