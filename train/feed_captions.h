/* Sentences that describe pictures, as a tower's inputs, each with its picture's vector. */
#ifndef DOPPEL_TRAIN_FEED_CAPTIONS_H
#define DOPPEL_TRAIN_FEED_CAPTIONS_H

#include "train/feed.h"
#include "train/picture_vectors.h"

/** @param sentences, pictures  *keeps* both, and frees them with the feed; also when it fails. A
 * row's class is the number of its picture in the data set. */
dpl_status dpli_caption_feed_new(dpli_feed **out, dpli_feed *sentences,
                                 dpli_picture_vectors *pictures, dpl_error *err);

/** The vector of this picture of the data set; NULL where it could not be read. */
const float *dpli_caption_feed_vector(const dpli_feed *feed, int32_t item);

#endif
