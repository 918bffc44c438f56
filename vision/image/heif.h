/* Pictures in HEIF (ISO/IEC 23008-12), the container that HEIC and AVIF share: what it hands to a
 * codec, and what it gets back. */
#ifndef DOPPEL_VISION_IMAGE_HEIF_H
#define DOPPEL_VISION_IMAGE_HEIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

/** A coded picture: the codec's configuration and its data, both inside of the file. */
typedef struct dpli_coded {
    const uint8_t *config, *data;
    size_t n_config, n_data;
    uint32_t width_px,
        height_px; /* as the container says; a codec that finds another size refuses */
} dpli_coded;

/** Decoded samples, a byte each or, of more than 8 bits, a uint16_t. */
typedef struct dpli_planes {
    uint32_t width_px, height_px;
    int bits;
    bool has_colour;
    int halved_x, halved_y; /* 1 where there is one colour sample for two of light */
    const uint8_t *plane[3];
    ptrdiff_t stride_bytes[3];
    int matrix; /* ITU-T H.273; 2 when it is not said */
    bool full_range;
} dpli_planes;

typedef struct dpli_codec {
    const char *item, *config; /* types of its items and of their configuration */
    const char *name;          /* as formats.c has it */
    /** The most memory that decoding takes; 0 and err when it is refused. */
    uint64_t (*need)(const dpli_coded *coded, dpl_error *err);
    /** Give the one picture to take(to, planes); all of its samples are the file's. DPL_E_INPUT
     * begins with "damaged: " or "broken ". @p fill is what memory holds before. */
    dpl_status (*decode)(const dpli_coded *coded, uint8_t fill,
                         void (*take)(void *to, const dpli_planes *planes), void *to,
                         dpl_error *err);
} dpli_codec;

extern const dpli_codec dpli_avif_codec, dpli_heic_codec;

#endif
