/* Whether a face is seen the right way up, and where its landmarks are when it is. */
#ifndef DOPPEL_VISION_FACE_UPRIGHT_H
#define DOPPEL_VISION_FACE_UPRIGHT_H

#include <stdbool.h>

#include "vision/face/look.h"

/**
 * Look at one face again, in eight turns, and where another than upright sees it best, find its
 * landmarks anew in the turn in which it is upright.
 *
 * @param face         what was found; box, score and landmarks are replaced where it is turned
 * @param[out] turned  another turn than upright sees it best
 */
dpl_status dpli_upright(dpl_face *face, bool *turned, const dpl_detector *detector,
                        dpl_scratch *scratch, const dpl_image *image, dpl_error *err);

/** Find the landmarks of a face anew that was seen nearly upright when turned by seen_deg. */
dpl_status dpli_straighten(dpl_face *face, float seen_deg, const dpl_detector *detector,
                           dpl_scratch *scratch, const dpl_image *image, dpl_error *err);

/** The turn of a face in its picture, from the landmarks, in degrees. */
float dpli_face_roll_deg(const dpl_face *face);

#endif
