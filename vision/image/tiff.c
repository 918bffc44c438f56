/*
 * tiff.c - TIFF 6.0 and BigTIFF to RGB8, by libtiff's RGBA interface, a strip or a row of tiles at
 * a time.
 *
 * Of several pictures the first that is not marked as another's reduction or mask. Samples of 1 to
 * 16 bits, grey, palette, RGB, CMYK, YCbCr and Lab, striped or tiled, together or in planes. Only
 * the compressions that photos are kept in: what libtiff has beside them (fax, logarithmic, the
 * JPEG of TIFF 5) is more code for hostile files than for real ones.
 *
 * What libtiff cannot decode without a complaint is not there: a strip counts whole or not at all.
 * Transparency is composited over white in encoded values, as of a PNG; profiles have no effect.
 */
#include "vision/image/decode.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <tiffio.h>

#include "base/fail.h"
#include "base/mem.h"
#include "vision/image/limits.h"

/* Directories that are looked at for a picture that is no thumbnail. */
enum { MAX_DIRECTORIES = 16 };

struct reader {
    const uint8_t *bytes;
    size_t n, at;
    TIFF *tiff;
    bool out_of_memory, over_limit;
    unsigned n_complaints;
    char words[128]; /* the first one since it was emptied */

    uint32_t width, height;
    uint32_t rows_at_once; /* of a strip or a tile */
    uint16_t compression, orientation;
};

bool dpli_is_tiff(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes >= 4 && (memcmp(bytes, "II*\0", 4) == 0 || memcmp(bytes, "MM\0*", 4) == 0 ||
                            memcmp(bytes, "II+\0", 4) == 0 || memcmp(bytes, "MM\0+", 4) == 0);
}

/* ------------------------------------------------------------------ what libtiff calls */

static tmsize_t read_bytes(thandle_t handle, void *to, tmsize_t n)
{
    struct reader *reader = (struct reader *)handle;
    const size_t left = reader->n - reader->at;
    const size_t n_read = n < 0 ? 0 : (size_t)n < left ? (size_t)n : left;

    memcpy(to, reader->bytes + reader->at, n_read);
    reader->at += n_read;
    return (tmsize_t)n_read;
}

static tmsize_t write_nothing(thandle_t handle, void *from, tmsize_t n)
{
    (void)handle;
    (void)from;
    (void)n;
    return -1;
}

static toff_t seek(thandle_t handle, toff_t offset, int whence)
{
    struct reader *reader = (struct reader *)handle;
    const uint64_t from = whence == SEEK_CUR ? reader->at : whence == SEEK_END ? reader->n : 0;

    if (offset > reader->n - from)
        return (toff_t)-1;
    reader->at = (size_t)(from + offset);
    return reader->at;
}

static int close_nothing(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t size_of(thandle_t handle)
{
    return ((const struct reader *)handle)->n;
}

/* libtiff only reads what it maps. */
static int map(thandle_t handle, void **base, toff_t *size)
{
    const struct reader *reader = (const struct reader *)handle;

    *base = (void *)(uintptr_t)reader->bytes;
    *size = reader->n;
    return 1;
}

static void unmap(thandle_t handle, void *base, toff_t size)
{
    (void)handle;
    (void)base;
    (void)size;
}

__attribute__((format(printf, 4, 0))) static int complain(TIFF *tiff, void *data,
                                                          const char *module, const char *format,
                                                          va_list words)
{
    struct reader *reader = data;

    (void)tiff;
    (void)module;
    /* It has no other way to say so. */
    reader->over_limit |= strstr(format, "limit defined in open options") != NULL;
    reader->out_of_memory |= strstr(format, "ut of memory") || strstr(format, "o space for") ||
                             strstr(format, "ailed to allocate");
    reader->n_complaints++;
    if (!reader->words[0])
        vsnprintf(reader->words, sizeof reader->words, format, words);
    return 1;
}

/* libjpeg makes grey of what is missing and only warns of it; other warnings are of what is odd. */
__attribute__((format(printf, 4, 0))) static int take_warning(TIFF *tiff, void *data,
                                                              const char *module,
                                                              const char *format, va_list words)
{
    const struct reader *reader = data;

    return reader->compression == COMPRESSION_JPEG ? complain(tiff, data, module, format, words)
                                                   : 1;
}

/* ------------------------------------------------------------------ the directory */

static bool is_reduced(TIFF *tiff)
{
    uint32_t kind = 0;
    uint16_t old_kind = 0;

    if (TIFFGetField(tiff, TIFFTAG_SUBFILETYPE, &kind))
        return kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK);
    return TIFFGetField(tiff, TIFFTAG_OSUBFILETYPE, &old_kind) &&
           old_kind == OFILETYPE_REDUCEDIMAGE;
}

/* The first directory of a picture of its own; where there is none, the first. */
static bool choose_directory(TIFF *tiff)
{
    for (int i = 0; i < MAX_DIRECTORIES; i++) {
        if (!is_reduced(tiff))
            return true;
        if (!TIFFReadDirectory(tiff))
            break;
    }
    return TIFFSetDirectory(tiff, 0);
}

static uint32_t n_strips_of(TIFF *tiff)
{
    return TIFFIsTiled(tiff) ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff);
}

/* Of a strip that the directory does not place libtiff takes the file's head for pixels. */
static bool is_placed(TIFF *tiff)
{
    const uint32_t n = n_strips_of(tiff);

    for (uint32_t i = 0; i < n; i++)
        if (TIFFGetStrileOffset(tiff, i) == 0 || TIFFGetStrileByteCount(tiff, i) == 0)
            return false;
    return n > 0;
}

/* Whether a strip or tile reaches past the end of the file. */
static bool is_cut(const struct reader *reader)
{
    const uint32_t n = n_strips_of(reader->tiff);

    for (uint32_t i = 0; i < n; i++) {
        const uint64_t from = TIFFGetStrileOffset(reader->tiff, i);

        if (from > reader->n || TIFFGetStrileByteCount(reader->tiff, i) > reader->n - from)
            return true;
    }
    return false;
}

static bool is_known(uint16_t compression)
{
    return compression == COMPRESSION_NONE || compression == COMPRESSION_LZW ||
           compression == COMPRESSION_PACKBITS || compression == COMPRESSION_JPEG ||
           compression == COMPRESSION_ADOBE_DEFLATE || compression == COMPRESSION_DEFLATE;
}

static dpl_status broken(const struct reader *reader, const char *words, dpl_error *err)
{
    if (reader->over_limit)
        return dpli_fail(err, DPL_E_LIMIT,
                         "TIFF asks for more memory than its limit (--max-memory)");
    if (reader->out_of_memory)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory in the TIFF decoder");
    return dpli_fail(err, DPL_E_INPUT, "broken TIFF: %c%s", tolower((unsigned char)words[0]),
                     words + 1);
}

/* libtiff on bytes [n], at the directory of the picture. On failure, too, reader->tiff is the
 * caller's to close. */
static dpl_status open_reader(struct reader *reader, const uint8_t *bytes, size_t n,
                              const dpl_decode_options *options, dpl_error *err)
{
    const tmsize_t most =
        options->max_bytes < PTRDIFF_MAX ? (tmsize_t)options->max_bytes : PTRDIFF_MAX;
    TIFFOpenOptions *how = TIFFOpenOptionsAlloc();
    uint16_t planes = 0;

    *reader = (struct reader){.bytes = bytes, .n = n};
    if (!how)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory in the TIFF decoder");
    TIFFOpenOptionsSetMaxSingleMemAlloc(how, most ? most : 1);
    TIFFOpenOptionsSetErrorHandlerExtR(how, complain, reader);
    TIFFOpenOptionsSetWarningHandlerExtR(how, take_warning, reader);
    reader->tiff = TIFFClientOpenExt("", "r", (thandle_t)reader, read_bytes, write_nothing, seek,
                                     close_nothing, size_of, map, unmap, how);
    TIFFOpenOptionsFree(how);
    if (!reader->tiff || !choose_directory(reader->tiff))
        return broken(reader, reader->words[0] ? reader->words : "no directory in it", err);
    TIFFGetField(reader->tiff, TIFFTAG_IMAGEWIDTH, &reader->width);
    TIFFGetField(reader->tiff, TIFFTAG_IMAGELENGTH, &reader->height);
    TIFFGetFieldDefaulted(reader->tiff, TIFFTAG_COMPRESSION, &reader->compression);
    TIFFGetFieldDefaulted(reader->tiff, TIFFTAG_ORIENTATION, &reader->orientation);
    TIFFGetFieldDefaulted(reader->tiff, TIFFTAG_PLANARCONFIG, &planes);
    if (TIFFIsTiled(reader->tiff))
        TIFFGetField(reader->tiff, TIFFTAG_TILELENGTH, &reader->rows_at_once);
    else
        TIFFGetFieldDefaulted(reader->tiff, TIFFTAG_ROWSPERSTRIP, &reader->rows_at_once);
    if (reader->rows_at_once > reader->height)
        reader->rows_at_once = reader->height;
    return DPL_OK;
}

/* Our pixels, libtiff's picture of a strip in 4 bytes a pixel, the strip itself in as many buffers
 * as it has planes, tables, the places of strips, and what the JPEG decoder may hold of one. */
static uint64_t decoder_bytes(const struct reader *reader)
{
    const uint64_t w = reader->width;
    const bool tiled = TIFFIsTiled(reader->tiff);
    const uint64_t strip = tiled ? TIFFTileSize64(reader->tiff) : TIFFStripSize64(reader->tiff);
    uint16_t samples = 1, planes = PLANARCONFIG_CONTIG;
    uint64_t strips;

    TIFFGetFieldDefaulted(reader->tiff, TIFFTAG_SAMPLESPERPIXEL, &samples);
    TIFFGetFieldDefaulted(reader->tiff, TIFFTAG_PLANARCONFIG, &planes);
    /* Capped, so that what a header claims does not overflow the sum; it is over any limit. */
    strips = strip < UINT64_MAX / 256 ? strip : UINT64_MAX / 256;
    strips *= planes == PLANARCONFIG_SEPARATE ? (samples < 5 ? samples : 5) : 1;
    return 3 * w * reader->height + 4 * w * reader->rows_at_once +
           strips * (reader->compression == COMPRESSION_JPEG ? 3 : 1) +
           32 * (uint64_t)n_strips_of(reader->tiff) + 512 * 1024 + 128 * w;
}

/* ------------------------------------------------------------------ pixels */

/* Rows of libtiff's ABGR to RGB over white. It has multiplied by alpha already, but not where the
 * samples are grey with an alpha that does not count as multiplied. */
static void take_rows(uint8_t *to, const uint32_t *from, size_t n, const TIFFRGBAImage *rgba)
{
    const bool grey = rgba->photometric == PHOTOMETRIC_MINISBLACK ||
                      rgba->photometric == PHOTOMETRIC_MINISWHITE ||
                      rgba->photometric == PHOTOMETRIC_PALETTE;
    const bool multiply = grey && rgba->alpha == EXTRASAMPLE_UNASSALPHA;

    for (size_t i = 0; i < n; i++) {
        const unsigned alpha = rgba->alpha ? TIFFGetA(from[i]) : 255;
        const unsigned sample[3] = {TIFFGetR(from[i]), TIFFGetG(from[i]), TIFFGetB(from[i])};

        for (size_t c = 0; c < 3; c++) {
            const unsigned over = sample[c] + 255 - alpha;

            to[3 * i + c] = multiply     ? dpli_over_white(sample[c], alpha)
                            : over < 255 ? (uint8_t)over
                                         : 255;
        }
    }
}

static dpl_status read_rows(dpl_image *out, struct reader *reader, TIFFRGBAImage *rgba,
                            uint32_t *rows, uint8_t fill, dpl_error *err)
{
    const uint32_t w = reader->width, h = reader->height, step = reader->rows_at_once;
    uint32_t n_there = 0;
    char words[sizeof reader->words] = "";

    for (uint32_t y = 0; y < h; y += step) {
        const uint32_t n_rows = h - y < step ? h - y : step;
        const size_t n = (size_t)n_rows * w;
        uint8_t *to = out->pixels + 3 * (size_t)y * w;

        reader->n_complaints = 0;
        reader->words[0] = '\0';
        rgba->row_offset = (int)y;
        memset(rows, fill, n * sizeof *rows);
        if (TIFFRGBAImageGet(rgba, rows, w, n_rows) && reader->n_complaints == 0) {
            take_rows(to, rows, n, rgba);
            n_there += n_rows;
            continue;
        }
        if (reader->out_of_memory)
            return broken(reader, reader->words, err);
        memset(to, DPLI_MISSING, 3 * n);
        if (!words[0])
            memcpy(words, reader->words, sizeof words);
    }
    if (n_there == h)
        return DPL_OK;
    return dpli_judge_partial(out->warning, is_cut(reader), (int32_t)n_there, (int32_t)h, "rows",
                              words[0] ? words : "its pixels cannot be decoded", err);
}

static dpl_status decode_pixels(dpl_image *out, struct reader *reader, uint8_t fill, dpl_error *err)
{
    TIFFRGBAImage rgba;
    char words[1024] = "";
    uint32_t *rows = NULL;
    dpl_status status = DPL_E_MEMORY;

    if (!TIFFRGBAImageBegin(&rgba, reader->tiff, 1, words))
        return reader->over_limit || reader->out_of_memory
                   ? broken(reader, words, err)
                   : dpli_fail(err, DPL_E_INPUT, "TIFF is of a kind that is not read: %s",
                               strncmp(words, "Sorry, ", 7) == 0 ? words + 7 : words);
    rgba.req_orientation = rgba.orientation;
    out->pixels = dpli_alloc((size_t)reader->width * reader->height, 3, err);
    if (out->pixels)
        rows = dpli_alloc((size_t)reader->width * reader->rows_at_once, sizeof *rows, err);
    if (rows)
        status = read_rows(out, reader, &rgba, rows, fill, err);
    free(rows);
    TIFFRGBAImageEnd(&rgba);
    return status;
}

/* ------------------------------------------------------------------ the way in */

uint64_t dpli_tiff_need(const uint8_t *bytes, size_t n_bytes, const dpl_decode_options *options)
{
    struct reader reader;
    dpl_error refused;
    uint64_t need = 0;

    if (open_reader(&reader, bytes, n_bytes, options, &refused) == DPL_OK &&
        dpli_check_pixels(reader.width, reader.height, options, &refused) == DPL_OK)
        need = dpli_need(decoder_bytes(&reader), (uint64_t)reader.width * reader.height,
                         reader.orientation > 1);
    if (reader.tiff)
        TIFFClose(reader.tiff);
    return need;
}

dpl_status dpli_tiff_decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                            const dpl_decode_options *options, uint8_t fill, dpl_error *err)
{
    struct reader reader;
    dpl_status status = open_reader(&reader, bytes, n_bytes, options, err);

    if (status == DPL_OK)
        status = dpli_check_pixels(reader.width, reader.height, options, err);
    if (status == DPL_OK && !is_known(reader.compression))
        status = dpli_fail(err, DPL_E_INPUT,
                           "TIFF is compressed by scheme %u; none, LZW, Deflate, PackBits and "
                           "JPEG are read",
                           reader.compression);
    if (status == DPL_OK && !is_placed(reader.tiff))
        status = broken(&reader, "it does not say where its pixels are", err);
    if (status == DPL_OK) {
        if (reader.orientation >= 1 && reader.orientation <= 8)
            out->exif_orientation = reader.orientation;
        status = dpli_check_bytes(decoder_bytes(&reader), reader.width, reader.height,
                                  out->exif_orientation, options, err);
    }
    if (status == DPL_OK) {
        strcpy(out->format, "tiff");
        out->width_px = out->full_width_px = (int32_t)reader.width;
        out->height_px = out->full_height_px = (int32_t)reader.height;
        status = decode_pixels(out, &reader, fill, err);
    }
    if (reader.tiff)
        TIFFClose(reader.tiff);
    return status;
}
