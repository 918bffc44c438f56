/*
 * test_calibrate.c - a calibration against its definition, pair by pair and draw by draw; what it
 * refuses, what it shows, and that what it states holds for people who did not make it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/rng.h"
#include "doppel/doppel.h"
#include "index/binomial.h"
#include "index/calibration.h"
#include "index/strangers.h"

#define SEED 20261126

enum { DIM = 12 };

/* ------------------------------------------------------------------ people */

typedef struct crowd {
    dpl_samples s;
    float *vectors;
    int32_t *people;
    dpl_quality *quality;
    uint64_t *strata;
    char **names, **people_names;
} crowd;

static const char *const strata_names[] = {"even", "third", "narrow"};

/* n people of 1 to most photos each: a direction of their own, and a little besides. */
static crowd make_crowd(int32_t n_people, int most, double noise, uint64_t seed)
{
    crowd c = {.s = {.dim = DIM, .n_people = n_people}};
    const size_t room = (size_t)n_people * (size_t)most;
    dpli_rng rng;

    dpli_rng_seed(&rng, seed);
    c.vectors = calloc(room * DIM, sizeof *c.vectors);
    c.people = calloc(room, sizeof *c.people);
    c.quality = calloc(room, sizeof *c.quality);
    c.strata = calloc(room, sizeof *c.strata);
    c.names = calloc(room, sizeof *c.names);
    c.people_names = calloc((size_t)n_people, sizeof *c.people_names);
    for (int32_t p = 0; p < n_people; p++) {
        const int n = 1 + (int)dpli_rng_below(&rng, (uint64_t)most);
        double own[DIM];

        for (int i = 0; i < DIM; i++)
            own[i] = dpli_rng_normal(&rng);
        c.people_names[p] = malloc(32);
        snprintf(c.people_names[p], 32, "person %d", (int)p);
        for (int k = 0; k < n; k++) {
            const size_t at = c.s.n++;
            double square = 0;

            for (int i = 0; i < DIM; i++) {
                const double x = own[i] + noise * dpli_rng_normal(&rng);
                c.vectors[at * DIM + (size_t)i] = (float)x;
                square += x * x;
            }
            for (int i = 0; i < DIM; i++)
                c.vectors[at * DIM + (size_t)i] /= (float)sqrt(square);
            c.people[at] = p;
            c.quality[at].overall = (float)dpli_rng_unit(&rng);
            c.quality[at].yaw_deg = (float)(60 * (dpli_rng_unit(&rng) - .5));
            c.strata[at] = 1 + 2 * (uint64_t)(p % 3 == 0);
            c.names[at] = malloc(48);
            snprintf(c.names[at], 48, "%d/%d.png", (int)p, k);
        }
    }
    c.s.vectors = c.vectors;
    c.s.people = c.people;
    c.s.names = (const char *const *)c.names;
    c.s.people_names = (const char *const *)c.people_names;
    c.s.strata_names = strata_names;
    return c;
}

static void clear_crowd(crowd *c)
{
    for (size_t i = 0; i < c->s.n; i++)
        free(c->names[i]);
    for (int32_t p = 0; p < c->s.n_people; p++)
        free(c->people_names[p]);
    free(c->vectors);
    free(c->people);
    free(c->quality);
    free(c->strata);
    free(c->names);
    free(c->people_names);
}

static dpl_head *make_head(dpl_head_kind kind)
{
    float weights[DIM];
    dpl_head *head;

    for (int i = 0; i < DIM; i++)
        weights[i] = i % 2 ? -2.0F : -.5F;
    assert_int_equal(dpl_head_new(&head, kind, DIM, kind == DPL_HEAD_L1_SIGMOID ? weights : NULL,
                                  kind == DPL_HEAD_L1_SIGMOID ? 2.0F : 0.0F, NULL),
                     DPL_OK);
    return head;
}

static dpl_calibrated calibrate(const crowd *c, const dpl_head *head,
                                const dpl_calibrate_options *options)
{
    dpl_calibrated out;
    dpl_error err;

    if (dpl_calibrate(&out, &c->s, head, options, &err) != DPL_OK)
        fail_msg("%s", err.message);
    return out;
}

static dpl_calibrate_options of_rate(double fmr)
{
    dpl_calibrate_options o = DPL_CALIBRATE_OPTIONS_INIT;

    o.fmr = fmr;
    return o;
}

/* ------------------------------------------------------------------ the definition */

static bool is_kept(const crowd *c, size_t i, const dpl_range *range)
{
    return !c->s.quality || !(c->quality[i].overall < range->too_poor);
}

static bool is_fair(const crowd *c, size_t i, const dpl_range *range)
{
    return !c->s.quality || (c->quality[i].overall >= range->quality &&
                             fabsf(c->quality[i].yaw_deg) <= range->yaw_deg);
}

/* How many pairs there are of strangers, fair or not, or of one person; and how many reach. */
typedef struct tale {
    uint64_t n, reach;
} tale;

static tale count_pairs(const crowd *c, const dpl_head *head, const dpl_range *range, bool fair,
                        bool genuine, float at)
{
    tale t = {0, 0};

    for (size_t i = 0; i < c->s.n; i++)
        for (size_t j = i + 1; j < c->s.n; j++) {
            if (!is_kept(c, i, range) || !is_kept(c, j, range) ||
                (c->people[i] == c->people[j]) != genuine ||
                (is_fair(c, i, range) && is_fair(c, j, range)) != fair ||
                (c->s.strata && !(c->strata[i] & c->strata[j])))
                continue;
            t.n++;
            t.reach += dpl_head_score(head, c->vectors + i * DIM, c->vectors + j * DIM) >= at;
        }
    return t;
}

static void expect_rates(const crowd *c, const dpl_head *head, const dpl_range *range,
                         const dpl_point_row *rows, size_t n, int64_t n_pairs, bool fair,
                         bool genuine)
{
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        const tale t = count_pairs(c, head, range, fair, genuine, rows[i].at);
        const double rate = (double)t.reach / (double)t.n;

        assert_int_equal(n_pairs, t.n);
        if (fabs(rows[i].rate - (genuine ? 1 - rate : rate)) > 1e-12)
            fail_msg("at %.9g: %.12g, not %.12g", (double)rows[i].at, rows[i].rate, rate);
        if (!genuine) {
            assert_true(t.reach >= DPL_CALIBRATE_MIN_ABOVE);
            assert_true(rows[i].low <= rate && rate <= rows[i].high);
            assert_true(rows[i].high > 0);
            assert_true(rate <= rows[i].bar && rows[i].bar <= rows[i].high);
        }
        if (i > 0)
            assert_true(rows[i].at > rows[i - 1].at);
    }
}

static void rates_are_shares_of_all_pairs_by_every_head(void **state)
{
    const dpl_calibrate_options o = of_rate(.05);

    (void)state;
    for (int kind = DPL_HEAD_COSINE; kind <= DPL_HEAD_EXP_MANHATTAN; kind++) {
        dpl_head *head = make_head((dpl_head_kind)kind);
        crowd c = make_crowd(80, 5, .5, SEED + (uint64_t)kind);
        dpl_calibrated made = calibrate(&c, head, &o);

        expect_rates(&c, head, &o.range, made.points, made.n_points, made.n_pairs, true, false);
        expect_rates(&c, head, &o.range, made.genuine, made.n_genuine, made.n_genuine_pairs, true,
                     true);
        assert_int_equal(made.n_people, 80);
        assert_int_equal(made.n_poor_pairs, 0);
        assert_non_null(strstr(made.json, dpl_head_name(head)));
        dpl_calibrated_clear(&made);
        clear_crowd(&c);
        dpl_head_free(head);
    }
}

static void poor_faces_have_a_table_of_their_own_and_too_poor_ones_none(void **state)
{
    const dpl_calibrate_options o = of_rate(.05);
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    crowd c = make_crowd(120, 5, .5, SEED);
    dpl_calibrated made;
    int64_t n_too_poor = 0;

    (void)state;
    c.s.quality = c.quality;
    c.quality[0].overall = NAN; /* not known is fair */
    c.quality[0].yaw_deg = 0;
    made = calibrate(&c, head, &o);
    for (size_t i = 0; i < c.s.n; i++)
        n_too_poor += !is_kept(&c, i, &o.range);
    assert_int_equal(made.n_too_poor, n_too_poor);
    /* The reference has no word for it: as good as can be. */
    c.quality[0].overall = 1;
    expect_rates(&c, head, &o.range, made.points, made.n_points, made.n_pairs, true, false);
    expect_rates(&c, head, &o.range, made.poor, made.n_poor, made.n_poor_pairs, false, false);
    assert_non_null(
        strstr(made.json, "\"range\":{\"quality\":0.5,\"yaw_deg\":45,\"too_poor\":0.3}"));
    dpl_calibrated_clear(&made);
    clear_crowd(&c);
    dpl_head_free(head);
}

static void pairs_count_within_strata_whose_bounds_the_table_holds(void **state)
{
    const dpl_calibrate_options o = of_rate(.2);
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    crowd c = make_crowd(180, 3, .5, SEED);
    dpl_calibrated made, alone;

    (void)state;
    c.s.strata = c.strata;
    c.s.n_strata = 3;
    /* Every other person is of "even" only, a third of "third" too; "narrow" people are alike. */
    for (size_t i = 0; i < c.s.n; i++)
        if (c.people[i] >= 120) {
            c.strata[i] = 4;
            for (size_t k = 0; k < 8; k++)
                c.vectors[i * DIM + k] = .5F;
        }
    made = calibrate(&c, head, &o);
    expect_rates(&c, head, &o.range, made.points, made.n_points, made.n_pairs, true, false);
    assert_int_equal(made.n_strata, 3);
    assert_int_equal(made.strata[0].n_people, 120);
    assert_int_equal(made.strata[1].n_people, 40);
    assert_int_equal(made.strata[2].n_people, 60);
    assert_true(isnan(made.strata[1].factor)); /* 40 people say nothing */
    assert_true(made.strata[2].factor > 1.5);
    /* The same people in one stratum: as many hits, but nobody whose bounds would be wider. */
    for (size_t i = 0; i < made.n_points; i++) {
        const double n = (double)made.n_pairs;
        double low, high;

        dpli_binomial_bounds(&low, &high, made.points[i].rate, n);
        assert_true(made.points[i].low <= low && high <= made.points[i].high);
    }
    assert_true(made.points[made.n_points / 2].high > 1.5 * made.points[made.n_points / 2].rate);
    /* What decides is a part of the worst stratum's bound: with a smaller part it is stricter. */
    dpl_calibrate_options strict = o;
    strict.strata_within = 1;
    alone = calibrate(&c, head, &strict);
    for (size_t i = 0; i < made.n_points; i++) {
        assert_true(alone.points[i].bar == alone.points[i].high);
        assert_true(made.points[i].bar >= made.points[i].high / 3);
        assert_true(made.points[i].bar <= alone.points[i].bar);
    }
    dpl_calibrated_clear(&alone);
    c.s.n_strata = 0;
    c.s.strata = NULL;
    alone = calibrate(&c, head, &o);
    assert_true(alone.n_pairs > made.n_pairs); /* those of no common stratum are back */
    dpl_calibrated_clear(&alone);
    dpl_calibrated_clear(&made);
    clear_crowd(&c);
    dpl_head_free(head);
}

/* ------------------------------------------------------------------ bounds */

static int rising(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void bounds_are_those_of_people_drawn_anew(void **state)
{
    enum { DRAWS = DPL_CALIBRATE_DRAWS };
    static const dpl_range all = {0, 180, 0};
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    crowd c = make_crowd(60, 2, .5, SEED);
    const dpl_calibrate_options o = of_rate(.2);
    dpl_calibrated made = calibrate(&c, head, &o);
    static double rates[DRAWS];

    (void)state;
    for (size_t row = 0; row < made.n_points; row += 4) {
        const float at = made.points[row].at;
        double low, high;
        dpli_rng rng;

        dpli_rng_seed(&rng, o.seed);
        for (int r = 0; r < DRAWS; r++) {
            double times[60] = {0}, n = 0, reach = 0;

            for (int p = 0; p < 60; p++)
                times[dpli_rng_below(&rng, 60)]++;
            for (size_t i = 0; i < c.s.n; i++)
                for (size_t j = i + 1; j < c.s.n; j++) {
                    const double w = times[c.people[i]] * times[c.people[j]];

                    if (c.people[i] == c.people[j] || w == 0)
                        continue;
                    n += w;
                    if (dpl_head_score(head, c.vectors + i * DIM, c.vectors + j * DIM) >= at)
                        reach += w;
                }
            rates[r] = reach / n;
        }
        qsort(rates, DRAWS, sizeof *rates, rising);
        const tale t = count_pairs(&c, head, &all, true, false, at);
        const double a = .025 * (DRAWS - 1), b = .975 * (DRAWS - 1);
        const size_t ia = (size_t)a, ib = (size_t)b;

        dpli_binomial_bounds(&low, &high, (double)t.reach / (double)t.n, (double)t.n);
        low = fmin(low, rates[ia] + (a - (double)ia) * (rates[ia + 1] - rates[ia]));
        high = fmax(high, rates[ib] + (b - (double)ib) * (rates[ib + 1] - rates[ib]));
        if (fabs(made.points[row].low - low) > 1e-9 || fabs(made.points[row].high - high) > 1e-9)
            fail_msg("at %g: %.10g to %.10g, not %.10g to %.10g", (double)at, made.points[row].low,
                     made.points[row].high, low, high);
    }
    dpl_calibrated_clear(&made);
    clear_crowd(&c);
    dpl_head_free(head);
}

static void the_factor_of_a_mean_is_that_of_strangers_against_it(void **state)
{
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    crowd c = make_crowd(100, 4, .6, SEED);
    const dpl_calibrate_options o = of_rate(.05);
    dpl_calibrated made = calibrate(&c, head, &o);
    double worst = 1;

    (void)state;
    for (size_t row = 0; row < made.n_points; row++) {
        double single = 0, n_single = 0, by_mean = 0, n_mean = 0;

        for (int32_t p = 0; p < 100; p++) {
            float mean[DIM] = {0};
            size_t n = 0;

            for (size_t i = 0; i < c.s.n; i++)
                for (size_t k = 0; c.people[i] == p && k < DIM; k++, n += k == DIM)
                    mean[k] += c.vectors[i * DIM + k];
            for (size_t i = 0; n > 1 && i < c.s.n; i++) {
                if (c.people[i] == p)
                    continue;
                n_mean++;
                by_mean += dpl_head_score(head, mean, c.vectors + i * DIM) >= made.points[row].at;
                for (size_t j = 0; j < c.s.n; j++)
                    if (c.people[j] == p) {
                        n_single++;
                        single += dpl_head_score(head, c.vectors + j * DIM, c.vectors + i * DIM) >=
                                  made.points[row].at;
                    }
            }
        }
        if (single >= 100 && by_mean >= 100 && single <= .01 * n_single)
            worst = fmax(worst, by_mean / n_mean / (single / n_single));
    }
    assert_true(worst > 1);
    if (fabs(made.mean_factor - ceil(worst * 100) / 100) > .01 + 1e-9)
        fail_msg("%g, not %g", made.mean_factor, worst);
    dpl_calibrated_clear(&made);
    clear_crowd(&c);
    dpl_head_free(head);
}

static void threads_do_not_change_a_byte(void **state)
{
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    crowd c = make_crowd(150, 20, .5, SEED);
    dpl_calibrate_options o = of_rate(.1);
    dpl_calibrated one, many;

    (void)state;
    c.s.quality = c.quality;
    c.s.strata = c.strata;
    c.s.n_strata = 2;
    o.n_threads = 1;
    one = calibrate(&c, head, &o);
    o.n_threads = 5;
    many = calibrate(&c, head, &o);
    assert_string_equal(one.json, many.json);
    assert_int_equal(one.n_doubles, many.n_doubles);
    dpl_calibrated_clear(&one);
    dpl_calibrated_clear(&many);
    clear_crowd(&c);
    dpl_head_free(head);
}

static void what_is_stated_holds_for_other_people(void **state)
{
    static const dpl_range all = {0, 180, 0};
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    int n_beyond = 0, n = 0;

    (void)state;
    for (uint64_t k = 0; k < 6; k++) {
        crowd made_of = make_crowd(150, 3, .4, SEED + k), others = make_crowd(400, 1, .4, SEED - 1);
        const dpl_calibrate_options o = of_rate(.01);
        dpl_calibrated made = calibrate(&made_of, head, &o);
        dpl_calibration *table;

        assert_int_equal(dpl_calibration_parse(&table, made.json, NULL), DPL_OK);
        for (double fmr = .1; fmr > .009; fmr /= 3.16) {
            float accept, reject;
            dpl_error err;

            if (dpl_calibration_threshold(&accept, &reject, table, fmr, &err) != DPL_OK)
                fail_msg("%s", err.message);
            const tale t = count_pairs(&others, head, &all, true, false, accept);
            n_beyond += (double)t.reach > fmr * (double)t.n;
            n++;
        }
        dpl_calibration_free(table);
        dpl_calibrated_clear(&made);
        clear_crowd(&made_of);
        clear_crowd(&others);
    }
    /* 2.5 % of upper bounds may be too low; that of 18 three are has a probability below 0.01. */
    if (n_beyond > 2)
        fail_msg("%d of %d", n_beyond, n);
    dpl_head_free(head);
}

/* ------------------------------------------------------------------ what is missing */

static void refuse(const crowd *c, const dpl_head *head, const dpl_calibrate_options *o,
                   const char *why)
{
    dpl_calibrated made;
    dpl_error err;

    assert_int_equal(dpl_calibrate(&made, &c->s, head, o, &err), DPL_E_INPUT);
    if (!strstr(err.message, why))
        fail_msg("%s", err.message);
    assert_null(made.json);
    assert_null(made.points);
}

static void too_few_people_or_pairs_are_refused_with_how_many_are_needed(void **state)
{
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    crowd few = make_crowd(49, 3, .5, SEED), some = make_crowd(60, 1, .5, SEED), enough;
    const dpl_calibrate_options o = of_rate(1e-3);
    dpl_calibrated made;
    dpl_error err;
    const char *at;
    double people;

    (void)state;
    refuse(&few, head, &o, "a calibration needs 50 people or more, there are 49");
    refuse(&some, head, &o, "for a false match rate of 0.001 about ");
    refuse(&some, head, &o, " pairs of strangers are needed, the 1770 pairs of 60 people support ");
    /* So many people are enough. */
    assert_int_equal(dpl_calibrate(&made, &some.s, head, &o, &err), DPL_E_INPUT);
    at = strstr(err.message, ": about ");
    assert_non_null(at);
    people = strtod(at + 8, NULL);
    assert_true(people > 60 && people < 1000);
    enough = make_crowd((int32_t)people, 1, .5, SEED + 1);
    made = calibrate(&enough, head, &o);
    dpl_calibrated_clear(&made);
    clear_crowd(&few);
    clear_crowd(&some);
    clear_crowd(&enough);
    dpl_head_free(head);
}

static void a_vector_that_is_not_finite_is_refused_by_name(void **state)
{
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    crowd c = make_crowd(60, 2, .5, SEED);
    const dpl_calibrate_options o = of_rate(.1);

    (void)state;
    c.vectors[7 * DIM + 3] = NAN;
    refuse(&c, head, &o, c.names[7]);
    clear_crowd(&c);
    dpl_head_free(head);
}

static int stop_at_once = 1;

static void a_raised_flag_stops_it(void **state)
{
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    crowd c = make_crowd(60, 2, .5, SEED);
    dpl_calibrate_options o = of_rate(.1);
    dpl_calibrated made;
    dpl_error err;

    (void)state;
    o.cancel = &stop_at_once;
    assert_int_equal(dpl_calibrate(&made, &c.s, head, &o, &err), DPL_E_CANCELLED);
    assert_null(made.json);
    clear_crowd(&c);
    dpl_head_free(head);
}

/* ------------------------------------------------------------------ double entries */

static void a_person_under_two_names_is_shown_until_somebody_has_judged(void **state)
{
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    crowd c = make_crowd(150, 4, .12, SEED);
    dpl_calibrate_options o = of_rate(.1);
    dpl_calibrated made;
    int32_t a = -1, b = -1, *judged;
    size_t n_judged;
    int64_t n_merged;
    dpl_error err;

    (void)state;
    /* Two people of several photos: the second gets the first's direction. */
    for (int32_t p = 0; p < 150 && b < 0; p++) {
        size_t n = 0;
        for (size_t i = 0; i < c.s.n; i++)
            n += c.people[i] == p;
        if (n == 4)
            *(a < 0 ? &a : &b) = p;
    }
    for (size_t i = 0; i < c.s.n; i++)
        if (c.people[i] == b) {
            size_t like = 0;
            while (c.people[like] != a)
                like++;
            like += i % 4;
            for (size_t k = 0; k < DIM; k++)
                c.vectors[i * DIM + k] =
                    .98F * c.vectors[like * DIM + k] + (k == i % DIM ? .02F : 0);
        }
    made = calibrate(&c, head, &o);
    assert_true(made.n_doubles >= 1);
    assert_int_equal(made.doubles[0].person_a, a);
    assert_int_equal(made.doubles[0].person_b, b);
    assert_int_equal(made.doubles[0].n_pairs, 16);
    assert_true(made.doubles[0].n_alike >= 4); /* photos as good as the same */
    const int64_t n_pairs = made.n_pairs;
    dpl_calibrated_clear(&made);

    FILE *f = fopen("review.txt", "w");
    fprintf(f, "# looked at\n\nunsure\tperson %d\tperson %d # twins?\n", a, b);
    fclose(f);
    if (dpl_review_apply(c.people, c.s.n, c.s.people_names, 150, "review.txt", &n_merged, &judged,
                         &n_judged, &err) != DPL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(n_merged, 0);
    assert_int_equal(n_judged, 1);
    c.s.judged = judged;
    c.s.n_judged = n_judged;
    made = calibrate(&c, head, &o);
    assert_int_equal(made.n_pairs, n_pairs);
    for (size_t i = 0; i < made.n_doubles; i++)
        assert_false(made.doubles[i].person_a == a && made.doubles[i].person_b == b);
    dpl_calibrated_clear(&made);
    dpl_bytes_free(judged);
    c.s.judged = NULL;
    c.s.n_judged = 0;

    f = fopen("review.txt", "w");
    fprintf(f, "same\tperson %d\tperson %d\n", a, b);
    fclose(f);
    assert_int_equal(dpl_review_apply(c.people, c.s.n, c.s.people_names, 150, "review.txt",
                                      &n_merged, &judged, &n_judged, &err),
                     DPL_OK);
    assert_int_equal(n_merged, 1);
    made = calibrate(&c, head, &o);
    assert_int_equal(made.n_pairs, n_pairs - 16);
    assert_int_equal(made.n_people, 149);
    dpl_calibrated_clear(&made);
    dpl_bytes_free(judged);
    clear_crowd(&c);
    dpl_head_free(head);
}

static void a_review_that_cannot_be_meant_is_refused_by_line(void **state)
{
    static const char *const bad[][2] = {
        {"same a b\nsame a nobody\n", "line 2: nobody is called \"nobody\""},
        {"merge a b\n", "line 1: not \"same A B\""},
        {"\n\nsame a\n", "line 3: not \"same A B\""},
        {"same a b c\n", "line 1: not \"same A B\""},
    };
    static const char *const names[] = {"a", "b", "c#1"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int32_t people[] = {0, 1, 2}, *judged;
        int64_t n_merged;
        size_t n_judged;
        dpl_error err;

        assert_int_equal(dpli_file_replace("review.txt", bad[i][0], strlen(bad[i][0]), NULL),
                         DPL_OK);
        assert_int_equal(dpl_review_apply(people, 3, names, 3, "review.txt", &n_merged, &judged,
                                          &n_judged, &err),
                         DPL_E_INPUT);
        if (!strstr(err.message, bad[i][1]) || !strstr(err.message, "\"review.txt\""))
            fail_msg("%s", err.message);
    }
    static const char *const good[] = {"same a c#1 # not the name\r\nalike a b\nsame c#1 b",
                                       "same a c#1 # not the name\ralike a b\rsame c#1 b\r"};
    for (size_t k = 0; k < 2; k++) {
        int32_t people[] = {0, 1, 2, 1}, *judged;
        int64_t n_merged;
        size_t n_judged;

        assert_int_equal(dpli_file_replace("review.txt", good[k], strlen(good[k]), NULL), DPL_OK);
        assert_int_equal(dpl_review_apply(people, 4, names, 3, "review.txt", &n_merged, &judged,
                                          &n_judged, NULL),
                         DPL_OK);
        assert_int_equal(n_merged, 2);
        for (int i = 0; i < 4; i++)
            assert_int_equal(people[i], 0);
        dpl_bytes_free(judged);
    }
}

/* ------------------------------------------------------------------ the cohort */

static void with_a_cohort_rates_are_of_the_evidence(void **state)
{
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    crowd others = make_crowd(200, 2, .5, SEED + 1), c = make_crowd(120, 4, .5, SEED);
    dpl_calibrate_options o = of_rate(.05);
    const int32_t n_seeds[] = {80};
    dpl_calibrated made;
    dpl_calibration *table;
    dpli_cohort *cohort;
    float *mean = calloc(c.s.n, sizeof *mean), *deviation = calloc(c.s.n, sizeof *deviation);
    int64_t n_centres;
    char *text;
    dpl_error err;

    (void)state;
    if (dpl_cohort_make(&text, &n_centres, &others.s, head, n_seeds, 1, 2, &err) != DPL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(n_centres, 80);
    o.cohort = text;
    made = calibrate(&c, head, &o);
    if (dpl_calibration_parse(&table, made.json, &err) != DPL_OK)
        fail_msg("%s", err.message);
    assert_true(dpl_calibration_has_cohort(table));
    assert_true(dpl_calibration_mean_factor(table) >= 1);
    assert_int_equal(dpli_cohort_parse(&cohort, text, DIM, 40, NULL), DPL_OK);
    for (size_t i = 0; i < c.s.n; i++)
        dpli_cohort_stats(&mean[i], &deviation[i], cohort, c.vectors + i * DIM);
    for (size_t row = 0; row < made.n_points; row++) {
        uint64_t n = 0, reach = 0;

        for (size_t i = 0; i < c.s.n; i++)
            for (size_t j = i + 1; j < c.s.n; j++) {
                float s = dpl_head_score(head, c.vectors + i * DIM, c.vectors + j * DIM);

                if (c.people[i] == c.people[j])
                    continue;
                n++;
                reach +=
                    dpl_calibration_evidence(table, s,
                                             dpli_normalised(s, mean[i], deviation[i], mean[j],
                                                             deviation[j])) >= made.points[row].at;
            }
        /* The marginals are read back as they were written, so not a pair is another. */
        assert_int_equal(n, made.n_pairs);
        assert_true(fabs((double)reach / (double)n - made.points[row].rate) < 1e-12);
    }
    dpl_calibration_free(table);
    dpl_calibrated_clear(&made);
    dpli_cohort_free(cohort);
    dpl_bytes_free(text);
    free(mean);
    free(deviation);
    clear_crowd(&c);
    clear_crowd(&others);
    dpl_head_free(head);
}

/* A centre as the format has it, to unit length. */
static void read_centre(double out[DIM], const uint8_t *bytes, size_t k)
{
    double square = 0;

    for (size_t i = 0; i < DIM; i++) {
        out[i] = (int8_t)bytes[12 + k * DIM + i];
        square += out[i] * out[i];
    }
    for (size_t i = 0; i < DIM; i++)
        out[i] /= sqrt(square);
}

static void a_centre_is_the_mean_of_a_face_and_the_nearest_of_four_others(void **state)
{
    dpl_head *head = make_head(DPL_HEAD_COSINE);
    crowd c = make_crowd(50, 3, .2, SEED);
    const int32_t n_seeds[] = {(int32_t)c.s.n};
    int64_t n_centres;
    char *text;
    uint8_t *bytes;
    size_t n_bytes, n_found = 0;

    (void)state;
    assert_int_equal(dpl_cohort_make(&text, &n_centres, &c.s, head, n_seeds, 1, 0, NULL), DPL_OK);
    assert_int_equal(n_centres, c.s.n);
    assert_int_equal(dpli_base64_decode(&bytes, &n_bytes, text, NULL), DPL_OK);
    assert_int_equal(n_bytes, 12 + c.s.n * DIM);
    for (size_t seed = 0; seed < c.s.n; seed++) {
        double mean[DIM] = {0}, square = 0, best = -1;
        bool used[50] = {false};

        for (int k = 0; k < 5; k++) {
            size_t next = seed;
            float highest = -2;

            for (size_t j = 0; k > 0 && j < c.s.n; j++) {
                float s = dpl_head_score(head, c.vectors + seed * DIM, c.vectors + j * DIM);
                if (!used[c.people[j]] && s > highest) {
                    highest = s;
                    next = j;
                }
            }
            used[c.people[next]] = true;
            for (size_t i = 0; i < DIM; i++)
                mean[i] += (double)c.vectors[next * DIM + i];
        }
        for (size_t i = 0; i < DIM; i++)
            square += mean[i] * mean[i];
        for (size_t k = 0; k < c.s.n; k++) {
            double centre[DIM], cosine = 0;

            read_centre(centre, bytes, k);
            for (size_t i = 0; i < DIM; i++)
                cosine += centre[i] * mean[i] / sqrt(square);
            best = fmax(best, cosine);
        }
        /* Rounded to 8 bits: each number within 1/254 of the largest, which is at most 1. */
        n_found += best > 1 - DIM / (2 * 254.0 * 254.0);
    }
    assert_int_equal(n_found, c.s.n);
    free(bytes);
    dpl_bytes_free(text);
    clear_crowd(&c);
    dpl_head_free(head);
}

static void a_cohort_of_too_few_people_is_refused(void **state)
{
    dpl_head *head = make_head(DPL_HEAD_COSINE), *other = make_head(DPL_HEAD_EUCLIDEAN);
    crowd c = make_crowd(4, 30, .2, SEED);
    const int32_t n_seeds[] = {40}, none[] = {39};
    int64_t n_centres;
    char *text;
    dpl_error err;

    (void)state;
    assert_int_equal(dpl_cohort_make(&text, &n_centres, &c.s, head, n_seeds, 1, 0, &err),
                     DPL_E_INPUT);
    assert_non_null(strstr(err.message, "fewer than 5 people"));
    assert_int_equal(dpl_cohort_make(&text, &n_centres, &c.s, head, none, 1, 0, &err),
                     DPL_E_ARGUMENT);
    assert_int_equal(dpl_cohort_make(&text, &n_centres, &c.s, other, n_seeds, 1, 0, &err),
                     DPL_E_ARGUMENT);
    assert_non_null(strstr(err.message, "euclidean"));
    assert_null(text);
    clear_crowd(&c);
    dpl_head_free(head);
    dpl_head_free(other);
}

/* ------------------------------------------------------------------ keeping it */

static void a_calibration_in_a_model_changes_no_vector_and_no_name(void **state)
{
    dpl_encoder *before, *after;
    uint8_t *bytes;
    size_t n;
    struct stat st;
    dpl_error err;

    (void)state;
    assert_int_equal(dpli_file_read(&bytes, &n, DPL_MODELS_DIR "/drawing-64.onnx", 1 << 30, NULL),
                     DPL_OK);
    assert_int_equal(dpli_file_replace("m.onnx", bytes, n, NULL), DPL_OK);
    assert_int_equal(dpl_encoder_open(&before, "m.onnx", NULL, NULL), DPL_OK);
    if (dpl_calibration_into_model("m.onnx", "{\"a\":1}", "abc", &err) != DPL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(dpl_encoder_open(&after, "m.onnx", NULL, NULL), DPL_OK);
    assert_string_equal(dpl_encoder_fact(after, "calibration"), "{\"a\":1}");
    assert_string_equal(dpl_encoder_fact(after, "cohort"), "abc");
    assert_string_equal(dpl_encoder_hash(after), dpl_encoder_hash(before));
    assert_string_equal(dpl_net_hash(dpl_encoder_net(after)),
                        dpl_net_hash(dpl_encoder_net(before)));
    assert_string_equal(dpl_encoder_fact(after, "mean"), dpl_encoder_fact(before, "mean"));
    assert_int_equal(stat("m.onnx", &st), 0);
    dpl_encoder_close(before);
    dpl_encoder_close(after);
    free(bytes);

    /* What would win over it is not written behind. */
    assert_int_equal(dpli_file_replace("m.onnx.json", "{\"calibration\":\"x\"}", 19, NULL), DPL_OK);
    assert_int_equal(dpl_calibration_into_model("m.onnx", "{}", NULL, &err), DPL_E_MODEL);
    assert_non_null(strstr(err.message, "m.onnx.json"));
    assert_int_equal(unlink("m.onnx.json"), 0);
    assert_int_equal(dpl_calibration_into_model("none.onnx", "{}", NULL, &err), DPL_E_MODEL);
    assert_non_null(strstr(err.message, "none.onnx"));
    assert_int_equal(unlink("m.onnx"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_shares_of_all_pairs_by_every_head),
        cmocka_unit_test(poor_faces_have_a_table_of_their_own_and_too_poor_ones_none),
        cmocka_unit_test(pairs_count_within_strata_whose_bounds_the_table_holds),
        cmocka_unit_test(bounds_are_those_of_people_drawn_anew),
        cmocka_unit_test(the_factor_of_a_mean_is_that_of_strangers_against_it),
        cmocka_unit_test(threads_do_not_change_a_byte),
        cmocka_unit_test(what_is_stated_holds_for_other_people),
        cmocka_unit_test(too_few_people_or_pairs_are_refused_with_how_many_are_needed),
        cmocka_unit_test(a_vector_that_is_not_finite_is_refused_by_name),
        cmocka_unit_test(a_raised_flag_stops_it),
        cmocka_unit_test(a_person_under_two_names_is_shown_until_somebody_has_judged),
        cmocka_unit_test(a_review_that_cannot_be_meant_is_refused_by_line),
        cmocka_unit_test(with_a_cohort_rates_are_of_the_evidence),
        cmocka_unit_test(a_centre_is_the_mean_of_a_face_and_the_nearest_of_four_others),
        cmocka_unit_test(a_cohort_of_too_few_people_is_refused),
        cmocka_unit_test(a_calibration_in_a_model_changes_no_vector_and_no_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
