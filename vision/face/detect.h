/* Detection's inner side, for who decodes photos and shares out memory. */
#ifndef DOPPEL_VISION_FACE_DETECT_H
#define DOPPEL_VISION_FACE_DETECT_H

#include <stdbool.h>

#include "doppel/face.h"

/* What a detection has seen beside the faces it gives. */
typedef struct dpli_seen {
    int32_t closer_px; /* 0, or: the picture is decoded reduced and shows no face of a fair size, so
                          that the photo is to be decoded at this larger side at least, in pixels,
                          and looked at again */
    int32_t side_px; /* 0, or: there is no face, but the closest look was at a reduced picture; with
                        this max_side_px it is at all of it */
} dpli_seen;

/** As dpl_detect; where closer_px is set, the closer look at the picture as it is is left out.
 * @param[in] may_decode_again  false: closer_px is not asked for */
dpl_status dpli_detect(dpl_face **out, size_t *n_out, dpli_seen *seen, bool may_decode_again,
                       const dpl_detector *detector, dpl_scratch *scratch, const dpl_image *image,
                       const dpl_detect_options *options, dpl_error *err);

/** What the largest of its runs works in, with these options (NULL: the defaults); 0 when it does
 * not fit the net's limits, which is said when it is run. */
size_t dpli_detector_plan_bytes(const dpl_detector *detector, const dpl_detect_options *options);

#endif
