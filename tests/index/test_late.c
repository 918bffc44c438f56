/*
 * test_late.c - FAISS, BLAS and libpq as libdoppel.so has them, loaded late, where they are not
 * there.
 *
 * ann.c, blas.c and db_postgres.c are compiled once more for this test, to load libraries that
 * nobody has.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "doppel/net.h"
#include "index/ann.h"
#include "index/db_postgres.h"
#include "net/blas.h"

static void an_index_without_faiss_is_refused_with_the_file_that_is_missing(void **state)
{
    const float row[2] = {1, 0};
    dpl_error err = {0};
    dpli_ann *ann;

    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        assert_int_equal(dpli_ann_new(&ann, row, 1, 2, &err), DPL_E_SYSTEM);
        assert_null(ann);
        assert_non_null(strstr(err.message, "FAISS cannot be loaded: "));
        assert_non_null(strstr(err.message, "libnot_there.so"));
    }
}

static void a_database_without_libpq_is_refused_with_the_file_that_is_missing(void **state)
{
#if defined(DPL_LATE_LIBPQ)
    dpl_error err = {0};
    char *name;
    dpli_db *db;

    assert_int_equal(dpli_postgres_name(&name, "postgresql://host/db", &err), DPL_E_SYSTEM);
    assert_null(name);
    assert_non_null(strstr(err.message, "libpq cannot be loaded: "));
    assert_non_null(strstr(err.message, "libnot_there.so"));
    assert_int_equal(dpli_postgres_open(&db, "postgresql://host/db", &err), DPL_E_SYSTEM);
    assert_null(db);
#else
    skip();
#endif
    (void)state;
}

/* Element i, j of op(x), whose rows lie ld apart. */
static double at(const float *x, int trans, int i, int j, int ld)
{
    return (double)(trans ? x[j * ld + i] : x[i * ld + j]);
}

static void without_blas_matrices_are_multiplied_all_the_same(void **state)
{
    enum { M = 5, N = 4, K = 7, LD = 9 };
    float a[LD * LD], b[LD * LD], c[LD * LD], was[LD * LD];

    (void)state;
    for (int i = 0; i < LD * LD; i++) {
        a[i] = sinf((float)i);
        b[i] = cosf((float)(3 * i));
        was[i] = (float)i / 10;
    }
    for (int how = 0; how < 8; how++) {
        const int ta = how & 1, tb = how >> 1 & 1;
        const float beta = how & 4 ? 0.5f : 0;

        memcpy(c, was, sizeof c);
        if (beta == 0)
            c[0] = NAN; /* what is not added is not read */
        dpli_gemm(ta, tb, M, N, K, 2, a, LD, b, LD, beta, c, LD);
        for (int i = 0; i < LD; i++)
            for (int j = 0; j < LD; j++) {
                double sum = 0;

                for (int l = 0; l < K; l++)
                    sum += at(a, ta, i, l, LD) * at(b, tb, l, j, LD);
                if (i >= M || j >= N)
                    assert_true(c[i * LD + j] == was[i * LD + j]);
                /* seven products of at most 1, each rounded to 2^-24 of it */
                else if (!(fabs((double)c[i * LD + j] - 2 * sum -
                                (double)beta * (double)was[i * LD + j]) <= 2e-6))
                    fail_msg("%d: %d, %d", how, i, j);
            }
    }
    assert_string_equal(dpl_blas_core(), "none");
    assert_string_equal(dpl_blas_words(), "none");
    dpl_blas_set_threads(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_without_faiss_is_refused_with_the_file_that_is_missing),
        cmocka_unit_test(a_database_without_libpq_is_refused_with_the_file_that_is_missing),
        cmocka_unit_test(without_blas_matrices_are_multiplied_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
