/*
 * image.c - from a file to an upright picture: which format, within the limits, decoded, turned.
 *
 * First stage of the pipeline. The decoders are in jpeg.c and png.c.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "doppel/image.h"
#include "vision/image/decode.h"

enum { MAX_SIDE_PX = 65535 };

dpl_status dpli_check_pixels(uint64_t width_px, uint64_t height_px,
                             const dpl_decode_options *options, dpl_error *err)
{
    const uint64_t limit = options->max_pixels;

    if (width_px == 0 || height_px == 0)
        return dpli_fail(err, DPL_E_INPUT, "image is %llux%llu pixels",
                         (unsigned long long)width_px, (unsigned long long)height_px);
    if (width_px > MAX_SIDE_PX || height_px > MAX_SIDE_PX)
        return dpli_fail(err, DPL_E_LIMIT, "image is %llux%llu pixels, limit is %d a side",
                         (unsigned long long)width_px, (unsigned long long)height_px, MAX_SIDE_PX);
    if (width_px * height_px > limit)
        return limit % 1000000 == 0 && limit
                   ? dpli_fail(err, DPL_E_LIMIT,
                               "image is %llux%llu pixels, limit is %llu megapixels",
                               (unsigned long long)width_px, (unsigned long long)height_px,
                               (unsigned long long)(limit / 1000000))
                   : dpli_fail(err, DPL_E_LIMIT, "image is %llux%llu pixels, limit is %llu pixels",
                               (unsigned long long)width_px, (unsigned long long)height_px,
                               (unsigned long long)limit);
    return DPL_OK;
}

dpl_status dpli_check_bytes(uint64_t n_decoding, uint64_t w, uint64_t h, int32_t orientation,
                            const dpl_decode_options *options, dpl_error *err)
{
    const uint64_t n_turning = orientation > 1 ? 2 * 3 * w * h : 0;
    const uint64_t need = n_decoding > n_turning ? n_decoding : n_turning;

    /* Rounded up, so that the two numbers differ. */
    if (need > options->max_bytes)
        return dpli_fail(err, DPL_E_LIMIT, "decoding needs %.1f MiB, limit is %.1f MiB",
                         (double)((need * 10 + 1048575) / 1048576) / 10,
                         (double)options->max_bytes / 1048576);
    return DPL_OK;
}

dpl_status dpli_judge_partial(char warning[160], bool cut, int32_t there, int32_t all,
                              const char *unit, const char *reason, dpl_error *err)
{
    const char *what = cut ? "truncated" : "damaged";

    if (there < all / 8 + (all % 8 != 0))
        return dpli_fail(err, DPL_E_INPUT, "%s: %d of %d %s are there", what, there, all, unit);
    if (there < all)
        snprintf(warning, 160, "%s: %d of %d %s are there", what, there, all, unit);
    else
        snprintf(warning, 160, "%s: %c%s", what, tolower((unsigned char)reason[0]), reason + 1);
    return DPL_OK;
}

/* What bytes [n] are that no decoder here reads: a phrase that follows "is ". */
static const char *other_kind(const uint8_t *bytes, size_t n)
{
    static const struct {
        size_t at;
        const char *magic;
        size_t n;
        const char *what;
    } kinds[] = {
        {8, "WEBP", 4, "a WebP picture"},
        {4, "ftypheic", 8, "a HEIC picture"},
        {4, "ftypheix", 8, "a HEIC picture"},
        {4, "ftypmif1", 8, "a HEIF picture"},
        {4, "ftypavif", 8, "an AVIF picture"},
        {4, "ftypavis", 8, "an AVIF picture"},
        {4, "ftyp", 4, "a video"},
        {0, "GIF8", 4, "a GIF picture"},
        {0, "II*\0", 4, "a TIFF or raw picture"},
        {0, "MM\0*", 4, "a TIFF or raw picture"},
        {0, "BM", 2, "a BMP picture"},
        {0, "\0\0\0\fJXL ", 8, "a JPEG XL picture"},
        {0, "\xFF\x0A", 2, "a JPEG XL picture"},
        {0, "\0\0\0\fjP  ", 8, "a JPEG 2000 picture"},
        {0, "8BPS", 4, "a Photoshop file"},
        {0, "%PDF", 4, "a PDF file"},
        {0, "PK\3\4", 4, "a ZIP archive"},
        {0, "<svg", 4, "an SVG drawing"},
        {0, "<?xml", 5, "an XML file"},
        {0, "<!DOCTYPE", 9, "an HTML page"},
        {0, "<!doctype", 9, "an HTML page"},
        {0, "<html", 5, "an HTML page"},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (n >= kinds[i].at + kinds[i].n &&
            memcmp(bytes + kinds[i].at, kinds[i].magic, kinds[i].n) == 0)
            return kinds[i].what;
    return NULL;
}

static dpl_status refuse(const uint8_t *bytes, size_t n, dpl_error *err)
{
    const char *what = other_kind(bytes, n);
    size_t zeros = 0;

    if (what)
        return dpli_fail(err, DPL_E_INPUT, "is %s; JPEG and PNG are read", what);
    if (n == 0)
        return dpli_fail(err, DPL_E_INPUT, "is empty");
    while (zeros < n && bytes[zeros] == 0)
        zeros++;
    if (zeros == n)
        return dpli_fail(err, DPL_E_INPUT, "holds nothing but zeros");
    return dpli_fail(err, DPL_E_INPUT, "is neither a JPEG nor a PNG");
}

/* Turn a picture upright (EXIF 2.32, tag 0112h): from the stored corner that comes first, one step
 * to the right in what comes out is step_x bytes in what was stored, one step down is step_y. */
static dpl_status make_upright(dpl_image *image, dpl_error *err)
{
    /* Block by block, so that columns of the one and rows of the other both stay in cache. */
    enum { BLOCK = 32 };
    const ptrdiff_t w = image->width_px, h = image->height_px;
    const int32_t orientation = image->exif_orientation;
    const bool sideways = orientation >= 5;
    const ptrdiff_t out_w = sideways ? h : w, out_h = sideways ? w : h;
    const bool from_right = orientation == 2 || orientation == 3 || orientation >= 7;
    const bool from_below =
        orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const ptrdiff_t along = 3 * (from_right ? -1 : 1), down = 3 * w * (from_below ? -1 : 1);
    const ptrdiff_t step_x = sideways ? down : along, step_y = sideways ? along : down;
    const uint8_t *first =
        image->pixels + 3 * ((from_below ? h - 1 : 0) * w + (from_right ? w - 1 : 0));
    uint8_t *out;

    if (orientation == 1)
        return DPL_OK;
    out = dpli_alloc((size_t)w * (size_t)h, 3, err);
    if (!out)
        return DPL_E_MEMORY;
    for (ptrdiff_t y0 = 0; y0 < out_h; y0 += BLOCK)
        for (ptrdiff_t x0 = 0; x0 < out_w; x0 += BLOCK) {
            const ptrdiff_t y1 = y0 + BLOCK < out_h ? y0 + BLOCK : out_h;
            const ptrdiff_t x1 = x0 + BLOCK < out_w ? x0 + BLOCK : out_w;

            for (ptrdiff_t y = y0; y < y1; y++) {
                for (ptrdiff_t x = x0; x < x1; x++)
                    memcpy(out + 3 * (y * out_w + x), first + y * step_y + x * step_x, 3);
            }
        }
    free(image->pixels);
    image->pixels = out;
    image->width_px = (int32_t)out_w;
    image->height_px = (int32_t)out_h;
    if (sideways) {
        const int32_t full_w = image->full_width_px;

        image->full_width_px = image->full_height_px;
        image->full_height_px = full_w;
    }
    return DPL_OK;
}

/* The caller's options as we know them: its struct may be older or newer than ours. */
static dpl_status read_options(dpl_decode_options *options, const dpl_decode_options *given,
                               dpl_error *err)
{
    const dpl_decode_options defaults = DPL_DECODE_OPTIONS_INIT;

    *options = defaults;
    if (!given)
        return DPL_OK;
    if (given->struct_size < sizeof given->struct_size)
        return dpli_fail(err, DPL_E_ARGUMENT, "decode options are not initialised");
    memcpy(options, given,
           given->struct_size < sizeof *options ? given->struct_size : sizeof *options);
    if (options->enough_px < 0)
        return dpli_fail(err, DPL_E_ARGUMENT, "enough_px is %d, below 0", options->enough_px);
    return DPL_OK;
}

dpl_status dpl_image_decode(dpl_image *out, const void *bytes, size_t n_bytes,
                            const dpl_decode_options *options, dpl_error *err)
{
    const dpl_image empty = DPL_IMAGE_INIT;
    dpl_decode_options known;
    dpl_status status;

    *out = empty;
    status = read_options(&known, options, err);
    if (status)
        return status;
    if (dpli_is_jpeg(bytes, n_bytes))
        status = dpli_jpeg_decode(out, bytes, n_bytes, &known, err);
    else if (dpli_is_png(bytes, n_bytes))
        status = dpli_png_decode(out, bytes, n_bytes, &known, err);
    else
        status = refuse(bytes, n_bytes, err);
    if (!status)
        status = make_upright(out, err);
    if (status)
        dpl_image_clear(out);
    return status;
}

dpl_status dpl_image_open(dpl_image *out, const char *path, const dpl_decode_options *options,
                          dpl_error *err)
{
    const dpl_image empty = DPL_IMAGE_INIT;
    dpl_decode_options known;
    uint8_t *bytes = NULL;
    dpl_status status;
    size_t n = 0;

    *out = empty;
    status = read_options(&known, options, err);
    if (status)
        return status;
    status = dpli_file_read(&bytes, &n, path, known.max_bytes, err);
    if (!status) {
        /* The file lies in memory while it is decoded. */
        known.max_bytes -= n;
        status = dpl_image_decode(out, bytes, n, &known, err);
    }
    free(bytes);
    return status ? dpli_fail_in(err, status, path) : DPL_OK;
}

dpl_status dpl_image_from_rgb(dpl_image *out, const uint8_t *rgb, int32_t width_px,
                              int32_t height_px, size_t stride_bytes, dpl_error *err)
{
    dpl_image image = DPL_IMAGE_INIT;

    *out = image;
    if (width_px < 1 || height_px < 1)
        return dpli_fail(err, DPL_E_ARGUMENT, "image is %dx%d pixels", width_px, height_px);
    if (stride_bytes < 3 * (size_t)width_px)
        return dpli_fail(err, DPL_E_ARGUMENT, "stride of %zu bytes is less than a row of %d pixels",
                         stride_bytes, width_px);
    /* 3 w h < 3 * 2^62 fits. */
    image.pixels = dpli_alloc((size_t)width_px * (size_t)height_px, 3, err);
    if (!image.pixels)
        return DPL_E_MEMORY;
    for (size_t y = 0; y < (size_t)height_px; y++)
        memcpy(image.pixels + y * 3 * (size_t)width_px, rgb + y * stride_bytes,
               3 * (size_t)width_px);
    image.width_px = image.full_width_px = width_px;
    image.height_px = image.full_height_px = height_px;
    *out = image;
    return DPL_OK;
}

void dpl_image_clear(dpl_image *image)
{
    const dpl_image empty = DPL_IMAGE_INIT;

    if (!image)
        return;
    free(image->pixels);
    *image = empty;
}

void dpl_bytes_free(void *bytes)
{
    free(bytes);
}
