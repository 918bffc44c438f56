/* The one door to BLAS. Its thread count is the program's to set, never ours. */
#include <assert.h>
#include <cblas.h>
#include <limits.h>
#include <stdbool.h>

#include "doppel/net.h"
#include "net/blas.h"

const char *dpl_blas_words(void)
{
    return openblas_get_config();
}

const char *dpl_blas_core(void)
{
    return openblas_get_corename();
}

void dpl_blas_set_threads(int32_t n)
{
    openblas_set_num_threads((int)n);
}

void dpli_gemm(bool trans_a, bool trans_b, size_t m, size_t n, size_t k, float alpha,
               const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
               size_t ldc)
{
    assert(m <= INT_MAX && n <= INT_MAX && k <= INT_MAX);
    assert(lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX);
    cblas_sgemm(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans,
                trans_b ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, a, (int)lda, b,
                (int)ldb, beta, c, (int)ldc);
}
