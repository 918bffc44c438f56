/*
 * jpeg.c - JPEG (ITU-T T.81) to RGB8 and back, by libjpeg-turbo's libjpeg interface.
 *
 * A walk over the file's markers comes first. It finds what libjpeg does not tell (kind of frame,
 * bits a sample, EXIF, the Adobe marker, whether the file has an end) and what the limits need:
 * whether the decoder will hold the whole picture's coefficients, and how many scans there are.
 *
 * libjpeg makes a picture of whatever it is given: where data are missing it goes on with zeros,
 * and only says so. What it says is kept here row by row: for each row of the blocks that are coded
 * together ("iMCU row") the components whose DC, the mean of each block, was read. A row in which
 * every component has it is there; others are painted as missing. TurboJPEG's own interface hides
 * this: of a file that it warned of and then gave up on it tells the warning.
 *
 * Source of the CMYK rule: Adobe Technical Note 5116; files with Adobe's marker hold inverted ink.
 */
#include "vision/image/decode.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

/* In this order: the numbers of the messages depend on how libjpeg was built. */
#include <jpeglib.h>

#include <jerror.h>

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
    unsigned scaled_by;     /* the decoder's reduction: 1, 2, 4 or 8 */
    uint8_t sampling[4][2]; /* across, down */
    size_t n_whole;         /* bytes up to a segment cut by the end, or that makes no sense */
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

/* Whether libjpeg takes a segment of that kind between two scans. */
static bool may_follow_scan(int marker)
{
    return marker == 0xC4 || marker == 0xCC || (marker >= 0xDA && marker <= 0xDD) ||
           (marker >= 0xE0 && marker <= 0xEF) || marker == 0xFE;
}

/* Walk the markers of bytes [n]. Entropy-coded data is what lies between segments: in it FF is
 * followed by 00 or a restart marker. */
static void walk(struct layout *layout, const uint8_t *bytes, size_t n)
{
    size_t at = 2;

    *layout = (struct layout){.n_whole = n};
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
        if (marker <= 1 || (marker >= 0xD0 && marker <= 0xD7))
            continue;
        if (marker == 0xD8 && layout->n_scans == 0)
            continue;
        if (marker == 0xD9) {
            layout->ended = true;
            return;
        }
        if (layout->n_scans > 0 && !may_follow_scan(marker)) {
            /* Damage made it, and libjpeg would give up on all of the picture. */
            layout->n_whole = (size_t)(ff - bytes);
            layout->ended = true;
            return;
        }
        if (n - at < 2 || be16(bytes + at) < 2 || be16(bytes + at) > n - at) {
            layout->n_whole = (size_t)(ff - bytes);
            return;
        }
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

/* A component's bit in what is known of a row. */
static unsigned bit_of(const jpeg_component_info *component)
{
    return 1u << component->component_index;
}

/* What libjpeg's callbacks need besides its own state. The error manager is first, because that is
 * how a callback finds the rest. */
struct catcher {
    struct jpeg_error_mgr mgr;
    jmp_buf jump;
    bool out_of_memory;
    char words[JMSG_LENGTH_MAX]; /* of the error that ended it */
};

static void catch_error(j_common_ptr cinfo)
{
    struct catcher *catcher = (struct catcher *)cinfo->err;

    catcher->out_of_memory = catcher->mgr.msg_code == JERR_OUT_OF_MEMORY;
    catcher->mgr.format_message(cinfo, catcher->words);
    longjmp(catcher->jump, 1);
}

static void print_nothing(j_common_ptr cinfo)
{
    (void)cinfo;
}

static void ignore_message(j_common_ptr cinfo, int level)
{
    (void)cinfo;
    (void)level;
}

static void catcher_init(struct catcher *catcher)
{
    jpeg_std_error(&catcher->mgr);
    catcher->mgr.error_exit = catch_error;
    catcher->mgr.output_message = print_nothing;
    catcher->mgr.emit_message = ignore_message;
}

/* step(what), or false when libjpeg gave up in it. No frame with variables that change stands
 * between setjmp and longjmp. */
static bool attempt(struct catcher *catcher, void (*step)(void *), void *what)
{
    if (setjmp(catcher->jump))
        return false;
    step(what);
    return true;
}

struct reader {
    struct catcher catcher;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct cinfo;
    const struct layout *layout;
    uint8_t *pixels, fill;
    size_t stride;
    char warning[JMSG_LENGTH_MAX]; /* the first one; empty if there was none */
    bool too_many_scans;
    bool finished; /* every row was put out */

    uint8_t *there;      /* [total_iMCU_rows] bits of the components that have their DC */
    int scan;            /* the decoder's number of the scan that the following is about */
    unsigned brings;     /* bits of the components whose DC is in it */
    unsigned next;       /* its rows below are decided */
    unsigned hole_until; /* its rows below, from next on, are not there */
};

/* The scan's rows up to row are there, but for those in a hole. */
static void credit(struct reader *reader, unsigned row)
{
    unsigned from = reader->next > reader->hole_until ? reader->next : reader->hole_until;

    for (; from < row; from++)
        reader->there[from] |= (uint8_t)reader->brings;
    if (row > reader->next)
        reader->next = row;
}

/* Whether the data that begin here are none: a marker follows at once. */
static bool is_empty_scan(const struct jpeg_source_mgr *source)
{
    const uint8_t *p = source->next_input_byte;

    return source->bytes_in_buffer < 2 || (p[0] == 0xFF && p[1] != 0);
}

/* Take note of a scan that began since the last call. */
static void follow_scan(struct reader *reader)
{
    const struct jpeg_decompress_struct *cinfo = &reader->cinfo;

    if (cinfo->input_scan_number == reader->scan)
        return;
    if (reader->scan)
        credit(reader, cinfo->total_iMCU_rows);
    reader->scan = cinfo->input_scan_number;
    reader->brings = 0;
    reader->next = reader->hole_until = 0;
    if (cinfo->Ss > 0 || cinfo->Ah > 0)
        return;
    for (int i = 0; i < cinfo->comps_in_scan; i++)
        reader->brings |= bit_of(cinfo->cur_comp_info[i]);
    /* An arithmetic decoder takes zeros for what is missing, which is right at the end of a scan
     * but makes a picture of no data at all. */
    if (cinfo->arith_code && is_empty_scan(&reader->source))
        reader->brings = 0;
}

/* The row being decoded is not whole. */
static void lose_row(struct reader *reader)
{
    const unsigned row = reader->cinfo.input_iMCU_row;

    follow_scan(reader);
    credit(reader, row);
    if (row + 1 > reader->hole_until)
        reader->hole_until = row + 1;
}

/* The decoder ran out of data somewhere in the row that it is in: nothing comes before the next
 * restart marker after that. */
static void lose_segment(struct reader *reader)
{
    const struct jpeg_decompress_struct *cinfo = &reader->cinfo;
    const uint64_t interval = cinfo->restart_interval, rows = cinfo->total_iMCU_rows;
    uint64_t a_row, end, until = rows;

    lose_row(reader);
    if (interval) {
        a_row = cinfo->MCUs_per_row;
        if (cinfo->comps_in_scan == 1)
            a_row *= (unsigned)cinfo->cur_comp_info[0]->v_samp_factor;
        end = (cinfo->input_iMCU_row + (uint64_t)1) * a_row;
        end = (end + interval - 1) / interval * interval;
        until = (end + a_row - 1) / a_row;
    }
    if (until > rows)
        until = rows;
    if (until > reader->hole_until)
        reader->hole_until = (unsigned)until;
}

static void take_message(j_common_ptr common, int level)
{
    struct reader *reader = (struct reader *)common->err;
    const int code = common->err->msg_code;

    if (level >= 0)
        return;
    if (!reader->warning[0])
        common->err->format_message(common, reader->warning);
    if (!reader->there || reader->finished)
        return;
    if (code == JWRN_HIT_MARKER || code == JWRN_ARITH_BAD_CODE)
        lose_segment(reader);
    else if (code == JWRN_HUFF_BAD_CODE)
        lose_row(reader);
    else if (code == JWRN_JPEG_EOF && reader->cinfo.arith_code)
        lose_segment(reader);
}

/* Called before each row of a scan of several, and between scans. */
static void watch_scans(j_common_ptr common)
{
    struct reader *reader = (struct reader *)common->err;

    if (reader->cinfo.input_scan_number > MAX_SCANS) {
        reader->too_many_scans = true;
        longjmp(reader->catcher.jump, 1);
    }
    follow_scan(reader);
}

static void source_nothing(j_decompress_ptr cinfo)
{
    (void)cinfo;
}

/* All bytes were there from the start: what more is asked for is an end of image. */
static boolean source_end(j_decompress_ptr cinfo)
{
    static const JOCTET end[2] = {0xFF, JPEG_EOI};

    cinfo->err->msg_code = JWRN_JPEG_EOF;
    cinfo->err->emit_message((j_common_ptr)cinfo, -1);
    cinfo->src->next_input_byte = end;
    cinfo->src->bytes_in_buffer = sizeof end;
    return TRUE;
}

static void source_skip(j_decompress_ptr cinfo, long n)
{
    struct jpeg_source_mgr *source = cinfo->src;

    if (n <= 0)
        return;
    if ((size_t)n > source->bytes_in_buffer) {
        source_end(cinfo);
        return;
    }
    source->next_input_byte += n;
    source->bytes_in_buffer -= (size_t)n;
}

/* Called when a restart marker is not the one expected. libjpeg may leave another marker unread:
 * then the data before the next restart are missing. */
static boolean source_resync(j_decompress_ptr cinfo, int desired)
{
    struct reader *reader = (struct reader *)cinfo->err;
    const boolean done = jpeg_resync_to_restart(cinfo, desired);

    if (cinfo->unread_marker != 0 && reader->there)
        lose_segment(reader);
    return done;
}

static void read_header(void *what)
{
    struct reader *reader = what;
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;

    jpeg_create_decompress(cinfo);
    cinfo->src = &reader->source;
    cinfo->progress = &reader->progress;
    jpeg_read_header(cinfo, TRUE);
    cinfo->out_color_space = cinfo->num_components == 4 ? JCS_CMYK : JCS_RGB;
    cinfo->scale_num = 1;
    cinfo->scale_denom = reader->layout->scaled_by;
    jpeg_calc_output_dimensions(cinfo);
}

static void read_rows(void *what)
{
    enum { AT_ONCE = 4 }; /* as many as libjpeg gives at once */
    struct reader *reader = what;
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;
    JSAMPROW rows[AT_ONCE];
    size_t filled = 0;

    follow_scan(reader);
    jpeg_start_decompress(cinfo);
    while (cinfo->output_scanline < cinfo->output_height) {
        const unsigned left = cinfo->output_height - cinfo->output_scanline;
        const unsigned n = left < AT_ONCE ? left : AT_ONCE;

        for (unsigned i = 0; i < n; i++)
            rows[i] = reader->pixels + (cinfo->output_scanline + (size_t)i) * reader->stride;
        /* Row by row, while they are on their way into the cache: a pass of its own costs a tenth
         * of the decoding. */
        for (; filled < cinfo->output_scanline + n; filled++)
            memset(reader->pixels + filled * reader->stride, reader->fill, reader->stride);
        jpeg_read_scanlines(cinfo, rows, n);
    }
    follow_scan(reader);
    credit(reader, cinfo->total_iMCU_rows);
    reader->finished = true;
    /* To the end of the file: it tells when something is odd there. */
    jpeg_finish_decompress(cinfo);
}

static dpl_status give_up(const struct reader *reader, dpl_error *err)
{
    if (reader->too_many_scans)
        return dpli_fail(err, DPL_E_LIMIT, "JPEG has more than %d scans", MAX_SCANS);
    if (reader->catcher.out_of_memory)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory in the JPEG decoder");
    return dpli_fail(err, DPL_E_INPUT, "broken JPEG: %s", reader->catcher.words);
}

/* How many rows of pixels are there; the others, of which libjpeg has made what it could, are
 * painted. */
static int32_t paint_missing(uint8_t *pixels, size_t stride, const struct reader *reader)
{
    const struct jpeg_decompress_struct *cinfo = &reader->cinfo;
    const unsigned all = (1u << cinfo->num_components) - 1;
    const uint32_t unit = (uint32_t)(cinfo->max_v_samp_factor * cinfo->min_DCT_scaled_size);
    uint32_t there = 0;

    for (uint32_t i = 0; i < cinfo->total_iMCU_rows; i++) {
        const uint32_t left = cinfo->output_height - i * unit, rows = left < unit ? left : unit;

        if (reader->there[i] == all)
            there += rows;
        else
            memset(pixels + (size_t)i * unit * stride, DPLI_MISSING, rows * stride);
    }
    return (int32_t)there;
}

/* Decode into out->pixels; out's sizes are set. The reader's cinfo is zeroed or libjpeg's. */
static dpl_status decode_pixels(dpl_image *out, struct reader *reader, uint8_t fill, dpl_error *err)
{
    const struct layout *layout = reader->layout;
    struct jpeg_decompress_struct *cinfo = &reader->cinfo;
    const size_t n = (size_t)out->width_px * (size_t)out->height_px;
    const size_t channels = layout->n_components == 4 ? 4 : 3;
    const char *reason;
    uint8_t *pixels;
    int32_t there;

    if (!attempt(&reader->catcher, read_header, reader))
        return give_up(reader, err);
    /* The limits were checked on the frame that the walk saw; the decoder must see the same one. */
    if (cinfo->image_width != layout->width || cinfo->image_height != layout->height ||
        cinfo->num_components != layout->n_components ||
        cinfo->output_width != (JDIMENSION)out->width_px ||
        cinfo->output_height != (JDIMENSION)out->height_px)
        return dpli_fail(err, DPL_E_INPUT, "broken JPEG: two sizes, %dx%d and %ux%u",
                         out->full_width_px, out->full_height_px, cinfo->image_width,
                         cinfo->image_height);
    reader->there = dpli_calloc(cinfo->total_iMCU_rows, 1, err);
    out->pixels = pixels = dpli_alloc(n, channels, err);
    if (!reader->there || !pixels)
        return DPL_E_MEMORY;
    reader->fill = fill;
    reader->pixels = pixels;
    reader->stride = (size_t)out->width_px * channels;
    if (!attempt(&reader->catcher, read_rows, reader) && !reader->finished)
        return give_up(reader, err);
    if (channels == 4) {
        cmyk_to_rgb(pixels, n, layout->adobe);
        pixels = dpli_realloc(pixels, n, 3, NULL);
        if (pixels)
            out->pixels = pixels;
    }
    there = paint_missing(out->pixels, 3 * (size_t)out->width_px, reader);
    reason = reader->warning[0] ? reader->warning : reader->catcher.words;
    if (!reason[0] && there == out->height_px)
        return DPL_OK;
    return dpli_judge_partial(out->warning, !layout->ended, there, out->height_px, "rows", reason,
                              err);
}

bool dpli_jpeg_measure(uint32_t *width_px, uint32_t *height_px, bool *has_exif,
                       const uint8_t *bytes, size_t n_bytes)
{
    struct layout layout;

    walk(&layout, bytes, n_bytes);
    *width_px = layout.width;
    *height_px = layout.height;
    *has_exif = layout.n_exif > 0;
    return !layout.refusal && layout.has_frame;
}

dpl_status dpli_jpeg_orientation(int32_t *orientation, const uint8_t *bytes, size_t n_bytes,
                                 dpl_error *err)
{
    struct layout layout;

    walk(&layout, bytes, n_bytes);
    return dpli_exif_orientation(orientation, layout.exif, layout.n_exif, err);
}

uint64_t dpli_jpeg_need(const uint8_t *bytes, size_t n_bytes, const dpl_decode_options *options)
{
    struct layout layout;
    uint64_t pixels;
    int32_t w, h;

    walk(&layout, bytes, n_bytes);
    if (layout.refusal || !layout.has_frame)
        return 0;
    w = (int32_t)layout.width;
    h = (int32_t)layout.height;
    layout.scaled_by = dpli_reduce(&w, &h, options->enough_px);
    pixels = (uint64_t)w * (uint64_t)h;
    return dpli_need(decoder_bytes(&layout) + pixels * (layout.n_components == 4 ? 4 : 3), pixels,
                     layout.n_exif > 0);
}

dpl_status dpli_jpeg_decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                            const dpl_decode_options *options, uint8_t fill, dpl_error *err)
{
    struct reader reader = {0};
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
    if (!status)
        status = dpli_exif_taken(out->taken, layout.exif, layout.n_exif, err);
    if (status)
        return status;
    out->width_px = out->full_width_px = (int32_t)layout.width;
    out->height_px = out->full_height_px = (int32_t)layout.height;
    layout.scaled_by = dpli_reduce(&out->width_px, &out->height_px, options->enough_px);
    w = (uint64_t)out->width_px;
    h = (uint64_t)out->height_px;
    status = dpli_check_bytes(decoder_bytes(&layout) + w * h * (layout.n_components == 4 ? 4 : 3),
                              w, h, out->exif_orientation, options, err);
    if (status)
        return status;
    strcpy(out->format, "jpeg");
    reader.layout = &layout;
    catcher_init(&reader.catcher);
    reader.catcher.mgr.emit_message = take_message;
    reader.cinfo.err = &reader.catcher.mgr;
    reader.progress.progress_monitor = watch_scans;
    reader.source.init_source = source_nothing;
    reader.source.fill_input_buffer = source_end;
    reader.source.skip_input_data = source_skip;
    reader.source.resync_to_restart = source_resync;
    reader.source.term_source = source_nothing;
    reader.source.next_input_byte = bytes;
    reader.source.bytes_in_buffer = layout.n_whole;
    status = decode_pixels(out, &reader, fill, err);
    free(reader.there);
    jpeg_destroy_decompress(&reader.cinfo);
    return status;
}

struct writer {
    struct catcher catcher;
    struct jpeg_destination_mgr destination;
    struct jpeg_compress_struct cinfo;
    const dpl_image *image;
    int quality;
    uint8_t *bytes;
    size_t n_bytes; /* room; once all is written, what is used of it */
};

static void destination_init(j_compress_ptr cinfo)
{
    struct writer *writer = (struct writer *)cinfo->err;

    writer->destination.next_output_byte = writer->bytes;
    writer->destination.free_in_buffer = writer->n_bytes;
}

static boolean destination_full(j_compress_ptr cinfo)
{
    struct writer *writer = (struct writer *)cinfo->err;
    uint8_t *more = dpli_realloc(writer->bytes, writer->n_bytes, 2, NULL);

    if (!more) {
        writer->catcher.out_of_memory = true;
        longjmp(writer->catcher.jump, 1);
    }
    writer->bytes = more;
    writer->destination.next_output_byte = more + writer->n_bytes;
    writer->destination.free_in_buffer = writer->n_bytes;
    writer->n_bytes *= 2;
    return TRUE;
}

static void destination_end(j_compress_ptr cinfo)
{
    struct writer *writer = (struct writer *)cinfo->err;

    writer->n_bytes -= writer->destination.free_in_buffer;
}

static void write_jpeg(void *what)
{
    struct writer *writer = what;
    struct jpeg_compress_struct *cinfo = &writer->cinfo;
    const dpl_image *image = writer->image;

    jpeg_create_compress(cinfo);
    cinfo->dest = &writer->destination;
    cinfo->image_width = (JDIMENSION)image->width_px;
    cinfo->image_height = (JDIMENSION)image->height_px;
    cinfo->input_components = 3;
    cinfo->in_color_space = JCS_RGB;
    jpeg_set_defaults(cinfo);
    jpeg_set_quality(cinfo, writer->quality, TRUE);
    /* The fast transform errs by less than such a quality rounds. */
    cinfo->dct_method = writer->quality >= 96 ? JDCT_ISLOW : JDCT_IFAST;
    /* Colour at half the size, but where quality asks for all of it. */
    if (writer->quality >= 90)
        cinfo->comp_info[0].h_samp_factor = cinfo->comp_info[0].v_samp_factor = 1;
    jpeg_start_compress(cinfo, TRUE);
    while (cinfo->next_scanline < cinfo->image_height) {
        /* libjpeg reads it only. */
        JSAMPROW row = image->pixels + cinfo->next_scanline * 3 * (size_t)image->width_px;

        jpeg_write_scanlines(cinfo, &row, 1);
    }
    jpeg_finish_compress(cinfo);
}

dpl_status dpl_image_to_jpeg(uint8_t **out, size_t *n_out, const dpl_image *image, int quality,
                             dpl_error *err)
{
    struct writer writer = {.image = image, .quality = quality, .n_bytes = 16384};
    dpl_status status = DPL_OK;

    *out = NULL;
    *n_out = 0;
    if (quality < 1 || quality > 100)
        return dpli_fail(err, DPL_E_ARGUMENT, "JPEG quality %d is outside 1 to 100", quality);
    if (!image->pixels)
        return dpli_fail(err, DPL_E_ARGUMENT, "image has no pixels");
    if (image->width_px > JPEG_MAX_DIMENSION || image->height_px > JPEG_MAX_DIMENSION)
        return dpli_fail(err, DPL_E_ARGUMENT, "image of %dx%d pixels does not fit a JPEG",
                         image->width_px, image->height_px);
    writer.bytes = dpli_alloc(writer.n_bytes, 1, err);
    if (!writer.bytes)
        return DPL_E_MEMORY;
    catcher_init(&writer.catcher);
    writer.cinfo.err = &writer.catcher.mgr;
    writer.destination.init_destination = destination_init;
    writer.destination.empty_output_buffer = destination_full;
    writer.destination.term_destination = destination_end;
    if (!attempt(&writer.catcher, write_jpeg, &writer)) {
        status =
            writer.catcher.out_of_memory
                ? dpli_fail(err, DPL_E_MEMORY, "out of memory for the JPEG encoder")
                : dpli_fail(err, DPL_E_INPUT, "cannot encode as JPEG: %s", writer.catcher.words);
        goto done;
    }
    *out = dpli_realloc(writer.bytes, writer.n_bytes, 1, NULL);
    if (!*out)
        *out = writer.bytes;
    *n_out = writer.n_bytes;
    writer.bytes = NULL;
done:
    free(writer.bytes);
    jpeg_destroy_compress(&writer.cinfo);
    return status;
}
