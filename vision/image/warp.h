/* Affine warp of a picture, for alignment. */
#ifndef DOPPEL_VISION_IMAGE_WARP_H
#define DOPPEL_VISION_IMAGE_WARP_H

#include <stdint.h>

#include "doppel/error.h"
#include "doppel/image.h"

/**
 * Resample part of a picture through a similarity (or an affine map near one).
 *
 *     out  [out_h, out_w, 3]  uint8 RGB, top row first
 *
 * @param[in] in  what is outside of it is black
 * @param[in] m   where to read: x_in = m[0] x + m[1] y + m[2], y_in = m[3] x + m[4] y + m[5], both
 *                in pixels with the origin at the top left corner of the top left pixel, so that
 *                pixel i has its centre at i + 0.5; x_in, y_in count pixels of @p in as decoded
 * @retval DPL_E_ARGUMENT  a size below 1, or m is not finite or reduces more than 65536 times
 * @retval DPL_E_LIMIT     more than 715 megapixels are needed for it
 * Threads: any number at once.
 * Numerics: with s = sqrt(|det m|) input pixels an output pixel, the filter is a tent of radius
 * max(1, s) input pixels along both axes of the input, its weights divided by their sum: bilinear
 * interpolation where the map enlarges, widening without a step where it reduces. From s = 4 on the
 * input is first averaged in blocks of f = floor(s / 2) pixels a side and the tent shrinks to the
 * radius sqrt(s^2 - f^2 / 2), which keeps the variance of both together at s^2 / 6. Within 1 of the
 * exact value.
 */
dpl_status dpli_warp_affine(uint8_t *out, int32_t out_w, int32_t out_h, const dpl_image *in,
                            const float m[6], dpl_error *err);

#endif
