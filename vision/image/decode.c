/*
 * decode.c - from a file to an upright picture: which format, within the limits, decoded, turned.
 *
 * First stage of the pipeline. formats.c lists the decoders, limits.c has what they must keep to.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/options.h"
#include "doppel/image.h"
#include "vision/image/formats.h"

/* What pixels hold before decoding: should one ever be missed, it is grey. */
enum { MISSING = 128 };

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

uint64_t dpli_image_need(const void *bytes, size_t n_bytes, const dpl_decode_options *options)
{
    const dpli_format *format = dpli_format_of(bytes, n_bytes);

    return format ? format->need(bytes, n_bytes, options) : 0;
}

static dpl_status read_options(dpl_decode_options *options, const dpl_decode_options *given,
                               dpl_error *err)
{
    dpl_status status;

    *options = (dpl_decode_options)DPL_DECODE_OPTIONS_INIT;
    status = dpli_options(options, sizeof *options, given, "decode", err);
    if (status == DPL_OK && options->enough_px < 0)
        return dpli_fail(err, DPL_E_ARGUMENT, "enough_px is %d, below 0", options->enough_px);
    return status;
}

dpl_status dpli_image_decode_filled(dpl_image *out, const void *bytes, size_t n_bytes,
                                    const dpl_decode_options *options, uint8_t fill, dpl_error *err)
{
    const dpl_image empty = DPL_IMAGE_INIT;
    const dpli_format *format = dpli_format_of(bytes, n_bytes);
    dpl_decode_options known;
    dpl_status status;

    *out = empty;
    status = read_options(&known, options, err);
    if (status)
        return status;
    status = format ? format->decode(out, bytes, n_bytes, &known, fill, err)
                    : dpli_format_refuse(bytes, n_bytes, err);
    if (!status)
        status = make_upright(out, err);
    if (status)
        dpl_image_clear(out);
    return status;
}

dpl_status dpl_image_decode(dpl_image *out, const void *bytes, size_t n_bytes,
                            const dpl_decode_options *options, dpl_error *err)
{
    return dpli_image_decode_filled(out, bytes, n_bytes, options, MISSING, err);
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

/* As much of a file as holds what cameras and editors put before the picture. Files on a server are
 * read no further. */
enum { HEAD_BYTES = 256 << 10 };

static size_t read_head(uint8_t *head, const char *path)
{
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    size_t n = 0;

    if (fd < 0)
        return 0;
    while (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && n < HEAD_BYTES) {
        const ssize_t got = read(fd, head + n, HEAD_BYTES - n);

        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(fd);
    return n;
}

dpl_status dpl_image_orientation(int32_t *out, const char *path, const dpl_decode_options *options,
                                 dpl_error *err)
{
    uint8_t *head = dpli_alloc(HEAD_BYTES, 1, err);
    dpl_image image = DPL_IMAGE_INIT;
    dpl_decode_options known;
    dpl_status status;
    uint32_t w, h;
    bool has_exif;
    size_t n;

    *out = 1;
    if (!head)
        return DPL_E_MEMORY;
    n = read_head(head, path);
    /* Its size comes behind its EXIF block. */
    if (dpli_is_jpeg(head, n) && dpli_jpeg_measure(&w, &h, &has_exif, head, n)) {
        status = dpli_jpeg_orientation(out, head, n, err);
        free(head);
        return status ? dpli_fail_in(err, status, path) : DPL_OK;
    }
    free(head);
    status = read_options(&known, options, err);
    if (status)
        return status;
    known.enough_px = 1;
    status = dpl_image_open(&image, path, &known, err);
    if (status == DPL_OK)
        *out = image.exif_orientation;
    dpl_image_clear(&image);
    return status;
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
