/* Detection's inner side, for who decodes photos and shares out memory. */
#ifndef DOPPEL_VISION_FACE_DETECT_H
#define DOPPEL_VISION_FACE_DETECT_H

#include "doppel/face.h"

/** What the largest of its runs works in, with these options (NULL: the defaults); 0 when it does
 * not fit the net's limits, which is said when it is run. */
size_t dpli_detector_plan_bytes(const dpl_detector *detector, const dpl_detect_options *options);

#endif
