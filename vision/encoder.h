/* What is inside a dpl_encoder, for the files that align, judge and encode. */
#ifndef DOPPEL_VISION_ENCODER_H
#define DOPPEL_VISION_ENCODER_H

#include <stdbool.h>

#include "doppel/face.h"
#include "vision/intake.h"

struct dpl_encoder {
    dpl_net *net;
    char *path;                       /* as it was given */
    const struct dpli_preset *preset; /* NULL: none */
    dpli_intake intake;
    int32_t dim;
    int32_t batch;      /* 0: free, else the only one that the net takes */
    bool channels_last; /* the net's input is [n, h, w, c], as some converters leave it */
    bool normalize;     /* vectors are brought to unit length */
    bool has_template;
    dpl_point template_points[5]; /* pixel indices of the chip, as ArcFace's are */
    const char *space;
    char hash[65];
};

/** What dpl_encode's largest batch works in. */
size_t dpli_encoder_plan_bytes(const dpl_encoder *encoder);

/* What a portrait shows in pixels of ArcFace's template of 112. At this width it holds the chip of
 * face-105, which lies 3.5 pixels within that template, at (18, 30), pixel for pixel. */
enum { DPLI_PORTRAIT_WIDTH = 141 };

/* The larger side of a whole picture's thumbnail: what its encoder and its sketch need of it. */
enum { DPLI_PICTURE_SIDE = 128 };

/** Where in a portrait of width_px the landmarks lie of the face that it was made of.
 * @retval DPL_E_INPUT  as of dpl_portrait */
dpl_status dpli_portrait_landmarks(dpl_point points[5], const dpl_face *face, int32_t width_px,
                                   dpl_error *err);

/** dpl_whole_chip without an encoder: the training's pictures are cut as the encoder's are. The
 * filter is dpl_image_resize's. */
dpl_status dpli_whole_chip(uint8_t *chip, int32_t width_px, int32_t height_px,
                           const dpl_image *image, dpl_error *err);

/** Fill face->quality, but for the detector's part, from the landmarks and the chip [height, width,
 * 3]. */
void dpli_quality_measure(dpl_face *face, const uint8_t *chip, int32_t width_px, int32_t height_px);

#endif
