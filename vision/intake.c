/*
 * intake.c - pixels to the numbers that a net takes: (pixel - mean) / std, channels in its order.
 *
 * Between the chip and the net, when a picture is encoded and when a net is trained.
 */
#include "vision/intake.h"

#include <stddef.h>

void dpli_intake_run(float *out, const dpli_intake *in, const uint8_t *pixels)
{
    const size_t n = (size_t)in->h * (size_t)in->w;
    const int first = in->bgr ? 2 : 0;

    if (in->c == 1) {
        const float scale = 1 / in->std[0];
        for (size_t i = 0; i < n; i++)
            out[i] = ((float)pixels[i] - in->mean[0]) * scale;
        return;
    }
    const float scale[3] = {1 / in->std[0], 1 / in->std[1], 1 / in->std[2]};
    for (size_t i = 0; i < n; i++, out += 3, pixels += 3) {
        out[0] = ((float)pixels[first] - in->mean[0]) * scale[0];
        out[1] = ((float)pixels[1] - in->mean[1]) * scale[1];
        out[2] = ((float)pixels[2 - first] - in->mean[2]) * scale[2];
    }
}

void dpli_intake_run_rgb(float *out, const dpli_intake *in, const uint8_t *rgb)
{
    const size_t n = (size_t)in->h * (size_t)in->w;
    const float scale = 1 / in->std[0];

    if (in->c == 3) {
        dpli_intake_run(out, in, rgb);
        return;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = (dpli_luma(rgb + 3 * i) - in->mean[0]) * scale;
}
