/*
 * Where a tower's inputs come from. The loader and the validation ask for rows by number and do not
 * know what they are made of; each kind of item that a data set can hold is a file that fills this
 * in (feed_pictures.h).
 */
#ifndef DOPPEL_TRAIN_FEED_H
#define DOPPEL_TRAIN_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "doppel/error.h"
#include "train/sampler.h"

typedef struct dpli_feed dpli_feed;

/* Shared between threads, read only. */
struct dpli_feed {
    size_t item_bytes;          /* of a row, as the tower's input takes it */
    size_t held_bytes;          /* of the items in memory, for telling */
    const int32_t *target_dims; /* [n_targets] */
    int32_t n_targets;          /* vectors that a row comes with, to be learned (teachers') */

    /* Whether the item could be read: what could not is in no row. */
    bool (*has)(const dpli_feed *feed, int32_t item);
    /* How long the item is: batches are of items alike in this. NULL where all are the same. */
    int32_t (*steps)(const dpli_feed *feed, int32_t item);
    /* What one thread fills rows with. */
    dpl_status (*open)(void **hand, const dpli_feed *feed, dpl_error *err);
    void (*close)(void *hand); /* takes NULL */
    /* A row's input, item_bytes to out: distorted as rng says, or, when NULL, as it is. */
    dpl_status (*fill)(void *hand, void *out, const dpli_row *row, dpli_rng *rng, dpl_error *err);
    /* Target i of the row filled last: float32 [target_dims[i]]. NULL where there are none. */
    dpl_status (*target)(void *hand, float *out, int32_t i, dpl_error *err);
    void (*free)(dpli_feed *feed);
};

static inline void dpli_feed_free(dpli_feed *feed)
{
    if (feed)
        feed->free(feed);
}

#endif
