/*
 * png.c - PNG (ISO/IEC 15948) to RGB8, by libpng's row interface.
 *
 * libpng gets a copy of the file that holds the chunks that make pixels (IHDR, PLTE, tRNS, IDAT,
 * IEND) and no other. So gamma and colour profiles have no effect, compressed text cannot blow up
 * (what png_text.c reads of it is bounded),
 * and damage in what is not looked at does no harm; the extra frames of an APNG are not seen.
 *
 * A row is taken where libpng has it whole, in its last transformation, and not when the call for
 * it returns: after the last row that call also reads to the end of the data and fails if they are
 * damaged there. So the rows that are there are known, also those of an interlaced picture's pass.
 *
 * Transparency is composited over white in the file's own encoded values: that is what nearly every
 * other program shows, though light would add up linearly. 16 bits a sample are reduced here.
 */
#include "vision/image/decode.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

#include "base/fail.h"
#include "base/mem.h"
#include "vision/image/limits.h"
#include "vision/image/png_text.h"

/* Chunks of text that are looked at. */
enum { MAX_TEXTS = 16 };

static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
static const uint8_t end_chunk[12] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xAE, 0x42, 0x60, 0x82};

struct pixel_chunks {
    uint8_t *bytes; /* owned */
    size_t n;
    bool has_data, ended;
    const uint8_t *exif; /* TIFF, inside the file */
    size_t n_exif;
    const uint8_t *texts[MAX_TEXTS]; /* chunks of text, inside the file, whole */
    int n_texts;
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
        if (whole && chunks->n_texts < MAX_TEXTS && dpli_png_is_text(type))
            chunks->texts[chunks->n_texts++] = chunk;
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

/* The first orientation that a chunk of text states. */
static dpl_status text_orientation(int32_t *orientation, const struct pixel_chunks *chunks,
                                   dpl_error *err)
{
    for (int i = 0; i < chunks->n_texts; i++) {
        const uint8_t *chunk = chunks->texts[i];
        int32_t stated;
        const dpl_status status =
            dpli_png_text_orientation(&stated, chunk + 4, chunk + 8, be32(chunk), err);

        if (status != DPL_OK)
            return status;
        if (stated) {
            *orientation = stated;
            break;
        }
    }
    return DPL_OK;
}

/* Orientation of an eXIf chunk, which is EXIF without the "Exif" in front; where there is none, of
 * the text in which older programs keep it. */
static dpl_status read_orientation(int32_t *orientation, const struct pixel_chunks *chunks,
                                   dpl_error *err)
{
    *orientation = 1;
    if (!chunks->exif)
        return text_orientation(orientation, chunks, err);
    return dpli_exif_orientation_bare(orientation, chunks->exif, chunks->n_exif, err);
}

struct reader {
    jmp_buf jump;
    bool out_of_memory;
    char words[128]; /* of the error that ended it */
    const uint8_t *next;
    size_t left;
    png_structp png;
    png_infop info;
    dpl_image *out;
    bool interlaced;
    /* The pass and the row of it that come next: all before are there. */
    uint32_t pass, row;
};

/* Adam7 as rows of steps: pass p holds the pixels at (x0 + i dx, y0 + j dy). */
static const struct adam7 {
    uint8_t x0, y0, dx, dy;
} adam7[7] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
              {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
static const struct adam7 whole_picture = {0, 0, 1, 1};

static void catch_error(png_structp png, png_const_charp words)
{
    struct reader *reader = png_get_error_ptr(png);

    snprintf(reader->words, sizeof reader->words, "%s", words);
    longjmp(reader->jump, 1);
}

static void ignore_warning(png_structp png, png_const_charp words)
{
    (void)png;
    (void)words;
}

static png_voidp take_memory(png_structp png, png_alloc_size_t n)
{
    struct reader *reader = png_get_mem_ptr(png);
    void *p = malloc(n);

    if (!p)
        reader->out_of_memory = true;
    return p;
}

static void give_memory(png_structp png, png_voidp p)
{
    (void)png;
    free(p);
}

static void read_bytes(png_structp png, png_bytep to, size_t n)
{
    struct reader *reader = png_get_io_ptr(png);

    if (n > reader->left)
        png_error(png, "Read Error");
    memcpy(to, reader->next, n);
    reader->next += n;
    reader->left -= n;
}

/* A sample of 16 bits over white, of 8 bits. */
static uint8_t over_white_16(uint32_t v, uint32_t alpha)
{
    const uint32_t sum = (v * alpha + 32767) / 65535 + (65535 - alpha);

    return (uint8_t)((sum * 255 + 32767) / 65535);
}

static uint32_t be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

/* A row of RGB or RGBA, of 8 or 16 bits, to RGB of 8 bits, pixels step bytes apart. */
static void spread_row(uint8_t *to, size_t step, const uint8_t *row, const png_row_info *info)
{
    const size_t channels = info->channels;

    for (size_t i = 0; i < info->width; i++, to += step) {
        if (info->bit_depth == 16) {
            const uint8_t *from = row + 2 * channels * i;
            const uint32_t alpha = channels == 4 ? be16(from + 6) : 65535;

            for (size_t c = 0; c < 3; c++)
                to[c] = over_white_16(be16(from + 2 * c), alpha);
        } else {
            const uint8_t *from = row + channels * i;
            const unsigned alpha = channels == 4 ? from[3] : 255;

            for (size_t c = 0; c < 3; c++)
                to[c] = dpli_over_white(from[c], alpha);
        }
    }
}

/* Called by libpng with a whole row of RGB or RGBA, of 8 or 16 bits, of the picture or of a pass.
 */
static void take_row(png_structp png, png_row_infop info, png_bytep row)
{
    struct reader *reader = png_get_user_transform_ptr(png);
    const dpl_image *out = reader->out;
    const uint32_t pass = reader->interlaced ? png_get_current_pass_number(png) : 0;
    const struct adam7 *at = reader->interlaced ? &adam7[pass] : &whole_picture;
    const uint32_t j = png_get_current_row_number(png);
    const size_t channels = info->channels, y = at->y0 + (size_t)j * at->dy;
    uint8_t *to = out->pixels + 3 * (y * (size_t)out->width_px + at->x0);

    if (channels == 3 && info->bit_depth == 8 && at->dx == 1)
        memcpy(to, row, 3 * (size_t)info->width);
    else
        spread_row(to, 3 * (size_t)at->dx, row, info);
    reader->pass = pass;
    reader->row = j + 1;
}

static void read_header(struct reader *reader)
{
    png_structp png = reader->png;

    png_set_benign_errors(png, 1);
    png_set_read_fn(png, reader, read_bytes);
    png_read_info(png, reader->info);
    png_set_expand(png);
    png_set_gray_to_rgb(png);
    png_set_read_user_transform_fn(png, take_row);
    png_set_user_transform_info(png, reader, 0, 0);
    png_start_read_image(png);
}

static void read_rows(struct reader *reader)
{
    const uint32_t w = (uint32_t)reader->out->width_px, h = (uint32_t)reader->out->height_px;

    for (int pass = 0; pass < (reader->interlaced ? 7 : 1); pass++) {
        const struct adam7 *at = reader->interlaced ? &adam7[pass] : &whole_picture;

        if (w <= at->x0)
            continue;
        for (uint32_t y = at->y0; y < h; y += at->dy)
            png_read_row(reader->png, NULL, NULL);
    }
}

/* step(reader), or false when libpng gave up in it. No frame with variables that change stands
 * between setjmp and longjmp. */
static bool attempt(struct reader *reader, void (*step)(struct reader *))
{
    if (setjmp(reader->jump))
        return false;
    step(reader);
    return true;
}

/* Whether a pixel of an interlaced picture was reached. */
static bool is_there(const struct reader *reader, size_t x, size_t y)
{
    uint32_t pass = 6;

    while ((x - adam7[pass].x0) % adam7[pass].dx != 0 || (y - adam7[pass].y0) % adam7[pass].dy != 0)
        pass--;
    return pass < reader->pass ||
           (pass == reader->pass && (y - adam7[pass].y0) / adam7[pass].dy < reader->row);
}

/* Adam7 spreads its passes over the picture: give every pixel that was not reached the value of the
 * nearest one up and left that an earlier pass has, or grey when there is none. Returns the number
 * of pixels that were reached. */
static int32_t fill_from_passes(const struct reader *reader)
{
    static const uint8_t step[6][2] = {{1, 0}, {1, 1}, {3, 1}, {3, 3}, {7, 3}, {7, 7}};
    const size_t w = (size_t)reader->out->width_px, h = (size_t)reader->out->height_px;
    uint8_t *pixels = reader->out->pixels;
    int32_t n_there = 0;

    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++) {
            bool known = is_there(reader, x, y);

            n_there += known;
            for (int i = 0; i < 6 && !known; i++) {
                const size_t from_y = y & ~(size_t)step[i][1], from_x = x & ~(size_t)step[i][0];

                known = is_there(reader, from_x, from_y);
                if (known)
                    memcpy(pixels + 3 * (y * w + x), pixels + 3 * (from_y * w + from_x), 3);
            }
            if (!known)
                memset(pixels + 3 * (y * w + x), DPLI_MISSING, 3);
        }
    return n_there;
}

/* What a decode that libpng gave up on is worth. */
static dpl_status judge(const struct reader *reader, const struct pixel_chunks *chunks,
                        dpl_error *err)
{
    dpl_image *out = reader->out;
    const size_t row_bytes = 3 * (size_t)out->width_px;
    const int32_t rows = (int32_t)reader->row;

    if (reader->out_of_memory)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory in the PNG decoder");
    if (reader->interlaced)
        return dpli_judge_partial(out->warning, !chunks->ended, fill_from_passes(reader),
                                  out->width_px * out->height_px, "pixels", reader->words, err);
    memset(out->pixels + (size_t)rows * row_bytes, DPLI_MISSING,
           (size_t)(out->height_px - rows) * row_bytes);
    return dpli_judge_partial(out->warning, !chunks->ended, rows, out->height_px, "rows",
                              reader->words, err);
}

/* The copy of the chunks, the pixels, and libpng's rows and window. */
static uint64_t decoder_bytes(uint64_t n_bytes, uint64_t w, uint64_t h)
{
    return n_bytes + 3 * w * h + 64 * 1024 + 32 * w;
}

static dpl_status decode_pixels(dpl_image *out, const struct pixel_chunks *chunks,
                                const dpl_decode_options *options, uint8_t fill, dpl_error *err)
{
    struct reader reader = {.next = chunks->bytes, .left = chunks->n, .out = out};
    const size_t n = (size_t)out->width_px * (size_t)out->height_px;
    dpl_status status = DPL_OK;

    status = dpli_check_bytes(
        decoder_bytes(chunks->n, (uint64_t)out->width_px, (uint64_t)out->height_px),
        (uint64_t)out->width_px, (uint64_t)out->height_px, out->exif_orientation, options, err);
    if (status)
        return status;
    reader.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &reader, catch_error,
                                          ignore_warning, &reader, take_memory, give_memory);
    reader.info = reader.png ? png_create_info_struct(reader.png) : NULL;
    if (!reader.info) {
        status = dpli_fail(err, DPL_E_MEMORY, "out of memory in the PNG decoder");
        goto done;
    }
    if (!attempt(&reader, read_header)) {
        status = reader.out_of_memory
                     ? dpli_fail(err, DPL_E_MEMORY, "out of memory in the PNG decoder")
                     : dpli_fail(err, DPL_E_INPUT, "broken PNG: %s", reader.words);
        goto done;
    }
    reader.interlaced = png_get_interlace_type(reader.png, reader.info) == PNG_INTERLACE_ADAM7;
    out->pixels = dpli_alloc(n, 3, err);
    if (!out->pixels) {
        status = DPL_E_MEMORY;
        goto done;
    }
    memset(out->pixels, fill, 3 * n);
    if (!attempt(&reader, read_rows))
        status = judge(&reader, chunks, err);
    else if (!chunks->ended)
        strcpy(out->warning, "truncated: the end chunk is missing");
done:
    png_destroy_read_struct(&reader.png, &reader.info, NULL);
    return status;
}

uint64_t dpli_png_need(const uint8_t *bytes, size_t n_bytes, const dpl_decode_options *options)
{
    const uint64_t w = n_bytes < 33 ? 0 : be32(bytes + 16), h = n_bytes < 33 ? 0 : be32(bytes + 20);
    dpl_error refused;

    if (dpli_check_pixels(w, h, options, &refused) != DPL_OK)
        return 0;
    return dpli_need(decoder_bytes(n_bytes, w, h), w * h, true);
}

dpl_status dpli_png_decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                           const dpl_decode_options *options, uint8_t fill, dpl_error *err)
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
    if (status == DPL_OK && chunks.exif)
        status = dpli_exif_taken_bare(out->taken, chunks.exif, chunks.n_exif, err);
    if (!status)
        status = decode_pixels(out, &chunks, options, fill, err);
    free(chunks.bytes);
    return status;
}
