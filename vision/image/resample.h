/* The separable filter under dpl_image_resize, for what needs it on a part of a picture. */
#ifndef DOPPEL_VISION_IMAGE_RESAMPLE_H
#define DOPPEL_VISION_IMAGE_RESAMPLE_H

#include <stdint.h>

#include "doppel/error.h"

/* Along one axis: output i averages input [start + i * step, start + (i + 1) * step) when step >
 * 1, what lies outside counting as black; else it interpolates at start + (i + 0.5) * step between
 * the centres of pixels, the outermost ones going on for ever. */
typedef struct dpli_axis {
    int32_t n_in, n_out;
    double start, step;
} dpli_axis;

/** out [y.n_out, x.n_out, 3] from in [y.n_in, x.n_in, 3], both uint8 without padding. */
dpl_status dpli_resample(uint8_t *out, const uint8_t *in, const dpli_axis *x, const dpli_axis *y,
                         dpl_error *err);

#endif
