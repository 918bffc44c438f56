/* What a Gemm or MatMul node says: y = alpha op(a) op(b) + beta c. */
#ifndef DOPPEL_NET_OPS_GEMM_PARAMS_H
#define DOPPEL_NET_OPS_GEMM_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct dpli_gemm_params {
    float alpha, beta;
    int64_t trans_a, trans_b;
    bool has_bias; /* input 2 is a bias, beta taken in */
} dpli_gemm_params;

#endif
