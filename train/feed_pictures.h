/* Pictures as a tower's inputs: decoded once, distorted, brought to the net's numbers. */
#ifndef DOPPEL_TRAIN_FEED_PICTURES_H
#define DOPPEL_TRAIN_FEED_PICTURES_H

#include "doppel/face.h"
#include "train/augment.h"
#include "train/feed.h"
#include "train/pixels.h"
#include "vision/intake.h"

typedef struct dpli_picture_feed_options {
    const dpl_dataset *data; /* of pictures; read now, not kept */
    int side;                /* of its pairs, if it gives any */
    dpli_intake intake;
    const dpli_aligner *aligner;      /* NULL: taken whole; not kept */
    const dpl_decode_options *limits; /* of all threads together; NULL: the defaults; not kept */
    dpli_augment augment;
    const dpl_encoder *const *teachers; /* kept: what each says of a row is a target */
    int32_t n_teachers;
} dpli_picture_feed_options;

/** Warns of each picture that is left out. Free by dpli_feed_free. */
dpl_status dpli_picture_feed_new(dpli_feed **out, const dpli_picture_feed_options *options,
                                 dpli_team *team, void (*warn)(void *ctx, const char *text),
                                 void *ctx, dpl_error *err);

#endif
