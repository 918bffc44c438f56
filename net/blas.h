/* The one door to BLAS. */
#ifndef DOPPEL_NET_BLAS_H
#define DOPPEL_NET_BLAS_H

#include <stdbool.h>
#include <stddef.h>

/** c [m, n] = alpha * op(a) [m, k] * op(b) [k, n] + beta * c, row-major, leading dimensions given.
 */
void dpli_gemm(bool trans_a, bool trans_b, size_t m, size_t n, size_t k, float alpha,
               const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
               size_t ldc);

#endif
