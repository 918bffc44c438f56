/* Every picture of a dataset as the net takes it, decoded once. */
#ifndef DOPPEL_TRAIN_PIXELS_H
#define DOPPEL_TRAIN_PIXELS_H

#include "base/team.h"
#include "doppel/dataset.h"
#include "doppel/face.h"

/*
 * All pictures of a dataset as the net's input size, decoded once, in parallel: uint8
 * [side_h, side_w, channels] each. What cannot be read is dropped, and said: an item's pixels are
 * NULL then.
 */
typedef struct dpli_pixels dpli_pixels;

/* How faces are found and laid on the net's template. */
typedef struct dpli_aligner {
    const dpl_detector *detector;
    const dpl_encoder *encoder;
} dpli_aligner;

/** @param side  of a data set of pairs, whose pictures; else 0, all
 *  @param[in] aligner  NULL: pictures are taken whole. Else each gives the face that it is of
 *  (dpl_main_face), and none is a picture that cannot be read; h and w are the encoder's.
 *  @param[in] limits  max_bytes is what all threads together read and decode in; NULL: defaults */
dpl_status dpli_pixels_load(dpli_pixels **out, const dpl_dataset *d, int side, int32_t h, int32_t w,
                            int32_t channels, const dpli_aligner *aligner,
                            const dpl_decode_options *limits, dpli_team *team,
                            void (*warn)(void *ctx, const char *text), void *ctx, dpl_error *err);
void dpli_pixels_free(dpli_pixels *p);
const uint8_t *dpli_pixels_at(const dpli_pixels *p, int32_t item);
size_t dpli_pixels_bytes(const dpli_pixels *p);

#endif
