/*
 * Photos: bytes of a picture file to upright RGB8: JPEG, PNG, the preview in a camera's raw
 * file, and where they are built in TIFF, WebP, HEIC and AVIF.
 *
 * First stage of the pipeline. The format is told by content, never by file name; EXIF orientation
 * is applied; limits are checked before memory is taken.
 */
#ifndef DOPPEL_IMAGE_H
#define DOPPEL_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "doppel/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An upright RGB8 picture, top row first, rows without padding (stride is 3 * width_px bytes). */
typedef struct dpl_image {
    int32_t width_px, height_px;           /* of the pixels here */
    int32_t full_width_px, full_height_px; /* of the upright photo; larger when decoded reduced */
    uint8_t *pixels;                       /* [height_px, width_px, 3], owned */
    int32_t exif_orientation;              /* 1..8 as found and already applied; 1 when absent */
    char format[8];    /* "jpeg", "png", "tiff", "webp", "heic", "avif", "raw" */
    char warning[160]; /* "" or what is wrong with a photo that gave a picture (truncated …) */
    char taken[28]; /* "2024-05-01T12:34:56", the camera's clock, perhaps ".25" behind; "" when it
                       is not said (EXIF in JPEG, PNG and WebP) */
} dpl_image;

#define DPL_IMAGE_INIT                                                                             \
    {                                                                                              \
        0, 0, 0, 0, NULL, 1, "", "", ""                                                            \
    }

typedef struct dpl_decode_options {
    size_t struct_size;
    uint64_t max_pixels; /* of the photo as stored; default 256e6 (256 megapixels) */
    size_t max_bytes;    /* memory that one decode may take; default 768 MiB */
    int32_t enough_px;   /* 0: full size. Else a JPEG or WebP may be decoded at 1/2, 1/4 or 1/8 as
                            long   as its larger side stays at least this long */
} dpl_decode_options;

#define DPL_DECODE_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(dpl_decode_options), (uint64_t)256 * 1000 * 1000, (size_t)768 << 20, 0              \
    }

/** The same by a function, for who has no macros.
 * @param struct_size  of the caller's own struct */
DPL_API void dpl_decode_options_init(dpl_decode_options *options, size_t struct_size);

/**
 * Decode a photo in memory.
 *
 * @param[out] out      filled on success (clear with dpl_image_clear), cleared on failure
 * @param[in]  bytes    the file's content, n_bytes of it
 * @param[in]  options  NULL for the defaults
 * @retval DPL_E_INPUT  no format that is read, or broken beyond a picture; err says how
 * @retval DPL_E_LIMIT  more pixels or memory than allowed; err gives the numbers
 * Threads: any number at once.
 */
DPL_API dpl_status dpl_image_decode(dpl_image *out, const void *bytes, size_t n_bytes,
                                    const dpl_decode_options *options, dpl_error *err);

/** As dpl_image_decode, from a file; messages begin with the file's name in quotes. */
DPL_API dpl_status dpl_image_open(dpl_image *out, const char *path,
                                  const dpl_decode_options *options, dpl_error *err);

/**
 * How a photo lies in its file: the orientation, 1 to 8, that decoding it applies. Of a JPEG only
 * the beginning is read; others are decoded.
 *
 * @param[in] options  NULL for the defaults
 * @retval DPL_E_INPUT, DPL_E_LIMIT  as of dpl_image_open; err names the file
 */
DPL_API dpl_status dpl_image_orientation(int32_t *out, const char *path,
                                         const dpl_decode_options *options, dpl_error *err);

/** Copy pixels, uint8 RGB [height_px, width_px, 3] with stride_bytes a row, into an image. */
DPL_API dpl_status dpl_image_from_rgb(dpl_image *out, const uint8_t *rgb, int32_t width_px,
                                      int32_t height_px, size_t stride_bytes, dpl_error *err);

/**
 * Whether a file is meant as a picture: by the suffix of its name, or by its content, also in a
 * format that is not read here. Of a folder's other files (notes, caches, videos) nobody wants to
 * hear.
 *
 * @param[in] name    the file's name, with or without its folder
 * @param[in] head    its first n_head bytes; 16 are enough
 * @return            1 or 0
 * Threads: any number at once.
 */
DPL_API int dpl_image_is_meant(const char *name, const void *head, size_t n_head);

DPL_API void dpl_image_clear(dpl_image *image);

/**
 * Resample to width_px × height_px with an area (box) filter when reducing and bilinear
 * interpolation when enlarging.
 *
 * Pixel centres are at half-integers: output x samples the input at (x + 0.5) * in/out - 0.5.
 * full_width_px and full_height_px are kept. A constant picture stays constant exactly.
 */
DPL_API dpl_status dpl_image_resize(dpl_image *out, const dpl_image *in, int32_t width_px,
                                    int32_t height_px, dpl_error *err);

/**
 * Encode as JPEG (for thumbnails and pages).
 *
 * @param[out] out      bytes, freed by dpl_bytes_free
 * @param      quality  1..100
 */
DPL_API dpl_status dpl_image_to_jpeg(uint8_t **out, size_t *n_out, const dpl_image *image,
                                     int quality, dpl_error *err);

/** Free bytes that a dpl function gave out. */
DPL_API void dpl_bytes_free(void *bytes);

#ifdef __cplusplus
}
#endif

#endif
