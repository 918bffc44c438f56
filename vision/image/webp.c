/*
 * webp.c - WebP (RFC 9649) to RGB8, by libwebp's incremental decoder.
 *
 * A walk over the file's chunks comes first. libwebp gets those that make one picture (ALPH and
 * VP8, or VP8L), of an animation those of its first frame, and no other: profiles have no effect,
 * and damage in what is not looked at does no harm. The incremental decoder tells how many rows it
 * has put out, so of a file that is cut or damaged the rows that are there are known.
 *
 * Transparency is composited over white in encoded values, as of a PNG; so is what an animation's
 * first frame leaves open.
 */
#include "vision/image/decode.h"

#include <string.h>

#include <webp/decode.h>

#include "base/fail.h"
#include "base/mem.h"
#include "vision/image/limits.h"

struct layout {
    bool ended;                  /* the file is as long as it says */
    bool animated;               /* the frame below is the first of several */
    uint32_t x, y, w, h;         /* of the first frame on the canvas */
    uint32_t canvas_w, canvas_h; /* 0: as large as its one picture */
    const uint8_t *frame;        /* chunks, as far as they are there */
    size_t n_frame;
    bool has_pixels, has_alpha, lossless;
    const uint8_t *exif;
    size_t n_exif;
};

bool dpli_is_webp(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0;
}

static uint32_t le24(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static uint32_t le32(const uint8_t *p)
{
    return le24(p) | (uint32_t)p[3] << 24;
}

static bool is(const uint8_t *chunk, const char *name)
{
    return memcmp(chunk, name, 4) == 0;
}

/* A chunk that makes pixels, n bytes of it with its head, or as many as there are. */
static void take_pixels(struct layout *layout, const uint8_t *chunk, size_t n)
{
    if (layout->has_pixels)
        return;
    if (!layout->frame)
        layout->frame = chunk;
    layout->n_frame = (size_t)(chunk - layout->frame) + n;
    layout->has_alpha |= is(chunk, "ALPH");
    layout->lossless = is(chunk, "VP8L");
    layout->has_pixels = !is(chunk, "ALPH");
}

/* Walk the chunks of bytes [n]: the file's, or those inside of a frame. */
static void walk(struct layout *layout, const uint8_t *bytes, size_t n, bool inside)
{
    size_t at = 0;

    while (n - at >= 8) {
        const uint8_t *chunk = bytes + at, *data = chunk + 8;
        const size_t length = le32(chunk + 4), left = n - at - 8;
        const bool whole = length <= left;
        const size_t there = whole ? length : left;

        if (is(chunk, "ALPH") || is(chunk, "VP8 ") || is(chunk, "VP8L")) {
            if (inside || !layout->animated)
                take_pixels(layout, chunk, 8 + there);
        } else if (!inside && is(chunk, "VP8X") && there >= 10 && !layout->canvas_w) {
            layout->animated = data[0] & 2;
            layout->canvas_w = le24(data + 4) + 1;
            layout->canvas_h = le24(data + 7) + 1;
        } else if (!inside && is(chunk, "ANMF") && there >= 16 && layout->animated && !layout->w) {
            layout->x = 2 * le24(data);
            layout->y = 2 * le24(data + 3);
            layout->w = le24(data + 6) + 1;
            layout->h = le24(data + 9) + 1;
            walk(layout, data + 16, there - 16, true);
        } else if (!inside && is(chunk, "EXIF") && whole && !layout->exif) {
            layout->exif = data;
            layout->n_exif = length;
        }
        if (!whole || length + (length & 1) > left)
            return;
        at += 8 + length + (length & 1);
    }
}

/* The file's layout, and its sizes checked against each other. */
static dpl_status read_layout(struct layout *layout, const uint8_t *bytes, size_t n, dpl_error *err)
{
    WebPBitstreamFeatures features;
    VP8StatusCode code;

    *layout = (struct layout){.ended = n >= (uint64_t)le32(bytes + 4) + 8};
    walk(layout, bytes + 12, n - 12, false);
    if (!layout->has_pixels)
        return dpli_fail(err, DPL_E_INPUT,
                         layout->ended ? "broken WebP: no picture in it"
                                       : "truncated: ends before its pixels");
    code = WebPGetFeatures(layout->frame, layout->n_frame, &features);
    if (code == VP8_STATUS_NOT_ENOUGH_DATA)
        return dpli_fail(err, DPL_E_INPUT,
                         layout->ended ? "broken WebP: no picture in it"
                                       : "truncated: ends before its pixels");
    if (code != VP8_STATUS_OK || features.width < 1 || features.height < 1)
        return dpli_fail(err, DPL_E_INPUT, "broken WebP: its picture's header makes no sense");
    layout->has_alpha = features.has_alpha;
    if (!layout->animated) {
        layout->w = (uint32_t)features.width;
        layout->h = (uint32_t)features.height;
    }
    if (!layout->canvas_w) {
        layout->canvas_w = layout->w;
        layout->canvas_h = layout->h;
    }
    if (layout->w != (uint32_t)features.width || layout->h != (uint32_t)features.height ||
        layout->x + layout->w > layout->canvas_w || layout->y + layout->h > layout->canvas_h ||
        (!layout->animated && (layout->w != layout->canvas_w || layout->h != layout->canvas_h)))
        return dpli_fail(err, DPL_E_INPUT, "broken WebP: two sizes, %ux%u and %dx%d",
                         layout->canvas_w, layout->canvas_h, features.width, features.height);
    return DPL_OK;
}

static bool fills_canvas(const struct layout *layout)
{
    return layout->w == layout->canvas_w && layout->h == layout->canvas_h;
}

/* The size that comes out. What leaves some of the canvas open is not reduced. */
static void choose_size(int32_t *w, int32_t *h, const struct layout *layout,
                        const dpl_decode_options *options)
{
    *w = (int32_t)layout->canvas_w;
    *h = (int32_t)layout->canvas_h;
    if (fills_canvas(layout))
        dpli_reduce(w, h, options->enough_px);
}

/* Our pixels, and what libwebp holds. VP8: some rows of blocks; alpha is a plane of its own, packed
 * as VP8L is. VP8L: all of its pixels in 4 bytes, two pictures of transforms and one of Huffman
 * groups, each at most a sixteenth of it; tables of the groups, of which encoders make up to 2600.
 */
static uint64_t decoder_bytes(const struct layout *layout, int32_t w, int32_t h)
{
    enum { GROUP_BYTES = 13 * 1024, GROUPS = 2600 };
    const uint64_t frame_px = (uint64_t)layout->w * layout->h;
    const uint64_t packed = layout->lossless    ? 4 * frame_px + 3 * frame_px / 4
                            : layout->has_alpha ? 5 * frame_px + 3 * frame_px / 4
                                                : 0;
    const uint64_t groups = packed ? (frame_px / 16 < GROUPS ? frame_px / 16 + 1 : GROUPS) : 0;
    const uint64_t out_px = (uint64_t)w * (uint64_t)h;

    return packed + groups * GROUP_BYTES + 64 * 1024 + 256 * (uint64_t)layout->w +
           out_px * (layout->has_alpha ? 4 : 3) + (fills_canvas(layout) ? 0 : 3 * out_px);
}

/* RGBA to RGB over white, in place. */
static void over_white(uint8_t *pixels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned alpha = pixels[4 * i + 3];

        for (size_t c = 0; c < 3; c++)
            pixels[3 * i + c] = dpli_over_white(pixels[4 * i + c], alpha);
    }
}

static const char *words_of(VP8StatusCode code)
{
    switch (code) {
    case VP8_STATUS_BITSTREAM_ERROR: return "the data of its pixels make no sense";
    case VP8_STATUS_UNSUPPORTED_FEATURE: return "a feature that libwebp does not read";
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA: return "the data of its pixels end early";
    default: return "libwebp does not take it";
    }
}

/* Decode the frame into pixels [h, w, has_alpha ? 4 : 3]. Returns libwebp's word, and the rows that
 * it put out. */
static VP8StatusCode run(int *rows, uint8_t *pixels, const struct layout *layout, int32_t w,
                         int32_t h)
{
    const int channels = layout->has_alpha ? 4 : 3;
    WebPDecoderConfig config;
    WebPIDecoder *decoder;
    VP8StatusCode code;

    *rows = 0;
    if (!WebPInitDecoderConfig(&config))
        return VP8_STATUS_INVALID_PARAM;
    config.options.use_scaling = w != (int32_t)layout->w || h != (int32_t)layout->h;
    config.options.scaled_width = w;
    config.options.scaled_height = h;
    config.output.colorspace = layout->has_alpha ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = pixels;
    config.output.u.RGBA.stride = channels * w;
    config.output.u.RGBA.size = (size_t)channels * (size_t)w * (size_t)h;
    decoder = WebPIDecode(NULL, 0, &config);
    if (!decoder)
        return VP8_STATUS_OUT_OF_MEMORY;
    code = WebPIUpdate(decoder, layout->frame, layout->n_frame);
    if (!WebPIDecGetRGB(decoder, rows, NULL, NULL, NULL) || *rows < 0)
        *rows = 0;
    if (*rows > h)
        *rows = h;
    WebPIDelete(decoder);
    return code;
}

/* Put the frame where it belongs on a white canvas. */
static dpl_status place(dpl_image *out, const struct layout *layout, dpl_error *err)
{
    const size_t row_bytes = 3 * (size_t)layout->canvas_w, frame_bytes = 3 * (size_t)layout->w;
    uint8_t *canvas = dpli_alloc(layout->canvas_h, row_bytes, err);

    if (!canvas)
        return DPL_E_MEMORY;
    memset(canvas, 255, layout->canvas_h * row_bytes);
    for (size_t y = 0; y < layout->h; y++)
        memcpy(canvas + (layout->y + y) * row_bytes + 3 * (size_t)layout->x,
               out->pixels + y * frame_bytes, frame_bytes);
    free(out->pixels);
    out->pixels = canvas;
    return DPL_OK;
}

static dpl_status decode_pixels(dpl_image *out, const struct layout *layout, uint8_t fill,
                                dpl_error *err)
{
    const bool fills = fills_canvas(layout);
    const int32_t w = fills ? out->width_px : (int32_t)layout->w;
    const int32_t h = fills ? out->height_px : (int32_t)layout->h;
    const size_t n = (size_t)w * (size_t)h, channels = layout->has_alpha ? 4 : 3;
    VP8StatusCode code;
    uint8_t *pixels;
    dpl_status status = DPL_OK;
    int rows;

    out->pixels = pixels = dpli_alloc(n, channels, err);
    if (!pixels)
        return DPL_E_MEMORY;
    memset(pixels, fill, n * channels);
    code = run(&rows, pixels, layout, w, h);
    if (code == VP8_STATUS_OUT_OF_MEMORY)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory in the WebP decoder");
    if (channels == 4) {
        over_white(pixels, n);
        pixels = dpli_realloc(pixels, n, 3, NULL);
        if (pixels)
            out->pixels = pixels;
    }
    memset(out->pixels + (size_t)rows * 3 * (size_t)w, DPLI_MISSING, (size_t)(h - rows) * 3 * (size_t)w);
    if (code != VP8_STATUS_OK || rows < h)
        status =
            dpli_judge_partial(out->warning, !layout->ended, rows, h, "rows", words_of(code), err);
    else if (!layout->ended)
        strcpy(out->warning, "truncated: ends before what follows its pixels");
    return status == DPL_OK && !fills ? place(out, layout, err) : status;
}

uint64_t dpli_webp_need(const uint8_t *bytes, size_t n_bytes, const dpl_decode_options *options)
{
    struct layout layout;
    dpl_error refused;
    int32_t w, h;

    if (read_layout(&layout, bytes, n_bytes, &refused) != DPL_OK ||
        dpli_check_pixels(layout.canvas_w, layout.canvas_h, options, &refused) != DPL_OK)
        return 0;
    choose_size(&w, &h, &layout, options);
    return dpli_need(decoder_bytes(&layout, w, h), (uint64_t)w * (uint64_t)h, layout.n_exif > 0);
}

dpl_status dpli_webp_decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                            const dpl_decode_options *options, uint8_t fill, dpl_error *err)
{
    struct layout layout;
    dpl_status status = read_layout(&layout, bytes, n_bytes, err);

    if (status == DPL_OK)
        status = dpli_check_pixels(layout.canvas_w, layout.canvas_h, options, err);
    if (status == DPL_OK && layout.exif)
        status =
            dpli_exif_orientation_bare(&out->exif_orientation, layout.exif, layout.n_exif, err);
    if (status == DPL_OK && layout.exif)
        status = dpli_exif_taken_bare(out->taken, layout.exif, layout.n_exif, err);
    if (status)
        return status;
    strcpy(out->format, "webp");
    out->full_width_px = (int32_t)layout.canvas_w;
    out->full_height_px = (int32_t)layout.canvas_h;
    choose_size(&out->width_px, &out->height_px, &layout, options);
    status = dpli_check_bytes(decoder_bytes(&layout, out->width_px, out->height_px),
                              (uint64_t)out->width_px, (uint64_t)out->height_px,
                              out->exif_orientation, options, err);
    return status ? status : decode_pixels(out, &layout, fill, err);
}
