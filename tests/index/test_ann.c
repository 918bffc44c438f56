/*
 * test_ann.c - the index that FAISS keeps: finds what is nearest, grows, survives its file
 * unchanged, and turns what FAISS throws into errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "index/ann.h"
#include "tests/index/vectors.h"

enum { N = 3000, DIM = 20, K = 5 };
#define SEED 20240614

static float rows[(N + 100) * DIM];

static dpli_ann *make(dpli_ann_kind kind)
{
    dpli_ann *ann = NULL;
    dpl_error err;
    dpli_rng rng;

    dpli_rng_seed(&rng, SEED);
    make_clusters(rows, N + 100, DIM, 300, 1, &rng);
    if (dpli_ann_new(&ann, kind, rows, N, DIM, NULL, &err))
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

/* Nearest first, each at the distance stated, and none nearer left out. */
static void finds_the_nearest(dpli_ann *ann, size_t n, size_t n_visit)
{
    int64_t at[40 * K];
    float distance[40 * K];

    assert_int_equal(dpli_ann_search(at, distance, ann, rows, 40, K, n_visit, NULL), DPL_OK);
    for (size_t i = 0; i < 40; i++) {
        const float *probe = rows + i * DIM;
        size_t nearer = 0;

        for (size_t j = 0; j < K; j++) {
            size_t row = (size_t)at[i * K + j];
            assert_true(at[i * K + j] >= 0 && row < n);
            assert_true(fabs(distance[i * K + j] - distance2(probe, rows + row * DIM)) < 1e-5);
            assert_true(j == 0 || distance[i * K + j] >= distance[i * K + j - 1]);
        }
        for (size_t r = 0; r < n; r++)
            nearer += distance2(probe, rows + r * DIM) < distance[i * K + K - 1] - 1e-5;
        assert_true(nearer < K);
    }
}

static void both_kinds_find_the_nearest_rows(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        dpli_ann *ann = make((dpli_ann_kind)kind);

        assert_int_equal(dpli_ann_get_kind(ann), kind);
        assert_int_equal(dpli_ann_size(ann), N);
        assert_int_equal(dpli_ann_dim(ann), DIM);
        assert_true(kind == DPLI_ANN_FLAT ? dpli_ann_n_lists(ann) == 1
                                          : dpli_ann_n_lists(ann) > 50);
        finds_the_nearest(ann, N, dpli_ann_n_lists(ann));
        assert_int_equal(dpli_ann_add(ann, rows + N * DIM, 100, NULL), DPL_OK);
        assert_int_equal(dpli_ann_size(ann), N + 100);
        finds_the_nearest(ann, N + 100, dpli_ann_n_lists(ann));
        for (size_t r = 0; r < N + 100; r += 37) {
            float row[DIM];
            assert_int_equal(dpli_ann_row(row, ann, r, NULL), DPL_OK);
            assert_memory_equal(row, rows + r * DIM, sizeof row);
        }
        if (kind == DPLI_ANN_FLAT)
            assert_memory_equal(dpli_ann_rows(ann), rows, sizeof rows);
        else
            assert_null(dpli_ann_rows(ann));
        dpli_ann_free(ann);
    }
    dpli_ann_free(NULL);
}

static void where_too_few_are_found_the_rest_is_marked(void **state)
{
    dpli_ann *ann = make(DPLI_ANN_IVF);
    static int64_t at[N];
    static float distance[N];

    (void)state;
    assert_int_equal(dpli_ann_search(at, distance, ann, rows, 1, N, 1, NULL), DPL_OK);
    assert_true(at[0] >= 0 && at[N - 1] == -1);
    dpli_ann_free(ann);
}

static char *written(size_t *n, dpli_ann *ann)
{
    char *bytes = NULL;
    FILE *file = open_memstream(&bytes, n);

    assert_non_null(file);
    assert_int_equal(dpli_ann_write(ann, file, NULL), DPL_OK);
    fclose(file);
    return bytes;
}

static void saved_loaded_and_saved_again_is_the_same_file(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        dpli_ann *ann = make((dpli_ann_kind)kind), *again = NULL, *grown = NULL;
        size_t n, m;
        char *bytes = written(&n, ann), *second;
        FILE *file = fmemopen(bytes, n, "rb");

        assert_int_equal(dpli_ann_read(&again, file, (dpli_ann_kind)kind, N, DIM, NULL), DPL_OK);
        finds_the_nearest(again, N, dpli_ann_n_lists(again));
        second = written(&m, again);
        assert_int_equal(n, m);
        assert_memory_equal(bytes, second, n);
        /* What was loaded can still grow. */
        assert_int_equal(dpli_ann_add(again, rows + N * DIM, 100, NULL), DPL_OK);
        finds_the_nearest(again, N + 100, dpli_ann_n_lists(again));

        rewind(file);
        assert_int_equal(dpli_ann_read(&grown, file, (dpli_ann_kind)!kind, N, DIM, NULL),
                         DPL_E_INPUT);
        rewind(file);
        assert_int_equal(dpli_ann_read(&grown, file, (dpli_ann_kind)kind, N - 1, DIM, NULL),
                         DPL_E_INPUT);
        rewind(file);
        assert_int_equal(dpli_ann_read(&grown, file, (dpli_ann_kind)kind, N, DIM + 1, NULL),
                         DPL_E_INPUT);
        assert_null(grown);
        fclose(file);
        free(bytes);
        free(second);
        dpli_ann_free(ann);
        dpli_ann_free(again);
    }
}

static void making_it_twice_gives_the_same_bytes(void **state)
{
    dpli_ann *a = make(DPLI_ANN_IVF), *b = make(DPLI_ANN_IVF);
    size_t n, m;
    char *x = written(&n, a), *y = written(&m, b);

    (void)state;
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
    dpli_ann_free(a);
    dpli_ann_free(b);
}

/* The centroids come first in the file, so they can be compared there. */
static void what_is_held_out_is_not_learnt_from(void **state)
{
    static char held_out[N];
    char *bytes[3];
    size_t n, n_same = 0;

    (void)state;
    for (int i = 0; i < N; i += 10)
        held_out[i] = 1;
    for (int way = 0; way < 3; way++) {
        dpli_ann *ann = make(DPLI_ANN_IVF);

        n_same = dpli_ann_n_lists(ann) * DIM * sizeof *rows;
        dpli_ann_free(ann);
        for (int i = 0; way > 0 && i < N; i += 10)
            rows[i * DIM] += 5;
        assert_int_equal(
            dpli_ann_new(&ann, DPLI_ANN_IVF, rows, N, DIM, way < 2 ? held_out : NULL, NULL),
            DPL_OK);
        bytes[way] = written(&n, ann);
        dpli_ann_free(ann);
    }
    assert_true(n > n_same);
    assert_memory_equal(bytes[0], bytes[1], n_same);
    assert_memory_not_equal(bytes[1], bytes[2], n_same);
    for (int way = 0; way < 3; way++)
        free(bytes[way]);
}

static void what_faiss_throws_is_an_error_with_its_words(void **state)
{
    dpli_ann *ann = make(DPLI_ANN_FLAT), *read = NULL;
    dpl_error err = {0};
    float row[DIM];
    char junk[64] = "nothing that FAISS has written";
    FILE *file = fmemopen(junk, sizeof junk, "rb");
    FILE *full = fopen("/dev/full", "wb");

    (void)state;
    assert_int_equal(dpli_ann_read(&read, file, DPLI_ANN_FLAT, N, DIM, &err), DPL_E_SYSTEM);
    assert_null(read);
    assert_non_null(strstr(err.message, "reading the index failed: "));
    assert_non_null(strstr(err.message, "not recognized"));
    fclose(file);

    setvbuf(full, NULL, _IONBF, 0);
    assert_int_equal(dpli_ann_write(ann, full, &err), DPL_E_SYSTEM);
    assert_non_null(strstr(err.message, "writing the index failed: "));
    fclose(full);

    dpli_ann_free(ann);
    ann = make(DPLI_ANN_IVF);
    assert_int_equal(dpli_ann_row(row, ann, N + 100, &err), DPL_E_SYSTEM);
    assert_int_equal(dpli_ann_new(&read, DPLI_ANN_IVF, rows, DPLI_ANN_IVF_MIN - 1, DIM, NULL, &err),
                     DPL_E_BUG);
    dpli_ann_free(ann);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_kinds_find_the_nearest_rows),
        cmocka_unit_test(where_too_few_are_found_the_rest_is_marked),
        cmocka_unit_test(saved_loaded_and_saved_again_is_the_same_file),
        cmocka_unit_test(making_it_twice_gives_the_same_bytes),
        cmocka_unit_test(what_is_held_out_is_not_learnt_from),
        cmocka_unit_test(what_faiss_throws_is_an_error_with_its_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
