/*
 * formats.c - which formats of pictures are read, and what else a file may be.
 *
 * A format is a file with its decoder and a row here; messages and the suffixes that a data set
 * goes by are made from the rows.
 */
#include "vision/image/formats.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/fail.h"
#include "doppel/image.h"

static const dpli_format formats[] = {
    {"a JPEG", {".jpg", ".jpeg"}, dpli_is_jpeg, dpli_jpeg_decode, dpli_jpeg_need},
    {"a PNG", {".png"}, dpli_is_png, dpli_png_decode, dpli_png_need},
    /* Before TIFF, as which most begin. */
    {"a camera raw",
     {".dng", ".cr2", ".nef", ".nrw", ".arw", ".orf", ".raf", ".rw2", ".pef", ".srw"},
     dpli_is_raw,
     dpli_raw_decode,
     dpli_raw_need},
#ifdef DPL_HAS_TIFF
    {"a TIFF", {".tif", ".tiff"}, dpli_is_tiff, dpli_tiff_decode, dpli_tiff_need},
#endif
#ifdef DPL_HAS_WEBP
    {"a WebP", {".webp"}, dpli_is_webp, dpli_webp_decode, dpli_webp_need},
#endif
#ifdef DPL_HAS_HEIC
    {"a HEIC", {".heic", ".heif", ".hif"}, dpli_is_heic, dpli_heic_decode, dpli_heic_need},
#endif
#ifdef DPL_HAS_AVIF
    {"an AVIF", {".avif"}, dpli_is_avif, dpli_avif_decode, dpli_avif_need},
#endif
};

enum {
    N_FORMATS = sizeof formats / sizeof *formats,
    N_SUFFIXES = sizeof formats->suffixes / sizeof *formats->suffixes
};

const dpli_format *dpli_format_of(const uint8_t *bytes, size_t n_bytes)
{
    for (int i = 0; i < N_FORMATS; i++)
        if (formats[i].is(bytes, n_bytes))
            return &formats[i];
    return NULL;
}

bool dpli_format_is_name(const char *file_name)
{
    const char *dot = strrchr(file_name, '.');

    for (int i = 0; dot && i < N_FORMATS; i++)
        for (int k = 0; k < N_SUFFIXES && formats[i].suffixes[k]; k++)
            if (strcasecmp(dot, formats[i].suffixes[k]) == 0)
                return true;
    return false;
}

/* What a file may be that no decoder here reads; what completes "is", and the format's name where
 * another build reads it. */
static const struct kind {
    size_t at;
    const char *magic;
    size_t n;
    const char *what;
    bool is_picture;
    const char *format;
} kinds[] = {
    {8, "WEBP", 4, "a WebP picture", true, "WebP"},
    {4, "ftypheic", 8, "a HEIC picture", true, "HEIC"},
    {4, "ftypheix", 8, "a HEIC picture", true, "HEIC"},
    {4, "ftypheim", 8, "a HEIC picture", true, "HEIC"},
    {4, "ftypheis", 8, "a HEIC picture", true, "HEIC"},
    {4, "ftyphevc", 8, "a HEIC picture", true, "HEIC"},
    {4, "ftypmif1", 8, "a HEIF picture", true, "HEIC"},
    {4, "ftypmsf1", 8, "a HEIF picture", true, "HEIC"},
    {4, "ftypavif", 8, "an AVIF picture", true, "AVIF"},
    {4, "ftypavis", 8, "an AVIF picture", true, "AVIF"},
    {4, "ftypcrx ", 8, "a CR3 raw file", true, NULL},
    {4, "ftyp", 4, "a video", false, NULL},
    {0, "GIF8", 4, "a GIF picture", true, NULL},
    {0, "FUJIFILMCCD", 11, "a camera raw", true, NULL},
    {0, "IIRO", 4, "a camera raw", true, NULL},
    {0, "IIRS", 4, "a camera raw", true, NULL},
    {0, "MMOR", 4, "a camera raw", true, NULL},
    {0, "IIU\0", 4, "a camera raw", true, NULL},
    {0, "II*\0", 4, "a TIFF picture", true, "TIFF"},
    {0, "MM\0*", 4, "a TIFF picture", true, "TIFF"},
    {0, "II+\0", 4, "a TIFF picture", true, "TIFF"},
    {0, "MM\0+", 4, "a TIFF picture", true, "TIFF"},
    {0, "BM", 2, "a BMP picture", true, NULL},
    {0, "\0\0\0\fJXL ", 8, "a JPEG XL picture", true, NULL},
    {0, "\xFF\x0A", 2, "a JPEG XL picture", true, NULL},
    {0, "\0\0\0\fjP  ", 8, "a JPEG 2000 picture", true, NULL},
    {0, "8BPS", 4, "a Photoshop file", true, NULL},
    {0, "%PDF", 4, "a PDF file", false, NULL},
    {0, "PK\3\4", 4, "a ZIP archive", false, NULL},
    {0, "<svg", 4, "an SVG drawing", true, NULL},
    {0, "<?xml", 5, "an XML file", false, NULL},
    {0, "<!DOCTYPE", 9, "an HTML page", false, NULL},
    {0, "<!doctype", 9, "an HTML page", false, NULL},
    {0, "<html", 5, "an HTML page", false, NULL},
};

/* Names of pictures that cameras and programs write, beside the formats'. */
static const char *const other_suffixes[] = {
    ".webp", ".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2", ".gif", ".bmp", ".tif",
    ".tiff", ".dng",  ".cr2",  ".cr3", ".nef",  ".arw", ".raf", ".orf", ".rw2"};

static const struct kind *kind_of(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (n >= kinds[i].at + kinds[i].n &&
            memcmp(bytes + kinds[i].at, kinds[i].magic, kinds[i].n) == 0)
            return &kinds[i];
    return NULL;
}

int dpl_image_is_meant(const char *name, const void *head, size_t n_head)
{
    const struct kind *kind = kind_of(head, n_head);
    const char *dot = strrchr(name, '.');

    if (dpli_format_is_name(name) || dpli_format_of(head, n_head) || (kind && kind->is_picture))
        return 1;
    for (size_t i = 0; dot && i < sizeof other_suffixes / sizeof *other_suffixes; i++)
        if (strcasecmp(dot, other_suffixes[i]) == 0)
            return 1;
    return 0;
}

static void add(char *out, size_t size, const char *between, const char *text)
{
    const size_t n = strlen(out);

    snprintf(out + n, size - n, "%s%s", between, text);
}

void dpli_format_suffixes(char *out, size_t size)
{
    out[0] = '\0';
    for (int i = 0; i < N_FORMATS; i++)
        for (int k = 0; k < N_SUFFIXES && formats[i].suffixes[k]; k++)
            add(out, size, out[0] ? ", " : "", formats[i].suffixes[k]);
}

/* All formats in words, the last behind a word of its own: "JPEG and PNG". */
static void list(char *out, size_t size, bool with_article, const char *last)
{
    out[0] = '\0';
    for (int i = 0; i < N_FORMATS; i++)
        add(out, size,
            i == 0              ? ""
            : i < N_FORMATS - 1 ? ", "
                                : last,
            with_article ? formats[i].name : strchr(formats[i].name, ' ') + 1);
}

static bool is_built(const char *format)
{
    for (int i = 0; i < N_FORMATS; i++)
        if (strcmp(strchr(formats[i].name, ' ') + 1, format) == 0)
            return true;
    return false;
}

dpl_status dpli_format_refuse(const uint8_t *bytes, size_t n_bytes, dpl_error *err)
{
    const struct kind *other = kind_of(bytes, n_bytes);
    char read[200];
    size_t zeros = 0;

    if (other) {
        list(read, sizeof read, false, " and ");
        return other->format && !is_built(other->format)
                   ? dpli_fail(err, DPL_E_INPUT, "is %s, and %s is not built in; %s are read",
                               other->what, other->format, read)
                   : dpli_fail(err, DPL_E_INPUT, "is %s; %s are read", other->what, read);
    }
    if (n_bytes == 0)
        return dpli_fail(err, DPL_E_INPUT, "is empty");
    while (zeros < n_bytes && bytes[zeros] == 0)
        zeros++;
    if (zeros == n_bytes)
        return dpli_fail(err, DPL_E_INPUT, "holds nothing but zeros");
    list(read, sizeof read, true, " nor ");
    return dpli_fail(err, DPL_E_INPUT, "is neither %s", read);
}
