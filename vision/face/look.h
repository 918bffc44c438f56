/* One look of the detector's net at a picture or a part of it, in whatever turn. */
#ifndef DOPPEL_VISION_FACE_LOOK_H
#define DOPPEL_VISION_FACE_LOOK_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/face.h"

#define DPLI_N_STRIDES 3

struct dpl_detector {
    dpl_net *net;
    int cls[DPLI_N_STRIDES], obj[DPLI_N_STRIDES], bbox[DPLI_N_STRIDES], kps[DPLI_N_STRIDES];
};

/* The strides of the net's heads, in whose order the detector's outputs stand. */
extern const int dpli_detector_strides[DPLI_N_STRIDES];

/* A face as one cell of one look saw it; coordinates already of the full photo. */
typedef struct dpli_candidate {
    dpl_face face;
    int32_t look; /* of the view */
} dpli_candidate;

typedef struct dpli_candidates {
    dpli_candidate *items;
    size_t n, cap;
} dpli_candidates;

/* What the net is shown, and what it is asked for. */
typedef struct dpli_view {
    const uint8_t *pixels; /* RGB, rows of stride_bytes */
    size_t stride_bytes;
    int32_t width_px, height_px;
    int32_t margin_px;       /* black round it in the net's input */
    float map[6];            /* x_photo = map[0] x + map[1] y + map[2], y_photo likewise */
    float least_px, most_px; /* larger side of the faces it is asked for, in photo pixels */
    float min_score;
    int32_t look; /* for the candidates */
} dpli_view;

/** Add what the net sees in n views of one size and margin, run as one batch. */
dpl_status dpli_look(dpli_candidates *found, const dpl_detector *detector, dpl_scratch *scratch,
                     const dpli_view *views, size_t n, dpl_error *err);

/** Intersection over union of two boxes. */
float dpli_overlap(const dpl_face *a, const dpl_face *b);

/**
 * Landmarks of a face as the mean of what all candidates of its look say that see nearly the same
 * box and score at least min_score, weighted by score: their errors are largely independent, so
 * alignment gets steadier (docs/accuracy-log.md). The blending of BlazeFace (Bazarevsky et al.
 * 2019, section 4), for landmarks only.
 */
void dpli_blend_landmarks(dpl_face *face, int32_t look, const dpli_candidate *candidates, size_t n,
                          float min_score);

#endif
