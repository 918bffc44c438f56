/*
 * Augmentation: a picture as it might as well have been taken or drawn.
 *
 * Distortions are drawn from a generator that is seeded by the run's seed, the step and the row, so
 * that a picture's distortion does not depend on which thread makes it, or when.
 */
#ifndef DOPPEL_TRAIN_AUGMENT_H
#define DOPPEL_TRAIN_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "doppel/error.h"

typedef struct dpli_augment {
    /* Affine, each part drawn with probability affine_p: Koch 2015, section 3.2. Angles in degrees,
     * shear as a factor, shift in pixels of a 105 pixel picture; ranges are symmetric. */
    float affine_p, rotate_deg, shear, scale_low, scale_high, shift_px;
    float flip_p; /* left to right */
    float crop;   /* up to this part of a side cut away and the rest enlarged */
    float brightness, contrast, saturation; /* 0.2: a factor within 0.8..1.2 */
    float grey_p;
    float blur_p, blur_px; /* Gaussian, sigma up to */
    float jpeg_p;          /* recompressed at quality jpeg_low..95 */
    int32_t jpeg_low;
    float occlude_p, occlude; /* a rectangle of up to this part of the area, in one colour */
    float stroke_p;           /* 1-channel drawings: strokes a pixel thicker or thinner */
} dpli_augment;

/** By name: "none", "koch" (rotation 10, shear 0.3, scale 0.8..1.2, shift 2, each with probability
 * 1/2), "drawing", "face", "photo"; false when there is none of that name. */
bool dpli_augment_named(dpli_augment *out, const char *name);

/* Scratch of one thread, for pictures of this size. */
typedef struct dpli_augmenter dpli_augmenter;
dpl_status dpli_augmenter_new(dpli_augmenter **out, int32_t h, int32_t w, int32_t channels,
                              dpl_error *err);
void dpli_augmenter_free(dpli_augmenter *a);

/** out, in: uint8 [h, w, channels]; what comes in from outside the picture is the border's most
 * common colour (paper stays paper). */
void dpli_augment_run(dpli_augmenter *a, const dpli_augment *how, dpli_rng *rng, uint8_t *out,
                      const uint8_t *in);

#endif
