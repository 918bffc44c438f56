/* What a decoder asks before it takes memory, and when it has met an error. */
#ifndef DOPPEL_VISION_IMAGE_LIMITS_H
#define DOPPEL_VISION_IMAGE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "doppel/error.h"
#include "doppel/image.h"

/** DPL_OK when a picture of that size as stored is within the limits. */
dpl_status dpli_check_pixels(uint64_t width_px, uint64_t height_px,
                             const dpl_decode_options *options, dpl_error *err);

/** DPL_OK when a decode that holds n_decoding bytes, and later pixels of w x h turned upright from
 * one buffer into another, is within the limits. */
dpl_status dpli_check_bytes(uint64_t n_decoding, uint64_t w, uint64_t h, int32_t orientation,
                            const dpl_decode_options *options, dpl_error *err);

/** The memory of such a decode: it turns what it made into a second buffer, or may. */
uint64_t dpli_need(uint64_t n_decoding, uint64_t n_pixels, bool turns);

/** Bring w x h to the size to decode at, 1/8, 1/4, 1/2 or all of it: the smallest whose larger side
 * is still enough_px; 0 asks for all of it. Returns what it divided by. */
unsigned dpli_reduce(int32_t *w, int32_t *h, int32_t enough_px);

/** A sample over white by its alpha, both of 8 bits. */
static inline uint8_t dpli_over_white(unsigned v, unsigned alpha)
{
    return (uint8_t)((v * alpha + 255 * (255 - alpha) + 127) / 255);
}

/* A channel of a pixel that is missing. Black, as a photo's end is: of a face that is cut through by
 * it the quality says how much there is not (vision/face/quality.c). */
enum { DPLI_MISSING = 0 };

/**
 * What a decode that met an error is worth: a picture with a warning when at least an eighth of it
 * is there, else DPL_E_INPUT. Less than that is no photo but its remains.
 *
 * @param cut          the file ends early; else it is damaged
 * @param there, all   how many of its units are there
 * @param unit         "rows" or "pixels"
 * @param reason       the decoder's words
 */
dpl_status dpli_judge_partial(char warning[160], bool cut, int32_t there, int32_t all,
                              const char *unit, const char *reason, dpl_error *err);

#endif
