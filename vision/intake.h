/* Pixels to a net's input: one way for serving and for training, so that they cannot drift. */
#ifndef DOPPEL_VISION_INTAKE_H
#define DOPPEL_VISION_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

/* How a net takes pictures. */
typedef struct dpli_intake {
    int32_t h, w, c;       /* in pixels; channels: 1 (grey) or 3 */
    float mean[3], std[3]; /* input = (pixel - mean) / std, in the net's channel order */
    bool bgr;
} dpli_intake;

/** A pixel as a net of one channel sees it (ITU-R BT.601), 0..255. */
static inline float dpli_luma(const uint8_t *rgb)
{
    return 0.299f * (float)rgb[0] + 0.587f * (float)rgb[1] + 0.114f * (float)rgb[2];
}

/** out: float [h, w, c] from uint8 [h, w, c] (RGB or grey). */
void dpli_intake_run(float *out, const dpli_intake *in, const uint8_t *pixels);

/** The same from uint8 RGB [h, w, 3] whatever c is: a net of one channel gets the luma, which is
 * not rounded to a level. */
void dpli_intake_run_rgb(float *out, const dpli_intake *in, const uint8_t *rgb);

#endif
