/*
 * test_search_flat.c - the exact search against a full sort, by every head; ties, NaN and sizes at
 * their edges. Needs no FAISS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "index/flat.h"

#define SEED 20240613

static int by_score_then_row(const void *a, const void *b)
{
    const dpli_found *x = a, *y = b;

    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* All rows that have a score, sorted. Returns how many. */
static size_t sorted(dpli_found *all, const dpl_head *head, const float *rows, size_t n,
                     const float *probe)
{
    size_t dim = (size_t)dpl_head_dim(head), m = 0;

    for (size_t r = 0; r < n; r++) {
        float score = dpl_head_score(head, probe, rows + r * dim);
        if (!isnan(score))
            all[m++] = (dpli_found){score, r};
    }
    qsort(all, m, sizeof *all, by_score_then_row);
    return m;
}

static void check(const dpl_head *head, const float *rows, size_t n, const float *probes,
                  size_t n_probes, size_t k)
{
    dpli_found *found = calloc(n_probes * k + 1, sizeof *found);
    dpli_found *all = calloc(n + 1, sizeof *all);
    size_t dim = (size_t)dpl_head_dim(head);

    assert_int_equal(dpli_flat_search(found, head, rows, n, probes, n_probes, k, NULL), DPL_OK);
    for (size_t i = 0; i < n_probes; i++) {
        size_t m = sorted(all, head, rows, n, probes + i * dim);

        for (size_t j = 0; j < k; j++) {
            const dpli_found *f = &found[i * k + j];
            if (j < m ? f->at != all[j].at || f->score != all[j].score
                      : f->at != DPLI_NOWHERE || !isnan(f->score))
                fail_msg("%s, %zu rows, k %zu: probe %zu has the wrong row at %zu",
                         dpl_head_name(head), n, k, i, j);
        }
    }
    free(found);
    free(all);
}

static dpl_head *make(int kind, int32_t dim, dpli_rng *rng)
{
    float *w = malloc((size_t)dim * sizeof *w);
    dpl_head *head = NULL;
    int weighted = kind == DPL_HEAD_L1_SIGMOID;

    for (int32_t i = 0; i < dim; i++)
        w[i] = (float)dpli_rng_normal(rng); /* of both signs */
    assert_int_equal(dpl_head_new(&head, (dpl_head_kind)kind, dim, weighted ? w : NULL,
                                  weighted ? 0.5f : 0, NULL),
                     DPL_OK);
    free(w);
    return head;
}

static void the_best_are_those_of_a_full_sort(void **state)
{
    static const struct {
        size_t n, n_probes, k;
        int32_t dim;
    } shapes[] = {
        {1, 1, 1, 1},          {0, 2, 3, 4},        {7, 3, 7, 5},         {7, 3, 20, 5},
        {1000, 5, 1, 17},      {501, 0, 2, 3},      {5000, 2, 0, 8},      {20000, 3, 10, 64},
        {20000, 1, 20000, 64}, {3000, 200, 15, 33}, {2000, 600, 2000, 3}, /* more results than are
                                                                             kept at once */
    };
    dpli_rng rng;

    (void)state;
    printf("seed %d\n", SEED);
    dpli_rng_seed(&rng, SEED);
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        size_t n = shapes[s].n, n_probes = shapes[s].n_probes, dim = (size_t)shapes[s].dim;
        float *rows = malloc((n * dim + 1) * sizeof *rows);
        float *probes = malloc((n_probes * dim + 1) * sizeof *probes);

        /* Few values, so that there are ties, at the k-th place too. */
        for (size_t i = 0; i < n * dim; i++)
            rows[i] = (float)dpli_rng_below(&rng, dim > 8 ? 1000 : 3) - 1;
        for (size_t i = 0; i < n_probes * dim; i++)
            probes[i] = (float)dpli_rng_below(&rng, 3) - 1;
        for (int kind = 0; kind < 4; kind++) {
            dpl_head *head = make(kind, shapes[s].dim, &rng);
            check(head, rows, n, probes, n_probes, shapes[s].k);
            dpl_head_free(head);
        }
        free(rows);
        free(probes);
    }
}

static void equal_scores_come_in_the_rows_order_whatever_the_threads(void **state)
{
    enum { N = 60000, DIM = 48, K = 100 };
    float *rows = calloc((size_t)N * DIM, sizeof *rows), probe[DIM];
    dpli_found *found = calloc(K, sizeof *found);
    dpl_head *head = NULL;

    (void)state;
    for (size_t i = 0; i < (size_t)N * DIM; i++)
        rows[i] = 0.5f;
    for (size_t i = 0; i < DIM; i++)
        probe[i] = 0.5f;
    assert_int_equal(dpl_head_new(&head, DPL_HEAD_EUCLIDEAN, DIM, NULL, 0, NULL), DPL_OK);
    for (int repeat = 0; repeat < 5; repeat++) {
        assert_int_equal(dpli_flat_search(found, head, rows, N, probe, 1, K, NULL), DPL_OK);
        for (size_t j = 0; j < K; j++)
            assert_true(found[j].at == j && found[j].score == 0);
    }
    dpl_head_free(head);
    free(rows);
    free(found);
}

static void a_row_without_a_score_is_never_found(void **state)
{
    enum { N = 50, DIM = 4 };
    float rows[N * DIM], probe[DIM] = {1, 2, 3, 4}, nan_probe[DIM] = {1, NAN, 3, 4};
    dpl_head *head = NULL;
    dpli_found found[N];
    dpli_rng rng;

    (void)state;
    dpli_rng_seed(&rng, SEED);
    for (int i = 0; i < N * DIM; i++)
        rows[i] = i / DIM % 5 ? (float)dpli_rng_normal(&rng) : 0; /* every fifth has no angle */
    rows[7 * DIM] = NAN;
    rows[8 * DIM + 3] = INFINITY;
    assert_int_equal(dpl_head_new(&head, DPL_HEAD_COSINE, DIM, NULL, 0, NULL), DPL_OK);
    check(head, rows, N, probe, 1, N);
    assert_int_equal(dpli_flat_search(found, head, rows, N, probe, 1, N, NULL), DPL_OK);
    assert_true(found[N - 10 - 2 - 1].at != DPLI_NOWHERE && found[N - 10 - 2].at == DPLI_NOWHERE);
    assert_int_equal(dpli_flat_search(found, head, rows, N, nan_probe, 1, N, NULL), DPL_OK);
    assert_true(found[0].at == DPLI_NOWHERE);
    dpl_head_free(head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_are_those_of_a_full_sort),
        cmocka_unit_test(equal_scores_come_in_the_rows_order_whatever_the_threads),
        cmocka_unit_test(a_row_without_a_score_is_never_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
