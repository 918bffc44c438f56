/*
 * heic.c - one HEVC picture (ITU-T H.265), as HEIC keeps it, to planes, by libde265.
 *
 * libde265 takes memory for whatever size a parameter set says, some before the first slice. So the
 * sets are read here first, and only those of the configuration and the slices of an IDR picture,
 * which refers to no other, are given to it; memory for the picture is ours, of that size, once.
 *
 * libde265 gives out pictures of which it decoded only a part. An error or a warning refuses.
 * Slices that are not there make neither: therefore the memory is filled with a sequence that no
 * encoder knows, and where a unit of coding still holds it, nothing was decoded.
 *
 * The last of the filters (sample adaptive offset) is left out: with it libde265 takes the
 * picture's memory itself, and of what it did not decode nobody knows. It moves values by a few of
 * 255.
 */
#include "vision/image/heif.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <libde265/de265.h>

#include "base/fail.h"
#include "base/mem.h"

enum { VPS = 32, SPS = 33, PPS = 34, IDR_W_RADL = 19, IDR_N_LP = 20 };

/* Parameter sets of a kind: each takes tables of its own. */
enum { MAX_PPS = 4 };

/* The smallest unit that slices consist of. */
enum { UNIT = 16 };

struct layout {
    uint32_t w, h;   /* as coded: whole blocks */
    uint32_t chroma; /* 0: none, 1: 4:2:0, 2: 4:2:2, 3: 4:4:4 */
    uint32_t bits;
    int n_sps, n_pps;
    unsigned length_bytes; /* of the lengths in the data */
};

/* ------------------------------------------------------------------ parameter sets */

struct bits {
    uint8_t bytes[192];
    size_t n, at; /* in bits */
};

static uint32_t read_bits(struct bits *bits, unsigned n)
{
    uint32_t v = 0;

    for (; n > 0; n--, bits->at++)
        v = v << 1 |
            (bits->at < bits->n ? (uint32_t)bits->bytes[bits->at / 8] >> (7 - bits->at % 8) & 1
                                : 0);
    return v;
}

/* ue(v), clause 9.2 */
static uint32_t read_number(struct bits *bits)
{
    unsigned zeros = 0;

    while (zeros < 32 && bits->at < bits->n && read_bits(bits, 1) == 0)
        zeros++;
    return zeros >= 32 ? UINT32_MAX : (1u << zeros) - 1 + read_bits(bits, zeros);
}

/* Clause 7.3.2.2 up to the bit depths. */
static bool read_sps(struct layout *layout, uint32_t crop[2], const uint8_t *nal, size_t n)
{
    struct bits bits = {.n = 0};
    uint32_t n_layers, has[8], window[4] = {0};
    size_t zeros = 0, n_bytes = 0;

    /* Without the bytes that keep start codes out. */
    for (size_t i = 2; i < n && n_bytes < sizeof bits.bytes; i++) {
        if (zeros >= 2 && nal[i] == 3) {
            zeros = 0;
            continue;
        }
        zeros = nal[i] ? 0 : zeros + 1;
        bits.bytes[n_bytes++] = nal[i];
    }
    bits.n = 8 * n_bytes;
    read_bits(&bits, 4);
    n_layers = read_bits(&bits, 3);
    read_bits(&bits, 1);
    bits.at += 96; /* the general profile, tier and level */
    for (uint32_t i = 0; i < n_layers; i++)
        has[i] = read_bits(&bits, 2);
    if (n_layers > 0)
        bits.at += 2 * (8 - n_layers);
    for (uint32_t i = 0; i < n_layers; i++)
        bits.at += (has[i] & 2 ? 88u : 0u) + (has[i] & 1 ? 8u : 0u);
    read_number(&bits);
    layout->chroma = read_number(&bits);
    if (layout->chroma == 3 && read_bits(&bits, 1))
        return false;
    layout->w = read_number(&bits);
    layout->h = read_number(&bits);
    if (read_bits(&bits, 1))
        for (int i = 0; i < 4; i++)
            window[i] = read_number(&bits);
    layout->bits = read_number(&bits) + 8;
    if (read_number(&bits) + 8 != layout->bits || bits.at > bits.n || layout->chroma > 3 ||
        layout->bits > 12 || layout->w > 1 << 16 || layout->h > 1 << 16)
        return false;
    for (int i = 0; i < 4; i++)
        if (window[i] > 1 << 16)
            return false;
    crop[0] = (window[0] + window[1]) * (layout->chroma == 1 || layout->chroma == 2 ? 2 : 1);
    crop[1] = (window[2] + window[3]) * (layout->chroma == 1 ? 2 : 1);
    return crop[0] < layout->w && crop[1] < layout->h;
}

static uint32_t be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static int type_of(const uint8_t *nal)
{
    return nal[0] >> 1 & 63;
}

/* Walk the parameter sets of the configuration (ISO/IEC 14496-15, 8.3.3.1), read the one of the
 * sequence, give them to the decoder unless it is NULL. False when they make no sense. */
static bool walk_config(struct layout *layout, uint32_t crop[2], de265_decoder_context *decoder,
                        const dpli_coded *coded)
{
    const uint8_t *p = coded->config, *end;
    int n_arrays;

    if (coded->n_config < 23)
        return false;
    end = p + coded->n_config;
    layout->length_bytes = (p[21] & 3u) + 1;
    n_arrays = p[22];
    p += 23;
    for (; n_arrays > 0; n_arrays--) {
        uint32_t n_nals;

        if (end - p < 3)
            return false;
        n_nals = be16(p + 1);
        p += 3;
        for (; n_nals > 0; n_nals--) {
            uint32_t n;
            int type;

            if (end - p < 2 || (uint32_t)(end - p - 2) < be16(p) || be16(p) < 2)
                return false;
            n = be16(p);
            p += 2;
            type = type_of(p);
            if (type == SPS && (layout->n_sps++ || !read_sps(layout, crop, p, n)))
                return false;
            if (type == PPS && layout->n_pps++ >= MAX_PPS)
                return false;
            if (decoder && (type == VPS || type == SPS || type == PPS))
                de265_push_NAL(decoder, p, (int)n, 0, NULL);
            p += n;
        }
    }
    return layout->n_sps == 1;
}

static dpl_status read_layout(struct layout *layout, const dpli_coded *coded, dpl_error *err)
{
    uint32_t crop[2] = {0, 0};

    *layout = (struct layout){0};
    if (!walk_config(layout, crop, NULL, coded))
        return dpli_fail(err, DPL_E_INPUT,
                         "broken HEIC: its parameters make no sense, or are of a "
                         "kind that is not read");
    if (layout->w - crop[0] != coded->width_px || layout->h - crop[1] != coded->height_px)
        return dpli_fail(err, DPL_E_INPUT, "broken HEIC: two sizes, %ux%u and %ux%u",
                         coded->width_px, coded->height_px, layout->w - crop[0],
                         layout->h - crop[1]);
    return DPL_OK;
}

/* Bytes of the picture's planes, of light and of one colour. */
static void plane_bytes(size_t n[2], const struct layout *layout)
{
    const size_t bytes = layout->bits > 8 ? 2 : 1;
    const size_t cw = (layout->w + 1) >> (layout->chroma == 1 || layout->chroma == 2);
    const size_t ch = (layout->h + 1) >> (layout->chroma == 1);

    /* Rows of whole 16 samples; the decoder reads a little past the end. */
    n[0] = (layout->w + 15) / 16 * 16 * bytes * layout->h + 64;
    n[1] = layout->chroma ? (cw + 15) / 16 * 16 * bytes * ch + 64 : 0;
}

static uint64_t need(const dpli_coded *coded, dpl_error *err)
{
    struct layout layout;
    size_t n[2];
    uint64_t blocks;

    if (read_layout(&layout, coded, err) != DPL_OK)
        return 0;
    plane_bytes(n, &layout);
    blocks = ((uint64_t)layout.w / 4 + 16) * ((uint64_t)layout.h / 4 + 16);
    /* The planes, what is known of each block of 4x4 and the tables of a picture parameter set, the
     * data with what the decoder keeps of them, and its own tables (measured: up to 2 MiB). */
    return n[0] + 2 * (uint64_t)n[1] + blocks * (32 + 8 * (uint64_t)layout.n_pps) +
           2 * (uint64_t)coded->n_data + 4 * 1024 * 1024;
}

/* ------------------------------------------------------------------ memory for the picture */

struct memory {
    const struct layout *layout;
    uint8_t *planes[3];
    size_t n[2];
    uint64_t seed;
    bool out_of_memory;
};

/* The k-th word of the sequence (Steele, Lea, Flood 2014: SplitMix64). */
static uint64_t word_of(uint64_t seed, uint64_t k)
{
    uint64_t z = seed + (k + 1) * 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static void fill_plane(const struct memory *memory, int plane)
{
    const size_t n = memory->n[plane > 0];

    for (size_t i = 0; i + 8 <= n; i += 8) {
        const uint64_t word = word_of(memory->seed, i / 8);

        memcpy(memory->planes[plane] + i, &word, 8);
    }
}

/* Called for each picture that the decoder begins; ours is one. */
static int get_buffer(de265_decoder_context *decoder, struct de265_image_spec *spec,
                      struct de265_image *image, void *data)
{
    struct memory *memory = data;
    const struct layout *layout = memory->layout;
    const int cw = (spec->width + 1) >> (layout->chroma == 1 || layout->chroma == 2);

    (void)decoder;
    if (memory->planes[0] || spec->width != (int)layout->w || spec->height != (int)layout->h)
        return 0;
    for (int i = 0; i < (layout->chroma ? 3 : 1); i++) {
        memory->planes[i] = dpli_alloc_aligned(memory->n[i > 0], 1, NULL);
        if (!memory->planes[i]) {
            memory->out_of_memory = true;
            return 0;
        }
        fill_plane(memory, i);
        de265_set_image_plane(image, i, memory->planes[i],
                              ((i ? cw : spec->width) + 15) / 16 * 16 * (layout->bits > 8 ? 2 : 1),
                              NULL);
    }
    return 1;
}

static void release_buffer(de265_decoder_context *decoder, struct de265_image *image, void *data)
{
    (void)decoder;
    (void)image;
    (void)data;
}

/* Whether a byte of the light's plane is still the sequence's. */
static bool is_untouched(const struct memory *memory, size_t at)
{
    return memory->planes[0][at] == (uint8_t)(word_of(memory->seed, at / 8) >> (8 * (at % 8)));
}

/* Whether every unit was written to. Filters of neighbours reach 4 samples into one that was not,
 * so 8 samples in its middle tell. */
static bool is_whole(const struct memory *memory)
{
    const struct layout *layout = memory->layout;
    const size_t bytes = layout->bits > 8 ? 2 : 1;
    const size_t stride = (layout->w + 15) / 16 * 16 * bytes;

    for (size_t y = 0; y < layout->h; y += UNIT)
        for (size_t x = 0; x < layout->w; x += UNIT) {
            const size_t row = y + 7 < layout->h ? y + 7 : layout->h - 1;
            const size_t from = row * stride + (x + 4) * bytes;
            size_t i = 0;

            while (i < 8 * bytes && is_untouched(memory, from + i))
                i++;
            if (i == 8 * bytes)
                return false;
        }
    return true;
}

/* ------------------------------------------------------------------ decoding */

/* Give the slices of an IDR picture to the decoder; all else of the data is none of a still
 * picture. False when the data do not fit their lengths. */
static bool push_slices(de265_decoder_context *decoder, const struct layout *layout,
                        const dpli_coded *coded)
{
    const uint8_t *p = coded->data;
    size_t left = coded->n_data;

    while (left > layout->length_bytes) {
        size_t n = 0;

        for (unsigned i = 0; i < layout->length_bytes; i++)
            n = n << 8 | p[i];
        p += layout->length_bytes;
        left -= layout->length_bytes;
        if (n > left || n < 3 || n > INT32_MAX)
            return false;
        if (type_of(p) == IDR_W_RADL || type_of(p) == IDR_N_LP)
            de265_push_NAL(decoder, p, (int)n, 0, NULL);
        p += n;
        left -= n;
    }
    return left == 0;
}

static const struct de265_image *run(de265_decoder_context *decoder, const char **fault)
{
    const struct de265_image *image;
    de265_error code = DE265_OK;
    int more = 1;

    de265_flush_data(decoder);
    /* It goes on saying that there is more as long as a picture waits. */
    while (more && de265_isOK(code) && !de265_peek_next_picture(decoder))
        code = de265_decode(decoder, &more);
    if (de265_isOK(code) || code == DE265_ERROR_WAITING_FOR_INPUT_DATA)
        code = de265_get_warning(decoder);
    image = de265_get_next_picture(decoder);
    *fault = code != DE265_OK ? de265_get_error_text(code)
             : image          ? NULL
                              : "no picture in its data";
    return image;
}

/* libde265 counts its decoders and makes tables for the first one, which takes 6 ms: they stay. */
static pthread_once_t tables = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
    de265_init();
}

static dpl_status decode(const dpli_coded *coded, uint8_t fill,
                         void (*take)(void *to, const dpli_planes *planes), void *to,
                         dpl_error *err)
{
    struct layout layout, again = {0};
    struct memory memory = {.layout = &layout, .seed = 0xD09BE1ull << 8 | fill};
    struct de265_image_allocation allocation = {get_buffer, release_buffer};
    de265_decoder_context *decoder;
    const struct de265_image *image;
    uint32_t crop[2];
    const char *fault;
    dpl_status status = read_layout(&layout, coded, err);

    if (status != DPL_OK)
        return status;
    plane_bytes(memory.n, &layout);
    pthread_once(&tables, make_tables);
    decoder = de265_new_decoder();
    if (!decoder)
        return dpli_fail(err, DPL_E_MEMORY, "out of memory in the HEIC decoder");
    de265_set_parameter_bool(decoder, DE265_DECODER_PARAM_DISABLE_SAO, 1);
    de265_set_image_allocation_functions(decoder, &allocation, &memory);
    walk_config(&again, crop, decoder, coded);
    if (!push_slices(decoder, &layout, coded)) {
        status = dpli_fail(err, DPL_E_INPUT, "damaged: the lengths in its data make no sense");
        goto done;
    }
    image = run(decoder, &fault);
    if (memory.out_of_memory)
        status = dpli_fail(err, DPL_E_MEMORY, "out of memory in the HEIC decoder");
    else if (fault)
        status = dpli_fail(err, DPL_E_INPUT, "damaged: %s", fault);
    else if (!memory.planes[0] || !is_whole(&memory))
        status = dpli_fail(err, DPL_E_INPUT, "damaged: some of its slices are missing");
    else {
        dpli_planes planes = {.width_px = coded->width_px,
                              .height_px = coded->height_px,
                              .bits = (int)layout.bits,
                              .has_colour = layout.chroma > 0,
                              .halved_x = layout.chroma == 1 || layout.chroma == 2,
                              .halved_y = layout.chroma == 1,
                              .matrix = de265_get_image_matrix_coefficients(image),
                              .full_range = de265_get_image_full_range_flag(image)};

        for (int i = 0; i < (layout.chroma ? 3 : 1); i++) {
            int stride;

            planes.plane[i] = de265_get_image_plane(image, i, &stride);
            planes.stride_bytes[i] = stride;
        }
        take(to, &planes);
    }
done:
    de265_free_decoder(decoder);
    for (int i = 0; i < 3; i++)
        free(memory.planes[i]);
    return status;
}

const dpli_codec dpli_heic_codec = {"hvc1", "hvcC", "HEIC", need, decode};
