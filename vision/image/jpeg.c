/*
 * jpeg.c - JPEG (ITU-T T.81) to RGB8 and back, by TurboJPEG 2.1.
 *
 * A walk over the file's markers comes first. It finds what TurboJPEG does not tell (kind of frame,
 * bits a sample, EXIF, the Adobe marker, whether the file has an end) and what the limits need:
 * whether the decoder will hold the whole picture's coefficients, and how many scans there are.
 *
 * tjDecompressHeader3 gives up on sampling factors it has no name for, tjDecompress2 does not: the
 * size is what we take from the first, never its verdict.
 *
 * Source of the CMYK rule: Adobe Technical Note 5116; files with Adobe's marker hold inverted ink.
 */
#include "vision/image/decode.h"

#include <string.h>

#include <turbojpeg.h>

#include "base/fail.h"
#include "base/mem.h"
#include "vision/image/limits.h"

/* Real files have up to about a dozen scans; each costs a pass over the whole picture. */
enum { MAX_SCANS = 100 };

struct layout {
    const char *refusal; /* NULL, or why no decoder is asked */
    bool has_frame, progressive, ended, adobe;
    uint32_t width, height;
    int n_components, n_scans;
    int first_scan_components;
    int scaled_by;          /* the decoder's reduction: 1, 2, 4 or 8 */
    uint8_t sampling[4][2]; /* across, down */
    const uint8_t *exif;
    size_t n_exif;
};

bool dpli_is_jpeg(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF;
}

static uint32_t be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

/* SOFn: p [n] is the segment after its length. */
static void read_frame(struct layout *layout, int marker, const uint8_t *p, size_t n)
{
    if (layout->has_frame)
        return;
    if (n < 6 || p[5] == 0 || n < 6 + 3 * (size_t)p[5]) {
        layout->refusal = "broken JPEG: frame header too short";
        return;
    }
    layout->has_frame = true;
    layout->progressive = marker == 0xC2 || marker == 0xCA;
    layout->height = be16(p + 1);
    layout->width = be16(p + 3);
    layout->n_components = p[5];
    if (marker == 0xC3 || marker == 0xCB)
        layout->refusal = "is a lossless JPEG; baseline and progressive ones are read";
    else if (marker > 0xC2 && marker != 0xC9 && marker != 0xCA)
        layout->refusal = "is a hierarchical JPEG; baseline and progressive ones are read";
    else if (p[0] == 12)
        layout->refusal = "JPEG has 12 bits a sample; 8 are read";
    else if (p[0] != 8)
        layout->refusal = "broken JPEG: impossible number of bits a sample";
    else if (p[5] != 1 && p[5] != 3 && p[5] != 4)
        layout->refusal = "JPEG has neither 1 nor 3 nor 4 colour channels";
    else if (layout->height == 0)
        layout->refusal = "JPEG does not tell its height in its header";
    if (layout->refusal)
        return;
    for (int i = 0; i < p[5]; i++) {
        uint8_t across = p[7 + 3 * i] >> 4, down = p[7 + 3 * i] & 15;

        if (across < 1 || across > 4 || down < 1 || down > 4) {
            layout->refusal = "broken JPEG: impossible sampling factors";
            return;
        }
        layout->sampling[i][0] = across;
        layout->sampling[i][1] = down;
    }
}

/* Walk the markers of bytes [n]. Entropy-coded data is what lies between segments: in it FF is
 * followed by 00 or a restart marker. */
static void walk(struct layout *layout, const uint8_t *bytes, size_t n)
{
    size_t at = 2;

    *layout = (struct layout){0};
    while (at < n && !layout->refusal) {
        const uint8_t *ff = memchr(bytes + at, 0xFF, n - at);
        const uint8_t *p;
        size_t n_segment;
        int marker;

        if (!ff)
            return;
        at = (size_t)(ff - bytes);
        while (at < n && bytes[at] == 0xFF)
            at++;
        if (at == n)
            return;
        marker = bytes[at++];
        if (marker <= 1 || (marker >= 0xD0 && marker <= 0xD8))
            continue;
        if (marker == 0xD9) {
            layout->ended = true;
            return;
        }
        if (n - at < 2 || be16(bytes + at) < 2 || be16(bytes + at) > n - at)
            return;
        p = bytes + at + 2;
        n_segment = be16(bytes + at) - 2;
        at += 2 + n_segment;
        if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC)
            read_frame(layout, marker, p, n_segment);
        else if (marker == 0xE1 && !layout->exif && n_segment >= 6 && !memcmp(p, "Exif\0", 6)) {
            layout->exif = p;
            layout->n_exif = n_segment;
        } else if (marker == 0xEE && n_segment >= 12 && !memcmp(p, "Adobe", 5))
            layout->adobe = true;
        else if (marker == 0xDA && layout->n_scans++ == 0)
            layout->first_scan_components = n_segment ? p[0] : 0;
    }
}

/* What the decoder holds besides our pixels: a few rows of blocks, and the coefficients (16 bits)
 * of the whole picture when they come in several scans. */
static uint64_t decoder_bytes(const struct layout *layout)
{
    uint64_t across_max = 1, down_max = 1, blocks = 0;

    for (int i = 0; i < layout->n_components; i++) {
        if (layout->sampling[i][0] > across_max)
            across_max = layout->sampling[i][0];
        if (layout->sampling[i][1] > down_max)
            down_max = layout->sampling[i][1];
    }
    for (int i = 0; i < layout->n_components; i++)
        blocks += (layout->width + 8 * across_max - 1) / (8 * across_max) * layout->sampling[i][0] *
                  ((layout->height + 8 * down_max - 1) / (8 * down_max)) * layout->sampling[i][1];
    return (uint64_t)64 * 1024 + 4 * 8 * down_max * layout->width * (uint64_t)layout->n_components +
           (layout->progressive || layout->first_scan_components < layout->n_components
                ? blocks * 64 * 2
                : 0);
}

/* CMYK to RGB in place, 4 bytes a pixel to 3: light = (1 - ink) (1 - black). */
static void cmyk_to_rgb(uint8_t *pixels, size_t n, bool inverted)
{
    const uint8_t flip = inverted ? 0 : 255;

    for (size_t i = 0; i < n; i++) {
        const unsigned k = pixels[4 * i + 3] ^ flip;

        for (size_t c = 0; c < 3; c++)
            pixels[3 * i + c] = (uint8_t)(((pixels[4 * i + c] ^ flip) * k + 127) / 255);
    }
}

/* Rows of pixels in a row of the blocks that are coded together, at the size decoded at. */
static int32_t unit_rows(const struct layout *layout)
{
    int down_max = 1;

    for (int i = 0; i < layout->n_components && layout->n_components > 1; i++)
        if (layout->sampling[i][1] > down_max)
            down_max = layout->sampling[i][1];
    return 8 * down_max / layout->scaled_by;
}

/* The rows that are whole before those at the end that the decoder left empty; all if none is
 * empty. Without data every coefficient is zero, which is 128 in each channel; ink and black both
 * at the middle make 63 or 64. */
static int32_t rows_there(const dpl_image *image, const struct layout *layout)
{
    const size_t n = 3 * (size_t)image->width_px;
    const bool cmyk = layout->n_components == 4;
    const uint8_t low = cmyk ? 63 : 128, high = cmyk ? 64 : 128;
    const int32_t unit = unit_rows(layout);
    int32_t rows = image->height_px;

    for (; rows > 0; rows--) {
        const uint8_t *row = image->pixels + (size_t)(rows - 1) * n;
        size_t i = 0;

        while (i < n && row[i] >= low && row[i] <= high)
            i++;
        if (i < n)
            break;
    }
    if (rows == image->height_px)
        return rows;
    /* The last row of units was begun only, perhaps with what the decoder made of no bits at all,
     * and colour is smeared over into one row of pixels more. */
    return rows > 2 ? (rows - 2) / unit * unit : 0;
}

/* Bring w x h to the size to decode at, 1/8, 1/4, 1/2 or all of it: the smallest whose larger side
 * is still enough. Returns what it divided by. */
static int choose_scale(int *w, int *h, int enough_px)
{
    for (int by = 8; by > 1 && enough_px > 0; by /= 2) {
        const tjscalingfactor factor = {1, by};
        const int scaled_w = TJSCALED(*w, factor), scaled_h = TJSCALED(*h, factor);

        if ((scaled_w > scaled_h ? scaled_w : scaled_h) >= enough_px) {
            *w = scaled_w;
            *h = scaled_h;
            return by;
        }
    }
    return 1;
}

/* Decode into out->pixels; out's sizes are set. */
static dpl_status decode_pixels(dpl_image *out, const struct layout *layout, const uint8_t *bytes,
                                size_t n_bytes, dpl_error *err)
{
    const bool cmyk = layout->n_components == 4;
    const size_t n = (size_t)out->width_px * (size_t)out->height_px;
    int width = 0, height = 0, sampling, space;
    dpl_status status = DPL_OK;
    const char *reason;
    tjhandle decoder;
    uint8_t *pixels;

    decoder = tjInitDecompress();
    if (!decoder)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory for the JPEG decoder");
    /* The limits were checked on the frame that the walk saw; the decoder must see the same one. */
    tjDecompressHeader3(decoder, bytes, n_bytes, &width, &height, &sampling, &space);
    if (width == 0) {
        status = dpli_fail(err, DPL_E_INPUT, "broken JPEG: %s", tjGetErrorStr2(decoder));
        goto done;
    }
    if (width != out->full_width_px || height != out->full_height_px) {
        status = dpli_fail(err, DPL_E_INPUT, "broken JPEG: two sizes, %dx%d and %dx%d",
                           out->full_width_px, out->full_height_px, width, height);
        goto done;
    }
    out->pixels = pixels = dpli_alloc(n, cmyk ? 4 : 3, err);
    if (!pixels) {
        status = DPL_E_MEMORY;
        goto done;
    }
    if (tjDecompress2(decoder, bytes, n_bytes, pixels, out->width_px, 0, out->height_px,
                      cmyk ? TJPF_CMYK : TJPF_RGB, TJFLAG_LIMITSCANS) == 0)
        reason = NULL;
    else
        reason = tjGetErrorStr2(decoder);
    if (reason && tjGetErrorCode(decoder) != TJERR_WARNING) {
        status = strstr(reason, "Insufficient memory")
                     ? dpli_fail(err, DPL_E_MEMORY, "out of memory in the JPEG decoder")
                     : dpli_fail(err, DPL_E_INPUT, "broken JPEG: %s", reason);
        goto done;
    }
    if (cmyk) {
        cmyk_to_rgb(pixels, n, layout->adobe);
        pixels = dpli_realloc(pixels, n, 3, NULL);
        if (pixels)
            out->pixels = pixels;
    }
    if (reason)
        status = dpli_judge_partial(out->warning, !layout->ended, rows_there(out, layout),
                                    out->height_px, "rows", reason, err);
done:
    tjDestroy(decoder);
    return status;
}

dpl_status dpli_jpeg_decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                            const dpl_decode_options *options, dpl_error *err)
{
    struct layout layout;
    dpl_status status;
    uint64_t w, h;

    walk(&layout, bytes, n_bytes);
    if (layout.refusal)
        return dpli_fail(err, DPL_E_INPUT, "%s", layout.refusal);
    if (!layout.has_frame || layout.n_scans == 0)
        return dpli_fail(err, DPL_E_INPUT,
                         layout.ended ? "broken JPEG: no picture in it"
                                      : "truncated: ends before its pixels");
    status = dpli_check_pixels(layout.width, layout.height, options, err);
    if (status)
        return status;
    if (layout.n_scans > MAX_SCANS)
        return dpli_fail(err, DPL_E_LIMIT, "JPEG has %d scans, limit is %d", layout.n_scans,
                         MAX_SCANS);
    status = dpli_exif_orientation(&out->exif_orientation, layout.exif, layout.n_exif, err);
    if (status)
        return status;
    out->width_px = out->full_width_px = (int32_t)layout.width;
    out->height_px = out->full_height_px = (int32_t)layout.height;
    layout.scaled_by = choose_scale(&out->width_px, &out->height_px, options->enough_px);
    w = (uint64_t)out->width_px;
    h = (uint64_t)out->height_px;
    status = dpli_check_bytes(decoder_bytes(&layout) + w * h * (layout.n_components == 4 ? 4 : 3),
                              w, h, out->exif_orientation, options, err);
    if (status)
        return status;
    strcpy(out->format, "jpeg");
    return decode_pixels(out, &layout, bytes, n_bytes, err);
}

dpl_status dpl_image_to_jpeg(uint8_t **out, size_t *n_out, const dpl_image *image, int quality,
                             dpl_error *err)
{
    /* Colour at half the size, but where quality asks for all of it. */
    const int sampling = quality >= 90 ? TJSAMP_444 : TJSAMP_420;
    dpl_status status = DPL_OK;
    unsigned long n_bytes;
    tjhandle encoder = NULL;
    uint8_t *bytes = NULL;

    *out = NULL;
    *n_out = 0;
    if (quality < 1 || quality > 100)
        return dpli_fail(err, DPL_E_ARGUMENT, "JPEG quality %d is outside 1 to 100", quality);
    if (!image->pixels)
        return dpli_fail(err, DPL_E_ARGUMENT, "image has no pixels");
    n_bytes = tjBufSize(image->width_px, image->height_px, sampling);
    if (n_bytes == (unsigned long)-1)
        return dpli_fail(err, DPL_E_ARGUMENT, "image of %dx%d pixels does not fit a JPEG",
                         image->width_px, image->height_px);
    encoder = tjInitCompress();
    if (!encoder) {
        status = dpli_fail(err, DPL_E_MEMORY, "out of memory for the JPEG encoder");
        goto done;
    }
    bytes = dpli_alloc(n_bytes, 1, err);
    if (!bytes) {
        status = DPL_E_MEMORY;
        goto done;
    }
    if (tjCompress2(encoder, image->pixels, image->width_px, 0, image->height_px, TJPF_RGB, &bytes,
                    &n_bytes, sampling, quality, TJFLAG_NOREALLOC) != 0) {
        status = dpli_fail(err, DPL_E_INPUT, "cannot encode as JPEG: %s", tjGetErrorStr2(encoder));
        goto done;
    }
    *out = dpli_realloc(bytes, n_bytes, 1, NULL);
    if (!*out)
        *out = bytes;
    *n_out = n_bytes;
    bytes = NULL;
done:
    free(bytes);
    if (encoder)
        tjDestroy(encoder);
    return status;
}
