/*
 * One processor level of the kernels. The same bodies (act.h, gemm.h, depthwise.h, pool.h,
 * binary.h) are compiled once a level, with vectors of that level's width and that level's compiler
 * flags, and reach the rest through this table only; net/kernels.c picks the table.
 */
#ifndef DOPPEL_NET_KERNELS_LEVEL_H
#define DOPPEL_NET_KERNELS_LEVEL_H

#include "net/kernels.h"

/* Columns of a packed panel, the same at every level, so that packed weights do not depend on it.
 */
#define DPLI_PANEL 16

typedef struct dpli_kernels {
    void (*act)(const dpli_act *act, float *y, const float *x, size_t n_rows, size_t channels);
    void (*epilogue)(const dpli_epilogue *epilogue, float *y, size_t n_rows, size_t channels);
    void (*conv)(const dpli_conv *c, float *out, const float *in, const float *packed,
                 const dpli_epilogue *epilogue, void *scratch);
    void (*pool2d)(const dpli_pool *p, float *out, const float *in);
    void (*chain)(const dpli_link *links, int32_t n_links, float *out, const float *in,
                  void *scratch);
    void (*binary)(dpli_binary_kind kind, float *y, const float *a, const float *b, int32_t rank,
                   const int64_t *dims, const int64_t *strides_a, const int64_t *strides_b);
} dpli_kernels;

extern const dpli_kernels dpli_kernels_baseline;
#if defined(__x86_64__)
extern const dpli_kernels dpli_kernels_avx2;
extern const dpli_kernels dpli_kernels_avx512;
#endif

/* ------------------------------------------------------------------ how a convolution is computed
 */

typedef enum dpli_conv_path {
    DPLI_CONV_DEPTHWISE, /* one channel in, one out */
    DPLI_CONV_FLAT,   /* the input itself is the matrix: 1x1, or a kernel as large as the picture */
    DPLI_CONV_LINES,  /* rows of the matrix are windows of input lines, padded where need be */
    DPLI_CONV_PATCHES /* im2col */
} dpli_conv_path;

dpli_conv_path dpli_conv_choose(const dpli_conv *c);

/* Rows of a tile of patches. */
size_t dpli_conv_tile_rows(const dpli_conv *c);

/* ------------------------------------------------------------------ chains */

typedef struct dpli_chain_plan {
    int32_t step;                   /* lines of the last link a round */
    int32_t n_ring[DPLI_MAX_CHAIN]; /* lines of link i's output that are kept; all, of the last */
    size_t ring_floats[DPLI_MAX_CHAIN]; /* 0 of the last */
} dpli_chain_plan;

void dpli_chain_lay_out(dpli_chain_plan *plan, const dpli_link *links, int32_t n_links);

/* Up to which line each link has to be for the last one to have made n_lines. */
void dpli_chain_round(const dpli_link *links, int32_t n_links, int32_t n_lines, int32_t *want);

int32_t dpli_link_out_h(const dpli_link *link);

#endif
