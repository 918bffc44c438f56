/*
 * test_rows.c - comparing a vector with rows: against sums in plain order, and to the bit alone,
 * among others, and at every processor level.
 *
 * Tolerance: a term is at most 16, a sum of 600 at most 9600, and its order changes it by no more
 * than 600 roundings of that, 600 * 9600 * 2^-53 < 1e-9; a cosine is rounded to float once more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "net/rows.h"

enum { N = 7, MAX_DIM = 600 };

typedef struct answers {
    float cosine[N];
    double l2[N], l1[N], weighted[N];
} answers;

static const int32_t dims[] = {1, 2, 3, 15, 16, 17, 31, 33, 64, 105, 128, 513, 600};
#define N_DIMS (sizeof dims / sizeof *dims)

static float a[MAX_DIM], w[MAX_DIM], rows[N * MAX_DIM];

static void make_vectors(void)
{
    dpli_rng rng;

    dpli_rng_seed(&rng, 5);
    for (int i = 0; i < MAX_DIM; i++) {
        a[i] = (float)(dpli_rng_unit(&rng) * 4 - 2);
        w[i] = (float)(dpli_rng_unit(&rng) * 4 - 2);
    }
    for (int i = 0; i < N * MAX_DIM; i++)
        rows[i] = (float)(dpli_rng_unit(&rng) * 4 - 2);
}

static void compare(answers *out, size_t n, int32_t dim)
{
    dpli_rows_cosine(out->cosine, a, rows, n, dim);
    dpli_rows_l2(out->l2, a, rows, n, dim);
    dpli_rows_l1(out->l1, a, rows, n, dim);
    dpli_rows_weighted_l1(out->weighted, a, rows, n, dim, w);
}

static void sums_are_those_in_plain_order(void **state)
{
    (void)state;
    for (size_t d = 0; d < N_DIMS; d++) {
        answers got;

        compare(&got, N, dims[d]);
        for (int r = 0; r < N; r++) {
            const float *b = rows + (size_t)r * (size_t)dims[d];
            double ab = 0, aa = 0, bb = 0, l2 = 0, l1 = 0, weighted = 0;

            for (int i = 0; i < dims[d]; i++) {
                const double x = (double)a[i], y = (double)b[i];

                ab += x * y;
                aa += x * x;
                bb += y * y;
                l2 += (x - y) * (x - y);
                l1 += fabs(x - y);
                weighted += (double)w[i] * fabs(x - y);
            }
            /* One rounding to float. */
            assert_true(fabs((double)got.cosine[r] - ab / sqrt(aa * bb)) <= 0x1p-24);
            assert_true(fabs(got.l2[r] - l2) <= 1e-9);
            assert_true(fabs(got.l1[r] - l1) <= 1e-9);
            assert_true(fabs(got.weighted[r] - weighted) <= 1e-9);
        }
    }
}

static void a_row_alone_is_as_among_others(void **state)
{
    (void)state;
    for (size_t d = 0; d < N_DIMS; d++) {
        answers all;

        compare(&all, N, dims[d]);
        for (size_t r = 0; r < N; r++) {
            const float *b = rows + r * (size_t)dims[d];
            float cosine;
            double sum;

            dpli_rows_cosine(&cosine, a, b, 1, dims[d]);
            assert_memory_equal(&cosine, &all.cosine[r], sizeof cosine);
            dpli_rows_l2(&sum, a, b, 1, dims[d]);
            assert_memory_equal(&sum, &all.l2[r], sizeof sum);
            dpli_rows_l1(&sum, a, b, 1, dims[d]);
            assert_memory_equal(&sum, &all.l1[r], sizeof sum);
            dpli_rows_weighted_l1(&sum, a, b, 1, dims[d], w);
            assert_memory_equal(&sum, &all.weighted[r], sizeof sum);
        }
    }
}

/* A process of its own takes the level that the environment names. */
static void answers_at(const char *level, answers *out)
{
    const size_t size = N_DIMS * sizeof *out;
    size_t n_read = 0;
    int ends[2], status;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        setenv("DOPPEL_CPU", level, 1);
        memset(out, 0, size);
        for (size_t d = 0; d < N_DIMS; d++)
            compare(&out[d], N, dims[d]);
        _exit(write(ends[1], out, size) != (ssize_t)size);
    }
    close(ends[1]);
    memset(out, 0, size);
    for (ssize_t n = 1; n > 0 && n_read<size; n_read += n> 0 ? (size_t)n : 0)
        n = read(ends[0], (char *)out + n_read, size - n_read);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(n_read, size);
}

/* The first test: nothing in this process has asked for the level yet. */
static void every_level_gives_the_same_bits(void **state)
{
    static const char *const levels[] = {"baseline", "avx2", "avx512"};
    static answers got[3][N_DIMS];

    (void)state;
    for (int i = 0; i < 3; i++)
        answers_at(levels[i], got[i]);
    for (int i = 1; i < 3; i++)
        assert_memory_equal(got[0], got[i], sizeof got[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_gives_the_same_bits),
        cmocka_unit_test(sums_are_those_in_plain_order),
        cmocka_unit_test(a_row_alone_is_as_among_others),
    };

    make_vectors();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
