/*
 * Batches made ahead of the step: threads of its own draw, distort and convert pictures into a ring
 * of batches. Each batch is a function of the run's seed and its step, whatever the timing.
 */
#ifndef DOPPEL_TRAIN_LOADER_H
#define DOPPEL_TRAIN_LOADER_H

#include "doppel/face.h"
#include "train/augment.h"
#include "train/pixels.h"
#include "train/sampler.h"
#include "vision/intake.h"

typedef struct dpli_loader_options {
    dpli_sampler_options sampler;
    dpli_intake intake[DPLI_TOWERS];
    const dpli_pixels *pixels[DPLI_TOWERS];
    const dpli_augment *augment;
    const dpl_encoder *const *teachers;
    int32_t n_teachers;
    int n_threads;
    int64_t first_step;
} dpli_loader_options;

typedef struct dpli_batch {
    float *inputs[DPLI_TOWERS]; /* [rows, h, w, c] */
    int32_t *labels;            /* [towers * rows] */
    dpli_pair *pairs;
    size_t n_pairs;
    float **teachers; /* n_teachers of [rows, their dim] */
    int32_t n_teachers;
} dpli_batch;

typedef struct dpli_loader dpli_loader;

dpl_status dpli_loader_new(dpli_loader **out, const dpli_loader_options *options, dpl_error *err);
void dpli_loader_free(dpli_loader *l);
size_t dpli_loader_bytes(const dpli_loader *l);

/** Wait for the batch of the next step; it stays as it is until dpli_loader_done. */
dpl_status dpli_loader_next(const dpli_batch **out, dpli_loader *l, dpl_error *err);
void dpli_loader_done(dpli_loader *l);

#endif
