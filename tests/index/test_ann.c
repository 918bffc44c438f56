/*
 * test_ann.c - the wrapper of FAISS: what it keeps is what was given, its nearest are the nearest,
 * its failures are statuses with FAISS's words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <string.h>

#include "index/ann.h"
#include "tests/index/vectors.h"

enum { N = 2000, EXTRA = 100, DIM = 16, K = 5, PROBES = 40 };
static float rows[(N + EXTRA) * DIM];

static dpli_ann *make(void)
{
    dpli_ann *ann = NULL;
    dpl_error err;
    dpli_rng rng;

    dpli_rng_seed(&rng, 20240614);
    make_clusters(rows, N + EXTRA, DIM, 300, 1, &rng);
    if (dpli_ann_new(&ann, rows, N, DIM, &err))
        fail_msg("%s", err.message);
    return ann;
}

static double distance2(const float *a, const float *b)
{
    double sum = 0;

    for (int i = 0; i < DIM; i++)
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sum;
}

static void finds_the_nearest(const dpli_ann *ann, size_t n)
{
    int64_t at[PROBES * K];
    float distance[PROBES * K];

    assert_int_equal(dpli_ann_search(at, distance, ann, rows, PROBES, K, NULL), DPL_OK);
    for (size_t p = 0; p < PROBES; p++) {
        double last = distance2(rows + p * DIM, rows + at[p * K + K - 1] * DIM);
        size_t n_nearer = 0;

        assert_int_equal(at[p * K], p);
        for (size_t r = 0; r < n; r++)
            n_nearer += distance2(rows + p * DIM, rows + r * DIM) < last - 1e-5;
        assert_true(n_nearer < K);
    }
}

static void what_is_kept_grows_and_is_found(void **state)
{
    dpli_ann *ann = make(), *copy = NULL;

    (void)state;
    assert_int_equal(dpli_ann_size(ann), N);
    assert_int_equal(dpli_ann_dim(ann), DIM);
    finds_the_nearest(ann, N);
    assert_int_equal(dpli_ann_copy(&copy, ann, NULL), DPL_OK);
    assert_int_equal(dpli_ann_add(ann, rows + N * DIM, EXTRA, NULL), DPL_OK);
    assert_int_equal(dpli_ann_size(ann), N + EXTRA);
    assert_memory_equal(dpli_ann_rows(ann), rows, sizeof rows);
    finds_the_nearest(ann, N + EXTRA);
    assert_int_equal(dpli_ann_size(copy), N); /* a copy goes its own way */
    dpli_ann_free(copy);
    dpli_ann_free(ann);
    dpli_ann_free(NULL);
}

static void more_than_there_are_is_padded(void **state)
{
    enum { FEW = 3 };
    dpli_ann *ann = NULL;
    int64_t at[K];
    float distance[K];

    (void)state;
    dpli_ann_free(make());
    assert_int_equal(dpli_ann_new(&ann, rows, FEW, DIM, NULL), DPL_OK);
    assert_int_equal(dpli_ann_search(at, distance, ann, rows, 1, K, NULL), DPL_OK);
    assert_true(at[FEW - 1] >= 0 && at[FEW] == -1);
    dpli_ann_free(ann);
}

static void what_faiss_throws_is_a_status_with_its_words(void **state)
{
    dpli_ann *ann = make();
    int64_t at[1];
    float distance[1];
    dpl_error err = {0};

    (void)state;
    assert_int_equal(dpli_ann_search(at, distance, ann, rows, 1, 0, &err), DPL_E_SYSTEM);
    assert_non_null(strstr(err.message, "searching the index failed: "));
    dpli_ann_free(ann);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_grows_and_is_found),
        cmocka_unit_test(more_than_there_are_is_padded),
        cmocka_unit_test(what_faiss_throws_is_a_status_with_its_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
