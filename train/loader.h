/*
 * Batches made ahead of the step: threads of its own draw rows and have the feeds fill them in,
 * into a ring of batches. Each batch is a function of the run's seed and its step, whatever the
 * timing.
 */
#ifndef DOPPEL_TRAIN_LOADER_H
#define DOPPEL_TRAIN_LOADER_H

#include "train/feed.h"
#include "train/sampler.h"

typedef struct dpli_loader_options {
    dpli_sampler_options sampler;
    const dpli_feed *feeds[DPLI_TOWERS]; /* targets are the first one's */
    int n_threads;
    int64_t first_step;
} dpli_loader_options;

typedef struct dpli_batch {
    void *inputs[DPLI_TOWERS]; /* [rows] of their feed's item_bytes */
    int32_t *labels;           /* [towers * rows] */
    dpli_pair *pairs;
    size_t n_pairs;
    float **targets; /* n_targets of [rows, their dim] */
    int32_t n_targets;
} dpli_batch;

typedef struct dpli_loader dpli_loader;

dpl_status dpli_loader_new(dpli_loader **out, const dpli_loader_options *options, dpl_error *err);
void dpli_loader_free(dpli_loader *l);
size_t dpli_loader_bytes(const dpli_loader *l);

/** Wait for the batch of the next step; it stays as it is until dpli_loader_done. */
dpl_status dpli_loader_next(const dpli_batch **out, dpli_loader *l, dpl_error *err);
void dpli_loader_done(dpli_loader *l);

#endif
