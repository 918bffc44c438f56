/* Products of bfloat16 for training, of matrices in float32. */
#ifndef DOPPEL_NET_KERNELS_PRODUCT_H
#define DOPPEL_NET_KERNELS_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>

/* A product for training: c [m, n] = op(a) op(b), or added to c; float32, row-major, leading
 * dimensions given; a is [m, k], with trans_a [k, m], b [k, n] or [n, k]. */
typedef struct dpli_product {
    bool trans_a, trans_b, add;
    size_t m, n, k;
    const float *a;
    size_t lda;
    const float *b;
    size_t ldb;
    float *c;
    size_t ldc;
} dpli_product;

/* Of scratch for it, 64-byte aligned. */
#define DPLI_PRODUCT_BYTES (((size_t)32 + 512) * 512 * 2 + 4096)

#if defined(__x86_64__)
/* One a kind of processor; net/kernels.c picks. */
void dpli_product_amx(const dpli_product *p, void *scratch);
void dpli_product_avx512(const dpli_product *p, void *scratch);
#endif

#endif
