/* The decoders, and what they share: a row each in formats.c. */
#ifndef DOPPEL_VISION_IMAGE_DECODE_H
#define DOPPEL_VISION_IMAGE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"
#include "doppel/image.h"

/**
 * Decode what dpli_is_NAME recognised. @p out comes empty and leaves filled, as
 * stored: exif_orientation is what was found and not yet applied. On failure out->pixels, where it
 * is set, is the caller's to free. @p fill is what the pixels hold before decoding: it never shows.
 */
dpl_status dpli_jpeg_decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                            const dpl_decode_options *options, uint8_t fill, dpl_error *err);
dpl_status dpli_png_decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                           const dpl_decode_options *options, uint8_t fill, dpl_error *err);
dpl_status dpli_avif_decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                            const dpl_decode_options *options, uint8_t fill, dpl_error *err);
dpl_status dpli_heic_decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                            const dpl_decode_options *options, uint8_t fill, dpl_error *err);
dpl_status dpli_raw_decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                           const dpl_decode_options *options, uint8_t fill, dpl_error *err);
dpl_status dpli_tiff_decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                            const dpl_decode_options *options, uint8_t fill, dpl_error *err);
dpl_status dpli_webp_decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                            const dpl_decode_options *options, uint8_t fill, dpl_error *err);
/** The most memory that decoding these bytes takes beside them; 0 when they are refused at once. */
uint64_t dpli_jpeg_need(const uint8_t *bytes, size_t n_bytes, const dpl_decode_options *options);
uint64_t dpli_png_need(const uint8_t *bytes, size_t n_bytes, const dpl_decode_options *options);
uint64_t dpli_avif_need(const uint8_t *bytes, size_t n_bytes, const dpl_decode_options *options);
uint64_t dpli_heic_need(const uint8_t *bytes, size_t n_bytes, const dpl_decode_options *options);
uint64_t dpli_raw_need(const uint8_t *bytes, size_t n_bytes, const dpl_decode_options *options);
uint64_t dpli_tiff_need(const uint8_t *bytes, size_t n_bytes, const dpl_decode_options *options);
uint64_t dpli_webp_need(const uint8_t *bytes, size_t n_bytes, const dpl_decode_options *options);
/** The same, of whichever format they are. */
uint64_t dpli_image_need(const void *bytes, size_t n_bytes, const dpl_decode_options *options);
bool dpli_is_avif(const uint8_t *bytes, size_t n_bytes);
bool dpli_is_heic(const uint8_t *bytes, size_t n_bytes);
bool dpli_is_jpeg(const uint8_t *bytes, size_t n_bytes);
bool dpli_is_png(const uint8_t *bytes, size_t n_bytes);
bool dpli_is_raw(const uint8_t *bytes, size_t n_bytes);
bool dpli_is_tiff(const uint8_t *bytes, size_t n_bytes);
bool dpli_is_webp(const uint8_t *bytes, size_t n_bytes);

/** The size of a JPEG as stored, and whether it has an EXIF block; false when its kind is not read or
 * it ends before it says. */
bool dpli_jpeg_measure(uint32_t *width_px, uint32_t *height_px, bool *has_exif,
                       const uint8_t *bytes, size_t n_bytes);

/** The orientation that a JPEG says, of which only the beginning need be there. */
dpl_status dpli_jpeg_orientation(int32_t *orientation, const uint8_t *bytes, size_t n_bytes,
                                 dpl_error *err);

/** dpl_image_decode, with what every buffer of pixels holds before a decoder writes to it. Whatever
 * it is, the same comes out. */
dpl_status dpli_image_decode_filled(dpl_image *out, const void *bytes, size_t n_bytes,
                                    const dpl_decode_options *options, uint8_t fill,
                                    dpl_error *err);

/** The orientation, 1 to 8, in an EXIF block ("Exif", two zero bytes, TIFF); 1 when there is none.
 * DPL_E_MEMORY when there is no memory to parse it. */
dpl_status dpli_exif_orientation(int32_t *orientation, const uint8_t *exif, size_t n_bytes,
                                 dpl_error *err);
/** The same of a block that need not have "Exif" in front: all but JPEG keep it without. */
dpl_status dpli_exif_orientation_bare(int32_t *orientation, const uint8_t *tiff, size_t n_bytes,
                                      dpl_error *err);

/** When the photo was taken, as dpl_image says it; "" when it is not said. */
enum { DPLI_TAKEN_BYTES = sizeof((dpl_image *)0)->taken };
dpl_status dpli_exif_taken(char taken[DPLI_TAKEN_BYTES], const uint8_t *exif, size_t n_bytes,
                           dpl_error *err);
dpl_status dpli_exif_taken_bare(char taken[DPLI_TAKEN_BYTES], const uint8_t *tiff, size_t n_bytes,
                                dpl_error *err);

#endif
