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

#include "net/kernels/geometry.h"
#include "net/kernels/product.h"

/* ------------------------------------------------------------------ epilogue */

/** y = act(x) over rows of channels values: x, y [n_rows, channels]; y may be x. */
void dpli_act_run(const dpli_act *act, float *y, const float *x, size_t n_rows, size_t channels);

/* ------------------------------------------------------------------ convolution */

/**
 * out = epilogue(conv(in, packed)). 1x1 with stride 1 is a GEMM on the input itself, depthwise is a
 * loop of ours, all else im2col in tiles that stay in cache, then GEMM; the epilogue runs a tile at
 * a time. out must not overlap in; out may be epilogue's before or after.
 */
void dpli_conv_run(const dpli_conv *c, float *out, const float *in, const float *packed,
                   const dpli_epilogue *epilogue, void *scratch);

/** Pieces from .. end - 1 of dpli_conv_units. */
void dpli_conv_run_part(const dpli_conv *c, float *out, const float *in, const float *packed,
                        const dpli_epilogue *epilogue, void *scratch, size_t from, size_t end);

/* ------------------------------------------------------------------ narrow numbers */

/** Whether this processor has kernels for them. All below need it. */
bool dpli_narrow_there(void);

/** As dpli_conv_run, of a narrowed convolution with dpli_narrow_pack's block. out is narrow, or
 * float32 as the epilogue says. */
void dpli_narrow_conv_run(const dpli_conv *c, void *out, const void *in, const void *packed,
                          const dpli_epilogue *epilogue, void *scratch);
void dpli_narrow_conv_run_part(const dpli_conv *c, void *out, const void *in, const void *packed,
                               const dpli_epilogue *epilogue, void *scratch, size_t from,
                               size_t end);
void dpli_narrow_pool2d_run(const dpli_pool *p, dpli_numbers numbers, void *out, const void *in);
/** y = act(a + b), n elements, padding included; an activation without slope. y may be a or b. */
void dpli_narrow_add_run(const dpli_act *act, void *y, const void *a, const void *b, size_t n);
/** To narrow, and back to float32 [n_rows, channels]. */
void dpli_narrow_run(const dpli_cast *cast, dpli_numbers to, void *out, const float *in);
void dpli_widen_run(float *out, const void *in, size_t n_rows, size_t channels);
/** Its operands rounded to bfloat16, sums in float32, over k in order. scratch: DPLI_PRODUCT_BYTES.
 * There are kernels of it for x86-64 alone. */
bool dpli_narrow_product_there(void);
void dpli_narrow_product_run(const dpli_product *p, void *scratch);

/* The same of bytes, for any processor; the convolution's block is dpli_bytes_pack's. */
void dpli_bytes_conv_run_part(const dpli_conv *c, void *out, const void *in, const void *packed,
                              const dpli_epilogue *epilogue, void *scratch, size_t from,
                              size_t end);
void dpli_bytes_add_run(const dpli_byte_sum *sum, void *y, const void *a, const void *b, size_t n);
void dpli_bytes_widen_run(const dpli_scale *of, float *out, const void *in, size_t n_rows,
                          size_t channels);

/** Epilogue over y [n_rows, channels]. */
void dpli_epilogue_run(const dpli_epilogue *epilogue, float *y, size_t n_rows, size_t channels);

/* ------------------------------------------------------------------ pooling */

void dpli_pool2d_run(const dpli_pool *p, float *out, const float *in);

/* ------------------------------------------------------------------ chains */

/** Run at most DPLI_MAX_CHAIN layers for which dpli_chain_length has said n_links. */
void dpli_chain_run(const dpli_link *links, int32_t n_links, void *out, const void *in,
                    void *scratch);
/** Pieces from .. end - 1 of dpli_chain_units; a layer by itself is a chain of one. */
void dpli_chain_run_part(const dpli_link *links, int32_t n_links, void *out, const void *in,
                         void *scratch, size_t from, size_t end);

/* ------------------------------------------------------------------ elementwise */

/**
 * y = a op b with NumPy broadcasting, the shapes brought to one rank: stride 0 where a dimension is
 * repeated. dims, strides in elements, innermost last; y is dense, and may be a or b where that is
 * dense too.
 */
void dpli_binary_run(dpli_binary_kind kind, float *y, const float *a, const float *b, int32_t rank,
                     const int64_t *dims, const int64_t *strides_a, const int64_t *strides_b);

/* ------------------------------------------------------------------ recurrent cells */

/** A step of LSTM; of GRU, the reset behind the product. */
void dpli_lstm_run(const dpli_cell_step *step);
void dpli_gru_run(const dpli_cell_step *step);

/** A step of GRU with the reset before the product: up to side, which is multiplied by the last
 * third of R^T and added to the last third of the gates; then from there on. */
void dpli_gru_reset_run(const dpli_cell_step *step);
void dpli_gru_finish_run(const dpli_cell_step *step);

/** Back through each of them, in the opposite order. Between the two of the reset before the
 * product comes ds: the last third of the gates by that of R. */
void dpli_lstm_back_run(const dpli_cell_back *back);
void dpli_gru_back_run(const dpli_cell_back *back);
void dpli_gru_finish_back_run(const dpli_cell_back *back);
void dpli_gru_reset_back_run(const dpli_cell_back *back);

/* ------------------------------------------------------------------ float16 */

/** IEEE half to float, n values. */
void dpli_half_to_float(float *out, const uint16_t *in, size_t n);

#endif
