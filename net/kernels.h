/*
 * The kernels: what a step of a plan calls. Everything that costs time is behind this header.
 *
 * Activations are NHWC float32. Every geometry is checked by the plan before it gets here: kernels
 * do not fail and do not allocate. Dispatch (baseline, AVX2, AVX-512) happens inside, once a
 * process.
 */
#ifndef DOPPEL_NET_KERNELS_H
#define DOPPEL_NET_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

/* ------------------------------------------------------------------ epilogue */

typedef enum dpli_act_kind {
    DPLI_ACT_NONE,
    DPLI_ACT_RELU,
    DPLI_ACT_PRELU,       /* x < 0 ? slope[c] * x : x; slope [channels] */
    DPLI_ACT_LEAKY,       /* x < 0 ? a * x : x */
    DPLI_ACT_CLIP,        /* min(max(x, a), b) */
    DPLI_ACT_SIGMOID,     /* 1 / (1 + exp(-x)) */
    DPLI_ACT_HARDSIGMOID, /* min(max(a * x + b, 0), 1) */
    DPLI_ACT_HARDSWISH,   /* x * min(max(x / 6 + 1/2, 0), 1) */
    DPLI_ACT_TANH,
    DPLI_ACT_EXP,
    DPLI_ACT_SQRT,
    DPLI_ACT_ABS
} dpli_act_kind;

typedef struct dpli_act {
    dpli_act_kind kind;
    float a, b;
    const float *slope; /* [channels], DPLI_ACT_PRELU */
} dpli_act;

/** y = act(x) over rows of channels values: x, y [n_rows, channels]; y may be x. */
void dpli_act_run(const dpli_act *act, float *y, const float *x, size_t n_rows, size_t channels);

/** What is done to a result while it is still in cache: y = act(y + bias + before) + after. */
typedef struct dpli_epilogue {
    const float *bias;   /* [channels] or NULL */
    const float *before; /* as the output, or NULL: residual added before the activation */
    dpli_act act;
    const float *after; /* as the output, or NULL: residual added after it */
} dpli_epilogue;

/* ------------------------------------------------------------------ convolution */

typedef struct dpli_conv {
    int32_t n, in_h, in_w, in_c; /* input [n, in_h, in_w, in_c] */
    int32_t out_h, out_w, out_c; /* output [n, out_h, out_w, out_c] */
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    int32_t pad_top, pad_left; /* below and right follow from out_h, out_w; zeros outside */
    int32_t groups;            /* in_c and out_c are multiples of it */
} dpli_conv;

/** Floats of a packed weight, and packing from ONNX's [out_c, in_c / groups, kernel_h, kernel_w].
 * Packing depends on the kernel, channels and groups only, not on the picture's size. */
size_t dpli_conv_packed_floats(const dpli_conv *c);
void dpli_conv_pack(float *packed, const dpli_conv *c, const float *weight);

/** Bytes of scratch (64-byte aligned) that a run needs. */
size_t dpli_conv_scratch_bytes(const dpli_conv *c);

/**
 * out = epilogue(conv(in, packed)). 1x1 with stride 1 is a GEMM on the input itself, depthwise is a
 * loop of ours, all else im2col in tiles that stay in cache, then GEMM; the epilogue runs a tile at
 * a time. out must not overlap in; out may be epilogue's before or after.
 */
void dpli_conv_run(const dpli_conv *c, float *out, const float *in, const float *packed,
                   const dpli_epilogue *epilogue, void *scratch);

/* ------------------------------------------------------------------ matrix product */

/** c [m, n] = alpha * op(a) [m, k] * op(b) [k, n] + beta * c, row-major, leading dimensions given.
 * The one door to BLAS (net/blas.c). */
void dpli_gemm(int trans_a, int trans_b, size_t m, size_t n, size_t k, float alpha, const float *a,
               size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc);

/** Epilogue over y [n_rows, channels]. */
void dpli_epilogue_run(const dpli_epilogue *epilogue, float *y, size_t n_rows, size_t channels);

/* ------------------------------------------------------------------ pooling */

typedef enum dpli_pool_kind { DPLI_POOL_MAX, DPLI_POOL_AVERAGE } dpli_pool_kind;

typedef struct dpli_pool {
    dpli_pool_kind kind;
    int32_t n, in_h, in_w, channels, out_h, out_w;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    int32_t pad_top, pad_left, pad_bottom, pad_right;
    int32_t count_include_pad; /* average: divide by what lies within the padded picture, else by
                                  what is real */
} dpli_pool;

void dpli_pool2d_run(const dpli_pool *p, float *out, const float *in);

/* ------------------------------------------------------------------ chains */

/** One layer of a chain: a convolution or a pooling, the other being NULL. */
typedef struct dpli_link {
    const dpli_conv *conv;
    const float *packed;
    dpli_epilogue epilogue; /* before and after in the last link only */
    const dpli_pool *pool;
} dpli_link;

#define DPLI_MAX_CHAIN 8

/**
 * How many of these layers, each reading what the one before it makes and nothing else reading
 * that, are best run as one chain: 1 when the first is better off alone. A result of fewer than
 * min_bytes a picture ends the chain: it stays in cache by itself.
 *
 * A chain makes a few lines of each layer at a time, which the next one reads while they are in
 * cache; only the last layer's result is written whole. The numbers are the same to the bit.
 */
int32_t dpli_chain_length(const dpli_link *links, int32_t n_links, size_t min_bytes);

size_t dpli_chain_scratch_bytes(const dpli_link *links, int32_t n_links);

/** Run at most DPLI_MAX_CHAIN layers for which dpli_chain_length has said n_links. */
void dpli_chain_run(const dpli_link *links, int32_t n_links, float *out, const float *in,
                    void *scratch);

/* ------------------------------------------------------------------ elementwise */

typedef enum dpli_binary_kind { DPLI_ADD, DPLI_SUB, DPLI_MUL, DPLI_DIV, DPLI_POW } dpli_binary_kind;

/**
 * y = a op b with NumPy broadcasting, the shapes brought to one rank: stride 0 where a dimension is
 * repeated. dims, strides in elements, innermost last; y is dense, and may be a or b where that is
 * dense too.
 */
void dpli_binary_run(dpli_binary_kind kind, float *y, const float *a, const float *b, int32_t rank,
                     const int64_t *dims, const int64_t *strides_a, const int64_t *strides_b);

/* ------------------------------------------------------------------ float16 */

/** IEEE half to float, n values. */
void dpli_half_to_float(float *out, const uint16_t *in, size_t n);

#endif
