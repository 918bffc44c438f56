/*
 * heif.c - HEIC and AVIF to RGB8: the container (ISO/IEC 23008-12 in the boxes of 14496-12), the
 * tiles that a picture is put together from, transparency, colour.
 *
 * The codecs are behind dpli_codec (heif.h), a file each. What the container says is read here, box
 * by box and without allocation, because sizes must be known before a decoder takes memory; tables
 * of the container are looked through again for each tile, so how many there may be is bounded.
 *
 * The turns and mirrors that the container states are the picture's orientation; an EXIF block in
 * it may say the same once more, and does not count. Of tiles that are cut off or damaged the rows
 * are grey and told. Transparency is composited over white in encoded values, as of a PNG.
 */
#include "vision/image/heif.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "vision/image/decode.h"
#include "vision/image/limits.h"

/* Phones use tiles of 512x512: this is enough for 256 megapixels. Items have a handful of
 * properties, of which a file has at most a few for each. */
enum { MAX_TILES = 1024, MAX_PROPERTIES = 32, MAX_KINDS = 4096 };

/* ------------------------------------------------------------------ boxes */

/* Bytes still to be read; bad once more was asked for. */
struct span {
    const uint8_t *p;
    size_t n;
    bool bad;
};

struct box {
    char type[5];
    struct span body;
};

static void skip(struct span *span, size_t n)
{
    if (span->n < n) {
        span->bad = true;
        n = span->n;
    }
    /* A box that is not there has no place to count from. */
    if (n > 0)
        span->p += n;
    span->n -= n;
}

static uint64_t take_number(struct span *span, unsigned n_bytes)
{
    uint64_t v = 0;

    if (span->n < n_bytes) {
        span->bad = true;
        span->n = 0;
        return 0;
    }
    for (unsigned i = 0; i < n_bytes; i++)
        v = v << 8 | span->p[i];
    skip(span, n_bytes);
    return v;
}

/* The next box, taken off rest. Of one that goes on past the end of rest there is as much as there
 * is, and rest becomes bad. */
static bool next_box(struct box *box, struct span *rest)
{
    uint64_t size;
    unsigned n_head = 8;

    if (rest->n < 8)
        return false;
    size = take_number(rest, 4);
    memcpy(box->type, rest->p, 4);
    box->type[4] = '\0';
    skip(rest, 4);
    if (size == 1) {
        size = take_number(rest, 8);
        n_head = 16;
        if (rest->bad)
            return false;
    } else if (size == 0)
        size = n_head + (uint64_t)rest->n;
    if (size < n_head)
        return false;
    size -= n_head;
    box->body = (struct span){rest->p, size < rest->n ? (size_t)size : rest->n, false};
    if (size > rest->n)
        rest->bad = true;
    skip(rest, box->body.n);
    return true;
}

/* The first box of that type; an empty span when there is none. */
static struct span find_box(struct span in, const char *type)
{
    struct box box;

    while (next_box(&box, &in))
        if (strcmp(box.type, type) == 0)
            return box.body;
    return (struct span){NULL, 0, false};
}

static bool is_brand(const uint8_t *p, const char *const *brands)
{
    for (; *brands; brands++)
        if (memcmp(p, *brands, 4) == 0)
            return true;
    return false;
}

/* Whether the file begins with a type box that names one of the brands. */
static bool has_brand(const uint8_t *bytes, size_t n, const char *const *brands)
{
    size_t size;

    if (n < 12 || memcmp(bytes + 4, "ftyp", 4) != 0)
        return false;
    size = (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
    if (size > n)
        size = n;
    if (is_brand(bytes + 8, brands))
        return true;
    for (size_t at = 16; at + 4 <= size; at += 4)
        if (is_brand(bytes + at, brands))
            return true;
    return false;
}

static const char *const avif_brands[] = {"avif", "avis", NULL};
static const char *const heic_brands[] = {"heic", "heix", "heim", "heis", "hevc",
                                          "hevx", "mif1", "msf1", NULL};

bool dpli_is_avif(const uint8_t *bytes, size_t n_bytes)
{
    return has_brand(bytes, n_bytes, avif_brands);
}

bool dpli_is_heic(const uint8_t *bytes, size_t n_bytes)
{
    return has_brand(bytes, n_bytes, heic_brands) && !dpli_is_avif(bytes, n_bytes);
}

/* ------------------------------------------------------------------ the tables of the container */

struct heif {
    struct span file;
    struct span iinf, iloc, iref, ipco, ipma, idat;
    uint32_t primary;
    bool cut;         /* the file ends inside of a box */
    const char *name; /* "HEIC" or "AVIF" */
};

static const dpli_codec *const codecs[] = {
#ifdef DPL_HAS_HEIC
    &dpli_heic_codec,
#endif
#ifdef DPL_HAS_AVIF
    &dpli_avif_codec,
#endif
};

static dpl_status open_heif(struct heif *heif, const uint8_t *bytes, size_t n, const char *name,
                            dpl_error *err)
{
    struct span rest = {bytes, n, false}, meta = {NULL, 0, false}, pitm, iprp;
    struct box box;
    uint64_t version;

    *heif = (struct heif){.file = rest, .name = name};
    while (next_box(&box, &rest))
        if (strcmp(box.type, "meta") == 0 && !meta.p) {
            if (rest.bad)
                break;
            meta = box.body;
        }
    heif->cut = rest.bad || rest.n > 0;
    if (!meta.p)
        return dpli_fail(err, DPL_E_INPUT,
                         heif->cut ? "truncated: ends before its pixels"
                                   : "broken %s: no still picture in it",
                         name);
    skip(&meta, 4);
    heif->iinf = find_box(meta, "iinf");
    heif->iloc = find_box(meta, "iloc");
    heif->iref = find_box(meta, "iref");
    heif->idat = find_box(meta, "idat");
    iprp = find_box(meta, "iprp");
    heif->ipco = find_box(iprp, "ipco");
    heif->ipma = find_box(iprp, "ipma");
    pitm = find_box(meta, "pitm");
    version = take_number(&pitm, 1);
    skip(&pitm, 3);
    heif->primary = (uint32_t)take_number(&pitm, version ? 4 : 2);
    if (pitm.bad || !heif->iinf.p || !heif->iloc.p || !heif->ipma.p)
        return dpli_fail(err, DPL_E_INPUT, "broken %s: no still picture in it", name);
    return DPL_OK;
}

/* The type of an item; false when there is no such item. */
static bool item_type(char type[5], const struct heif *heif, uint32_t id)
{
    struct span rest = heif->iinf;
    const uint64_t version = take_number(&rest, 1);
    struct box box;

    skip(&rest, version ? 7 : 5);
    while (next_box(&box, &rest)) {
        struct span entry = box.body;
        const uint64_t entry_version = take_number(&entry, 1);

        if (strcmp(box.type, "infe") != 0 || entry_version < 2)
            continue;
        skip(&entry, 3);
        if (take_number(&entry, entry_version == 2 ? 2 : 4) != id || entry.n < 6)
            continue;
        memcpy(type, entry.p + 2, 4);
        type[4] = '\0';
        return true;
    }
    return false;
}

/* An item's data. False when it has none that is read: it lies in another file or in pieces, or
 * past the end, which sets *cut. */
static bool item_data(struct span *data, bool *cut, const struct heif *heif, uint32_t id)
{
    struct span rest = heif->iloc;
    const uint64_t version = take_number(&rest, 1);
    unsigned offset_bytes, length_bytes, base_bytes, index_bytes;
    uint64_t n_items;

    skip(&rest, 3);
    offset_bytes = (unsigned)take_number(&rest, 1);
    length_bytes = offset_bytes & 15;
    offset_bytes >>= 4;
    base_bytes = (unsigned)take_number(&rest, 1);
    index_bytes = version ? base_bytes & 15 : 0;
    base_bytes >>= 4;
    n_items = take_number(&rest, version < 2 ? 2 : 4);
    if (offset_bytes > 8 || length_bytes > 8 || base_bytes > 8 || index_bytes > 8)
        return false;
    for (; n_items > 0 && !rest.bad; n_items--) {
        const uint64_t this_id = take_number(&rest, version < 2 ? 2 : 4);
        const uint64_t method = version ? take_number(&rest, 2) & 15 : 0;
        const uint64_t elsewhere = take_number(&rest, 2);
        const uint64_t base = take_number(&rest, base_bytes);
        const uint64_t n_extents = take_number(&rest, 2);
        const struct span *in = method ? &heif->idat : &heif->file;
        uint64_t offset = 0, length;

        if (this_id != id) {
            skip(&rest, n_extents * (index_bytes + offset_bytes + length_bytes));
            continue;
        }
        length = 0;
        /* Pieces that follow each other are one. */
        for (uint64_t i = 0; i < n_extents && !rest.bad; i++) {
            uint64_t at, n;

            skip(&rest, index_bytes);
            at = take_number(&rest, offset_bytes);
            n = take_number(&rest, length_bytes);
            if (n > in->n) {
                *cut = true;
                return false;
            }
            if (__builtin_add_overflow(at, base, &at) || (i > 0 && at != offset + length))
                return false;
            offset = i ? offset : at;
            length += n;
        }
        if (rest.bad || elsewhere || method > 1 || n_extents == 0 || !in->p)
            return false;
        if (offset > in->n || length > in->n - offset) {
            *cut = true;
            return false;
        }
        *data =
            (struct span){in->p + offset, length ? (size_t)length : in->n - (size_t)offset, false};
        return true;
    }
    return false;
}

/* The k-th property of an item, k from 0; false when there are no more. */
static bool property(struct box *box, bool *essential, const struct heif *heif, uint32_t id,
                     unsigned k)
{
    struct span rest = heif->ipma;
    const uint64_t version = take_number(&rest, 1);
    const uint64_t flags = take_number(&rest, 3);
    uint64_t n_items = take_number(&rest, 4);
    const unsigned bytes = flags & 1 ? 2 : 1;

    for (; n_items > 0 && !rest.bad; n_items--) {
        const uint64_t this_id = take_number(&rest, version ? 4 : 2);
        const size_t n = (size_t)take_number(&rest, 1);
        struct span children = heif->ipco;
        uint64_t index;

        if (this_id != id || k >= n) {
            skip(&rest, n * bytes);
            if (this_id == id)
                return false;
            continue;
        }
        skip(&rest, k * bytes);
        index = take_number(&rest, bytes);
        *essential = index >> (8 * bytes - 1);
        index &= bytes == 1 ? 0x7F : 0x7FFF;
        /* 0 is no property. */
        *box = (struct box){.body = {NULL, 0, false}};
        if (k >= MAX_PROPERTIES || index > MAX_KINDS)
            return false;
        for (; index > 0; index--)
            if (!next_box(box, &children))
                return false;
        return !rest.bad;
    }
    return false;
}

/* The k-th of the items that one refers to, or what refers to it (from). 0 when there are no more.
 */
static uint32_t reference(const struct heif *heif, const char *type, uint32_t id, bool from,
                          uint64_t k)
{
    struct span rest = heif->iref;
    const unsigned bytes = take_number(&rest, 1) ? 4 : 2;
    struct box box;

    skip(&rest, 3);
    while (next_box(&box, &rest)) {
        struct span list = box.body;
        const uint32_t this_id = (uint32_t)take_number(&list, bytes);
        uint64_t n = take_number(&list, 2);

        if (strcmp(box.type, type) != 0)
            continue;
        if (!from && this_id == id) {
            if (k >= n)
                return 0;
            skip(&list, k * bytes);
            return (uint32_t)take_number(&list, bytes);
        }
        for (; from && n > 0 && !list.bad; n--)
            if (take_number(&list, bytes) == id && k-- == 0)
                return this_id;
    }
    return 0;
}

/* ------------------------------------------------------------------ a picture of the container */

struct picture {
    uint32_t id;
    uint32_t w, h; /* before it is cropped and turned */
    uint32_t crop_x, crop_y, crop_w, crop_h;
    int32_t orientation;          /* as EXIF counts */
    bool has_colours, full_range; /* said by the container */
    int matrix;
    bool is_grid;
    uint32_t columns, rows, tile_w, tile_h;
};

/* Turns by 90 degrees clockwise after a mirror or none, as EXIF numbers them. */
static const uint8_t orientations[2][4] = {{1, 6, 3, 8}, {2, 7, 4, 5}};

/* A clean aperture (ISO/IEC 14496-12, 12.1.4): width, height and the distances of its middle from
 * the picture's, fractions each. */
static bool read_crop(struct picture *picture, struct span body)
{
    int64_t n[4], d[4];

    for (int i = 0; i < 4; i++) {
        n[i] = (int32_t)take_number(&body, 4);
        d[i] = (int32_t)take_number(&body, 4);
        if (d[i] <= 0 || n[i] % d[i] > INT32_MAX)
            return false;
    }
    if (body.bad || n[0] < d[0] || n[1] < d[1] || n[0] / d[0] > picture->w ||
        n[1] / d[1] > picture->h)
        return false;
    picture->crop_w = (uint32_t)(n[0] / d[0]);
    picture->crop_h = (uint32_t)(n[1] / d[1]);
    /* From the left: half of what is left over, and the distance, rounded to a pixel. */
    for (int i = 0; i < 2; i++) {
        const int64_t over =
            (int64_t)(i ? picture->h - picture->crop_h : picture->w - picture->crop_w);
        const int64_t from = (over * d[2 + i] + 2 * n[2 + i]) / (2 * d[2 + i]);

        if (from < 0 || from > over)
            return false;
        *(i ? &picture->crop_y : &picture->crop_x) = (uint32_t)from;
    }
    return true;
}

/* The properties of an item. */
static dpl_status read_properties(struct picture *picture, const struct heif *heif, dpl_error *err)
{
    static const char *const known[] = {"ispe", "hvcC", "av1C", "colr", "pixi", "irot", "imir",
                                        "clap", "auxC", "pasp", "clli", "mdcv", "rloc", "lhvC",
                                        "cclv", "amve", "udes", "altt", "free", ""};
    bool essential, flipped = false, turned = false;
    unsigned turns = 0;
    struct box box;

    for (unsigned k = 0; property(&box, &essential, heif, picture->id, k); k++) {
        struct span body = box.body;
        bool is_known = false;

        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            is_known |= strcmp(box.type, known[i]) == 0;
        if (essential && !is_known)
            return dpli_fail(err, DPL_E_INPUT, "%s needs a property that is not read, \"%.4s\"",
                             heif->name, box.type);
        if (strcmp(box.type, "ispe") == 0) {
            skip(&body, 4);
            picture->w = picture->crop_w = (uint32_t)take_number(&body, 4);
            picture->h = picture->crop_h = (uint32_t)take_number(&body, 4);
        } else if (strcmp(box.type, "irot") == 0) {
            /* Anticlockwise. */
            turns = (turns + 4 - (take_number(&body, 1) & 3)) & 3;
            turned = true;
        } else if (strcmp(box.type, "imir") == 0) {
            /* 1: left and right change places; 0: top and bottom, which is that and half a turn. */
            turns = (4 - turns + (take_number(&body, 1) & 1 ? 0 : 2)) & 3;
            flipped = !flipped;
            turned = true;
        } else if (strcmp(box.type, "clap") == 0) {
            if (turned || !read_crop(picture, body))
                return dpli_fail(err, DPL_E_INPUT, "broken %s: its crop makes no sense",
                                 heif->name);
        } else if (strcmp(box.type, "colr") == 0 && body.n >= 11 &&
                   memcmp(body.p, "nclx", 4) == 0) {
            skip(&body, 8);
            picture->has_colours = true;
            picture->matrix = (int)take_number(&body, 2);
            picture->full_range = take_number(&body, 1) >> 7;
        }
        if (body.bad)
            return dpli_fail(err, DPL_E_INPUT, "broken %s: a property is too short", heif->name);
    }
    picture->orientation = orientations[flipped][turns];
    return DPL_OK;
}

/* How many tiles a picture of tiles has, and how large it is: ImageGrid, 6.6.2.3.2. */
static dpl_status read_grid(struct picture *picture, const struct heif *heif, dpl_error *err)
{
    struct picture tile = {.id = reference(heif, "dimg", picture->id, false, 0)};
    struct span data;
    unsigned bytes;
    uint64_t w, h;
    bool cut = false;
    dpl_status status;

    if (!item_data(&data, &cut, heif, picture->id))
        return dpli_fail(err, DPL_E_INPUT,
                         cut ? "truncated: ends before its pixels"
                             : "broken %s: it does not say where its tiles are",
                         heif->name);
    skip(&data, 1);
    bytes = take_number(&data, 1) & 1 ? 4 : 2;
    picture->rows = (uint32_t)take_number(&data, 1) + 1;
    picture->columns = (uint32_t)take_number(&data, 1) + 1;
    w = take_number(&data, bytes);
    h = take_number(&data, bytes);
    status = read_properties(&tile, heif, err);
    if (status != DPL_OK)
        return status;
    picture->tile_w = tile.w;
    picture->tile_h = tile.h;
    if (picture->rows * picture->columns > MAX_TILES)
        return dpli_fail(err, DPL_E_LIMIT, "%s has %u tiles, limit is %d", heif->name,
                         picture->rows * picture->columns, MAX_TILES);
    if (data.bad || w != picture->w || h != picture->h || tile.w == 0 || tile.h == 0 ||
        (uint64_t)tile.w * picture->columns < w || (uint64_t)tile.h * picture->rows < h ||
        (uint64_t)tile.w * (picture->columns - 1) >= w ||
        (uint64_t)tile.h * (picture->rows - 1) >= h)
        return dpli_fail(err, DPL_E_INPUT,
                         "broken %s: %ux%u tiles of %ux%u make no picture of %ux%u", heif->name,
                         picture->columns, picture->rows, tile.w, tile.h, picture->w, picture->h);
    return DPL_OK;
}

static dpl_status read_picture(struct picture *picture, const struct heif *heif, uint32_t id,
                               dpl_error *err)
{
    char type[5];
    dpl_status status;

    *picture = (struct picture){.id = id, .columns = 1, .rows = 1};
    if (!item_type(type, heif, id))
        return dpli_fail(err, DPL_E_INPUT, "broken %s: no still picture in it", heif->name);
    status = read_properties(picture, heif, err);
    picture->tile_w = picture->w;
    picture->tile_h = picture->h;
    picture->is_grid = strcmp(type, "grid") == 0;
    return status == DPL_OK && picture->is_grid ? read_grid(picture, heif, err) : status;
}

/* A tile's coded picture, and the codec that reads it. */
static dpl_status read_tile(dpli_coded *coded, const dpli_codec **codec, bool *cut,
                            const struct picture *picture, uint32_t k, const struct heif *heif,
                            dpl_error *err)
{
    const uint32_t id =
        picture->is_grid ? reference(heif, "dimg", picture->id, false, k) : picture->id;
    char type[5] = "";
    struct span data = {NULL, 0, false};
    struct box box;
    bool essential;

    *codec = NULL;
    if (!item_type(type, heif, id))
        return dpli_fail(err, DPL_E_INPUT, "broken %s: tile %u is missing", heif->name, k);
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        if (strcmp(type, codecs[i]->item) == 0)
            *codec = codecs[i];
    if (!*codec) {
        /* The brand may be of the one, and the picture the other's. */
        const char *other = strcmp(type, "hvc1") == 0   ? "HEIC"
                            : strcmp(type, "av01") == 0 ? "AVIF"
                                                        : NULL;

        return other ? dpli_fail(err, DPL_E_INPUT, "is %s, and %s is not built in",
                                 other[0] == 'A' ? "an AVIF picture" : "a HEIC picture", other)
                     : dpli_fail(err, DPL_E_INPUT,
                                 "%s holds a picture of a kind that is not read, "
                                 "\"%.4s\"",
                                 heif->name, type);
    }
    *coded = (dpli_coded){.width_px = picture->tile_w, .height_px = picture->tile_h};
    for (unsigned i = 0; !coded->config && property(&box, &essential, heif, id, i); i++)
        if (strcmp(box.type, (*codec)->config) == 0) {
            coded->config = box.body.p;
            coded->n_config = box.body.n;
        }
    if (!item_data(&data, cut, heif, id))
        return dpli_fail(err, DPL_E_INPUT,
                         *cut ? "truncated: ends before its pixels are whole"
                              : "broken %s: it does not say where its pixels are",
                         heif->name);
    coded->data = data.p;
    coded->n_data = data.n;
    return DPL_OK;
}

/* ------------------------------------------------------------------ samples to pixels */

/* Where the tiles of a picture go: RGB, or its light alone for an alpha. */
struct canvas {
    const struct picture *picture;
    uint8_t *pixels;
    bool only_light;
    uint32_t x, y;    /* of the tile that comes */
    uint16_t *row[3]; /* of colour as it is, and of both colours spread to the pixels */
    bool refused;
    int matrix; /* that is not read */
};

/* Factors of 16 bits behind the point from samples to 8 bits. */
struct factors {
    int32_t black, grey, light, red, green_u, green_v, blue;
    bool is_rgb;
};

static bool read_factors(struct factors *f, const dpli_planes *planes,
                         const struct picture *picture)
{
    const int matrix = picture->has_colours ? picture->matrix : planes->matrix;
    const bool full = picture->has_colours ? picture->full_range : planes->full_range;
    const int more = planes->bits - 8;
    const double most = (double)((1 << planes->bits) - 1);
    const double light = 255 / (full ? most : (double)(219 << more)) * 65536;
    const double colour = 255 / (full ? most : (double)(224 << more)) * 65536;
    double r, b;

    switch (matrix) {
    case 0:
    case 2:
    case 5:
    case 6: r = 0.299, b = 0.114; break;
    case 1: r = 0.2126, b = 0.0722; break;
    case 4: r = 0.30, b = 0.11; break;
    case 7: r = 0.212, b = 0.087; break;
    case 9: r = 0.2627, b = 0.0593; break;
    default: return false;
    }
    f->black = full ? 0 : 16 << more;
    f->grey = 1 << (planes->bits - 1);
    f->light = (int32_t)(light + 0.5);
    f->red = (int32_t)(colour * 2 * (1 - r) + 0.5);
    f->blue = (int32_t)(colour * 2 * (1 - b) + 0.5);
    f->green_u = (int32_t)(colour * 2 * b * (1 - b) / (1 - r - b) + 0.5);
    f->green_v = (int32_t)(colour * 2 * r * (1 - r) / (1 - r - b) + 0.5);
    f->is_rgb = matrix == 0;
    return !f->is_rgb || !planes->has_colour || (!planes->halved_x && !planes->halved_y);
}

static void load_row(uint16_t *to, const dpli_planes *planes, int plane, uint32_t y, uint32_t n)
{
    const uint8_t *from = planes->plane[plane] + (ptrdiff_t)y * planes->stride_bytes[plane];

    if (planes->bits > 8)
        memcpy(to, from, 2 * (size_t)n);
    else
        for (uint32_t i = 0; i < n; i++)
            to[i] = from[i];
}

/* A row of colour spread to w pixels: three parts of the nearer sample and one of the next, across
 * and down, as JPEG decoders do. */
static void spread_row(uint16_t *to, uint16_t *scratch, const dpli_planes *planes, int plane,
                       uint32_t y, uint32_t w)
{
    const uint32_t n = (planes->width_px + 1) >> planes->halved_x;
    const uint32_t n_rows = (planes->height_px + 1) >> planes->halved_y;
    const uint32_t used = planes->halved_x ? (w + 2) / 2 < n ? (w + 2) / 2 : n : w;
    const uint32_t near = y >> planes->halved_y;

    load_row(to, planes, plane, near, used);
    if (planes->halved_y) {
        const uint32_t next = y & 1 ? (near + 1 < n_rows ? near + 1 : near) : near ? near - 1 : 0;
        load_row(scratch, planes, plane, next, used);
        for (uint32_t i = 0; i < used; i++)
            scratch[i] = (uint16_t)(3 * to[i] + scratch[i]);
    } else
        for (uint32_t i = 0; i < used; i++)
            scratch[i] = (uint16_t)(4 * to[i]);
    if (!planes->halved_x) {
        for (uint32_t i = 0; i < w; i++)
            to[i] = (uint16_t)((scratch[i] + 2) >> 2);
        return;
    }
    for (uint32_t i = 0; i < w; i++) {
        const uint32_t at = i / 2, left = at ? at - 1 : 0, right = at + 1 < used ? at + 1 : at;

        to[i] = (uint16_t)((3 * scratch[at] + scratch[i & 1 ? right : left] + 8) >> 4);
    }
}

static uint8_t to_byte(int32_t v)
{
    v = (v + (1 << 15)) >> 16;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* A codec's picture onto the canvas. */
static void take_tile(void *to, const dpli_planes *planes)
{
    struct canvas *canvas = to;
    const struct picture *picture = canvas->picture;
    const uint32_t left = picture->w - canvas->x, below = picture->h - canvas->y;
    const uint32_t w = planes->width_px < left ? planes->width_px : left;
    const uint32_t h = planes->height_px < below ? planes->height_px : below;
    const bool colour = planes->has_colour && !canvas->only_light;
    const size_t channels = canvas->only_light ? 1 : 3;
    struct factors f;

    if (!read_factors(&f, planes, picture)) {
        canvas->refused = true;
        canvas->matrix = picture->has_colours ? picture->matrix : planes->matrix;
        return;
    }
    for (uint32_t y = 0; y < h; y++) {
        uint8_t *out =
            canvas->pixels + channels * ((size_t)(canvas->y + y) * picture->w + canvas->x);
        const uint16_t *light = canvas->row[0], *u = canvas->row[1], *v = canvas->row[2];

        if (colour) {
            spread_row(canvas->row[1], canvas->row[0], planes, 1, y, w);
            spread_row(canvas->row[2], canvas->row[0], planes, 2, y, w);
        }
        load_row(canvas->row[0], planes, 0, y, w);
        if (!colour)
            for (uint32_t i = 0; i < w; i++)
                memset(out + channels * i, to_byte((light[i] - f.black) * f.light), channels);
        else if (f.is_rgb)
            for (uint32_t i = 0; i < w; i++) {
                out[3 * i] = to_byte((v[i] - f.black) * f.light);
                out[3 * i + 1] = to_byte((light[i] - f.black) * f.light);
                out[3 * i + 2] = to_byte((u[i] - f.black) * f.light);
            }
        else
            for (uint32_t i = 0; i < w; i++) {
                const int32_t l = (light[i] - f.black) * f.light;
                const int32_t du = u[i] - f.grey, dv = v[i] - f.grey;

                out[3 * i] = to_byte(l + dv * f.red);
                out[3 * i + 1] = to_byte(l - du * f.green_u - dv * f.green_v);
                out[3 * i + 2] = to_byte(l + du * f.blue);
            }
    }
}

/* ------------------------------------------------------------------ a whole picture */

struct whole {
    struct heif heif;
    struct picture picture, alpha;
    bool has_alpha, multiplied;
};

/* What an auxiliary picture's type says. */
static bool is_alpha(struct span type)
{
    static const char *const names[] = {"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
                                        "urn:mpeg:hevc:2015:auxid:1"};

    skip(&type, 4);
    for (size_t i = 0; i < 2; i++)
        if (type.n >= strlen(names[i]) && memcmp(type.p, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* The picture that is shown, and its alpha. */
static dpl_status read_whole(struct whole *whole, const uint8_t *bytes, size_t n, const char *name,
                             dpl_error *err)
{
    dpl_status status = open_heif(&whole->heif, bytes, n, name, err);
    const struct heif *heif = &whole->heif;
    uint32_t id;

    if (status == DPL_OK)
        status = read_picture(&whole->picture, heif, heif->primary, err);
    if (status != DPL_OK)
        return status;
    whole->has_alpha = false;
    for (uint64_t k = 0; k < 16 && !whole->has_alpha; k++) {
        struct box box;
        bool essential;

        id = reference(heif, "auxl", heif->primary, true, k);
        for (unsigned i = 0; id && property(&box, &essential, heif, id, i); i++)
            whole->has_alpha |= strcmp(box.type, "auxC") == 0 && is_alpha(box.body);
        if (whole->has_alpha)
            status = read_picture(&whole->alpha, heif, id, err);
    }
    if (status == DPL_OK && whole->has_alpha) {
        whole->multiplied = reference(heif, "prem", heif->primary, false, 0) == whole->alpha.id;
        if (whole->alpha.w != whole->picture.w || whole->alpha.h != whole->picture.h)
            return dpli_fail(err, DPL_E_INPUT, "broken %s: two sizes, %ux%u and %ux%u", name,
                             whole->picture.w, whole->picture.h, whole->alpha.w, whole->alpha.h);
    }
    return status;
}

/* The most that the codec takes for a tile; 0 and err when it refuses one that is there. */
static uint64_t tile_need(const struct picture *picture, const struct heif *heif, dpl_error *err)
{
    uint64_t most = 0;

    for (uint32_t k = 0; k < picture->rows * picture->columns; k++) {
        const dpli_codec *codec;
        dpli_coded coded;
        bool cut = false;
        uint64_t need;

        if (read_tile(&coded, &codec, &cut, picture, k, heif, err) != DPL_OK) {
            if (cut)
                continue;
            return 0;
        }
        need = codec->need(&coded, err);
        if (need == 0)
            return 0;
        most = need > most ? need : most;
    }
    if (most == 0)
        dpli_fail(err, DPL_E_INPUT, "truncated: ends before its pixels");
    return most;
}

/* Our pixels, the alpha, three rows of a tile, and a codec at work on one; 0 and err when it is
 * refused. */
static uint64_t decoder_bytes(const struct whole *whole, dpl_error *err)
{
    const uint64_t pixels = (uint64_t)whole->picture.w * whole->picture.h;
    uint64_t need = tile_need(&whole->picture, &whole->heif, err);
    uint64_t alpha = 0, row = whole->picture.tile_w;

    if (need && whole->has_alpha) {
        alpha = tile_need(&whole->alpha, &whole->heif, err);
        row = row > whole->alpha.tile_w ? row : whole->alpha.tile_w;
        if (!alpha)
            return 0;
        need = (need > alpha ? need : alpha) + pixels;
    }
    return need ? need + 3 * pixels + 3 * 2 * (row + 16) : 0;
}

/* The tiles of a picture onto the canvas; *rows is how many rows of pixels are there whole, and
 * words says what the first tile lacks that is not. */
static dpl_status decode_tiles(struct canvas *canvas, uint32_t *rows, dpl_error *words,
                               const struct heif *heif, uint8_t fill, dpl_error *err)
{
    const struct picture *picture = canvas->picture;
    const size_t channels = canvas->only_light ? 1 : 3;
    dpl_status status = DPL_OK;

    *rows = 0;
    for (int i = 0; i < 3; i++) {
        canvas->row[i] = dpli_alloc((size_t)picture->tile_w + 16, sizeof *canvas->row[i], err);
        if (!canvas->row[i])
            status = DPL_E_MEMORY;
    }
    for (uint32_t r = 0; r < picture->rows && status == DPL_OK; r++) {
        const uint32_t below = picture->h - r * picture->tile_h;
        const uint32_t n_rows = below < picture->tile_h ? below : picture->tile_h;
        bool whole = true;

        for (uint32_t c = 0; c < picture->columns && status == DPL_OK; c++) {
            const dpli_codec *codec;
            dpli_coded coded;
            dpl_error fault = {DPL_OK, ""};
            bool cut = false;
            dpl_status tile =
                read_tile(&coded, &codec, &cut, picture, r * picture->columns + c, heif, &fault);

            canvas->x = c * picture->tile_w;
            canvas->y = r * picture->tile_h;
            if (tile == DPL_OK)
                tile = codec->decode(&coded, fill, take_tile, canvas, &fault);
            if (canvas->refused)
                tile = DPL_E_LIMIT;
            if (tile == DPL_OK)
                continue;
            if (tile != DPL_E_INPUT) {
                status = canvas->refused ? dpli_fail(err, DPL_E_INPUT,
                                                     "%s has colours of a kind that is not read "
                                                     "(matrix %d)",
                                                     heif->name, canvas->matrix)
                                         : dpli_fail(err, tile, "%s", fault.message);
                continue;
            }
            whole = false;
            if (!words->message[0])
                *words = fault;
            for (uint32_t y = 0; y < n_rows; y++) {
                const uint32_t left = picture->w - canvas->x;

                memset(canvas->pixels +
                           channels * ((size_t)(canvas->y + y) * picture->w + canvas->x),
                       canvas->only_light ? 255 : DPLI_MISSING,
                       channels * (left < picture->tile_w ? left : picture->tile_w));
            }
        }
        *rows += whole ? n_rows : 0;
    }
    for (int i = 0; i < 3; i++)
        free(canvas->row[i]);
    return status;
}

/* The alpha's light over the pixels, white below. */
static dpl_status apply_alpha(dpl_image *out, const struct whole *whole, uint8_t fill,
                              dpl_error *err)
{
    const size_t n = (size_t)whole->picture.w * whole->picture.h;
    struct canvas canvas = {.picture = &whole->alpha, .only_light = true};
    dpl_error words = {DPL_OK, ""};
    dpl_status status = DPL_E_MEMORY;
    uint32_t rows = 0;

    canvas.pixels = dpli_alloc(n, 1, err);
    if (canvas.pixels) {
        memset(canvas.pixels, fill, n);
        status = decode_tiles(&canvas, &rows, &words, &whole->heif, fill, err);
    }
    if (status == DPL_OK && rows < whole->alpha.h)
        status = dpli_fail(err, DPL_E_INPUT, "%s", words.message);
    for (size_t i = 0; i < n && status == DPL_OK; i++)
        for (size_t c = 0; c < 3; c++) {
            const unsigned alpha = canvas.pixels[i], v = out->pixels[3 * i + c];
            const unsigned over = v + 255 - alpha;

            out->pixels[3 * i + c] = !whole->multiplied ? dpli_over_white(v, alpha)
                                     : over < 255       ? (uint8_t)over
                                                        : 255;
        }
    free(canvas.pixels);
    return status;
}

static void crop(dpl_image *out, const struct picture *picture)
{
    for (size_t y = 0; y < picture->crop_h; y++)
        memmove(out->pixels + 3 * y * picture->crop_w,
                out->pixels + 3 * ((y + picture->crop_y) * picture->w + picture->crop_x),
                3 * (size_t)picture->crop_w);
}

static dpl_status decode_pixels(dpl_image *out, const struct whole *whole, uint8_t fill,
                                dpl_error *err)
{
    const struct picture *picture = &whole->picture;
    const size_t n = (size_t)picture->w * picture->h;
    struct canvas canvas = {.picture = picture};
    dpl_error words = {DPL_OK, ""};
    dpl_status status;
    uint32_t rows;

    out->pixels = canvas.pixels = dpli_alloc(n, 3, err);
    if (!canvas.pixels)
        return DPL_E_MEMORY;
    memset(canvas.pixels, fill, 3 * n);
    status = decode_tiles(&canvas, &rows, &words, &whole->heif, fill, err);
    if (status == DPL_OK && rows < picture->h)
        /* Where nothing is there the codec's words say more. */
        status = rows > 0 ? dpli_judge_partial(out->warning, whole->heif.cut, (int32_t)rows,
                                               (int32_t)picture->h, "rows", words.message, err)
                          : dpli_fail(err, DPL_E_INPUT, "%s", words.message);
    else if (status == DPL_OK && whole->heif.cut)
        strcpy(out->warning, "truncated: ends before what follows its pixels");
    if (status == DPL_OK && whole->has_alpha)
        status = apply_alpha(out, whole, fill, err);
    if (status == DPL_OK)
        crop(out, picture);
    return status;
}

/* ------------------------------------------------------------------ the way in */

static uint64_t need(const uint8_t *bytes, size_t n_bytes, const char *name,
                     const dpl_decode_options *options)
{
    struct whole whole;
    dpl_error refused;
    uint64_t n;

    if (read_whole(&whole, bytes, n_bytes, name, &refused) != DPL_OK ||
        dpli_check_pixels(whole.picture.w, whole.picture.h, options, &refused) != DPL_OK)
        return 0;
    n = decoder_bytes(&whole, &refused);
    return n ? dpli_need(n, (uint64_t)whole.picture.w * whole.picture.h,
                         whole.picture.orientation > 1)
             : 0;
}

static dpl_status decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes, const char *name,
                         const char *format, const dpl_decode_options *options, uint8_t fill,
                         dpl_error *err)
{
    struct whole whole;
    dpl_status status = read_whole(&whole, bytes, n_bytes, name, err);
    uint64_t n;

    if (status == DPL_OK)
        status = dpli_check_pixels(whole.picture.w, whole.picture.h, options, err);
    if (status != DPL_OK)
        return status;
    n = decoder_bytes(&whole, err);
    if (n == 0)
        return DPL_E_INPUT;
    status = dpli_check_bytes(n, whole.picture.w, whole.picture.h, whole.picture.orientation,
                              options, err);
    if (status != DPL_OK)
        return status;
    strcpy(out->format, format);
    out->exif_orientation = whole.picture.orientation;
    out->width_px = out->full_width_px = (int32_t)whole.picture.crop_w;
    out->height_px = out->full_height_px = (int32_t)whole.picture.crop_h;
    return decode_pixels(out, &whole, fill, err);
}

uint64_t dpli_avif_need(const uint8_t *bytes, size_t n_bytes, const dpl_decode_options *options)
{
    return need(bytes, n_bytes, "AVIF", options);
}

uint64_t dpli_heic_need(const uint8_t *bytes, size_t n_bytes, const dpl_decode_options *options)
{
    return need(bytes, n_bytes, "HEIC", options);
}

dpl_status dpli_avif_decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                            const dpl_decode_options *options, uint8_t fill, dpl_error *err)
{
    return decode(out, bytes, n_bytes, "AVIF", "avif", options, fill, err);
}

dpl_status dpli_heic_decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                            const dpl_decode_options *options, uint8_t fill, dpl_error *err)
{
    return decode(out, bytes, n_bytes, "HEIC", "heic", options, fill, err);
}
