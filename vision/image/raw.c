/*
 * raw.c - the JPEG preview inside of a camera's raw file, found here and decoded as any JPEG.
 *
 * Raw files are TIFF directories with what the maker wished: DNG, CR2, NEF, ARW and most others as
 * such, ORF and RW2 with another magic, RAF with a head of its own. They are only walked for places
 * where a JPEG is said to be, the largest that is read is taken; the sensor's data are not looked
 * at. Which way up: what the preview's own EXIF says, else what the first directory does, never
 * both.
 *
 * Source: TIFF 6.0 and EP, DNG 1.6; for the places in ORF, RW2 and RAF the tables of ExifTool.
 */
#include "vision/image/decode.h"

#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "vision/image/limits.h"

/* Real files have up to about ten directories, and some hundred entries in one. */
enum { MAX_DIRECTORIES = 32, MAX_ENTRIES = 1024, MAX_CHILDREN = 16 };

enum {
    JPG_FROM_RAW = 0x2E, /* Panasonic */
    COMPRESSION = 0x103,
    PHOTOMETRIC = 0x106,
    STRIPS = 0x111,
    STRIP_BYTES = 0x117,
    CHILDREN = 0x14A,
    JPEG_AT = 0x201,
    JPEG_BYTES = 0x202,
    EXIF = 0x8769,
    MAKER_NOTE = 0x927C,
    DNG_VERSION = 0xC612,
    OLYMPUS_SETTINGS = 0x2020,
    OLYMPUS_PREVIEW_AT = 0x101,
    OLYMPUS_PREVIEW_BYTES = 0x102
};

/* What a directory is of: where its places count from, and what its tags mean. */
enum kind { PICTURE, OLYMPUS_NOTE, OLYMPUS_CAMERA };

struct preview {
    const uint8_t *bytes; /* NULL: none found */
    size_t n;
    uint32_t width, height;
    bool has_exif;
};

struct walker {
    const uint8_t *bytes;
    size_t n;
    bool motorola;
    bool is_raw; /* a picture of a sensor's samples is in it */
    bool cut;    /* a preview lies past the end */
    struct preview best;
    size_t seen[MAX_DIRECTORIES];
    int n_seen;
};

struct entry {
    uint32_t tag, type, count, value;
    size_t at; /* of the value, where it is in the entry */
};

static uint32_t get16(const struct walker *w, size_t at)
{
    const uint8_t *p = w->bytes + at;

    return w->motorola ? (uint32_t)p[0] << 8 | p[1] : p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const struct walker *w, size_t at)
{
    return w->motorola ? get16(w, at) << 16 | get16(w, at + 2)
                       : get16(w, at) | get16(w, at + 2) << 16;
}

/* A JPEG that is said to be at a place: kept when it is one that is read, and the largest. */
static void consider(struct walker *w, uint64_t at, uint64_t n)
{
    struct preview preview = {NULL, 0, 0, 0, false};

    if (n == 0)
        return;
    if (at >= w->n) {
        w->cut = true;
        return;
    }
    preview.bytes = w->bytes + at;
    preview.n = n < w->n - at ? (size_t)n : w->n - (size_t)at;
    if (dpli_is_jpeg(preview.bytes, preview.n) &&
        dpli_jpeg_measure(&preview.width, &preview.height, &preview.has_exif, preview.bytes,
                          preview.n) &&
        (!w->best.bytes ||
         (uint64_t)preview.width * preview.height > (uint64_t)w->best.width * w->best.height))
        w->best = preview;
}

static void walk_directory(struct walker *w, uint64_t at, size_t base, enum kind kind, int depth);

/* Olympus keeps its preview in its note, whose places count from the note's begin. */
static void walk_note(struct walker *w, size_t at, size_t n, int depth)
{
    if (n >= 12 && memcmp(w->bytes + at, "OLYMPUS\0", 8) == 0)
        walk_directory(w, at + 12, at, OLYMPUS_NOTE, depth);
    else if (n >= 16 && memcmp(w->bytes + at, "OM SYSTEM\0", 10) == 0)
        walk_directory(w, at + 16, at, OLYMPUS_NOTE, depth);
}

static void walk_children(struct walker *w, const struct entry *entry, size_t base, enum kind kind,
                          int depth)
{
    if (entry->count <= 1) {
        walk_directory(w, base + (uint64_t)entry->value, base, kind, depth);
        return;
    }
    for (uint32_t i = 0; i < entry->count && i < MAX_CHILDREN; i++) {
        const uint64_t place = base + (uint64_t)entry->value + 4 * (uint64_t)i;

        if (place + 4 <= w->n)
            walk_directory(w, base + (uint64_t)get32(w, (size_t)place), base, kind, depth);
    }
}

/* A directory that was not seen before, its children, and where the JPEGs are that it tells of. */
static void walk_directory(struct walker *w, uint64_t at, size_t base, enum kind kind, int depth)
{
    uint32_t n_entries, compression = 0;
    struct entry places = {0}, lengths = {0}, strips = {0}, strip_lengths = {0};

    if (depth > 4 || w->n_seen == MAX_DIRECTORIES || at > w->n || w->n - at < 2)
        return;
    for (int i = 0; i < w->n_seen; i++)
        if (w->seen[i] == at)
            return;
    w->seen[w->n_seen++] = (size_t)at;
    n_entries = get16(w, (size_t)at);
    if (n_entries > MAX_ENTRIES)
        return;
    at += 2;
    for (uint32_t i = 0; i < n_entries && w->n - at >= 12; i++, at += 12) {
        struct entry entry = {get16(w, (size_t)at), get16(w, (size_t)at + 2),
                              get32(w, (size_t)at + 4), 0, (size_t)at + 8};

        /* SHORT is 3. */
        entry.value = entry.type == 3 ? get16(w, entry.at) : get32(w, entry.at);
        if (kind == OLYMPUS_NOTE) {
            if (entry.tag == OLYMPUS_SETTINGS)
                walk_directory(w, base + (uint64_t)entry.value, base, OLYMPUS_CAMERA, depth + 1);
            continue;
        }
        if (kind == OLYMPUS_CAMERA) {
            if (entry.tag == OLYMPUS_PREVIEW_AT)
                places = entry;
            else if (entry.tag == OLYMPUS_PREVIEW_BYTES)
                lengths = entry;
            continue;
        }
        switch (entry.tag) {
        case JPG_FROM_RAW: consider(w, entry.value, entry.count); break;
        case COMPRESSION: compression = entry.value; break;
        /* Colour filters in front of a sensor, or its linear samples. */
        case PHOTOMETRIC: w->is_raw |= entry.value == 32803 || entry.value == 34892; break;
        case DNG_VERSION: w->is_raw = true; break;
        case STRIPS: strips = entry; break;
        case STRIP_BYTES: strip_lengths = entry; break;
        case JPEG_AT: places = entry; break;
        case JPEG_BYTES: lengths = entry; break;
        case CHILDREN: walk_children(w, &entry, base, PICTURE, depth + 1); break;
        case EXIF: walk_directory(w, base + (uint64_t)entry.value, base, PICTURE, depth + 1); break;
        case MAKER_NOTE:
            if (entry.value < w->n)
                walk_note(w, entry.value,
                          entry.count < w->n - entry.value ? entry.count : w->n - entry.value,
                          depth + 1);
            break;
        default: break;
        }
    }
    if (places.count == 1 && lengths.count == 1)
        consider(w, base + (uint64_t)places.value, lengths.value);
    /* 6 and 7: JPEG, of which that of a sensor's samples is lossless and not read. */
    if ((compression == 6 || compression == 7) && strips.count == 1 && strip_lengths.count == 1)
        consider(w, strips.value, strip_lengths.value);
    if (w->n - at >= 4 && kind == PICTURE && get32(w, (size_t)at) != 0)
        walk_directory(w, get32(w, (size_t)at), base, PICTURE, depth);
}

static bool begins(const uint8_t *bytes, size_t n, const char *magic, size_t n_magic)
{
    return n >= n_magic && memcmp(bytes, magic, n_magic) == 0;
}

static bool is_fuji(const uint8_t *bytes, size_t n)
{
    return begins(bytes, n, "FUJIFILMCCD-RAW ", 16);
}

/* With a magic that is only a raw file's. */
static bool has_raw_magic(const uint8_t *bytes, size_t n)
{
    return is_fuji(bytes, n) || begins(bytes, n, "IIRO", 4) || begins(bytes, n, "IIRS", 4) ||
           begins(bytes, n, "MMOR", 4) || begins(bytes, n, "IIU\0", 4);
}

/* Look through the file for its previews. */
static void walk(struct walker *w, const uint8_t *bytes, size_t n)
{
    *w = (struct walker){.bytes = bytes, .n = n};
    if (is_fuji(bytes, n)) {
        w->motorola = w->is_raw = true;
        w->cut = n < 92;
        if (n >= 92)
            consider(w, get32(w, 84), get32(w, 88));
        return;
    }
    if (n < 8)
        return;
    w->motorola = bytes[0] == 'M';
    w->is_raw = has_raw_magic(bytes, n) || (n >= 10 && memcmp(bytes + 8, "CR", 2) == 0);
    walk_directory(w, get32(w, 4), 0, PICTURE, 0);
}

bool dpli_is_raw(const uint8_t *bytes, size_t n_bytes)
{
    struct walker w;

    if (has_raw_magic(bytes, n_bytes))
        return true;
    if (!begins(bytes, n_bytes, "II*\0", 4) && !begins(bytes, n_bytes, "MM\0*", 4))
        return false;
    walk(&w, bytes, n_bytes);
    return w.is_raw;
}

/* What the file's first directory says: it is EXIF, but for the magic of some. */
static dpl_status read_orientation(int32_t *orientation, const uint8_t *bytes, size_t n,
                                   dpl_error *err)
{
    /* As much as an EXIF block can be; the first directory is at its begin. */
    const size_t n_head = n < 65529 ? n : 65529;
    uint8_t *head;
    dpl_status status;

    *orientation = 1;
    if (is_fuji(bytes, n))
        return DPL_OK;
    head = dpli_alloc(n_head, 1, err);
    if (!head)
        return DPL_E_MEMORY;
    memcpy(head, bytes, n_head);
    head[0] = head[1];
    head[2] = head[0] == 'M' ? 0 : '*';
    head[3] = head[0] == 'M' ? '*' : 0;
    status = dpli_exif_orientation_bare(orientation, head, n_head, err);
    free(head);
    return status;
}

uint64_t dpli_raw_need(const uint8_t *bytes, size_t n_bytes, const dpl_decode_options *options)
{
    struct walker w;
    dpl_error refused;
    int32_t width, height;

    walk(&w, bytes, n_bytes);
    if (!w.best.bytes ||
        dpli_check_pixels(w.best.width, w.best.height, options, &refused) != DPL_OK)
        return 0;
    width = (int32_t)w.best.width;
    height = (int32_t)w.best.height;
    dpli_reduce(&width, &height, options->enough_px);
    return dpli_need(dpli_jpeg_need(w.best.bytes, w.best.n, options),
                     (uint64_t)width * (uint64_t)height, true);
}

dpl_status dpli_raw_decode(dpl_image *out, const uint8_t *bytes, size_t n_bytes,
                           const dpl_decode_options *options, uint8_t fill, dpl_error *err)
{
    struct walker w;
    int32_t orientation = 1, width, height;
    dpl_status status;

    walk(&w, bytes, n_bytes);
    if (!w.best.bytes)
        return dpli_fail(err, DPL_E_INPUT,
                         w.cut ? "truncated: ends before its preview"
                               : "is a camera raw without a JPEG preview; only that is read");
    status = dpli_check_pixels(w.best.width, w.best.height, options, err);
    if (status == DPL_OK && !w.best.has_exif)
        status = read_orientation(&orientation, bytes, n_bytes, err);
    if (status != DPL_OK)
        return status;
    width = (int32_t)w.best.width;
    height = (int32_t)w.best.height;
    dpli_reduce(&width, &height, options->enough_px);
    status = dpli_check_bytes(0, (uint64_t)width, (uint64_t)height, orientation, options, err);
    if (status == DPL_OK)
        status = dpli_jpeg_decode(out, w.best.bytes, w.best.n, options, fill, err);
    if (status == DPL_OK && !w.best.has_exif)
        out->exif_orientation = orientation;
    strcpy(out->format, "raw");
    return status;
}
