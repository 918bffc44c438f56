/*
 * Convolution by the discrete Fourier transform: for training with large kernels.
 *
 *     y[a] = sum_k x[a + k] w[k]   is, for each frequency,   Y = X conj(W),
 *     dx[j] = sum_k dy[j - k] w[k]                           DX = DY W,
 *     dw[k] = sum_a x[a + k] dy[a]                           DW = X conj(DY)
 *
 * so that a sum over a kernel's taps becomes one product a frequency, [n, in_c] x [in_c, out_c],
 * whatever the kernel's size. The transforms themselves are matrix products with small matrices of
 * cosines: a picture's side need not be a power of two, and all the work is GEMM.
 *
 * Source: Mathieu, Henaff, LeCun 2013, "Fast Training of Convolutional Networks through FFTs"; we
 * differ in using dense transforms, which beat fast ones at these sizes.
 */
#ifndef DOPPEL_NET_OPS_SPECTRAL_H
#define DOPPEL_NET_OPS_SPECTRAL_H

#include <stdbool.h>

#include "base/team.h"
#include "net/kernels.h"

typedef struct dpli_spectral dpli_spectral;

/** True when this convolution (stride, dilation and groups of 1) is so done with less work. */
bool dpli_spectral_pays(const dpli_conv *c);

/** Bytes of the object for this convolution, whose n is the largest batch; 0 on overflow. */
size_t dpli_spectral_bytes(const dpli_conv *c);

/** Make the object in that many bytes, aligned as malloc's are. There is nothing to free in it. */
dpli_spectral *dpli_spectral_init(void *place, const dpli_conv *c);

/** Floats that a forward keeps (the input's transform), and of scratch that either way needs. */
size_t dpli_spectral_kept_floats(const dpli_spectral *s);
size_t dpli_spectral_scratch_floats(const dpli_spectral *s, int n_workers);

/** y [n, out_h, out_w, out_c] = x [n, in_h, in_w, in_c] * weight [out_c, in_c, kernel_h, kernel_w],
 * without bias. */
void dpli_spectral_forward(const dpli_spectral *s, dpli_team *team, int32_t n, float *y,
                           const float *x, const float *weight, float *kept, float *scratch);

/** dx (written, or added to; NULL: not wanted) and dw (written; NULL: not wanted) from dy. */
void dpli_spectral_backward(const dpli_spectral *s, dpli_team *team, int32_t n, float *dx, bool add,
                            float *dw, const float *dy, const float *weight, const float *kept,
                            float *scratch);

#endif
