/*
 * The one door to BLAS. Its thread count is the program's to set, never ours.
 *
 * In libdoppel.so (DPL_LATE_BLAS: its file) it is loaded by the first call: it and what it needs
 * take milliseconds to load, and two photos are compared without. What it asks of the environment
 * (OPENBLAS_NUM_THREADS) it asks then.
 */
#include <assert.h>
#include <cblas.h>
#include <limits.h>
#include <stdbool.h>

#include "doppel/net.h"
#include "net/blas.h"

#if defined(DPL_LATE_BLAS)

#include <dlfcn.h>
#include <pthread.h>

#define EACH_OF_BLAS(one)                                                                          \
    one(cblas_sgemm) one(openblas_get_config) one(openblas_get_corename)                           \
        one(openblas_set_num_threads)

#define FIELD(name) __typeof__(name) *name;
static struct {
    EACH_OF_BLAS(FIELD)
} late;

/* A plain one, in the place of a BLAS that is not there: slow, but no reason to end a program. */
static void plain_sgemm(CBLAS_ORDER order, CBLAS_TRANSPOSE trans_a, CBLAS_TRANSPOSE trans_b,
                        blasint m, blasint n, blasint k, float alpha, const float *a, blasint lda,
                        const float *b, blasint ldb, float beta, float *c, blasint ldc)
{
    const bool ta = trans_a == CblasTrans, tb = trans_b == CblasTrans;

    assert(order == CblasRowMajor);
    (void)order;
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = 0; j < n; j++) {
            float *to = c + i * ldc + j, sum = 0;

            for (ptrdiff_t l = 0; l < k; l++)
                sum +=
                    (ta ? a[l * lda + i] : a[i * lda + l]) * (tb ? b[j * ldb + l] : b[l * ldb + j]);
            *to = alpha * sum + (beta == 0 ? 0 : beta * *to);
        }
}

static char *no_words(void)
{
    static char words[] = "none";

    return words;
}

static void no_threads(int n)
{
    (void)n;
}

static void load(void)
{
    void *library = dlopen(DPL_LATE_BLAS, RTLD_NOW | RTLD_LOCAL);
    bool all = library != NULL;

/* POSIX's way from an object's address to a function's. */
#define FIND(name)                                                                                 \
    if (all)                                                                                       \
        *(void **)&late.name = dlsym(library, #name);                                              \
    all = all && late.name;
    EACH_OF_BLAS(FIND)
    if (all)
        return;
    late.cblas_sgemm = plain_sgemm;
    late.openblas_get_config = late.openblas_get_corename = no_words;
    late.openblas_set_num_threads = no_threads;
}

static void need(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load);
}

#define cblas_sgemm              late.cblas_sgemm
#define openblas_get_config      late.openblas_get_config
#define openblas_get_corename    late.openblas_get_corename
#define openblas_set_num_threads late.openblas_set_num_threads

#else

static void need(void)
{
}

#endif

const char *dpl_blas_words(void)
{
    need();
    return openblas_get_config();
}

const char *dpl_blas_core(void)
{
    need();
    return openblas_get_corename();
}

void dpl_blas_set_threads(int32_t n)
{
    need();
    openblas_set_num_threads((int)n);
}

void dpli_gemm(bool trans_a, bool trans_b, size_t m, size_t n, size_t k, float alpha,
               const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
               size_t ldc)
{
    assert(m <= INT_MAX && n <= INT_MAX && k <= INT_MAX);
    assert(lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX);
    need();
    cblas_sgemm(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans,
                trans_b ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, a, (int)lda, b,
                (int)ldb, beta, c, (int)ldc);
}
