/*
 * png.c - PNG (ISO/IEC 15948) to RGB8, by libpng's simplified interface.
 *
 * libpng gets a copy of the file that holds the chunks that make pixels (IHDR, PLTE, tRNS, IDAT,
 * IEND) and no other. So gamma and colour profiles have no effect, compressed text cannot blow up,
 * and damage in what is not looked at does no harm; the extra frames of an APNG are not seen.
 *
 * Transparency is composited over white in the file's own encoded values: that is what nearly every
 * other program shows, though light would add up linearly.
 *
 * 16 bits a sample are taken as libpng's "linear" format, which without a gamma chunk is the file's
 * values multiplied by alpha, and reduced here. libpng must not reduce them: up to 1.6.50 that
 * overflows the buffer when the picture is interlaced (CVE-2025-65018), and with the correction
 * that Debian 12 has the pixels are wrong.
 */
#include "vision/image/decode.h"

#include <string.h>

#include <png.h>

#include "base/fail.h"
#include "base/mem.h"
#include "vision/image/limits.h"

/* Pixels are filled with it before decoding, to tell how far a decode that failed has come. */
enum { UNSET = 0xA5 };

static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
static const uint8_t end_chunk[12] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xAE, 0x42, 0x60, 0x82};

struct pixel_chunks {
    uint8_t *bytes; /* owned */
    size_t n;
    bool deep, interlaced, has_data, ended; /* deep: 16 bits a sample */
    const uint8_t *exif;                    /* TIFF, inside the file */
    size_t n_exif;
};

bool dpli_is_png(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes >= 8 && memcmp(bytes, signature, 8) == 0;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool is(const uint8_t *type, const char *name)
{
    return memcmp(type, name, 4) == 0;
}

/* Copy what makes pixels from the file into chunks->bytes, which has room for all of it and an end.
 */
static void pick_chunks(struct pixel_chunks *chunks, const uint8_t *file, size_t n)
{
    size_t at = 8;

    memcpy(chunks->bytes, signature, 8);
    chunks->n = 8;
    while (n - at >= 8) {
        const uint8_t *chunk = file + at, *type = chunk + 4;
        const uint32_t length = be32(chunk);
        const size_t left = n - at - 8;
        const bool whole = left >= 4 && length <= left - 4;

        if (is(type, "IEND")) {
            chunks->ended = whole;
            break;
        }
        if (is(type, "eXIf") && whole && !chunks->exif) {
            chunks->exif = chunk + 8;
            chunks->n_exif = length;
        }
        if (is(type, "IDAT") ||
            (whole && (is(type, "IHDR") || is(type, "PLTE") || is(type, "tRNS")))) {
            const size_t n_copied =
                whole ? 12 + (size_t)length : 8 + (length < left ? length : left);
            uint8_t *copy = chunks->bytes + chunks->n;

            memcpy(copy, chunk, n_copied);
            chunks->n += n_copied;
            if (!whole) {
                /* The length that is left, so that libpng uses all of it before it finds the end.
                 */
                const uint32_t n_data = (uint32_t)(n_copied - 8);

                for (int i = 0; i < 4; i++)
                    copy[i] = (uint8_t)(n_data >> (24 - 8 * i));
            }
            chunks->has_data |= is(type, "IDAT");
        }
        if (!whole)
            break;
        at += 12 + (size_t)length;
    }
    memcpy(chunks->bytes + chunks->n, end_chunk, sizeof end_chunk);
    chunks->n += sizeof end_chunk;
}

/* Orientation of an eXIf chunk, which is EXIF without the "Exif" in front. */
static dpl_status read_orientation(int32_t *orientation, const struct pixel_chunks *chunks,
                                   dpl_error *err)
{
    dpl_status status;
    uint8_t *exif;

    *orientation = 1;
    if (!chunks->exif || chunks->n_exif > 65535 - 6)
        return DPL_OK;
    exif = dpli_alloc(6 + chunks->n_exif, 1, err);
    if (!exif)
        return DPL_E_MEMORY;
    memcpy(exif, "Exif\0", 6);
    memcpy(exif + 6, chunks->exif, chunks->n_exif);
    status = dpli_exif_orientation(orientation, exif, 6 + chunks->n_exif, err);
    free(exif);
    return status;
}

static bool is_set(const uint8_t *pixel, size_t pixel_bytes)
{
    for (size_t i = 0; i < pixel_bytes; i++)
        if (pixel[i] != UNSET)
            return true;
    return false;
}

/* Rows of an unfinished picture up to the last one that libpng wrote to. */
static int32_t rows_written(const dpl_image *image, size_t pixel_bytes)
{
    const size_t n = (size_t)image->width_px * pixel_bytes;
    int32_t rows = image->height_px;

    while (rows > 0 && !is_set(image->pixels + (size_t)(rows - 1) * n, n))
        rows--;
    return rows;
}

/* Adam7 spreads its passes over the picture: give every pixel that was not reached the value of the
 * nearest one up and left that an earlier pass filled. Returns the rows that the first pass
 * reached. */
static int32_t fill_from_passes(const dpl_image *image, size_t pixel_bytes)
{
    static const uint8_t step[6][2] = {{1, 0}, {1, 1}, {3, 1}, {3, 3}, {7, 3}, {7, 7}};
    const size_t w = (size_t)image->width_px;
    int32_t n_set = 0;

    for (size_t y = 0; y < (size_t)image->height_px; y++)
        for (size_t x = 0; x < w; x++) {
            uint8_t *pixel = image->pixels + (y * w + x) * pixel_bytes;

            n_set += is_set(pixel, pixel_bytes);
            for (int i = 0; i < 6 && !is_set(pixel, pixel_bytes); i++) {
                const size_t from_y = y & ~(size_t)step[i][1], from_x = x & ~(size_t)step[i][0];

                if (from_y != y || from_x != x)
                    memcpy(pixel, image->pixels + (from_y * w + from_x) * pixel_bytes, pixel_bytes);
            }
        }
    return n_set;
}

/* What stays missing from the given row on becomes middle grey, as in a JPEG. */
static void grey_missing(const dpl_image *image, size_t pixel_bytes, int32_t from_row)
{
    const size_t n = (size_t)image->width_px * (size_t)image->height_px;

    for (size_t i = (size_t)from_row * (size_t)image->width_px; i < n; i++) {
        uint8_t *pixel = image->pixels + i * pixel_bytes;

        if (!is_set(pixel, pixel_bytes)) {
            /* Colour, of 8 or 16 bits, then alpha if there is one. */
            memset(pixel, 255, pixel_bytes);
            memset(pixel, 128, pixel_bytes < 6 ? 3 : 6);
        }
    }
}

/* Pixels of any of the formats below to RGB over white, in place. */
static void to_rgb8(uint8_t *pixels, size_t n, png_uint_32 format)
{
    const size_t channels = PNG_IMAGE_PIXEL_CHANNELS(format);

    if (format & PNG_FORMAT_FLAG_LINEAR) {
        for (size_t i = 0; i < n; i++) {
            uint16_t v[4] = {0, 0, 0, 65535};

            memcpy(v, pixels + 2 * channels * i, 2 * channels);
            for (size_t c = 0; c < 3; c++) {
                /* Multiplied by alpha already, so never more than it. */
                const uint32_t sum = v[c] + (65535u - v[3]);

                pixels[3 * i + c] = (uint8_t)((sum * 255 + 32767) / 65535);
            }
        }
        return;
    }
    for (size_t i = 0; i < n && channels == 4; i++) {
        const unsigned alpha = pixels[4 * i + 3];

        for (size_t c = 0; c < 3; c++)
            pixels[3 * i + c] =
                (uint8_t)((pixels[4 * i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
}

static dpl_status decode_pixels(dpl_image *out, const struct pixel_chunks *chunks,
                                const dpl_decode_options *options, dpl_error *err)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    const size_t n = (size_t)out->width_px * (size_t)out->height_px;
    dpl_status status = DPL_OK;
    size_t pixel_bytes;
    uint8_t *shrunk;

    if (!png_image_begin_read_from_memory(&png, chunks->bytes, chunks->n)) {
        status = dpli_fail(err, DPL_E_INPUT, "broken PNG: %s", png.message);
        goto done;
    }
    /* An interlaced picture gets its alpha in any case, because it tells which pixels a decode that
     * failed has set. */
    png.format = (chunks->deep ? PNG_FORMAT_LINEAR_RGB : PNG_FORMAT_RGB) |
                 (chunks->interlaced ? PNG_FORMAT_FLAG_ALPHA : png.format & PNG_FORMAT_FLAG_ALPHA);
    pixel_bytes = PNG_IMAGE_PIXEL_SIZE(png.format);
    /* The copy of the chunks, the pixels, and libpng's rows and window. */
    status = dpli_check_bytes(chunks->n + n * pixel_bytes + 64 * 1024 + 32 * (uint64_t)png.width,
                              png.width, png.height, out->exif_orientation, options, err);
    if (status)
        goto done;
    out->pixels = dpli_alloc(n, pixel_bytes, err);
    if (!out->pixels) {
        status = DPL_E_MEMORY;
        goto done;
    }
    memset(out->pixels, UNSET, n * pixel_bytes);
    if (!png_image_finish_read(&png, NULL, out->pixels, 0, NULL)) {
        if (strstr(png.message, "memory")) {
            status = dpli_fail(err, DPL_E_MEMORY, "out of memory in the PNG decoder");
            goto done;
        }
        const int32_t there = chunks->interlaced ? fill_from_passes(out, pixel_bytes)
                                                 : rows_written(out, pixel_bytes);

        grey_missing(out, pixel_bytes, chunks->interlaced ? 0 : there);
        status = dpli_judge_partial(out->warning, !chunks->ended, there,
                                    chunks->interlaced ? (int32_t)n : out->height_px,
                                    chunks->interlaced ? "pixels" : "rows", png.message, err);
        if (status)
            goto done;
    } else if (!chunks->ended)
        strcpy(out->warning, "truncated: the end chunk is missing");
    to_rgb8(out->pixels, n, png.format);
    if (pixel_bytes > 3) {
        shrunk = dpli_realloc(out->pixels, n, 3, NULL);
        if (shrunk)
            out->pixels = shrunk;
    }
done:
    png_image_free(&png);
    return status;
}

dpl_status dpli_png_decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                           const dpl_decode_options *options, dpl_error *err)
{
    struct pixel_chunks chunks = {0};
    uint32_t width, height;
    dpl_status status;

    /* Signature, then IHDR: length, type, 13 bytes, checksum. */
    if (n_bytes < 33)
        return dpli_fail(err, DPL_E_INPUT, "truncated: ends before its pixels");
    if (be32(bytes + 8) != 13 || !is(bytes + 12, "IHDR"))
        return dpli_fail(err, DPL_E_INPUT, "broken PNG: does not begin with its header");
    width = be32(bytes + 16);
    height = be32(bytes + 20);
    chunks.deep = bytes[24] == 16;
    chunks.interlaced = bytes[28] == 1;
    status = dpli_check_pixels(width, height, options, err);
    if (status)
        return status;
    /* Before the copy; what else is needed is known after it. */
    status =
        dpli_check_bytes(n_bytes + (uint64_t)width * height * 3, width, height, 1, options, err);
    if (status)
        return status;
    strcpy(out->format, "png");
    out->width_px = out->full_width_px = (int32_t)width;
    out->height_px = out->full_height_px = (int32_t)height;

    chunks.bytes = dpli_alloc(n_bytes + sizeof end_chunk, 1, err);
    if (!chunks.bytes)
        return DPL_E_MEMORY;
    pick_chunks(&chunks, bytes, n_bytes);
    if (!chunks.has_data)
        status = dpli_fail(err, DPL_E_INPUT,
                           chunks.ended ? "broken PNG: no picture in it"
                                        : "truncated: ends before its pixels");
    if (!status)
        status = read_orientation(&out->exif_orientation, &chunks, err);
    if (!status)
        status = decode_pixels(out, &chunks, options, err);
    free(chunks.bytes);
    return status;
}
