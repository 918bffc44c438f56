/* Detection's inner side, for who decodes photos and shares out memory. */
#ifndef DOPPEL_VISION_FACE_DETECT_H
#define DOPPEL_VISION_FACE_DETECT_H

#include <stdint.h>

#include "doppel/face.h"

/* More pixels of a photo that was decoded reduced. */
typedef struct dpli_closer {
    /* Decode the photo of image again, with a larger side of side_px at least, and put what comes
     * in its place: as much as there is memory for, which may be no more than before. What was
     * there is freed first; on failure image is cleared. */
    dpl_status (*decode)(void *ctx, dpl_image *image, int32_t side_px, dpl_error *err);
    void *ctx;
} dpli_closer;

/**
 * As dpl_detect, of a photo that may be decoded reduced.
 *
 * @param[out] side_px  0, or: there is no face, but the closest look was at a reduced picture; with
 *                      this max_side_px it is at all of it
 * @param[in,out] image  replaced where it is reduced and shows no face of a fair size
 * @param[in] closer    NULL: there are no more pixels
 */
dpl_status dpli_detect(dpl_face **out, size_t *n_out, int32_t *side_px,
                       const dpl_detector *detector, dpl_scratch *scratch, dpl_image *image,
                       const dpli_closer *closer, const dpl_detect_options *options,
                       dpl_error *err);

/** What finding faces works in at most, beside the photo, with these options (NULL: the defaults):
 * the largest run, which is 0 when it does not fit the net's limits, as is said when it is run; and
 * the smaller pictures that are made to be looked at. */
size_t dpli_detector_bytes(const dpl_detector *detector, const dpl_detect_options *options);

#endif
