/*
 * test_score_cohort.c - a cohort read or refused, its statistics against a plain loop in double,
 * the normalised score.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/rng.h"
#include "index/cohort.h"

#define SEED 20261126

static void put_u32(uint8_t *to, uint32_t x)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(x >> 8 * i);
}

/* The fact's text, freed by free(). */
static char *text_of(uint32_t n, uint32_t dim, float scale, const int8_t *rows, size_t n_rows)
{
    uint8_t *bytes = malloc(12 + n_rows);
    uint32_t bits;
    dpli_buf buf = {0};

    memcpy(&bits, &scale, sizeof bits);
    put_u32(bytes, n);
    put_u32(bytes + 4, dim);
    put_u32(bytes + 8, bits);
    memcpy(bytes + 12, rows, n_rows);
    dpli_buf_base64(&buf, bytes, 12 + n_rows);
    assert_int_equal(dpli_buf_check(&buf, NULL), DPL_OK);
    free(bytes);
    return buf.data;
}

static void fill(int8_t *rows, size_t n, dpli_rng *rng)
{
    for (size_t i = 0; i < n; i++)
        rows[i] = (int8_t)(dpli_rng_unit(rng) * 255 - 127);
}

static int falling(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

/* Every cosine in double, sorted, the first top of them. */
static void reference(double *mean, double *deviation, const int8_t *rows, size_t n, int32_t dim,
                      int32_t top, const float *vector)
{
    double *cosines = malloc(n * sizeof *cosines), sum = 0;

    for (size_t i = 0; i < n; i++) {
        double ab = 0, aa = 0, bb = 0;

        for (int32_t j = 0; j < dim; j++) {
            const double a = rows[i * (size_t)dim + (size_t)j], b = (double)vector[j];
            ab += a * b;
            aa += a * a;
            bb += b * b;
        }
        cosines[i] = ab / sqrt(aa * bb);
    }
    qsort(cosines, n, sizeof *cosines, falling);
    for (int32_t i = 0; i < top; i++)
        sum += cosines[i];
    *mean = sum / top;
    sum = 0;
    for (int32_t i = 0; i < top; i++)
        sum += (cosines[i] - *mean) * (cosines[i] - *mean);
    *deviation = sqrt(sum / top);
    free(cosines);
}

static void statistics_are_those_of_the_members_most_alike(void **state)
{
    static const struct {
        size_t n;
        int32_t dim, top;
    } shapes[] = {{2, 1, 2},    {3, 2, 2},     {40, 7, 40},     {41, 33, 40},
                  {500, 64, 1}, {500, 64, 20}, {2400, 192, 40}, {300, 1000, 300}};
    dpli_rng rng;

    (void)state;
    printf("seed %d\n", SEED);
    dpli_rng_seed(&rng, SEED);
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        const size_t n = shapes[s].n;
        const int32_t dim = shapes[s].dim, top = shapes[s].top > 1 ? shapes[s].top : 2;
        int8_t *rows = malloc(n * (size_t)dim);
        float *vector = malloc((size_t)dim * sizeof *vector);
        dpli_cohort *c;

        fill(rows, n * (size_t)dim, &rng);
        for (size_t i = 0; i < n; i++)
            rows[i * (size_t)dim] |= 1; /* none is all zero */
        assert_int_equal(dpli_cohort_new(&c, rows, n, dim, top, NULL), DPL_OK);
        assert_int_equal(dpli_cohort_n(c), n);
        for (int trial = 0; trial < 20; trial++) {
            /* Each rounded number is off by half a step of 1/32767 at most, a cosine by that times
               the root of dim; the mean and the deviation by no more. */
            const double most = 0.5 / 32767 * sqrt(dim) + 1e-6;
            double mean, deviation;
            float got[2];

            for (int32_t i = 0; i < dim; i++)
                vector[i] = (float)(dpli_rng_unit(&rng) - 0.5) * (trial % 2 ? 1e-6F : 1e6F);
            reference(&mean, &deviation, rows, n, dim, top, vector);
            dpli_cohort_stats(&got[0], &got[1], c, vector);
            if (!(fabs((double)got[0] - mean) <= most))
                fail_msg("%zu x %d: mean %g, not %g", n, dim, (double)got[0], mean);
            if (!(fabs((double)got[1] - deviation) <= most))
                fail_msg("%zu x %d: deviation %g, not %g", n, dim, (double)got[1], deviation);
        }
        dpli_cohort_free(c);
        free(vector);
        free(rows);
    }
    dpli_cohort_free(NULL);
}

static void the_longest_products_do_not_overflow(void **state)
{
    enum { DIM = 65536 };
    int8_t *rows = malloc(3 * DIM);
    float *vector = malloc(DIM * sizeof *vector), mean, deviation;
    dpli_cohort *c;

    (void)state;
    memset(rows, 127, DIM);
    memset(rows + DIM, -128, DIM);
    memset(rows + 2 * DIM, 127, DIM);
    for (size_t i = 0; i < DIM; i++)
        vector[i] = 1;
    assert_int_equal(dpli_cohort_new(&c, rows, 3, DIM, 2, NULL), DPL_OK);
    dpli_cohort_stats(&mean, &deviation, c, vector);
    assert_true(fabsf(mean - 1) < 4e-3F && deviation < 1e-6F);
    dpli_cohort_free(c);
    free(vector);
    free(rows);
}

static void of_what_has_no_direction_there_are_no_statistics(void **state)
{
    const int8_t rows[] = {1, 0, 0, 1, 1, 1};
    const float bad[][2] = {{0, 0}, {NAN, 1}, {1, INFINITY}, {-INFINITY, 0}};
    float mean, deviation;
    dpli_cohort *c;

    (void)state;
    assert_int_equal(dpli_cohort_new(&c, rows, 3, 2, 2, NULL), DPL_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mean = deviation = 7;
        dpli_cohort_stats(&mean, &deviation, c, bad[i]);
        assert_true(isnan(mean) && isnan(deviation));
    }
    dpli_cohort_free(c);
}

static void a_fact_is_read(void **state)
{
    const int8_t rows[] = {1, 0, 0, 1, 127, -128};
    char *text = text_of(3, 2, 0.01F, rows, sizeof rows);
    float mean[2], deviation[2], vector[] = {0.3F, -0.7F};
    dpli_cohort *a, *b;

    (void)state;
    assert_int_equal(dpli_cohort_parse(&a, text, 2, 2, NULL), DPL_OK);
    assert_int_equal(dpli_cohort_new(&b, rows, 3, 2, 2, NULL), DPL_OK);
    dpli_cohort_stats(&mean[0], &deviation[0], a, vector);
    dpli_cohort_stats(&mean[1], &deviation[1], b, vector);
    assert_true(mean[0] == mean[1] && deviation[0] == deviation[1]);
    dpli_cohort_free(a);
    dpli_cohort_free(b);
    free(text);
}

static void what_is_no_cohort_is_refused(void **state)
{
    const int8_t rows[] = {1, 0, 0, 1, 0, 0};
    const struct {
        uint32_t n, dim;
        float scale;
        size_t n_rows;
        int32_t top;
        const char *says;
    } bad[] = {
        {2, 2, 1, 4, 1, "most like"},
        {2, 2, 1, 4, 3, "most like"},
        {2, 2, 1, 4, 0, "most like"},
        {2, 2, 1, 4, 2000, "most like"},
        {2, 2, 1, 4, -5, "most like"},
        {2, 3, 1, 6, 2, "members of 3"},
        {0, 2, 1, 0, 2, "0 members"},
        {3, 2, 1, 6, 2, "member 3 is all zero"},
        {3, 2, 1, 5, 2, "5 bytes"},
        {2, 2, 1, 6, 2, "6 bytes"},
        {0xffffffff, 2, 1, 4, 2, "members"},
        {65537, 2, 1, 4, 2, "members"},
        {2, 0x80000002, 1, 4, 2, "members of"},
        {2, 2, 0, 4, 2, "scale"},
        {2, 2, -1, 4, 2, "scale"},
        {2, 2, NAN, 4, 2, "scale"},
        {2, 2, INFINITY, 4, 2, "scale"},
    };
    dpli_cohort *c = (dpli_cohort *)&rows;
    dpl_error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *text = text_of(bad[i].n, bad[i].dim, bad[i].scale, rows, bad[i].n_rows);

        assert_int_equal(dpli_cohort_parse(&c, text, 2, bad[i].top, &err), DPL_E_MODEL);
        assert_null(c);
        if (!strstr(err.message, bad[i].says))
            fail_msg("%zu: \"%s\" does not say \"%s\"", i, err.message, bad[i].says);
        free(text);
    }
    assert_int_equal(dpli_cohort_parse(&c, "", 2, 2, &err), DPL_E_MODEL);
    assert_int_equal(dpli_cohort_parse(&c, "AgAAAA==", 2, 2, &err), DPL_E_MODEL);
    assert_int_equal(dpli_cohort_parse(&c, "what?", 2, 2, &err), DPL_E_MODEL);
    assert_non_null(strstr(err.message, "base64"));
    assert_int_equal(dpli_cohort_new(&c, rows, 2, 0, 2, &err), DPL_E_MODEL);
    assert_int_equal(dpli_cohort_new(&c, rows, 2, 65537, 2, &err), DPL_E_MODEL);
}

static void a_text_longer_than_any_cohort_is_not_decoded(void **state)
{
    const size_t n = (size_t)65536 * 1 + 200000;
    char *text = malloc(n + 1);
    dpli_cohort *c;
    dpl_error err;

    (void)state;
    memset(text, 'A', n);
    text[n] = '\0';
    assert_int_equal(dpli_cohort_parse(&c, text, 1, 2, &err), DPL_E_MODEL);
    assert_non_null(strstr(err.message, "longer"));
    free(text);
}

static void no_cut_of_a_fact_is_a_cohort(void **state)
{
    int8_t rows[10 * 6];
    dpli_rng rng;
    char *text;
    dpli_cohort *c;

    (void)state;
    dpli_rng_seed(&rng, SEED);
    fill(rows, sizeof rows, &rng);
    text = text_of(10, 6, 1, rows, sizeof rows);
    assert_int_equal(dpli_cohort_parse(&c, text, 6, 4, NULL), DPL_OK);
    dpli_cohort_free(c);
    for (size_t n = strlen(text); n-- > 0;) {
        text[n] = '\0';
        assert_int_equal(dpli_cohort_parse(&c, text, 6, 4, NULL), DPL_E_MODEL);
    }
    free(text);
}

static void a_score_is_seen_from_both_sides(void **state)
{
    (void)state;
    /* ((0.5 - 0.1) / 0.1 + (0.5 - 0.3) / 0.05) / 2 = (4 + 4) / 2 */
    assert_true(fabsf(dpli_normalised(0.5F, 0.1F, 0.1F, 0.3F, 0.05F) - 4) < 1e-5F);
    assert_true(dpli_normalised(0.5F, 0.1F, 0.1F, 0.3F, 0.05F) ==
                dpli_normalised(0.5F, 0.3F, 0.05F, 0.1F, 0.1F));
    assert_true(isnan(dpli_normalised(NAN, 0, 1, 0, 1)));
    assert_true(isnan(dpli_normalised(INFINITY, 0, 1, 0, 1)));
    assert_true(isnan(dpli_normalised(0, NAN, 1, 0, 1)));
    assert_true(isnan(dpli_normalised(0, 0, 1, 0, NAN)));
    assert_true(isnan(dpli_normalised(0.5F, 0, 0, 0, 1)));
    assert_true(isnan(dpli_normalised(0.5F, 0, 1, 0, -1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_are_those_of_the_members_most_alike),
        cmocka_unit_test(the_longest_products_do_not_overflow),
        cmocka_unit_test(of_what_has_no_direction_there_are_no_statistics),
        cmocka_unit_test(a_fact_is_read),
        cmocka_unit_test(what_is_no_cohort_is_refused),
        cmocka_unit_test(a_text_longer_than_any_cohort_is_not_decoded),
        cmocka_unit_test(no_cut_of_a_fact_is_a_cohort),
        cmocka_unit_test(a_score_is_seen_from_both_sides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
