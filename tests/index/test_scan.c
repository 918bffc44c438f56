/*
 * test_scan.c - exact search by codes: bounds hold, and answers are those of brute force to the
 * bit, ties and vectors that no code suits included.
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

#include "base/mem.h"
#include "index/scan.h"
#include "net/rows8.h"
#include "tests/index/vectors.h"

#define SEED 20261127

/* Kinds of rows, each hard for a bound or for the order. */
enum { PLAIN, TWICE, NEARLY, LENGTHS, HUGE_ONES, TINY_ONES, SPIKES, RISING, SAME, N_SORTS };

static void make_rows(int sort, float *rows, size_t n, size_t dim, dpli_rng *rng)
{
    make_clusters(rows, n, dim, 50, 1, rng);
    for (size_t r = 0; r < n; r++) {
        float *row = rows + r * dim;

        if ((sort == TWICE && r % 3) || sort == SAME)
            memcpy(row, rows + (sort == SAME ? 0 : r - r % 3) * dim, dim * sizeof *row);
        for (size_t i = 0; i < dim; i++) {
            if (sort == NEARLY)
                row[i] = rows[i] + (r ? 1e-4F * (float)dpli_rng_normal(rng) : 0);
            if (sort == LENGTHS) /* some of none */
                row[i] *= (float)(r % 10);
            if (sort == HUGE_ONES)
                row[i] *= 3e37F;
            if (sort == TINY_ONES)
                row[i] *= 1e-41F;
            if (sort == SPIKES) /* one number that takes all of the scale */
                row[i] *= i == r % dim ? 1000 : 1;
            if (sort == RISING) /* from the far end to the near one */
                row[i] = (i == 0) + (float)(n - r) / (float)n * (i == 1) * 3;
        }
    }
}

static dpl_head *head_of(dpl_head_kind kind, size_t dim)
{
    dpl_head *head = NULL;

    assert_int_equal(dpl_head_new(&head, kind, (int32_t)dim, NULL, 0, NULL), DPL_OK);
    return head;
}

typedef struct sample {
    size_t n, dim;
    float *rows;
    dpl_head *head;
    dpli_rows *stored; /* the rows, borrowed */
    dpli_scanned in;
    int8_t *records;
} sample;

static sample sample_of(int sort, size_t n, size_t dim, dpl_head_kind kind, dpli_rng *rng)
{
    sample s = {.n = n, .dim = dim, .head = head_of(kind, dim)};
    const dpli_code_shape shape = dpli_code_shape_of((int32_t)dim, kind == DPL_HEAD_COSINE);

    s.rows = malloc(n * dim * sizeof *s.rows);
    s.records = dpli_alloc_aligned(n, shape.stride, NULL);
    s.stored = calloc(1, sizeof *s.stored);
    assert_true(s.rows && s.records && s.stored);
    *s.stored = (dpli_rows){.dim = (int32_t)dim, .n = n, .rest = s.rows};
    make_rows(sort, s.rows, n, dim, rng);
    dpli_code_rows(s.records, &shape, s.rows, n);
    s.in = (dpli_scanned){s.records, shape, s.stored, NULL, n};
    return s;
}

static void clear(sample *s)
{
    free(s->rows);
    free(s->stored);
    free(s->records);
    dpl_head_free(s->head);
}

static void every_score_is_within_its_bounds(void **state)
{
    static const size_t dims[] = {1, 3, 31, 32, 33, 192, 500};
    static int16_t code[512 + 32];
    dpli_rng rng;

    (void)state;
    printf("seed %d\n", SEED);
    dpli_rng_seed(&rng, SEED);
    for (int sort = 0; sort < N_SORTS; sort++)
        for (int kind = 0; kind < 2; kind++)
            for (size_t d = 0; d < sizeof dims / sizeof *dims; d++) {
                enum { N = 150 };
                sample s = sample_of(sort, N, dims[d], (dpl_head_kind)kind, &rng);
                dpli_coded_probe probe = {.code = code};
                int32_t dots[N];
                dpli_bounds bounds[N];

                for (size_t p = 0; p < N; p += 10) {
                    const float *row = s.rows + p * s.dim;

                    dpli_code_probe(&probe, &s.in.shape, row);
                    dpli_rows8_dot(dots, code, s.records, s.in.shape.stride, N, s.in.shape.width);
                    dpli_code_bounds(bounds, &s.in.shape, &probe, s.records, dots, N);
                    for (size_t r = 0; r < N; r++) {
                        const float score = dpl_head_score(s.head, row, s.rows + r * s.dim);

                        if (isnan(score) ? !isnan(bounds[r].high)
                                         : !(bounds[r].low <= score && score <= bounds[r].high))
                            fail_msg("sort %d, %s, dim %zu, rows %zu and %zu: %.9g is not within "
                                     "%.9g and %.9g",
                                     sort, dpl_head_name(s.head), s.dim, p, r, (double)score,
                                     (double)bounds[r].low, (double)bounds[r].high);
                    }
                }
                clear(&s);
            }
}

static void products_are_exact_in_a_row_and_by_number(void **state)
{
    enum { N = 20, WIDTH = 96, STRIDE = 112 };
    static int8_t rows[N * STRIDE];
    static int16_t a[WIDTH];
    static const uint32_t at[] = {7, 0, 19, 7};
    int32_t got[N], some[4];
    dpli_rng rng;

    (void)state;
    dpli_rng_seed(&rng, SEED);
    for (size_t i = 0; i < sizeof rows; i++)
        rows[i] = (int8_t)((int)dpli_rng_below(&rng, 256) - 128);
    for (size_t i = 0; i < WIDTH; i++)
        a[i] = (int16_t)((int)dpli_rng_below(&rng, 65535) - 32767);
    dpli_rows8_dot(got, a, rows, STRIDE, N, WIDTH);
    dpli_rows8_dot_at(some, a, rows, STRIDE, at, 4, WIDTH);
    for (size_t r = 0; r < N; r++) {
        int64_t want = 0;

        for (size_t i = 0; i < WIDTH; i++)
            want += (int64_t)a[i] * rows[r * STRIDE + i];
        assert_true(got[r] == want);
    }
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(some[i], got[at[i]]);
}

static void answers_are_those_of_brute_force_to_the_bit(void **state)
{
    enum { N = 9000, DIM = 40, P = 70, K = 12 };
    dpli_found *want = malloc((size_t)P * K * sizeof *want);
    dpli_found *got = malloc((size_t)P * K * sizeof *got);
    float *probes = malloc((size_t)P * DIM * sizeof *probes);
    dpli_rng rng;

    (void)state;
    assert_true(want && got && probes);
    dpli_rng_seed(&rng, SEED + 1);
    for (int sort = 0; sort < N_SORTS; sort++)
        for (int kind = 0; kind < 2; kind++) {
            /* Of one sort more than are looked for at once; of another, one each. */
            const size_t n_probes = sort == PLAIN ? P : 12, k = sort == TWICE ? 1 : K;
            sample s = sample_of(sort, N, DIM, (dpl_head_kind)kind, &rng);

            make_rows(sort, probes, n_probes, DIM, &rng);
            memcpy(probes, s.rows + 3000 * DIM, 6 * DIM * sizeof *probes);
            assert_true(dpli_scan_serves(&s.in, s.head, k));
            assert_int_equal(dpli_flat_search(want, s.head, s.rows, N, probes, n_probes, k, NULL),
                             DPL_OK);
            assert_int_equal(dpli_scan_search(got, s.head, &s.in, probes, n_probes, k, NULL),
                             DPL_OK);
            for (size_t i = 0; i < n_probes * k; i++)
                if (want[i].at != got[i].at ||
                    memcmp(&want[i].score, &got[i].score, sizeof got[i].score) != 0)
                    fail_msg("sort %d, %s, result %zu: row %zu at %.9g, not %zu at %.9g", sort,
                             dpl_head_name(s.head), i, got[i].at, (double)got[i].score, want[i].at,
                             (double)want[i].score);
            clear(&s);
        }
    free(want);
    free(got);
    free(probes);
}

static void heads_and_sizes_without_bounds_are_not_served(void **state)
{
    dpli_rng rng;
    sample s;
    dpl_head *other;

    (void)state;
    dpli_rng_seed(&rng, SEED);
    s = sample_of(PLAIN, 2000, 8, DPL_HEAD_COSINE, &rng);
    assert_true(dpli_scan_serves(&s.in, s.head, 10));
    assert_false(dpli_scan_serves(&s.in, s.head, 1000)); /* as good as all of them */
    other = head_of(DPL_HEAD_EUCLIDEAN, 8);              /* codes of unit vectors */
    assert_false(dpli_scan_serves(&s.in, other, 10));
    dpl_head_free(other);
    other = head_of(DPL_HEAD_EXP_MANHATTAN, 8);
    assert_false(dpli_scan_serves(&s.in, other, 10));
    dpl_head_free(other);
    clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_exact_in_a_row_and_by_number),
        cmocka_unit_test(every_score_is_within_its_bounds),
        cmocka_unit_test(answers_are_those_of_brute_force_to_the_bit),
        cmocka_unit_test(heads_and_sizes_without_bounds_are_not_served),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
