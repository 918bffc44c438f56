/* What a PNG's chunks of text say of its orientation. */
#ifndef DOPPEL_VISION_IMAGE_PNG_TEXT_H
#define DOPPEL_VISION_IMAGE_PNG_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

/** Whether a chunk's type is one of text: tEXt, zTXt, iTXt. */
bool dpli_png_is_text(const uint8_t *type);

/** The orientation, 1 to 8, that a chunk of text states; 0 when none. DPL_E_MEMORY when there is no
 * memory to read it. */
dpl_status dpli_png_text_orientation(int32_t *orientation, const uint8_t *type, const uint8_t *data,
                                     size_t n, dpl_error *err);

#endif
