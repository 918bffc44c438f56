/*
 * Two pictures laid over each other: whether one is the other, edited.
 */
#ifndef DOPPEL_SKETCH_H
#define DOPPEL_SKETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "doppel/error.h"
#include "doppel/image.h"
#include "doppel/score.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DPL_SKETCH_SIDE_PX 64

/* What is kept of a picture to tell its copies: small, grey and upright. */
typedef struct dpl_sketch {
    int32_t width_px, height_px;           /* of grey; the larger is DPL_SKETCH_SIDE_PX */
    int32_t full_width_px, full_height_px; /* of the photo */
    float sharpness;                       /* higher is sharper; of like pictures */
    uint64_t pixels;                       /* a sum of all decoded pixels and their size */
    uint8_t grey[DPL_SKETCH_SIDE_PX * DPL_SKETCH_SIDE_PX]; /* [height_px, width_px] */
} dpl_sketch;

/** Sketch a picture as it was decoded; of one that was decoded reduced, that is what is summed. */
DPL_API dpl_status dpl_sketch_make(dpl_sketch *out, const dpl_image *image, dpl_error *err);

/* How two pictures lie over each other where they agree best. */
typedef struct dpl_overlay {
    float score; /* the correlation of what they share, the fifth that agrees least left out: 1 for
                    the same, 0 for pictures that have nothing in common or are too plain to tell */
    float all_over; /* the same correlation in parts: that which a third of them do not reach */
    float evidence; /* what the score is worth for so much of them */
    int32_t orientation; /* what the second needs to lie as the first, in EXIF's numbers: 1 nothing,
                            2 mirrored, 3 turned 180 degrees, 6 and 8 turned by a quarter … */
    float angle_deg;     /* and how much it is tilted beside that, clockwise as it is seen */
    float shown_a, shown_b; /* how much of each picture's area is shown by the other, 0..1 */
    float scale;            /* a length in the second over the same in the first, in pixels of the
                               photos */
} dpl_overlay;

/**
 * Lay the second picture over the first: turned by quarters, mirrored, cropped to no less than 40 %
 * of the sides, in a frame, tilted by some degrees, stretched a little; brightness and contrast do
 * not count.
 *
 * Where both have a frame of one tone along their sides, what is within has to agree by itself: the
 * lower of each number is given.
 *
 * Threads: any number at once.
 * Numerics: the same bits on every processor; exchanging the pictures may change the score in the
 * third digit.
 */
DPL_API void dpl_sketch_compare(dpl_overlay *out, const dpl_sketch *a, const dpl_sketch *b);

/** Whether the two are the same picture: they agree, in enough of it, and all over. */
DPL_API bool dpl_overlay_is_copy(const dpl_overlay *overlay);

/** How often two different photos, of all pairs of a collection, are taken for one by
 * dpl_overlay_is_copy; 1 of an overlay that is not. Measured on everyday photos, where nearly all
 * of them are the same scene photographed twice; pictures of one kind of thing, in one pose on a
 * plain ground, are taken for each other far more often (docs/accuracy-log.md). */
DPL_API dpl_rate dpl_copy_rate(const dpl_overlay *overlay);

#ifdef __cplusplus
}
#endif

#endif
